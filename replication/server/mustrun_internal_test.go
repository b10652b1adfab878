package server

import (
	"errors"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// TestMustRunKeepsRelayLog: nothing starts a slave of which both threads stand, which
// would delete what it has received.
func TestMustRunKeepsRelayLog(t *testing.T) {
	for io, want := range map[string]bool{"Yes": true, "Connecting": true, "No": false} {
		s := &SlaveStatus{IORunning: io, SQLRunning: "No", version: Version{Family: MariaDB, Major: 10, Minor: 11}}
		problem, ok := errors.AsType[*finding.Problem](s.MustRun())
		if got := ok && strings.Contains(problem.Cure, "START SLAVE"); got != want {
			t.Errorf("I/O thread %s: a start is named: %v", io, got)
		}
	}
}
