package server_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestBehind: a list of GTIDs is behind another one only in a domain of both.
func TestBehind(t *testing.T) {
	for _, test := range []struct {
		list, other string
		want        bool
	}{
		{"", "", false},
		{"0-1-7", "0-1-7", false},
		{"0-1-7", "0-1-8", true},
		{"0-1-9", "0-1-10", true},
		{"0-1-9", "1-1-10", false},
		{"1-1-11, 0-1-9", "0-2-9,1-1-12", true},
		{"", "0-1-7", false},
		{"0-1-7", "", false},
	} {
		if got := server.Behind(test.list, test.other); got != test.want {
			t.Errorf("%q behind %q: %t", test.list, test.other, got)
		}
	}
}
