package failover

import (
	"fmt"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// ClusterDecides is the refusal of a command that decides which host serves, where that is a
// cluster manager's to decide: where says how that is known, in words; empty: it need not be.
func ClusterDecides(where string) *finding.Problem {
	text := "a cluster manager decides which host serves"
	if where != "" {
		text += ": " + where
	}
	return finding.New("", "cluster-decides",
		"ask the cluster manager: crm_resource --move --promoted --resource RESOURCE --node HOST, or pcs resource move "+
			"RESOURCE HOST --promoted; in its maintenance mode (crm configure property maintenance-mode=true, or pcs "+
			"property set maintenance-mode=true) you may give --cluster yourself", "%s", text)
}

// mustBeOrdered refuses a command that no cluster manager has started, where that decides, and
// one that was said to be started by one, where none does.
func (h *Host) mustBeOrdered() error {
	switch {
	case h.Mode == term.Cluster && !h.Ordered:
		return ClusterDecides("")
	case h.Mode != term.Cluster && h.Ordered:
		return fmt.Errorf("no cluster manager decides where the guard is %s", h.Mode)
	}
	return nil
}
