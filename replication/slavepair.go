package replication

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// pairAccounts adds the steps that give the slave the accounts by which the other host
// follows it and looks at it once it is the master, with the same passwords, and the table
// of the pair. A clone has brought the master's, and dropped them.
func (s *slavePlan) pairAccounts(seeded bool) {
	pair := s.want.Pair
	if pair == nil {
		return
	}
	cloned := seeded && s.want.Method == journal.SeedClone
	grants := accountGrants{databases: s.slave.Patterns(s.want.Databases), pair: true}
	var logins []server.Login
	changed := cloned
	for _, user := range []string{facts.ReplicationUser, facts.MonitorUser} {
		password, known := s.want.HandOver.Passwords[user]
		if !known {
			password, known = pair.Known[user]
		}
		account := s.slave.Account(user, server.Loopback)
		exists := account != nil && !cloned
		refused := exists && slices.Contains(pair.Refused, user)
		bound := exists && account.Bound
		if !known || exists && !refused && !bound && grants.has(s.slave.Version, user, s.slave.OurGrants[user]) {
			continue
		}
		first := &password
		if exists {
			first = nil
		}
		statements := accountStatements(s.slave.Version, user, first, grants, "")
		if refused {
			statements = append(statements, s.slave.Version.SetPassword(user, server.Loopback, password))
		}
		if bound {
			statements = append(statements, s.slave.Version.FreeAccount(user, server.Loopback))
		}
		step := accountStep(s.slave, user, whileWritable(s.slave, seeded, statements))
		step.On = finding.Slave
		step.Why = map[string]string{
			facts.ReplicationUser: "once this host is the master, the other one replicates by it",
			facts.MonitorUser:     "the other host asks this one by it who is the master",
		}[user] + "; with the password that it has on the master"
		if step.Undo != nil {
			step.Undo = whileWritable(s.slave, seeded, step.Undo)
		}
		s.add(step)
		changed = changed || user == facts.MonitorUser && !exists
		logins = append(logins, server.Login{Network: "tcp", User: user, Password: password})
	}
	pair.tableSteps(s.Plan, s.slave, seeded, changed)
	if len(logins) > 0 {
		s.add(&Step{
			Name: "logins", On: finding.Slave, What: "log in by these accounts, as the other host will",
			Why: "what keeps it out is better known before a failover than in it", Action: tryLogins{logins: logins},
		})
	}
}
