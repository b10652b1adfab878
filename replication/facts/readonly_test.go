package facts_test

import (
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
)

// TestWhileWritable: what an administrator is to run on a slave works though nobody can
// write there, and leaves it as it was.
func TestWhileWritable(t *testing.T) {
	t.Parallel()
	f := &facts.Facts{Variables: map[string]string{"read_only": "ON", "super_read_only": "OFF"}}
	if got := f.WhileWritable("DO 1;"); !slices.Equal(got, []string{"DO 1;"}) {
		t.Errorf("administrators can write, and the lines are %q", got)
	}
	f.Variables["super_read_only"] = "ON"
	want := []string{"SET GLOBAL super_read_only=0;", "DO 1;", "SET GLOBAL super_read_only=1;"}
	if got := f.WhileWritable("DO 1;"); !slices.Equal(got, want) {
		t.Errorf("nobody can write, and the lines are %q", got)
	}
}

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
