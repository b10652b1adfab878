package replication

import (
	"fmt"
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

	Well []*finding.Problem // nothing to mend: only On, Code and Text matter
}

func (r *Readiness) well(on finding.Role, code, format string, args ...any) {
	r.Well = append(r.Well, finding.New(on, code, "", format, args...))
}

// MasterReadiness says whether a server can be the master of databases.
func MasterReadiness(f *facts.Facts, databases []string) Readiness {
	r := Readiness{Findings: rules.CheckMaster(f, databases)}
	r.well(finding.Master, "version", "%s, server_id %d", f.Version, f.ServerID())
	r.settings(f, masterSettings(f, false), "setup-master")
	var accounts []string
	for _, user := range facts.AccountUsers {
		if f.Account(user, server.Loopback) != nil {
			accounts = append(accounts, user+"@"+server.Loopback)
		}
	}
	switch {
	case f.Accounts == nil: // the login may not see them
	case len(accounts) == 0:
		r.well(finding.Master, "accounts", "setup-master will make the accounts of the slave")
	default:
		r.well(finding.Master, "accounts", "there are accounts of a slave: %s", strings.Join(accounts, ", "))
	}
	for _, name := range databases {
		if d := f.Database(name); d != nil {
			r.database(d)
		}
	}
	return r
}

// settings says which of the wanted settings are there, and which the setup
// will make. A restart is the administrator's to do.
func (r *Readiness) settings(f *facts.Facts, wanted []wantedSetting, setup string) {
	for _, w := range wanted {
		value := strings.ReplaceAll(w.value, "\n", ", ")
		switch {
		case w.ok:
			is := f.Variable(w.name)
			if m := f.Master(); is == "" && m != nil { // MySQL has no variable of its filters
				is = strings.Join(m.WildDoTable, ", ")
			}
			r.well(f.Role, "setting", "%s is right: %s", w.name, is)
		case w.literal == "" && w.name == "log_bin":
			r.Warn(f.Role, "restart", "gtunnel replication "+setup+" writes it to an option file and waits for the restart, which is yours to do", "log_bin is off, and only a restart turns it on: %s", w.why)
		default:
			r.well(f.Role, "setting", "%s will set %s to %s: %s", setup, w.name, value, w.why)
		}
	}
}

// database says what the copy of a database will be like.
func (r *Readiness) database(d *facts.Database) {
	r.well(finding.Master, "database", "%s has %s with %s", d.Name, finding.Count(d.Tables, "table"), finding.FormatBytes(d.Bytes))
	if len(d.Locked) > 0 {
		r.Warn(finding.Master, "locked-tables", "ALTER TABLE ... ENGINE=InnoDB, or let setup-slave lock them during the copy: --lock-tables",
			"%s has tables without transactions, which may change while they are copied: %s", d.Name, finding.List(d.Locked))
	}
}

// SlaveReadiness says whether a server can be a slave whose master is at a port
// of its own host.
func SlaveReadiness(f *facts.Facts, port int) Readiness {
	r := Readiness{Findings: rules.CheckSlave(f, port)}
	r.well(finding.Slave, "version", "%s, server_id %d", f.Version, f.ServerID())
	switch m := f.Master(); {
	case m != nil && rules.IsOurMaster(m, port):
		r.well(finding.Slave, "set-up", "it follows a master through the tunnel already: gtunnel replication status")
	case len(r.Problems) == 0:
		r.well(finding.Slave, "not-set-up", "it follows no master yet")
	}
	return r
}

// PairReadiness says whether two servers can be master and slave of databases.
// What the master must be is said only if its login may see it.
func PairReadiness(master, slave *facts.Facts, databases []string, port int) Readiness {
	r := SlaveReadiness(slave, port)
	if len(rules.MissingPrivileges(master)) == 0 {
		m := MasterReadiness(master, databases)
		r.Add(m.Findings)
		r.Well = append(r.Well, m.Well...)
	} else {
		r.well(finding.Master, "version", "%s, server_id %d", master.Version, master.ServerID())
	}
	pair := rules.CheckPair(master, slave, databases)
	if len(pair.Problems) == 0 {
		r.well("", "versions", "a slave of %s can follow a master of %s", slave.Version, master.Version)
	}
	r.Add(pair)
	status := slave.Master()
	established := status != nil && rules.IsOurMaster(status, port)
	plan := &slavePlan{Plan: &Plan{}, master: master, slave: slave, want: SlaveWant{Databases: databases}, status: status, established: established}
	r.settings(slave, plan.settings(), "setup-slave")
	if established {
		return r
	}
	r.Add(rules.CheckOtherDatabases(master, slave, databases, nil, ""))
	for _, name := range databases {
		if d := slave.Database(name); d != nil && d.Tables+d.Others+d.Events+d.Routines > 0 {
			r.Warn(finding.Slave, "data-on-slave", fmt.Sprintf("back it up; then setup-slave --replace-databases %s overwrites it", name),
				"there is a database %s with %s of %s already, which the copy would replace", name, finding.Count(d.Tables, "table"), finding.FormatBytes(d.Bytes))
		}
	}
	return r
}
