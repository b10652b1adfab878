package replication

import (
	"strings"
	"testing"
)

// TestChecksAreNotJoined: a server's join of such lists takes 20 s with 1,500
// tables, and each of them by itself some milliseconds.
func TestChecksAreNotJoined(t *testing.T) {
	for _, v := range []Version{{Family: MySQL, Major: 8, Minor: 4}, {Family: MySQL, Major: 9, Minor: 7}, {Family: MariaDB, Major: 11, Minor: 8}} {
		checks, tables := v.checkConstraints()
		for _, query := range []string{checks, tables} {
			if strings.Contains(query, " JOIN ") {
				t.Errorf("%v: %s", v, query)
			}
		}
		if !v.showsChecks() {
			t.Errorf("%v shows none", v)
		}
	}
}
