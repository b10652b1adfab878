package replication

import (
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
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
	s := newSlavePlan(master, slave, want)
	p := s.Plan
	if p.Findings = s.judge(); len(p.Problems) > 0 {
		return p
	}
	seed := s.needsSeed()
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
