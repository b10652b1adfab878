package simulation

import (
	"fmt"
	"strings"
	"time"
)

// story is what has happened in a run, to be read by people.
type story struct {
	lines []string
	mute  bool
}

// tell adds a line.
func (s *story) tell(at time.Duration, text string) {
	if !s.mute {
		s.lines = append(s.lines, fmt.Sprintf("%8.2fs  %s", at.Seconds(), text))
	}
}

// String is the story, with the same lines in a row told once.
func (s *story) String() string { return strings.Join(s.lines, "\n") }
