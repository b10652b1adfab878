package replication

import (
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// SlaveWant is what a slave should become.
type SlaveWant struct {
	HandOver  *HandOver // passwords and databases of the master
	Databases []string  // all, or some, of the hand-over's
	Port      int       // of 127.0.0.1: the local end of the tunnel

	Method     journal.SeedMethod
	Start      server.Position // of SeedNone: where the data that is there stands
	Dump       *WantedDump     // of SeedFile
	LockTables bool            // see seed.Seed
	MaxRate    uint64          // bytes a second; 0: no limit; see seed.Seed
	Compress   Compression     // of the copy, and of what the slave gets after it
	Replace    []string        // databases of the slave whose data may be lost
	Reseed     bool            // copy the databases though the slave replicates them

	// FreshID is the server_id that the slave gets if it needs another one: random, because
	// slaves that are set up at the same time, or are away now, are not known to the master.
	FreshID uint32

	TrustCreators bool // let accounts without SUPER create functions and triggers, once it is a master

	NewPasswords bool // this run has replaced those of the accounts that the slave uses

	PairOfMaster *term.Record // what the master publishes of its pair, of which the slave is not; nil: it is of none

	Pair *PairWant // what makes it one of a pair; nil: it is of none

	MonitorFile *optionfile.ClientFile // where the login for status is to be kept; nil: nowhere
	SkipCompare bool
}

// PlanSlave plans what makes a server the slave of a master. It is a function of its
// arguments alone, which it leaves as they are: it asks nobody, reads no file, and
// knows no clock.
func PlanSlave(situation Situation, want SlaveWant) *Plan {
	s := newSlavePlan(situation, want)
	if s.Findings = s.judge(); len(s.Problems) > 0 {
		return s.Plan
	}
	seed := s.needsSeed()
	s.restorePackets()
	settings := s.settings()
	settingSteps(s.Plan, s.slave, s.DropIn, settings)
	s.warnOldSessions(settings)
	if s.want.Pair != nil {
		restartStep(s.Plan, s.slave, settings)
	}
	if seed {
		s.seed()
	} else {
		s.disableEvents(false)
		// other changes may have come: it is to be seen to be equal
		if s.filterLost() && s.State.Stage != journal.StageSeeded {
			s.State.Stage = journal.StageRunning
		}
	}
	s.pairAccounts(seed)
	s.readOnly(seed)
	s.connect(seed)
	s.finish(seed)
	s.Add(s.Beginning)
	s.Add(s.judgeBeginning())
	if s.established && s.want.HandOver.Passwords[facts.ReplicationUser].IsEmpty() {
		s.Warn(finding.Slave, "passwords-untried", "take the hand-over file of the master: it has the password",
			"whether the slave can log in once more was not looked at: the password of %s is not known here",
			server.QuoteAccount(facts.ReplicationUser, server.Loopback))
	}
	s.agreeOnBytes()
	return s.Plan
}

// slavePlan is a plan for a slave in the making.
type slavePlan struct {
	*Plan
	Situation

	master, slave *facts.Facts
	want          SlaveWant
	status        *server.SlaveStatus // of the default connection; nil if there is none
	established   bool                // the default connection goes to our end of the tunnel
}

// connects reports whether the slave is to be pointed to its master, if it is seeded
// or not.
func (s *slavePlan) connects(seeded bool) bool { return seeded || !s.established }
