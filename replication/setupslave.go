package replication

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// SlaveWant is what a slave should become.
type SlaveWant struct {
	HandOver  *HandOver // passwords and databases of the master
	Databases []string  // all, or some, of the hand-over's
	Port      int       // of 127.0.0.1: the local end of the tunnel

	Method     journal.SeedMethod
	Start      server.Position // of SeedNone: where the data that is there stands
	LockTables bool            // see seed.Seed
	MaxRate    uint64          // bytes a second; 0: no limit; see seed.Seed
	Replace    []string        // databases of the slave whose data may be lost
	Reseed     bool            // copy the databases though the slave replicates them

	NewPasswords bool // this run has replaced those of the accounts that the slave uses

	MonitorFile *optionfile.ClientFile // where the login for status is to be kept; nil: nowhere
	SkipCompare bool
}

// PlanSlave plans what makes a server the slave of a master. It is a function of its
// arguments alone, which it leaves as they are: it asks nobody, reads no file, and
// knows no clock.
func PlanSlave(situation Situation, want SlaveWant) *Plan {
	s := newSlavePlan(situation, want)
	seed := s.judge()
	if len(s.Problems) > 0 {
		return s.Plan
	}
	s.restorePackets()
	settingSteps(s.Plan, s.slave, s.DropIn, s.settings())
	if seed {
		s.seed()
	} else {
		s.disableEvents(false)
		// other changes may have come: it is to be seen to be equal
		if s.filterLost() && s.State.Stage != journal.StageSeeded {
			s.State.Stage = journal.StageRunning
		}
	}
	s.connect(seed)
	s.finish(seed)
	s.Add(s.Beginning)
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

// newSlavePlan is a plan without findings and steps.
func newSlavePlan(situation Situation, want SlaveWant) *slavePlan {
	status := situation.SlaveFacts.Master()
	return &slavePlan{
		Plan: &Plan{}, Situation: situation, master: situation.MasterFacts, slave: situation.SlaveFacts, want: want,
		status: status, established: status != nil && rules.IsOurMaster(status, want.Port),
	}
}

// judge finds what is wrong before the servers are asked about the beginning, and
// reports whether the databases must be copied.
func (s *slavePlan) judge() (seed bool) {
	s.Add(rules.CheckSlave(s.slave, s.want.Port))
	s.Add(rules.CheckPair(s.master, s.slave, s.want.Databases))
	s.Add(checkHandOver(s.master, s.want))
	s.Add(rules.CheckSessions(s.master, s.want.HandOver.OldSessions))
	s.checkEstablished()
	seed = s.needsSeed()
	if s.Notes.Repair != nil && s.status != nil && !seed {
		problem := s.Notes.Repair.CutOff(s.slave, s.status)
		problem.Cure += "; or --reseed, which copies everything anew"
		s.Problems = append(s.Problems, problem)
	}
	if seed {
		s.Add(rules.CheckOtherDatabases(s.master, s.slave, s.want.Databases, s.want.Replace, s.want.Method))
		s.checkData()
		s.checkRoom()
		s.checkSeedAccount()
		s.checkOwnGTIDs()
	}
	if s.established && !seed && s.want.Method == journal.SeedNone && !s.want.Start.At(s.State.Start) {
		s.Problem(finding.Slave, "other-start",
			"leave --method none and --start out; or --reseed with them, to begin anew from there",
			"it replicates already, and does not begin at %s", s.want.Start)
	}
	if s.MonitorThere == ForeignFile {
		s.Problem(finding.Slave, "foreign-file", "give another path with --monitor-file",
			"%s exists and was not made by gtunnel", s.want.MonitorFile.Path)
	}
	return seed
}

// connects reports whether the slave is to be pointed to its master, if it is seeded
// or not.
func (s *slavePlan) connects(seeded bool) bool { return seeded || !s.established }

// sameSet compares two lists without regard of their order, and of what one
// says twice: a server does, if two of its option files have the same filter.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
