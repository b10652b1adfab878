package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
)

// broughtAbout names for each state a test that brings it about on real servers.
var broughtAbout = map[string]string{
	"ok":              "cmd/gtunnel/pairstates_test.go",
	"lagging":         "replication/watch/status_test.go",
	"connecting":      "cmd/gtunnel/pairstates_test.go",
	"tunnel-down":     "cmd/gtunnel/pairstates_test.go",
	"auth-failed":     "cmd/gtunnel/pairstates_test.go",
	"io-stopped":      "cmd/gtunnel/pairstates_test.go",
	"sql-error":       "cmd/gtunnel/pairstates_test.go",
	"stalled":         "cmd/gtunnel/silentlink_test.go",
	"applier-stuck":   "cmd/gtunnel/pairstates_test.go",
	"seed-needed":     "cmd/gtunnel/pairstates_test.go",
	"diverged":        "cmd/gtunnel/pairstates_test.go",
	"cut-off-work":    "cmd/gtunnel/pairstates_test.go",
	"copying":         "cmd/gtunnel/pairstates_test.go",
	"not-configured":  "cmd/gtunnel/replicationstatus_test.go",
	"writable-slave":  "cmd/gtunnel/pairstates_test.go",
	"split-brain":     "cmd/gtunnel/pairstates_test.go",
	"guard-read-only": "cmd/gtunnel/pairstates_test.go",
	"master":          "cmd/gtunnel/replicationstatus_test.go",
	"server-down":     "cmd/gtunnel/failovercluster_test.go",
}

// TestStatesAreBroughtAbout: a test on real servers waits for each state that there is.
func TestStatesAreBroughtAbout(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../replication/rules/health.go")
	if err != nil {
		t.Fatal(err)
	}
	states := regexp.MustCompile(`(Health\w+) +Health = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	for _, state := range states {
		test, err := os.ReadFile(filepath.Join("../..", broughtAbout[state[2]]))
		if err != nil {
			t.Errorf("%s: %v", state[2], err)
			continue
		}
		waits := regexp.MustCompile(`waitTells\("` + state[2] + `"|s\.State [!=]= "` + state[2] + `"|watch\.` + state[1] +
			`\b|: ` + state[2] + `: |"` + state[2] + `: `)
		if !waits.Match(test) {
			t.Errorf("%s does not wait for %s", broughtAbout[state[2]], state[2])
		}
	}
	if len(states) != len(broughtAbout) {
		t.Errorf("there are %d states, and tests of %d", len(states), len(broughtAbout))
	}
}

// TestStatesAreComplete: the topic has each state that there is, and no other.
func TestStatesAreComplete(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../replication/rules/health.go")
	if err != nil {
		t.Fatal(err)
	}
	topic := help.Markdown("states")
	states := regexp.MustCompile(`Health = "([a-z-]+)"`).FindAllSubmatch(source, -1)
	for _, state := range states {
		if !strings.Contains(topic, "\n| `"+string(state[1])+"` |") {
			t.Errorf("gtunnel help states lacks %s", state[1])
		}
	}
	if listed := strings.Count(topic, "\n| `"); listed != len(states) || listed < 18 {
		t.Errorf("gtunnel help states has %d, and there are %d", listed, len(states))
	}
}
