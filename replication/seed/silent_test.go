package seed_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestSeedOfSilentSessions copies slowly between servers that soon end sessions
// which are silent.
func TestSeedOfSilentSessions(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			p := pair.Couple(t)
			master, slave := pair.Start(t)
			p.Fresh(t, "silent_seed")
			p.OnMaster(t, "CREATE TABLE silent_seed.t (id int PRIMARY KEY AUTO_INCREMENT, v longtext)",
				"CREATE TABLE silent_seed.u (id int PRIMARY KEY)")
			for range 4 {
				p.OnMaster(t, "INSERT INTO silent_seed.t (v) VALUES (REPEAT('x', 500000))")
			}
			p.Sync(t)
			for _, server := range []*pairs.Server{master, slave} {
				server.SetGlobal(t, "wait_timeout", "1", "28800")
			}
			stop, seed := "STOP REPLICA", newSeed(t, master, slave, "silent_seed")
			if pair == pairs.MariaDB {
				stop = "STOP SLAVE"
				found, err := seed.Check(t.Context())
				if err != nil || pairs.ProblemOf(found.Warnings, "wait-timeout") == nil ||
					pairs.ProblemOf(found.Problems, "wait-timeout") != nil {
					t.Errorf("%v\n%s%s", err, pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
				}
				seed.MaxRate = 400 << 10
				found, err = seed.Check(t.Context())
				if err != nil || pairs.ProblemOf(found.Problems, "wait-timeout") == nil {
					t.Errorf("with a rate: %v\n%s", err, pairs.Texts(found.Problems))
				}
				if _, err := seed.Run(t.Context()); !finding.HasCode(err, "wait-timeout") {
					t.Errorf("its dump cannot last, and the seed says %v", err)
				}
				pairs.Run(t.Context(), t, master.DB, []string{"SET GLOBAL wait_timeout=600"})
				seed = newSeed(t, master, slave, "silent_seed")
			}
			p.OnSlave(t, stop)
			seed.MaxRate = 400 << 10
			if _, err := seed.Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
