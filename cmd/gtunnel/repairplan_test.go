package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestRepairPlan: the plan of a repair says what of a run that was cut off comes
// to its end first.
func TestRepairPlan(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p, repair := newKillPair(t, kind)
		dry := append(slices.Clone(repair), "--dry-run")
		traces := func() []string { return slices.Sorted(strings.SplitSeq(p.traces(), ", ")) }
		says := func(words ...string) {
			t.Helper()
			left := traces()
			out := p.must(p.slave, dry...)
			for _, w := range words {
				if !strings.Contains(out, w) {
					t.Errorf("the plan does not say %q:\n%s", w, out)
				}
			}
			if len(words) == 0 && strings.Contains(out, "cut off") {
				t.Errorf("the plan says:\n%s", out)
			}
			if got := traces(); !slices.Equal(got, left) {
				t.Errorf("a dry run has made %q of %q", got, left)
			}
		}
		says()

		// As a comparison leaves it that is killed before it tells the slave where to
		// stop.
		note := []byte(`{"began": "2026-01-02T03:04:05Z"}`)
		if err := os.WriteFile(filepath.Join(p.stateDir(), "compare-"+p.serverID(p.slave)+".json"), note, 0o600); err != nil {
			t.Fatal(err)
		}
		p.onSlave("STOP SLAVE SQL_THREAD")
		says(" 1. slave: start the SQL thread, which a comparison that was cut off has stopped",
			"the comparison of 2026-01-02 03:04:05 UTC was cut off")
		p.must(p.slave, repair...)
		if left := p.traces(); left != "" {
			t.Errorf("the repair has left %s", left)
		}

		p.spoil()
		cmd := p.holdRepair(repair)
		_ = cmd.Process.Kill() // it waits for a lock
		_ = cmd.Wait()         // it was killed
		p.saysCutOff("a repair")
		says("it ends what is left of an earlier one: the repair of", "the slave leaves their changes out")
		other := slices.Clone(dry)
		other[slices.Index(other, "voms.usr")] = "voms.roles"
		p.refused(p.slave, 1, "was cut off", other...)
		p.restart(p.slave) // which frees the table
		p.must(p.slave, repair...)
		if left := p.traces(); left != "" {
			t.Errorf("the repair has left %s", left)
		}
		says()
	})
}
