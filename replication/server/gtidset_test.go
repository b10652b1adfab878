package server_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

func TestSubtractGTIDs(t *testing.T) {
	for _, c := range []struct{ set, other, want string }{
		{"", "", ""},
		{"a:1-5", "A:1-5", ""},
		{"a:1-5", "", "a:1-5"},
		{"a:1-5:7", "a:2-3", "a:1,a:4-5,a:7"},
		{"a:1-5,\nb:1-2", "a:1-9, b:2", "b:1"},
		{"a:1-5:tag:1-2", "a:1-9", "a:tag:1-2"},
		{"a:3", "b:1-9", "a:3"},
	} {
		if got := server.SubtractGTIDs(c.set, c.other); got != c.want {
			t.Errorf("%q without %q: %q", c.set, c.other, got)
		}
	}
}
