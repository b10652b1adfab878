package files

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Block is one block of a PEM file.
type Block struct {
	Label     string
	Line      int  // of the BEGIN line, counted from 1; 0 in a DER file
	Encrypted bool // by its headers (RFC 1421); DER is then cipher text
	DER       []byte
	Err       error // what is wrong with the block; DER is then nil
}

// Blocks finds the blocks of a PEM file. It is lenient where grid files
// need it: text before, between and after blocks, CR LF, white space at line
// ends and in the base64. Unlike encoding/pem it says which block is broken
// and on which line, and goes on after it. A file that is DER is one block
// without a label.
func Blocks(data []byte) []Block {
	if IsDER(data) {
		return []Block{{DER: data}}
	}
	var blocks []Block
	var current *Block
	var text strings.Builder
	finish := func(err error) {
		if err == nil {
			current.DER, err = base64.StdEncoding.DecodeString(text.String())
			if err != nil {
				err = errors.New("the base64 of this block is damaged")
			} else if len(current.DER) == 0 {
				err = errors.New("this block is empty")
			}
		}
		current.Err = err
		blocks = append(blocks, *current)
		current = nil
	}
	for line, row := range pemRows(data) {
		label, isBegin := boundary(row, "-----BEGIN ")
		endLabel, isEnd := boundary(row, "-----END ")
		switch {
		case isBegin:
			if current != nil {
				finish(errors.New("this block has no END line"))
			}
			current = &Block{Label: label, Line: line}
			text.Reset()
		case current == nil:
		case isEnd:
			var err error
			if endLabel != current.Label {
				err = fmt.Errorf("this %s block ends as %s", current.Label, endLabel)
			}
			finish(err)
		case bytes.IndexByte(row, ':') > 0:
			if bytes.HasPrefix(row, []byte("Proc-Type:")) && bytes.Contains(row, []byte("ENCRYPTED")) {
				current.Encrypted = true
			}
		default:
			for field := range bytes.FieldsSeq(row) {
				text.Write(field)
			}
		}
	}
	if current != nil {
		finish(errors.New("this block has no END line"))
	}
	return blocks
}

// pemRows numbers the lines of a file from 1, without white space at their
// ends. An END line and a BEGIN line that files without a last line end became
// when they were joined are two rows of one line.
func pemRows(data []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		line := 0
		for row := range bytes.Lines(data) {
			line++
			row = bytes.TrimSpace(row)
			if i := bytes.Index(row, []byte("----------BEGIN ")); i >= 0 {
				i += len("-----")
				if !yield(line, row[:i]) {
					return
				}
				row = row[i:]
			}
			if !yield(line, row) {
				return
			}
		}
	}
}

// boundary reads the label of a BEGIN or END line.
func boundary(row []byte, start string) (label string, ok bool) {
	rest, ok := bytes.CutPrefix(row, []byte(start))
	if !ok {
		return "", false
	}
	rest, ok = bytes.CutSuffix(rest, []byte("-----"))
	return string(rest), ok
}

// IsDER reports whether data is one DER SEQUENCE rather than text.
func IsDER(data []byte) bool {
	input := cryptobyte.String(data)
	var element cryptobyte.String
	return input.ReadASN1Element(&element, asn1.SEQUENCE) && input.Empty()
}
