package replication

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
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
	master, err := facts.Read(ctx, c.Master)
	if err != nil {
		return Readiness{}, err
	}
	return pairReadiness(master, local, c.named(), c.Port), nil
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
