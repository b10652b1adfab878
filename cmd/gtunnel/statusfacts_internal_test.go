package main

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/watch"
)

// TestUnaskedSlave: of a slave that does not answer nothing is said that was not asked.
func TestUnaskedSlave(t *testing.T) {
	var out strings.Builder
	if err := writeReplicationFacts(&out, &watch.Status{Slave: watch.SlaveSide{Version: "MariaDB 10.11.6"}}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, "server_id") || strings.Contains(got, "read-only") {
		t.Error(got)
	}
}
