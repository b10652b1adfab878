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
	LockTables bool            // see Seed
	MaxRate    uint64          // see Seed
	Replace    []string        // databases of the slave whose data may be lost
	Reseed     bool            // copy the databases though the slave replicates them

	NewPasswords bool // this run has replaced those of the accounts that the slave uses

	DropIn      *optionfile.DropIn // as it is; nil: no directory for it is known
	State       journal.State      // of an earlier run
	MonitorFile *optionfile.ClientFile
	SkipCompare bool

	// What runs that were cut off have noted, which Setup.Plan reads.
	compared *journal.ComparisonNote
	repaired *journal.RepairNote
	packets  *journal.PacketNote

	elsewhere bool // of Setup.isElsewhere
}

// PlanSlave plans what makes a server the slave of a master. It asks nobody
// anything.
func PlanSlave(master, slave *facts.Facts, want SlaveWant) *Plan {
	p := &Plan{Findings: rules.CheckSlave(slave, want.Port)}
	p.Findings.Add(rules.CheckPair(master, slave, want.Databases))
	p.Findings.Add(checkHandOver(master, want))
	p.Findings.Add(rules.CheckSessions(master, want.HandOver.OldSessions))
	s := &slavePlan{Plan: p, master: master, slave: slave, want: want, status: slave.Master()}
	s.established = s.status != nil && rules.IsOurMaster(s.status, want.Port)
	s.checkEstablished()
	seed := s.needsSeed()
	if want.repaired != nil && s.status != nil && !seed {
		problem := want.repaired.CutOff(slave, s.status)
		problem.Cure += "; or --reseed, which copies everything anew"
		p.Problems = append(p.Problems, problem)
	}
	if seed {
		p.Findings.Add(rules.CheckOtherDatabases(master, slave, want.Databases, want.Replace, want.Method))
		s.checkData()
		s.checkRoom()
		s.checkSeedAccount()
		s.checkOwnGTIDs()
	}
	if s.established && !seed && want.Method == journal.SeedNone && !want.Start.At(want.State.Start) {
		s.Problem(finding.Slave, "other-start", "leave --method none and --start out; or --reseed with them, to begin anew from there",
			"it replicates already, and does not begin at %s", want.Start)
	}
	if f := want.MonitorFile; f != nil && f.Foreign() {
		s.Problem(finding.Slave, "foreign-file", "give another path with --monitor-file", "%s exists and was not made by gtunnel", f.Path)
	}
	if len(p.Problems) > 0 {
		return p
	}
	s.restorePackets()
	settingSteps(p, slave, want.DropIn, s.settings())
	if seed {
		s.seed()
	} else {
		s.disableEvents(false)
		if s.filterLost() && s.want.State.Stage != journal.StageSeeded { // other changes may have come: it is to be seen to be equal
			s.want.State.Stage = journal.StageRunning
		}
	}
	s.connect(seed)
	s.finish(seed)
	return p
}

// slavePlan is a plan for a slave in the making.
type slavePlan struct {
	*Plan

	master, slave *facts.Facts
	want          SlaveWant
	status        *server.SlaveStatus // of the default connection; nil if there is none
	established   bool                // the default connection goes to our end of the tunnel
}

// sameSet compares two lists without regard of their order, and of what one
// says twice: a server does, if two of its option files have the same filter.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
