package facts_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestMeasureLine asks the servers of both families for what is measured by. How fast that
// comes is the machine's.
func TestMeasureLine(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			_, s := pair.Start(t)
			line, err := facts.MeasureLine(t.Context(), s.AsRoot(t, finding.Slave), 1)
			if err != nil || line.Bits == 0 {
				t.Errorf("%v, %v", line, err)
			}
		})
	}
}
