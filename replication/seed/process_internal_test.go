package seed

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// TestCureOfTool: a tool that loads does not go through the tunnel.
func TestCureOfTool(t *testing.T) {
	for _, c := range []struct {
		number int
		on     finding.Role
		want   string
	}{
		{2006, finding.Slave, "server of this host"},
		{2013, finding.Slave, "server of this host"},
		{2013, finding.Master, "gtunnel status"},
		{1153, finding.Slave, "max_allowed_packet"},
		{1146, finding.Slave, finding.Causes[1146].Cure},
	} {
		if got := cureOfTool(c.number, c.on); !strings.Contains(got, c.want) ||
			strings.Contains(got, "tunnel") && strings.Contains(c.want, "this host") {
			t.Errorf("%d on the %s: %s", c.number, c.on, got)
		}
	}
}
