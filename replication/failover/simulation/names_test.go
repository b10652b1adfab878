package simulation

import "strconv"

// names replaces what differs between runs that are alike: nonces and identities, which
// are random, by their order, and times by nothing.
type names struct{ known map[string]int }

// canonical is a text in which each random name is numbered.
func (n *names) canonical(text string) string {
	if !n.differs(text) {
		return text
	}
	return string(n.appendCanonical(nil, text))
}

// differs reports whether a text has anything to be replaced.
func (n *names) differs(text string) bool {
	for at := 0; at < len(text); {
		from, to := word(text, at)
		if to-from >= 4 && (isRandom(text[from:to]) || moment(text[from:]) > 0) {
			return true
		}
		at = to
	}
	return false
}

// appendCanonical appends a text in canonical form.
func (n *names) appendCanonical(b []byte, text string) []byte {
	done := 0
	for at := 0; at < len(text); {
		from, to := word(text, at)
		at = to
		switch {
		case to-from < 4:
			continue
		case isRandom(text[from:to]):
			number, ok := n.known[text[from:to]]
			if !ok {
				number = len(n.known) + 1
				n.known[text[from:to]] = number
			}
			b = append(append(b, text[done:from]...), '<')
			b = append(strconv.AppendInt(b, int64(number), 10), '>')
		default:
			length := moment(text[from:])
			if length == 0 {
				continue
			}
			b = append(append(b, text[done:from]...), 'T')
			at = from + length
		}
		done = at
	}
	return append(b, text[done:]...)
}

// word finds the next run of letters and digits; at the end of the text both are its length.
func word(text string, at int) (from, to int) {
	for from = at; from < len(text) && !isWord[text[from]]; from++ {
	}
	for to = from; to < len(text) && isWord[text[to]]; to++ {
	}
	return from, to
}

// isWord are the bytes of words, isBase32 and isHex those of what crypto/rand makes: rand.Text,
// and hexadecimal numbers.
var isWord, isBase32, isHex = bytesOf('0', '9', 'A', 'Z', 'a', 'z', '_', '_'), bytesOf('A', 'Z', '2', '7'),
	bytesOf('0', '9', 'a', 'f')

// bytesOf is a set of bytes, each from one to another.
func bytesOf(ends ...byte) (set [256]bool) {
	for i := 0; i < len(ends); i += 2 {
		for c := int(ends[i]); c <= int(ends[i+1]); c++ {
			set[c] = true
		}
	}
	return set
}

// isRandom reports whether a word was made by crypto/rand.
func isRandom(word string) bool {
	return len(word) >= 20 && all(word, &isBase32) || len(word) >= 16 && all(word, &isHex)
}

func all(word string, set *[256]bool) bool {
	for i := range len(word) {
		if !set[word[i]] {
			return false
		}
	}
	return true
}

// moment is the length of a time in JSON or SQL with which a text begins, or of a number of
// seconds in the time of a simulation; 0: it begins with none.
func moment(text string) int {
	const clock, seconds = "0000-00-00T00:00:00", "946600000"
	var length int
	switch {
	case isLike(text, clock):
		length = len(clock)
	case isLike(text, seconds) && text[:4] == seconds[:4]:
		length = len(seconds)
	default:
		return 0
	}
	if end := length + 1; end < len(text) && text[length] == '.' && isDigit(text[end]) {
		for length = end; length < len(text) && isDigit(text[length]); length++ {
		}
	}
	if length < len(text) && text[length] == 'Z' {
		length++
	}
	return length
}

// isLike reports whether a text begins as a form does, in which 0 is a digit and T may be a space.
func isLike(text, form string) bool {
	if len(text) < len(form) {
		return false
	}
	for i := range len(form) {
		switch c := text[i]; {
		case isDigit(form[i]) && isDigit(c), c == form[i], form[i] == 'T' && c == ' ':
		default:
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
