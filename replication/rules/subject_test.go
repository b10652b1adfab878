package rules_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

var (
	much, little = uint64(5 << 20), uint64(1000)
	late         = int64(60)
)

// healthCases are the states of a slave.
var healthCases = map[string]struct {
	change  func(*rules.Subject, *server.SlaveStatus)
	health  rules.Health
	summary string
}{
	"nobody's slave": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Slave.Masters = nil
	}, rules.HealthNotConfigured, "this server is nobody's slave"},
	"well": {
		func(*rules.Subject, *server.SlaveStatus) {},
		rules.HealthOK, "the slave has applied all that the master has",
	},
	"a little behind": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen.Bytes = &little
	}, rules.HealthOK, "the slave is 1.0 kB behind"},
	"the master is silent": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen = rules.Seen{}
	}, rules.HealthOK, "both threads run; how far the slave is behind is not known"},
	"much behind": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen.Bytes = &much
	}, rules.HealthLagging, "the slave is 5.2 MB behind"},
	"a little, and long ago": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen.Bytes, s.Seen.Seconds = &little, &late
	}, rules.HealthLagging, "the slave is 1.0 kB behind, which were written up to 60 s ago"},
	"long ago, of a silent master": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen = rules.Seen{Seconds: &late}
	}, rules.HealthLagging, "the slave is 60 s behind"},
	"no connection": {func(_ *rules.Subject, c *server.SlaveStatus) {
		c.IORunning, c.ConnectRetry = "Connecting", 10*time.Second
	}, rules.HealthConnecting, "the slave has no connection to its master, and tries again every 10s"},
	"silence": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen.Silent = true
	}, rules.HealthStalled, "the slave says that it is connected, and nothing comes from the master"},
	"blocked for long": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen.Bytes, s.Seen.Blocked = &much, &server.LockWait{What: "Waiting for x lock", Time: time.Minute}
	}, rules.HealthApplierStuck, "the slave waits for a lock that another connection holds: Waiting for x lock"},
	"blocked for a moment": {func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen.Bytes, s.Seen.Blocked = &much, &server.LockWait{Time: time.Second}
	}, rules.HealthLagging, "the slave is 5.2 MB behind"},
	"stopped": {func(_ *rules.Subject, c *server.SlaveStatus) {
		c.SQLRunning = "No"
	}, rules.HealthApplierStuck, "somebody has stopped the SQL thread, which applies changes"},
	"stopped by a run": {
		func(s *rules.Subject, c *server.SlaveStatus) {
			c.SQLRunning, s.Seen.Busy = "No", true
		}, rules.HealthApplierStuck,
		"a gtunnel replication command has stopped the SQL thread, which applies changes for a while",
	},
	"stopped by a run that was cut off": {
		func(s *rules.Subject, c *server.SlaveStatus) {
			c.SQLRunning, s.Repaired = "No", &journal.RepairNote{}
		}, rules.HealthCutOffWork,
		"a gtunnel replication command that was cut off has stopped the SQL thread, which applies changes",
	},
	"told to stop": {func(_ *rules.Subject, c *server.SlaveStatus) {
		c.SQLRunning, c.Until = "No", "b:4"
	}, rules.HealthApplierStuck, "the slave stands at bin.000007:5000, where it was told to stop"},
	"an error": {func(_ *rules.Subject, c *server.SlaveStatus) {
		c.SQLRunning, c.SQLErrno = "No", 1062
	}, rules.HealthSQLError, "an error has stopped the SQL thread, which applies changes"},
}

// TestHealth goes through the states of a slave, and how they are said.
func TestHealth(t *testing.T) {
	for name, c := range healthCases {
		s := wellSubject(rules.Status, finding.Slave)
		c.change(s, s.Connection())
		if s.Health() != c.health || s.Summary() != c.summary {
			t.Errorf("%s: %s: %s", name, s.Health(), s.Summary())
		}
	}
}

// TestNeedsSeed: a slave begins anew if it is none yet, if that is wanted, and
// after a copy that was cut off, unless the copy can be gone on with.
func TestNeedsSeed(t *testing.T) {
	seeded := journal.State{
		Stage: journal.StageSeeded, Databases: []string{"voms"}, MasterID: 1,
		Start: server.Position{File: "bin.000007", Offset: 4},
	}
	copied := func(s *rules.Subject) {
		s.State, s.Slave.Databases = seeded, []facts.Database{{Name: "voms"}}
	}
	for name, c := range map[string]struct {
		change func(*rules.Subject)
		want   bool
	}{
		"new":              {func(*rules.Subject) {}, true},
		"set up":           {func(s *rules.Subject) { follows(s) }, false},
		"through no door":  {func(s *rules.Subject) { follows(s).MasterPort = 3306 }, true},
		"set up, reseeded": {func(s *rules.Subject) { follows(s); s.Reseed = true }, true},
		"cut off":          {func(s *rules.Subject) { s.State.Stage = journal.StageSeeding }, true},
		"cut off, set up":  {func(s *rules.Subject) { s.State.Stage = journal.StageSeeding; follows(s) }, false},
		"copied":           {copied, false},
		"copied, dropped":  {func(s *rules.Subject) { s.State = seeded }, true},
		"copied, purged":   {func(s *rules.Subject) { copied(s); s.Master.BinaryLogs = nil }, true},
		"copied, other ID": {func(s *rules.Subject) { copied(s); s.State.MasterID = 9 }, true},
		"copied from another": {func(s *rules.Subject) {
			copied(s)
			s.State.MasterMark, s.HandOver.Mark = "A", "B"
		}, true},
	} {
		s := wellSubject(rules.SetupSlave, "")
		if c.change(s); s.NeedsSeed() != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

// TestLost: what a copy removes is what it copies, or all if it is a clone.
func TestLost(t *testing.T) {
	for method, want := range map[journal.SeedMethod][]string{
		journal.SeedDump: {"voms"}, journal.SeedClone: {"own", "voms"},
	} {
		s := wellSubject(rules.SetupSlave, "")
		s.Method = method
		s.Slave.Databases = []facts.Database{{Name: "empty"}, {Name: "own", Tables: 1}, {Name: "voms", Events: 1}}
		if got := s.Lost(); !slices.Equal(got, want) {
			t.Errorf("%s: %q", method, got)
		}
	}
}

// TestFiltered: the filter is that of the wanted databases, in whatever order.
func TestFiltered(t *testing.T) {
	s := wellSubject(rules.SetupSlave, "")
	if s.Filtered() || s.FilterLost() {
		t.Error("nobody's slave has a filter, or has lost it")
	}
	c := follows(s)
	s.Databases, c.WildDoTable = []string{"voms", "DB_1"}, []string{`DB\_1.%`, "voms.%", "voms.%"}
	if !s.Filtered() || s.FilterLost() {
		t.Error("it is not filtered")
	}
	c.WildDoTable = []string{"voms.%"}
	if s.Filtered() || s.FilterLost() {
		t.Error("it is filtered by another list")
	}
	c.WildDoTable = nil
	if s.Filtered() || !s.FilterLost() {
		t.Error("the filter is not lost")
	}
}

// TestMasterNoted: by MySQL's UUID, or the mark of MariaDB's.
func TestMasterNoted(t *testing.T) {
	for name, c := range map[string]struct {
		change      func(*rules.Subject)
		same, other bool
	}{
		"nothing is known":     {func(*rules.Subject) {}, false, false},
		"the mark":             {func(s *rules.Subject) { s.State.MasterMark, s.Master.Mark = "A", "A" }, true, false},
		"another mark":         {func(s *rules.Subject) { s.State.MasterMark, s.HandOver.Mark = "A", "B" }, false, true},
		"no hand-over":         {func(s *rules.Subject) { s.State.MasterMark, s.HandOver = "A", nil }, false, false},
		"the UUID":             {func(s *rules.Subject) { ofMySQL(s); s.State.MasterUUID = s.Master.UUID() }, true, false},
		"another of the slave": {func(s *rules.Subject) { ofMySQL(s); follows(s).MasterUUID = "A" }, false, true},
	} {
		s := wellSubject(rules.SetupSlave, "")
		c.change(s)
		if same, other := s.MasterNoted(); same != c.same || other != c.other {
			t.Errorf("%s: the same %v, another one %v", name, same, other)
		}
	}
}
