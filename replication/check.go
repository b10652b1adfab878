package replication

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Readiness is what a check of one server or of a pair says: what is well, what
// the setup will do, and what keeps it from it.
type Readiness struct {
	finding.Findings

	Well []*finding.Problem // nothing to mend: only On and Text matter
}

// masterReadiness says whether a server can be the master of databases.
func masterReadiness(f *facts.Facts, databases []string) Readiness {
	r := Readiness{Findings: rules.Judge(&rules.Subject{Moment: rules.CheckServer, Master: f, Databases: databases})}
	r.well(finding.Master, "%s, server_id %d", f.Version, f.ServerID())
	r.settings(f, masterSettings(f, false, false), "setup-master")
	var accounts []string
	for _, user := range facts.AccountUsers {
		if f.Account(user, server.Loopback) != nil {
			accounts = append(accounts, user+"@"+server.Loopback)
		}
	}
	switch {
	case f.Accounts == nil: // the login may not see them
	case len(accounts) == 0:
		r.well(finding.Master, "setup-master will make the accounts of the slave")
	default:
		r.well(finding.Master, "there are accounts of a slave: %s", strings.Join(accounts, ", "))
	}
	for _, name := range databases {
		if d := f.Database(name); d != nil {
			r.well(finding.Master, "%s has %s with %s", d.Name, finding.Count(d.Tables, "table"), finding.FormatBytes(d.Bytes))
		}
	}
	return r
}

// slaveReadiness says whether a server can be a slave whose master is at a port
// of its own host, of databases that may be named.
func slaveReadiness(f *facts.Facts, named []string, port int) Readiness {
	r := Readiness{Findings: rules.Judge(&rules.Subject{
		Moment: rules.CheckServer, Slave: f, Databases: named, Port: port,
	})}
	r.well(finding.Slave, "%s, server_id %d", f.Version, f.ServerID())
	switch m := f.Master(); {
	case m != nil && rules.IsOurMaster(m, port):
		r.well(finding.Slave, "it follows a master through the tunnel already: gtunnel replication status")
	case len(r.Problems) == 0:
		r.well(finding.Slave, "it follows no master yet")
	}
	return r
}

// pairReadiness says whether two servers can be master and slave of databases; of
// all if none is named. What the master must be is said only if its login may see it.
func pairReadiness(master, slave *facts.Facts, handOver *HandOver, named []string, port int) Readiness {
	r, databases := slaveReadiness(slave, named, port), databases(named, master)
	if len(rules.MissingPrivileges(master)) == 0 {
		m := masterReadiness(master, databases)
		r.Add(m.Findings)
		r.Well = append(r.Well, m.Well...)
	} else {
		r.well(finding.Master, "%s, server_id %d", master.Version, master.ServerID())
	}
	plan := newSlavePlan(Situation{MasterFacts: master, SlaveFacts: slave},
		SlaveWant{HandOver: handOver, Databases: databases, Port: port})
	judged := plan.subject()
	judged.Moment = rules.CheckPair
	pair := rules.Judge(judged)
	if len(pair.Problems) == 0 {
		r.well("", "a slave of %s can follow a master of %s", slave.Version, master.Version)
	}
	r.addNew(pair)
	r.settings(slave, plan.settings(), "setup-slave")
	return r
}

// addNew adds what was found of a pair, but for what is said of a server already.
func (r *Readiness) addNew(found finding.Findings) {
	isSaid := func(said []*finding.Problem) func(*finding.Problem) bool {
		return func(p *finding.Problem) bool {
			return slices.ContainsFunc(said, func(q *finding.Problem) bool {
				return q.On == p.On && q.Code == p.Code && q.Text == p.Text
			})
		}
	}
	r.Add(finding.Findings{
		Problems: slices.DeleteFunc(found.Problems, isSaid(r.Problems)),
		Warnings: slices.DeleteFunc(found.Warnings, isSaid(r.Warnings)),
	})
}

func (r *Readiness) well(on finding.Role, format string, args ...any) {
	r.Well = append(r.Well, finding.New(on, "", "", format, args...))
}

// settings says which of the wanted settings are there, and which the setup
// will make. That one wants a restart is a finding.
func (r *Readiness) settings(f *facts.Facts, wanted []wantedSetting, setup string) {
	for _, w := range wanted {
		switch {
		case w.judged:
		case w.ok:
			is := f.Variable(w.name)
			if m := f.Master(); is == "" && m != nil { // MySQL has no variable of its filters
				is = strings.Join(m.WildDoTable, ", ")
			}
			r.well(f.Role, "%s is right: %s", w.name, is)
		case w.literal == "" && w.name == "log_bin": // the rule restart says so
		default:
			r.well(f.Role, "%s will set %s to %s: %s", setup, w.name, strings.ReplaceAll(w.value, "\n", ", "), w.why)
		}
	}
}
