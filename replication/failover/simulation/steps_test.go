package simulation

import (
	"os"
	"regexp"
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

// unmet are the steps of plans that no scenario comes by, with the test on real servers that
// does: the model has no part of what they change.
func unmet() map[string]string {
	return map[string]string{
		"promote: raise-sequences": "no sequences: TestPromoteObjects",
		"promote: enable-events":   "no events: TestPromoteObjects",
		"rejoin: events-disable":   "no events: TestRejoinByHistory",
		"rejoin: strict-off":       "no gtid_strict_mode, which only other databases need: TestRejoinOthers",
		"rejoin: strict-on":        "as strict-off",
		"switchover: start-slave":  "a server that starts anew while its switchover waits: TestSwitchoverAfterStart",
		"rejoin: stop-slave":       "a rejoin that was cut off alone has a slave to stop: TestRejoinGoesOn",
	}
}

var (
	stepName    = regexp.MustCompile(`(?:Name: |\badd\()"([a-z-]+)"`)
	planSources = map[string]string{
		"switchover": "../switchoverplan.go", "promote": "../promoteplan.go", "rejoin": "../rejoinplan.go",
		"demote": "../demoteordered.go",
	}
)

// TestSteps fails if a step of a plan is in no scenario, and no reason is known.
func TestSteps(t *testing.T) {
	t.Parallel()
	met := map[string]bool{}
	for _, family := range []server.Family{server.MariaDB, server.MySQL} {
		for _, s := range scenarios() {
			for _, p := range parts(t, s, family) {
				met[p.String()] = true
			}
		}
	}
	reasons, all := unmet(), 0
	for command, path := range planSources {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range stepName.FindAllStringSubmatch(string(source), -1) {
			step := part{command, m[1]}.String()
			if _, known := reasons[step]; known == met[step] {
				t.Errorf("%s: met %v, and with a reason not to be %v", step, met[step], known)
			}
			all++
		}
	}
	if all < 30 {
		t.Errorf("%d steps in the sources of the plans: that is not all of them", all)
	}
}
