package pairs

import (
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// ProblemOf gives the problem of a code; nil if there is none.
func ProblemOf(problems []*finding.Problem, code string) *finding.Problem {
	for _, p := range problems {
		if p.Code == code {
			return p
		}
	}
	return nil
}

// Texts shows problems in a test's message.
func Texts(problems []*finding.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.Code + ": " + p.Error() + "\n    " + p.Cure + "\n")
	}
	return b.String()
}
