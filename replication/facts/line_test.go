package facts_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestMeasureLine asks the servers of both families for what is measured by, and for the size
// of what is to be copied, before they have looked at it. How fast that comes is the machine's.
func TestMeasureLine(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			_, s := pair.Start(t)
			root := s.AsRoot(t, finding.Slave)
			const text = "REPEAT(UUID(), 200)"
			for _, statement := range []string{
				"CREATE DATABASE `filled`", "CREATE TABLE `filled`.t (v TEXT) STATS_AUTO_RECALC=0",
				"INSERT INTO `filled`.t VALUES" + strings.Repeat("("+text+"), ", 499) + "(" + text + ")",
			} {
				if _, err := s.DB.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			for database, filled := range map[string]bool{"filled": true, "no": false, "a name": true} {
				if n, err := facts.FileBytes(t.Context(), root, []string{database}); err != nil || n > 3<<20 != filled {
					t.Errorf("the files of %s have %d bytes, %v", database, n, err)
				}
			}
			line, err := facts.MeasureLine(t.Context(), root, 1)
			if err != nil || line.Bits == 0 {
				t.Errorf("%v, %v", line, err)
			}
		})
	}
}
