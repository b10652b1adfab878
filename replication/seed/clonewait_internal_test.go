package seed

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestCloneEnd judges what performance_schema.clone_status says.
func TestCloneEnd(t *testing.T) {
	const before, now = "2026-01-01 00:00:00", "2026-01-02 00:00:00"
	for name, test := range map[string]struct {
		state, number, begun string
		runs                 bool
		want                 cloneEnd
	}{
		"runs":                          {"In Progress", "0", now, true, cloneUnknown},
		"runs after an earlier":         {"Completed", "0", before, true, cloneUnknown},
		"completed":                     {"Completed", "0", now, false, cloneCompleted},
		"failed":                        {"Failed", "3862", now, false, cloneFailed},
		"killed":                        {"In Progress", "1317", now, false, cloneFailed},
		"killed, and nothing says so":   {"In Progress", "0", now, false, cloneIsIdle},
		"killed before it began":        {"Completed", "0", before, false, cloneIsIdle},
		"the earlier one was killed":    {"In Progress", "1317", before, false, cloneIsIdle},
		"the first, killed as it began": {"", "", "", false, cloneIsIdle},
	} {
		status := server.Record{"state": test.state, "error_no": test.number, "begin_time": test.begun}
		if test.begun == "" {
			status = nil
		}
		if got := cloneEndOf(status, before, test.runs); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
