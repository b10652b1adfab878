package replication

import (
	"context"
	"errors"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Check is the check of a server, or of a pair, before its setup. It changes nothing.
type Check struct {
	Role   finding.Role   // that the server of this host is to have
	Local  *server.Server // of this host
	Master *server.Server // of the pair; nil: only the server of this host is checked

	Port      int       // of 127.0.0.1: the local end of the tunnel, by which a slave reaches its master
	Databases []string  // to replicate; empty: those of the hand-over, else all that the master has
	HandOver  *HandOver // of setup-master; nil if there is none
}

// Run reads the servers and says what is well, what the setup will do, and what keeps
// it from it.
func (c *Check) Run(ctx context.Context) (Readiness, error) {
	local, err := facts.Read(ctx, c.Local)
	switch {
	case err != nil:
		return Readiness{}, err
	case c.Role == finding.Master:
		return masterReadiness(local, c.databases(local)), nil
	case c.Master == nil:
		return slaveReadiness(local, c.Port), nil
	}
	if err := c.Local.MustDiffer(ctx, c.Master); err != nil {
		same, ok := errors.AsType[*finding.Problem](err)
		if !ok || same.Code != "same-server" {
			return Readiness{}, err
		}
		return Readiness{Findings: finding.Findings{Problems: []*finding.Problem{same}}}, nil
	}
	master, err := facts.Read(ctx, c.Master)
	if err != nil {
		return Readiness{}, err
	}
	databases := c.databases(master)
	ready := pairReadiness(master, local, c.HandOver, databases, c.Port)
	if len(ready.Problems) > 0 || len(rules.MissingPrivileges(master)) > 0 { // who sees a part would find what is not so
		return ready, nil
	}
	copied := newSlavePlan(Situation{MasterFacts: master, SlaveFacts: local},
		SlaveWant{HandOver: c.HandOver, Databases: databases, Port: c.Port, Method: journal.SeedDump})
	if !copied.needsSeed() {
		return ready, nil
	}
	found, err := (&seed.Seed{
		Master: c.Master, Slave: c.Local, MasterFacts: master, SlaveFacts: local,
		Databases: databases, Method: journal.SeedDump,
	}).Check(ctx)
	ready.Add(found)
	return ready, err
}

// databases are those to check.
func (c *Check) databases(master *facts.Facts) []string {
	switch {
	case len(c.Databases) > 0:
		return c.Databases
	case c.HandOver != nil:
		return c.HandOver.Databases
	default:
		return master.DatabaseNames()
	}
}
