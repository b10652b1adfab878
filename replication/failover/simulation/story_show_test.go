package simulation

import (
	"os"
	"testing"
	"testing/synctest"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestStory tells a run of a scenario: GTUNNEL_STORY is its name; GTUNNEL_MUTANT that of a mutant.
func TestStory(t *testing.T) {
	name := os.Getenv("GTUNNEL_STORY")
	if name == "" {
		t.Skip("GTUNNEL_STORY names no scenario")
	}
	for _, s := range scenarios() {
		if s.name != name {
			continue
		}
		for _, family := range []server.Family{server.MariaDB, server.MySQL} {
			var planted *flaw
			for _, p := range parts(t, s, family) {
				for _, m := range mutants(p) {
					if m.name == os.Getenv("GTUNNEL_MUTANT") {
						planted = m
					}
				}
			}
			synctest.Test(t, func(t *testing.T) {
				x := &explorer{scenario: s, family: family, flaw: planted}
				w := x.follow(t, nil, func(*world, []move) int { return 0 }, false)
				t.Logf("%s\n%s\n%s", family, w.story, w.standing())
			})
		}
	}
}
