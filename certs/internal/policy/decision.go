package policy

import "github.com/gtunnel/gtunnel/certs/internal/files"

// Verdict is what policy files say about an issuer and a subject.
type Verdict int

// The verdicts.
const (
	Silent  Verdict = iota // no file speaks of this issuer
	Permits                // the issuer may sign this subject
	Denies                 // the issuer may not sign this subject
)

// Cause is why a Decision denies.
type Cause int

// The causes.
const (
	ByRule    Cause = iota // what a file says
	Malformed              // a file cannot be read
	Missing                // no file speaks of the issuer, and one must
)

// Decision is a verdict with what decided it.
type Decision struct {
	Verdict Verdict
	Denied  bool   // a DENY matches, which no PERMIT outweighs
	Cause   Cause  // if it denies
	File    string // the policy file
	Line    int    // the line of the deciding statement, counted from 1; 0 if the file is silent
	Reason  string // one clause in plain words; empty if the file is silent
}

// Both permits if none denies and one permits.
func Both(first, second Decision) Decision {
	if first.Verdict == Denies || second.Verdict == Silent {
		return first
	}
	return second
}

// Unreadable is what a file says that cannot be read: it denies, as long as the
// file is asked.
func Unreadable(problem files.Problem) Decision {
	return Decision{
		Verdict: Denies, Cause: Malformed, File: problem.File, Line: problem.Line,
		Reason: "the policy file is malformed: " + problem.Message,
	}
}
