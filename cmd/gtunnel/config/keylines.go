package config

import (
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// keyLines finds the line on which each key's statement begins, which the TOML
// library does not tell. It asks the library for the keys of one statement
// after the other, so that the time grows with the text and no faster. The
// text must be sound.
func keyLines(text string) map[string]int {
	lines := map[string]int{}
	text = strings.TrimPrefix(text, "\ufeff")
	var section place
	for line := 1; text != ""; {
		end := statementEnd(text)
		statement := strings.TrimSpace(text[:end])
		text = text[end:]
		begin := line
		line += strings.Count(statement, "\n") + 1
		if statement == "" || statement[0] == '#' {
			continue
		}
		var document map[string]any
		meta, err := toml.Decode(statement, &document)
		if err != nil {
			continue // cannot be: it was sound before
		}
		keys, isHeader := meta.Keys(), statement[0] == '['
		if isHeader {
			section = nil
		}
		for _, key := range keys {
			p := append(slices.Clip(section), key...)
			for n := range p {
				if at := p[:n+1].String(); lines[at] == 0 {
					lines[at] = begin
				}
			}
		}
		if isHeader && len(keys) > 0 {
			section = place(keys[len(keys)-1])
		}
	}
	return lines
}

// statementEnd is where the statement, comment or empty line at the beginning
// of sound TOML ends: after the first line feed outside strings and brackets.
func statementEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); {
		switch text[i] {
		case '\n':
			if depth == 0 {
				return i + 1
			}
			i++
		case '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case '"', '\'':
			i += stringLength(text[i:])
		case '[', '{':
			depth++
			i++
		case ']', '}':
			depth--
			i++
		default:
			i++
		}
	}
	return len(text)
}

// stringLength is how long the string at the beginning of text is, in bytes,
// with its quotes: one or three of a kind. Only double quotes know escapes.
func stringLength(text string) int {
	quote, most := text[:1], 0 // most: quotes that may stand before the last ones
	if strings.HasPrefix(text, strings.Repeat(quote, 3)) {
		quote, most = text[:3], 2
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote[0] == '"':
			i++
		case strings.HasPrefix(text[i:], quote):
			end := i + len(quote)
			for ; most > 0 && end < len(text) && text[end] == quote[0]; most-- {
				end++
			}
			return end
		}
	}
	return len(text)
}
