package server

import (
	"testing"
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
		if got := matchesWild(test.pattern, test.name); got != test.want {
			t.Errorf("matchesWild(%q, %q) = %t", test.pattern, test.name, got)
		}
	}
}
