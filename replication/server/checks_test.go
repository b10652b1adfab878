package server_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestChecksAreNotJoined: a server's join of such lists takes 20 s with 1,500
// tables, and each of them by itself some milliseconds.
func TestChecksAreNotJoined(t *testing.T) {
	for _, v := range []server.Version{
		{Family: server.MySQL, Major: 8, Minor: 4},
		{Family: server.MySQL, Major: 9, Minor: 7},
		{Family: server.MariaDB, Major: 11, Minor: 8},
	} {
		checks, tables := v.CheckConstraints()
		for _, query := range []string{checks, tables} {
			if strings.Contains(query, " JOIN ") {
				t.Errorf("%v: %s", v, query)
			}
		}
		if !v.ShowsChecks() {
			t.Errorf("%v shows none", v)
		}
	}
}
