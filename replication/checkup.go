package replication

import (
	"context"
	"errors"
	"time"

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
	ctx = server.EachWithin(ctx, 3*server.QuestionLimit) // for the sizes of many tables
	local, err := facts.Read(ctx, c.Local)
	switch {
	case err != nil:
		return Readiness{}, err
	case c.Role == finding.Master:
		return masterReadiness(local, databases(c.named(), local)), nil
	case c.Master == nil:
		return slaveReadiness(local, c.named(), c.Port), nil
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
	ready, databases := pairReadiness(master, local, c.HandOver, c.named(), c.Port), databases(c.named(), master)
	blocked, err := blockedApplier(ctx, c.Local, local)
	if err != nil {
		return Readiness{}, err
	}
	if blocked != nil {
		ready.Problems = append(ready.Problems, blocked)
	}
	if len(ready.Problems) > 0 || len(rules.MissingPrivileges(master)) > 0 { // who sees a part would find what is not so
		return ready, nil
	}
	copied := newSlavePlan(Situation{MasterFacts: master, SlaveFacts: local},
		SlaveWant{HandOver: c.HandOver, Databases: databases, Port: c.Port, Method: journal.SeedParallel})
	if !copied.needsSeed() {
		return ready, nil
	}
	err = addCopy(ctx, &ready, &seed.Seed{
		Master: c.Master, Slave: c.Local, MasterFacts: master, SlaveFacts: local,
		Databases: databases, Method: journal.SeedParallel,
	})
	return ready, err
}

// copyPatience is how long a check looks for what a copy would meet.
const copyPatience = 30 * time.Second

// addCopy adds what a copy would meet, as far as that is found out in time.
func addCopy(ctx context.Context, ready *Readiness, s *seed.Seed) error {
	bounded, cancel := context.WithTimeout(ctx, copyPatience)
	defer cancel()
	found, err := s.Check(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		ready.Warn(finding.Slave, "copy-not-checked",
			"gtunnel replication setup-slave --dry-run takes the time that it needs",
			"what a copy would meet was not all looked at within %s", copyPatience)
		return nil
	}
	ready.Add(found)
	return err
}

// named are the databases that are named; none if all are to be checked.
func (c *Check) named() []string {
	if len(c.Databases) == 0 && c.HandOver != nil {
		return c.HandOver.Databases
	}
	return c.Databases
}

// databases are those to check.
func databases(named []string, master *facts.Facts) []string {
	if len(named) == 0 {
		return master.DatabaseNames()
	}
	return named
}
