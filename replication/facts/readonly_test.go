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
