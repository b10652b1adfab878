package facts_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
)

// TestLetAdministratorsWrite: what ends it is known also where it was begun before.
func TestLetAdministratorsWrite(t *testing.T) {
	for name, values := range map[string][]string{
		"super_read_only": {"ON", "OFF", "SET GLOBAL super_read_only=0", "SET GLOBAL super_read_only=1"},
		"read_only":       {"NO_LOCK_NO_ADMIN", "ON", "SET GLOBAL read_only=1", "SET GLOBAL read_only='NO_LOCK_NO_ADMIN'"},
	} {
		for _, value := range values[:2] {
			f := &facts.Facts{Variables: map[string]string{name: value}}
			if begin, end := f.LetAdministratorsWrite(); begin.String() != values[2] || end.String() != values[3] {
				t.Errorf("%s=%s: %s, and at the end %s", name, value, begin, end)
			}
		}
	}
}
