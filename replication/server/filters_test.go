package server_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

func TestMatchesWild(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{`DB\_1.%`, "DB_1.t", true},
		{`DB\_1.%`, "DBx1.t", false},
		{`DB_1.%`, "DBx1.t", true},
		{`%.%`, "a.b", true},
		{`a.b`, "a.b", true},
		{`a.b`, "a.bc", false},
		{`a.%c`, "a.bcc", true},
		{`%`, "", true},
		{`_`, "", false},
	} {
		s := &server.SlaveStatus{WildDoTable: []string{test.pattern}}
		if got := s.LeavesOut(test.name) == ""; got != test.want {
			t.Errorf("%q matches %q: %t", test.pattern, test.name, got)
		}
	}
}
