// Package usage words what the program says when a command or a file of its
// configuration is wrong, and when it has failed: where, what, and what to do
// about it.
//
// An [Error] is wrong usage or configuration, for which the program exits with
// 2. Any other error is a failure (1). Either may have a hint: its own method
// Hint, as the errors of packages certs, tunnel and replication have it, or one
// that [WithHint] gave it.
package usage

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// Error is wrong usage or configuration.
type Error struct {
	Where   string // the flag, or file:line: key; may be empty
	File    string // to order by: empty for the configuration file, else the one that it includes
	Line    int    // of the file, to order by; 0 if none
	Message string // may be empty if there is a cause
	Cure    string // what to do; empty: the cause knows it, or nobody
	Err     error  // the cause, if it is another package's
}

// Error names the place and says what is wrong there.
func (e *Error) Error() string {
	message := e.Message
	if e.Err != nil {
		message = strings.TrimPrefix(message+": "+e.Err.Error(), ": ")
	}
	return strings.TrimPrefix(e.Where+": "+message, ": ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do: this error's own words, else the cause's.
func (e *Error) Hint() string {
	if e.Cure == "" {
		return HintOf(e.Err)
	}
	return e.Cure
}

// Is reports whether any of the errors in err is an [Error].
func Is(err error) bool {
	_, ok := errors.AsType[*Error](err)
	return ok
}

// Join is [errors.Join] for errors of one configuration, which it orders by
// their files and lines; nil if there are none.
func Join(list []*Error) error {
	sorted := slices.SortedStableFunc(slices.Values(list), func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	var joined []error
	for _, e := range sorted {
		joined = append(joined, e)
	}
	return errors.Join(joined...)
}

// Split gives the errors that [errors.Join] joined, else err alone.
func Split(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) // only the outermost is a list
	if !ok {
		return []error{err}
	}
	return joined.Unwrap()
}

// hinter is an error that knows what to do about it.
type hinter interface {
	error
	Hint() string
}

// hinted is a failure with what to do about it.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }
func (e *hinted) Hint() string  { return e.hint }

// WithHint is err with what to do about it, in place of what it may say itself.
func WithHint(err error, hint string) error { return &hinted{error: err, hint: hint} }

// HintOf is what to do about err; empty if nobody knows.
func HintOf(err error) string {
	if h, ok := errors.AsType[hinter](err); ok {
		return h.Hint()
	}
	return ""
}

// Closest gives the known word that word is most likely a slip of, or "".
func Closest(word string, known []string) string {
	best, bound := "", 1+len(word)/3
	for _, k := range known {
		if d := distance(word, k); d <= bound {
			best, bound = k, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions and changes of one byte that turn
// a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
