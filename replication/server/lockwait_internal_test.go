package server

import "testing"

// TestMayWait knows the threads of a slave of which none can wait for a lock, in the words of
// each family: see States of replication threads in their manuals.
func TestMayWait(t *testing.T) {
	for state, may := range map[string]bool{
		"Slave has read all relay log; waiting for more updates":   false,
		"Replica has read all relay log; waiting for more updates": false,
		"Waiting for master to send event":                         false,
		"Waiting for source to send event":                         false,
		"Waiting for work from SQL thread":                         false,
		"Waiting for an event from Coordinator":                    false,

		"": true,
		"Update_rows_log_event::find_row(-1) on table `t`": true,
		"Updating":                               true,
		"Waiting for table metadata lock":        true,
		"Applying batch of row changes (update)": true,
	} {
		if got := (Process{User: "system user", State: state}).mayWait(); got != may {
			t.Errorf("%q may wait: %t", state, got)
		}
	}
	if (Process{User: "root", State: "Updating"}).mayWait() {
		t.Error("a client's is none")
	}
}
