package replication_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// TestUnfinishedClone: what a clone that was cut off has brought cannot be told from data
// of the slave, so that the next run may have to be told to replace it.
func TestUnfinishedClone(t *testing.T) {
	t.Parallel()
	for method, want := range map[journal.SeedMethod]bool{journal.SeedClone: true, journal.SeedDump: false} {
		err := &replication.UnfinishedError{Err: errors.New("cut off"), Stage: journal.StageSeeding, Method: method}
		if hint := err.Hint(); strings.Contains(hint, "--replace-databases") != want {
			t.Errorf("%s: %s", method, hint)
		}
	}
}
