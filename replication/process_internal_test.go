package replication

import (
	"strings"
	"testing"
)

// TestCureOfTool: a tool that loads does not go through the tunnel.
func TestCureOfTool(t *testing.T) {
	for _, c := range []struct {
		number int
		on     Role
		want   string
	}{
		{2006, Slave, "server of this host"},
		{2013, Slave, "server of this host"},
		{2013, Master, "gtunnel status"},
		{1153, Slave, "max_allowed_packet"},
		{1146, Slave, causes[1146].cure},
	} {
		if got := cureOfTool(c.number, c.on); !strings.Contains(got, c.want) || strings.Contains(got, "tunnel") && strings.Contains(c.want, "this host") {
			t.Errorf("%d on the %s: %s", c.number, c.on, got)
		}
	}
}
