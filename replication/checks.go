package replication

import (
	"fmt"
	"slices"
	"strings"
)

// Findings are what checks found.
type Findings struct {
	Problems []*Problem // must be mended first
	Warnings []*Problem // should be known
}

func (f *Findings) problem(on Role, code, cure, format string, args ...any) {
	f.Problems = append(f.Problems, problem(on, code, cure, format, args...))
}

func (f *Findings) warn(on Role, code, cure, format string, args ...any) {
	f.Warnings = append(f.Warnings, problem(on, code, cure, format, args...))
}

// add appends other findings.
func (f *Findings) add(other Findings) {
	f.Problems = append(f.Problems, other.Problems...)
	f.Warnings = append(f.Warnings, other.Warnings...)
}

// Err joins the problems; nil if there are none.
func (f *Findings) Err() error { return joinProblems(f.Problems) }

// CheckMaster says what keeps a server from being the master of databases,
// beyond what a plan can set right.
func CheckMaster(f *Facts, databases []string) Findings {
	var found Findings
	found.add(checkServer(f))
	if len(databases) == 0 {
		found.problem(Master, "no-databases", "name them: --databases DB_1,DB_2; there are: "+listed(databaseNames(f)), "no database to replicate was named")
	}
	for _, name := range databases {
		switch {
		case slices.Contains(systemDatabases, strings.ToLower(name)):
			found.problem(Master, "system-database", "leave it out: accounts are made on each host by hand", "%s is a database of the server's own and is never replicated", name)
		case f.database(name) == nil:
			found.problem(Master, "unknown-database", "there are: "+listed(databaseNames(f)), "there is no database %s that this login can see", name)
		case len(f.BinlogDo) > 0 && !slices.Contains(f.BinlogDo, name):
			found.problem(Master, "binlog-filter", "remove binlog-do-db from the server's option files and restart it: the slave chooses what it takes", "binlog-do-db keeps %s out of the binary log", name)
		case slices.Contains(f.BinlogNot, name):
			found.problem(Master, "binlog-filter", "remove binlog-ignore-db from the server's option files and restart it", "binlog-ignore-db keeps %s out of the binary log", name)
		}
	}
	for _, name := range databases {
		for _, other := range databaseNames(f) {
			if rest, ok := strings.CutPrefix(name, other+"."); ok {
				found.warn(Master, "dotted-name", "give tables of "+other+" other names, or rename it", "the slave would also replicate tables of %s whose names begin with %q, and stop: a filter cannot tell them from those of %s", other, rest+".", name)
			}
		}
	}
	if len(f.BinlogDo) > 0 && len(found.Problems) == 0 {
		found.warn(Master, "binlog-filter", "remove it from the server's option files at the next restart: the slave chooses what it takes", "binlog-do-db loses statements that name a table of another database than the current one")
	}
	if f.on("require_secure_transport") {
		found.problem(Master, "secure-transport", "SET GLOBAL require_secure_transport=OFF, and in the option files: the tunnel encrypts, and MySQL listens on 127.0.0.1 only", "require_secure_transport refuses connections without TLS, as they come out of the tunnel")
	}
	if f.on("super_read_only") {
		found.problem(Master, "read-only", "if it shall be the master: SET GLOBAL read_only=0, and in its option files", "it is read-only, so that no account can be made there, nor can anybody write: it was a slave")
	}
	if !listensOnLoopback(f.variable("bind_address")) {
		found.problem(Master, "bind-address", "set bind-address=127.0.0.1 in its option files, or 0.0.0.0 behind a firewall, and restart it", "it listens at %s, and not at 127.0.0.1, where the tunnel connects", f.variable("bind_address"))
	}
	found.add(checkNameResolution(f))
	if f.on("skip_networking") || f.number("port") == 0 {
		found.problem(Master, "no-tcp", "remove skip-networking, set bind-address=127.0.0.1, and restart the server", "the server does not listen on TCP, where the tunnel connects")
	}
	for _, m := range f.Masters {
		if !m.runs() { // as what a promoted slave has left
			found.warn(Master, "is-slave", "if it shall no longer follow it: "+m.forget(f.Version),
				"it was the slave of %s:%d, and still knows how to follow it", m.MasterHost, m.MasterPort)
			continue
		}
		if !f.on("log_slave_updates", "log_replica_updates") {
			found.problem(Master, "is-slave", "set log_slave_updates=ON in its option files, and restart it", "it is itself the slave of %s:%d, and does not log what comes from there: its slave would never get it", m.MasterHost, m.MasterPort)
			continue
		}
		found.warn(Master, "is-slave", "", "it is itself the slave of %s:%d", m.MasterHost, m.MasterPort)
	}
	if f.HasBinaryLog() && (f.variable("sync_binlog") != "1" || f.variable("innodb_flush_log_at_trx_commit") != "1") {
		found.warn(Master, "durability", "set sync_binlog=1 and innodb_flush_log_at_trx_commit=1, unless speed matters more", "a crash of this host may lose commits that the slave has, or keep some that it never gets")
	}
	return found
}

// listensOnLoopback tells whether one of the addresses of bind_address is, or
// holds, 127.0.0.1. MySQL's may name a network namespace.
func listensOnLoopback(addresses string) bool {
	return addresses == "" || slices.ContainsFunc(strings.Split(addresses, ","), func(address string) bool {
		address, _, _ = strings.Cut(strings.TrimSpace(address), "/")
		return slices.Contains([]string{"*", "0.0.0.0", "::", loopback, "localhost"}, address)
	})
}

// checkNameResolution finds accounts that take the place of ours: MariaDB knows
// who comes from 127.0.0.1 by the name localhost, unless it resolves no names.
func checkNameResolution(f *Facts) Findings {
	var found Findings
	if f.Version.Family != MariaDB || f.on("skip_name_resolve") {
		return found
	}
	for _, user := range accountUsers {
		if f.account(user, "localhost") != nil {
			account := quoteAccount(user, "localhost")
			found.problem(Master, "account-shadowed", "DROP USER "+account+", unless a slave uses it; or set skip_name_resolve=ON in its option files, and restart it",
				"there is an account %s, which the server takes for what comes from %s as long as it resolves names", account, loopback)
		}
	}
	return found
}

// CheckSlave says what keeps a server from being a slave that reaches its
// master at a port of this host.
func CheckSlave(f *Facts, port int) Findings {
	var found Findings
	found.add(checkServer(f))
	if m := f.master(); m != nil && m.MasterHost != "" && !isOurMaster(m, port) {
		found.problem(Slave, "other-master", fmt.Sprintf("if it shall no longer follow it: STOP SLAVE; %s", f.Version.resetSlaveAll()),
			"it follows another master already: %s:%d as %s", m.MasterHost, m.MasterPort, m.MasterUser)
	}
	for _, m := range f.Masters {
		switch {
		case m.Channel == "":
		case f.Version.atLeast(MySQL, 8, 0, 0):
			found.warn(Slave, "other-channel", "it is left alone", "it also follows %s:%d by the channel %s", m.MasterHost, m.MasterPort, m.Channel)
		default: // filters of the option files, and MariaDB's gtid_slave_pos, are of all
			found.problem(Slave, "other-channel", "take another server as the slave: what a setup must set holds for all of a server's masters",
				"it also follows %s:%d by %s", m.MasterHost, m.MasterPort, m.Channel)
		}
	}
	if m := f.master(); m != nil && len(m.OtherFilters)+len(m.IgnoreTable)+len(m.WildIgnoreTable) > 0 {
		found.problem(Slave, "other-filters", "remove them from its option files and restart it, or, after a repair that was cut off, run gtunnel replication compare --repair-table again",
			"it leaves out more than databases that are not named: %s", listed(slices.Concat(m.OtherFilters, m.IgnoreTable, m.WildIgnoreTable)))
	}
	if p := skipsErrors(f); p != nil {
		found.Problems = append(found.Problems, p)
	}
	if _, ok := f.Variables["super_read_only"]; !ok {
		if p := warnAboutWriters(f.Writers); p != nil {
			found.Warnings = append(found.Warnings, p)
		}
	}
	if f.HasBinaryLog() && !f.on("log_slave_updates", "log_replica_updates") {
		found.warn(Slave, "log-slave-updates", "set log_slave_updates=ON in the option files and restart it when it suits", "it does not log what it replicates, and so could not be the master of the other host after a failover")
	}
	if !f.HasBinaryLog() {
		found.warn(Slave, "no-binary-log", "set log_bin and log_slave_updates=ON in the option files and restart it when it suits", "it writes no binary log, and so could not be the master of the other host after a failover")
	}
	return found
}

// isOurMaster tells whether a slave is told to go through the tunnel.
func isOurMaster(m *SlaveStatus, port int) bool {
	return m.MasterHost == loopback && m.MasterPort == port
}

// loopback is where both ends of the tunnel meet MySQL. It is never
// "localhost", which means a socket to MySQL's programs.
const loopback = "127.0.0.1"

// checkServer is about what no end of a replication may be.
func checkServer(f *Facts) Findings {
	var found Findings
	if !f.Version.atLeast(MariaDB, 10, 0, 0) && !f.Version.atLeast(MySQL, 5, 7, 0) {
		found.problem(f.Role, "too-old", "update it to MariaDB 10.0 or MySQL 5.7, better a current series", "%s is too old", f.Version)
	}
	if f.Cluster != "" {
		found.problem(f.Role, "cluster", "use the cluster's own replication, or a server outside it", "it is a member of a cluster (%s)", f.Cluster)
	}
	if missing := missingPrivileges(f); len(missing) > 0 {
		found.problem(f.Role, "privileges", "log in as root, or as an account with ALL PRIVILEGES and GRANT OPTION",
			"%s lacks privileges: %s", f.User, strings.Join(missing, ", "))
	}
	found.add(checkLogs(f))
	return found
}

// missingPrivileges are those that setting a server up needs and its login does
// not have. Each is given by several privileges, old and new.
func missingPrivileges(f *Facts) []string {
	needs := [][]string{
		{"CREATE USER"},
		{"RELOAD"},
		{"SUPER", "SYSTEM_VARIABLES_ADMIN", "BINLOG ADMIN"},
		{"SUPER", "REPLICATION CLIENT", "BINLOG MONITOR"},
	}
	if f.Role == Slave {
		needs = [][]string{
			{"CREATE"},
			{"DROP"},
			{"INSERT"},
			{"CREATE VIEW"},
			{"CREATE ROUTINE"},
			{"TRIGGER"},
			{"EVENT"},
			{"SUPER", "REPLICATION_SLAVE_ADMIN", "REPLICATION SLAVE ADMIN", "REPLICATION REPLICA ADMIN"},
			{"SUPER", "SYSTEM_VARIABLES_ADMIN", "READ_ONLY ADMIN", "READ ONLY ADMIN"},
		}
	}
	var missing []string
	for _, any := range needs {
		if !f.hasPrivilege(any...) {
			missing = append(missing, strings.Join(any, " or "))
		}
	}
	return missing
}

// CheckPair says what keeps two servers from being master and slave of
// databases. It does not repeat what CheckMaster and CheckSlave say.
func CheckPair(master, slave *Facts, databases []string) Findings {
	var found Findings
	found.add(checkVersions(master.Version, slave.Version))
	found.add(checkMigration(master, slave))
	found.add(checkNames(master, slave, databases))
	if id := master.UUID(); id != "" && id == slave.UUID() {
		found.problem(Slave, "same-uuid", "stop it, remove auto.cnf from its data directory "+slave.variable("datadir")+", and start it: it makes a new one",
			"it has the server_uuid of the master, as a cloned machine does, or both logins reach the same server")
	}
	found.add(checkGTIDModes(master, slave))
	if m, s := master.variable("lower_case_table_names"), slave.variable("lower_case_table_names"); m != s {
		found.problem(Slave, "lower-case-table-names", "set up the slave anew with lower_case_table_names="+m, "lower_case_table_names is %s, and %s on the master", s, m)
	}
	for _, name := range databases {
		d := master.database(name)
		if d == nil {
			continue // CheckMaster says so
		}
		var unknown []string
		for _, c := range d.Collations {
			if !slave.Collations[c] {
				unknown = append(unknown, c)
			}
		}
		if len(unknown) > 0 {
			found.problem(Slave, "unknown-collation", "convert these columns on the master (ALTER TABLE ... CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci), or update the slave",
				"%s does not know collations that %s uses: %s", slave.Version, name, listed(unknown))
		}
	}
	if c := master.variable("collation_server"); c != "" && !slave.Collations[strings.ToLower(c)] {
		found.problem(Slave, "unknown-collation", "on the master set collation_server to one that both know, such as utf8mb4_general_ci, in the option files too",
			"%s does not know the master's collation_server %s, which every transaction names", slave.Version, c)
	}
	if m, s := timeZone(master), timeZone(slave); m != s {
		found.warn(Slave, "time-zone", "set the same time_zone on both, such as '+00:00', if events or statements use local time", "its time zone is %s, and %s on the master", s, m)
	}
	return found
}

func timeZone(f *Facts) string {
	if zone := f.variable("time_zone"); zone != "SYSTEM" {
		return zone
	}
	return f.variable("system_time_zone")
}

// checkVersions says whether a slave may follow a master. A slave must not be
// older (MySQL manual, "Replication Compatibility Between MySQL Versions";
// MariaDB's, "Cross-Version Replication Compatibility").
func checkVersions(master, slave Version) Findings {
	var found Findings
	switch {
	case master.Family == slave.Family:
		if seriesBefore(slave, master) {
			found.problem(Slave, "older-slave", "update the slave to "+master.Series()+" or later", "%s cannot follow the newer %s", slave, master)
		}
	case slave.Family == MySQL:
		found.warn(Slave, "families", "treat it as a migration: there is no way back to MariaDB by replication", "%s follows %s: simple statements and rows work, what only one family knows does not", slave, master)
	case master.atLeast(MySQL, 9, 0, 0):
		found.problem(Slave, "families", "take a MySQL server as the slave, or copy the data by a dump", "%s cannot follow %s: it has no authentication plugin that a MariaDB slave could use", slave, master)
	default:
		found.warn(Slave, "families", "treat it as a migration: there is no way back to MySQL by replication; the account of the replication must use mysql_native_password", "%s follows %s: simple statements and rows work, what only one family knows does not", slave, master)
	}
	return found
}

// checkMigration says what keeps MySQL 9 from following MariaDB: it has given up
// the format of row events that MariaDB writes (error 13121), and with gtid_mode
// ON takes no transactions without GTIDs of its own kind (1782).
func checkMigration(master, slave *Facts) Findings {
	var found Findings
	if master.Version.Family != MariaDB || !slave.Version.atLeast(MySQL, 9, 0, 0) {
		return found
	}
	if format := master.variable("binlog_format"); format != "STATEMENT" {
		found.problem(Master, "row-events", "on the master: gtunnel replication setup-master --log-statements, and let its programs connect anew; or take MySQL 8.4 as the slave",
			"binlog_format is %s, and %s cannot read rows that MariaDB logs", format, slave.Version)
	}
	if slave.GTIDs() {
		found.problem(Slave, "gtid-mode", "on the slave: SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=OFF_PERMISSIVE; and gtid_mode=OFF_PERMISSIVE in its option files",
			"gtid_mode is ON, and MariaDB's transactions have no GTIDs that MySQL knows")
	}
	return found
}

// seriesBefore tells whether a's series is older than b's.
func seriesBefore(a, b Version) bool {
	a.Patch, b.Patch = 0, 0
	return a.older(b)
}

func databaseNames(f *Facts) []string {
	names := make([]string, len(f.Databases))
	for i, d := range f.Databases {
		names[i] = d.Name
	}
	return names
}
