package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/term"
)

// clusterSetting is the flag by which a cluster manager says that it is the one who asks.
func clusterSetting(target *bool) config.Setting {
	return config.Setting{
		Name: "cluster", Target: target, Usage: `the cluster manager asks for it: where [pair] has guard = "cluster"`,
	}
}

// mustBeOrdered refuses a command that decides which host serves, where that is a cluster
// manager's to decide and it was not said that this one asks; and the flag elsewhere.
func (m *Main) mustBeOrdered(file string, cluster bool) error {
	pair, _, err := config.PairOf(file)
	if err != nil {
		return err
	}
	m.seeCluster(pair)
	decides := pair.Guard == string(term.Cluster) // where the certificate does not say which host this is, too
	switch {
	case cluster && !decides:
		return &usage.Error{
			Where: "--cluster", Message: fmt.Sprintf("is for hosts on which a cluster manager decides who is the master, and "+
				"%s has [pair] guard = %q", file, pair.Guard),
			Cure: `leave it out; or, where a cluster manager decides: guard = "cluster" in [pair], on both hosts`,
		}
	case !cluster && decides:
		return failover.ClusterDecides(decidedIn(file))
	}
	return nil
}

// decidedIn says where that is said.
func decidedIn(file string) string {
	return fmt.Sprintf("%s has [pair] guard = %q", file, term.Cluster)
}

// seeCluster notes whether a cluster manager decides on this host, for the cures.
func (m *Main) seeCluster(pair *config.Pair) {
	if pair.Guard == string(term.Cluster) {
		m.clusterPeer = pair.Peer
	}
}

// The commands in cures that a cluster manager gives where there is one.
var (
	orderedCommand = regexp.MustCompile(`gtunnel replication (?:promote|switchover|demote)\b(?: --cluster)?`)
	statedMaster   = regexp.MustCompile(`gtunnel replication guard --i-am-master(?: --fenced \S+)?`)
)

// inOrders gives a cure as it is where a cluster manager decides: its commands are for that,
// and for people only while it looks away.
func (m *Main) inOrders(cure string) string {
	if m.clusterPeer == "" {
		return cure
	}
	cure = statedMaster.ReplaceAllString(cure, "gtunnel replication promote --cluster --fenced "+m.clusterPeer)
	if !orderedCommand.MatchString(cure) {
		return cure
	}
	cure = orderedCommand.ReplaceAllStringFunc(cure, func(command string) string {
		return strings.TrimSuffix(command, " --cluster") + " --cluster"
	})
	if !strings.Contains(cure, "maintenance") {
		cure += "; but the cluster manager does that by itself, and you only in its maintenance mode"
	}
	return cure
}
