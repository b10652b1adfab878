package replication

import (
	"fmt"
	"slices"
	"strings"
)

// Readiness is what a check of one server or of a pair says: what is well, what
// the setup will do, and what keeps it from it.
type Readiness struct {
	Findings

	Well []*Problem // nothing to mend: only On, Code and Text matter
}

func (r *Readiness) well(on Role, code, format string, args ...any) {
	r.Well = append(r.Well, problem(on, code, "", format, args...))
}

// MasterReadiness says whether a server can be the master of databases.
func MasterReadiness(f *Facts, databases []string) Readiness {
	r := Readiness{Findings: CheckMaster(f, databases)}
	r.well(Master, "version", "%s, server_id %d", f.Version, f.ServerID())
	r.settings(f, masterSettings(f, false), "setup-master")
	var accounts []string
	for _, user := range accountUsers {
		if f.account(user, loopback) != nil {
			accounts = append(accounts, user+"@"+loopback)
		}
	}
	switch {
	case f.Accounts == nil: // the login may not see them
	case len(accounts) == 0:
		r.well(Master, "accounts", "setup-master will make the accounts of the slave")
	default:
		r.well(Master, "accounts", "there are accounts of a slave: %s", strings.Join(accounts, ", "))
	}
	for _, name := range databases {
		if d := f.database(name); d != nil {
			r.database(d)
		}
	}
	return r
}

// settings says which of the wanted settings are there, and which the setup
// will make. A restart is the administrator's to do.
func (r *Readiness) settings(f *Facts, wanted []wantedSetting, setup string) {
	for _, w := range wanted {
		value := strings.ReplaceAll(w.value, "\n", ", ")
		switch {
		case w.ok:
			is := f.variable(w.name)
			if m := f.master(); is == "" && m != nil { // MySQL has no variable of its filters
				is = strings.Join(m.WildDoTable, ", ")
			}
			r.well(f.Role, "setting", "%s is right: %s", w.name, is)
		case w.literal == "" && w.name == "log_bin":
			r.warn(f.Role, "restart", "gtunnel replication "+setup+" writes it to an option file and waits for the restart, which is yours to do", "log_bin is off, and only a restart turns it on: %s", w.why)
		default:
			r.well(f.Role, "setting", "%s will set %s to %s: %s", setup, w.name, value, w.why)
		}
	}
}

// database says what the copy of a database will be like.
func (r *Readiness) database(d *Database) {
	r.well(Master, "database", "%s has %s with %s", d.Name, countOf(d.Tables, "table"), FormatBytes(d.Bytes))
	if len(d.Locked) > 0 {
		r.warn(Master, "locked-tables", "ALTER TABLE ... ENGINE=InnoDB, or let setup-slave lock them during the copy: --lock-tables",
			"%s has tables without transactions, which may change while they are copied: %s", d.Name, listed(d.Locked))
	}
}

// SlaveReadiness says whether a server can be a slave whose master is at a port
// of its own host.
func SlaveReadiness(f *Facts, port int) Readiness {
	r := Readiness{Findings: CheckSlave(f, port)}
	r.well(Slave, "version", "%s, server_id %d", f.Version, f.ServerID())
	switch m := f.master(); {
	case m != nil && isOurMaster(m, port):
		r.well(Slave, "set-up", "it follows a master through the tunnel already: gtunnel replication status")
	case len(r.Problems) == 0:
		r.well(Slave, "not-set-up", "it follows no master yet")
	}
	return r
}

// PairReadiness says whether two servers can be master and slave of databases.
// What the master must be is said only if its login may see it.
func PairReadiness(master, slave *Facts, databases []string, port int) Readiness {
	r := SlaveReadiness(slave, port)
	if len(missingPrivileges(master)) == 0 {
		m := MasterReadiness(master, databases)
		r.add(m.Findings)
		r.Well = append(r.Well, m.Well...)
	} else {
		r.well(Master, "version", "%s, server_id %d", master.Version, master.ServerID())
	}
	pair := CheckPair(master, slave, databases)
	if len(pair.Problems) == 0 {
		r.well("", "versions", "a slave of %s can follow a master of %s", slave.Version, master.Version)
	}
	r.add(pair)
	status := slave.master()
	established := status != nil && isOurMaster(status, port)
	plan := &slavePlan{Plan: &Plan{}, master: master, slave: slave, want: SlaveWant{Databases: databases}, status: status, established: established}
	r.settings(slave, plan.settings(), "setup-slave")
	if established {
		return r
	}
	r.add(checkOtherDatabases(master, slave, databases, nil, ""))
	for _, name := range databases {
		if d := slave.database(name); d != nil && d.Tables+d.Others+d.Events+d.Routines > 0 {
			r.warn(Slave, "data-on-slave", fmt.Sprintf("back it up; then setup-slave --replace-databases %s overwrites it", name),
				"there is a database %s with %s of %s already, which the copy would replace", name, countOf(d.Tables, "table"), FormatBytes(d.Bytes))
		}
	}
	return r
}

// DatabaseNames are the databases that are nobody's system databases.
func (f *Facts) DatabaseNames() []string { return slices.Clone(databaseNames(f)) }
