package replication

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestSlavePlanOfPast: what was noted of a master, and of the slave's password, makes
// steps; what cannot be gone on with is refused.
func TestSlavePlanOfPast(t *testing.T) {
	for name, c := range map[string]struct {
		change func(slave *facts.Facts, want *planned)
		want   string
	}{
		"restored": {
			func(_ *facts.Facts, w *planned) { w.Restored = &journal.MasterNote{} }, "catch-up, compare, note-done",
		},
		"restarted": {
			func(_ *facts.Facts, w *planned) { w.Restarted = true }, "catch-up, compare, note-done",
		},
		"restarted, not to be compared": {
			func(_ *facts.Facts, w *planned) { w.Restarted, w.SkipCompare = true, true }, "catch-up, note-done",
		},
		"another password": {
			func(_ *facts.Facts, w *planned) { w.OldPassword = true }, "password, catch-up, compare, note-done",
		},
		"another password, and account": {
			func(s *facts.Facts, w *planned) { w.OldPassword, s.Masters[0].MasterUser = true, "somebody" }, "",
		},
		"no login": {
			func(_ *facts.Facts, w *planned) {
				w.Refused = finding.New(finding.Master, "account-login", "", "the slave cannot log in")
			},
			"problem account-login",
		},
		"purged": {
			func(s *facts.Facts, w *planned) { w.Gone, s.Masters[0].IORunning = true, "No" }, "problem purged",
		},
	} {
		t.Run(name, func(t *testing.T) {
			master, slave, want := established(planVersion)
			slave.Masters[0].MasterUser = facts.ReplicationUser
			c.change(slave, &want)
			if got := planNames(want.plan(master, slave)); got != c.want {
				t.Errorf("the plan is\n%s, want\n%s", got, c.want)
			}
		})
	}
}

// TestUntriedPassword: a plan says that it could not look at a password.
func TestUntriedPassword(t *testing.T) {
	master, slave, want := established(planVersion)
	want.HandOver.Passwords = map[string]server.Password{}
	plan := want.plan(master, slave)
	if len(plan.Warnings) != 1 || plan.Warnings[0].Code != "passwords-untried" || len(plan.Steps) > 0 {
		t.Errorf("the plan is %s, with %v", planNames(plan), plan.Warnings)
	}
}

// TestServerIDIsKept: the id that a run has given a slave is still registered at its
// master when that was cut off, and is no other slave's.
func TestServerIDIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		stage  journal.Stage
		change bool
	}{
		"never set up":       {journal.StageNone, true},
		"cut off":            {journal.StageSeeding, false},
		"cut off at its end": {journal.StageSeeded, false},
	} {
		master, slave, want := established(planVersion)
		slave.Masters, slave.Databases, want.DropIn = nil, nil, nil
		master.Slaves, slave.Variables["server_id"], want.State.Stage = []uint32{2}, "2", c.stage
		changed := false
		for _, s := range want.plan(master, slave).Steps {
			changed = changed || s.Name == "slave-settings" && strings.Contains(s.SQL[0].String(), "server_id=3")
		}
		if changed != c.change {
			t.Errorf("%s: the id changes: %v", name, changed)
		}
	}
}
