package certs

import "strings"

// setupError is an error in what the administrator installed or configured,
// with the next step. It implements Hint.
type setupError struct {
	message string
	hint    string
	cause   error // may be nil
}

// Error says what is wrong, with the file.
func (e *setupError) Error() string { return e.message }

// Unwrap gives the cause.
func (e *setupError) Unwrap() error { return e.cause }

// Hint is what to do about it.
func (e *setupError) Hint() string { return e.hint }

// shellQuote writes a word so that it can be pasted into a shell.
func shellQuote(word string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/._-+:@%,", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !safe(r) }) < 0 {
		return word
	}
	return singleQuote(word)
}

// singleQuote puts a word between single quotes for a shell.
func singleQuote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
