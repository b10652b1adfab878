package failover_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// errEnded ends a rejoin before a step.
var errEnded = errors.New("ended")

// TestRejoinGoesOn ends a rejoin before each of its steps, and runs it again each time.
func TestRejoinGoesOn(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		loseMaster(t, p, "CREATE DATABASE other", "CREATE TABLE other.x (id INT PRIMARY KEY)")
		comeBack(t, p.A)
		if !p.Kind.IsMySQL() {
			p.A.Exec("SET GLOBAL gtid_strict_mode=1")
		}
		var seen []string
		for {
			r := rejoining(t, p.A)
			r.Begin = func(s *replication.Step) error {
				if slices.Contains(seen, s.Name) {
					return nil
				}
				seen = append(seen, s.Name)
				return errEnded
			}
			done, err := r.Run(t.Context())
			if done {
				break
			}
			if !errors.Is(err, errEnded) {
				t.Fatalf("after %q: %v", seen, err)
			}
		}
		t.Log(seen)
		joined(t, p)
		if !p.Kind.IsMySQL() && p.A.Value("SELECT @@GLOBAL.gtid_strict_mode") != "1" {
			t.Error("gtid_strict_mode was left off")
		}
		if files := saved(t, p.A); len(files) != 1 {
			t.Errorf("saved: %q", files)
		}
	})
}
