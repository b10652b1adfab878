package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// CheckMaster says what keeps a server from being the master of databases,
// beyond what a plan can set right.
func CheckMaster(f *facts.Facts, databases []string) finding.Findings {
	var found finding.Findings
	found.Add(checkServer(f))
	if len(databases) == 0 {
		found.Problem(finding.Master, "no-databases", "name them: --databases DB_1,DB_2; there are: "+finding.List(f.DatabaseNames()), "no database to replicate was named")
	}
	for _, name := range databases {
		switch {
		case slices.Contains(facts.SystemDatabases, strings.ToLower(name)):
			found.Problem(finding.Master, "system-database", "leave it out: accounts are made on each host by hand", "%s is a database of the server's own and is never replicated", name)
		case f.Database(name) == nil:
			found.Problem(finding.Master, "unknown-database", "there are: "+finding.List(f.DatabaseNames()), "there is no database %s that this login can see", name)
		case len(f.BinlogDo) > 0 && !slices.Contains(f.BinlogDo, name):
			found.Problem(finding.Master, "binlog-filter", "remove binlog-do-db from the server's option files and restart it: the slave chooses what it takes", "binlog-do-db keeps %s out of the binary log", name)
		case slices.Contains(f.BinlogNot, name):
			found.Problem(finding.Master, "binlog-filter", "remove binlog-ignore-db from the server's option files and restart it", "binlog-ignore-db keeps %s out of the binary log", name)
		}
	}
	for _, name := range databases {
		for _, other := range f.DatabaseNames() {
			if rest, ok := strings.CutPrefix(name, other+"."); ok {
				found.Warn(finding.Master, "dotted-name", "give tables of "+other+" other names, or rename it", "the slave would also replicate tables of %s whose names begin with %q, and stop: a filter cannot tell them from those of %s", other, rest+".", name)
			}
		}
	}
	if len(f.BinlogDo) > 0 && len(found.Problems) == 0 {
		found.Warn(finding.Master, "binlog-filter", "remove it from the server's option files at the next restart: the slave chooses what it takes", "binlog-do-db loses statements that name a table of another database than the current one")
	}
	if f.On("require_secure_transport") {
		found.Problem(finding.Master, "secure-transport", "SET GLOBAL require_secure_transport=OFF, and in the option files: the tunnel encrypts, and MySQL listens on 127.0.0.1 only", "require_secure_transport refuses connections without TLS, as they come out of the tunnel")
	}
	if f.On("super_read_only") {
		found.Problem(finding.Master, "read-only", "if it shall be the master: SET GLOBAL read_only=0, and in its option files", "it is read-only, so that no account can be made there, nor can anybody write: it was a slave")
	}
	if !listensOnLoopback(f.Variable("bind_address")) {
		found.Problem(finding.Master, "bind-address", "set bind-address=127.0.0.1 in its option files, or 0.0.0.0 behind a firewall, and restart it", "it listens at %s, and not at 127.0.0.1, where the tunnel connects", f.Variable("bind_address"))
	}
	found.Add(checkNameResolution(f))
	if f.On("skip_networking") || f.Number("port") == 0 {
		found.Problem(finding.Master, "no-tcp", "remove skip-networking, set bind-address=127.0.0.1, and restart the server", "the server does not listen on TCP, where the tunnel connects")
	}
	for _, m := range f.Masters {
		if !m.Active() { // as what a promoted slave has left
			found.Warn(finding.Master, "is-slave", "if it shall no longer follow it: "+m.Forget(f.Version),
				"it was the slave of %s:%d, and still knows how to follow it", m.MasterHost, m.MasterPort)
			continue
		}
		if !f.On("log_slave_updates", "log_replica_updates") {
			found.Problem(finding.Master, "is-slave", "set log_slave_updates=ON in its option files, and restart it", "it is itself the slave of %s:%d, and does not log what comes from there: its slave would never get it", m.MasterHost, m.MasterPort)
			continue
		}
		found.Warn(finding.Master, "is-slave", "", "it is itself the slave of %s:%d", m.MasterHost, m.MasterPort)
	}
	if f.HasBinaryLog() && (f.Variable("sync_binlog") != "1" || f.Variable("innodb_flush_log_at_trx_commit") != "1") {
		found.Warn(finding.Master, "durability", "set sync_binlog=1 and innodb_flush_log_at_trx_commit=1, unless speed matters more", "a crash of this host may lose commits that the slave has, or keep some that it never gets")
	}
	return found
}

// listensOnLoopback tells whether one of the addresses of bind_address is, or
// holds, 127.0.0.1. MySQL's may name a network namespace.
func listensOnLoopback(addresses string) bool {
	return addresses == "" || slices.ContainsFunc(strings.Split(addresses, ","), func(address string) bool {
		address, _, _ = strings.Cut(strings.TrimSpace(address), "/")
		return slices.Contains([]string{"*", "0.0.0.0", "::", server.Loopback, "localhost"}, address)
	})
}

// checkNameResolution finds accounts that take the place of ours: MariaDB knows
// who comes from 127.0.0.1 by the name localhost, unless it resolves no names.
func checkNameResolution(f *facts.Facts) finding.Findings {
	var found finding.Findings
	if f.Version.Family != server.MariaDB || f.On("skip_name_resolve") {
		return found
	}
	for _, user := range facts.AccountUsers {
		if f.Account(user, "localhost") != nil {
			account := server.QuoteAccount(user, "localhost")
			found.Problem(finding.Master, "account-shadowed", "DROP USER "+account+", unless a slave uses it; or set skip_name_resolve=ON in its option files, and restart it",
				"there is an account %s, which the server takes for what comes from %s as long as it resolves names", account, server.Loopback)
		}
	}
	return found
}

// CheckSlave says what keeps a server from being a slave that reaches its
// master at a port of this host.
func CheckSlave(f *facts.Facts, port int) finding.Findings {
	var found finding.Findings
	found.Add(checkServer(f))
	if m := f.Master(); m != nil && m.MasterHost != "" && !IsOurMaster(m, port) {
		found.Problem(finding.Slave, "other-master", fmt.Sprintf("if it shall no longer follow it: STOP SLAVE; %s", f.Version.ResetSlaveAll()),
			"it follows another master already: %s:%d as %s", m.MasterHost, m.MasterPort, m.MasterUser)
	}
	for _, m := range f.Masters {
		switch {
		case m.Channel == "":
		case f.Version.AtLeast(server.MySQL, 8, 0, 0):
			found.Warn(finding.Slave, "other-channel", "it is left alone", "it also follows %s:%d by the channel %s", m.MasterHost, m.MasterPort, m.Channel)
		default: // filters of the option files, and MariaDB's gtid_slave_pos, are of all
			found.Problem(finding.Slave, "other-channel", "take another server as the slave: what a setup must set holds for all of a server's masters",
				"it also follows %s:%d by %s", m.MasterHost, m.MasterPort, m.Channel)
		}
	}
	if m := f.Master(); m != nil && len(m.OtherFilters)+len(m.IgnoreTable)+len(m.WildIgnoreTable) > 0 {
		found.Problem(finding.Slave, "other-filters", "remove them from its option files and restart it, or, after a repair that was cut off, run gtunnel replication compare --repair-table again",
			"it leaves out more than databases that are not named: %s", finding.List(slices.Concat(m.OtherFilters, m.IgnoreTable, m.WildIgnoreTable)))
	}
	if p := SkipsErrors(f); p != nil {
		found.Problems = append(found.Problems, p)
	}
	if _, ok := f.Variables["super_read_only"]; !ok {
		if p := WarnAboutWriters(f.Writers); p != nil {
			found.Warnings = append(found.Warnings, p)
		}
	}
	if f.HasBinaryLog() && !f.On("log_slave_updates", "log_replica_updates") {
		found.Warn(finding.Slave, "log-slave-updates", "set log_slave_updates=ON in the option files and restart it when it suits", "it does not log what it replicates, and so could not be the master of the other host after a failover")
	}
	if !f.HasBinaryLog() {
		found.Warn(finding.Slave, "no-binary-log", "set log_bin and log_slave_updates=ON in the option files and restart it when it suits", "it writes no binary log, and so could not be the master of the other host after a failover")
	}
	return found
}

// IsOurMaster tells whether a slave is told to go through the tunnel.
func IsOurMaster(m *server.SlaveStatus, port int) bool {
	return m.MasterHost == server.Loopback && m.MasterPort == port
}

// checkServer is about what no end of a replication may be.
func checkServer(f *facts.Facts) finding.Findings {
	var found finding.Findings
	if !f.Version.AtLeast(server.MariaDB, 10, 0, 0) && !f.Version.AtLeast(server.MySQL, 5, 7, 0) {
		found.Problem(f.Role, "too-old", "update it to MariaDB 10.0 or MySQL 5.7, better a current series", "%s is too old", f.Version)
	}
	if f.Cluster != "" {
		found.Problem(f.Role, "cluster", "use the cluster's own replication, or a server outside it", "it is a member of a cluster (%s)", f.Cluster)
	}
	if missing := MissingPrivileges(f); len(missing) > 0 {
		found.Problem(f.Role, "privileges", "log in as root, or as an account with ALL PRIVILEGES and GRANT OPTION",
			"%s lacks privileges: %s", f.User, strings.Join(missing, ", "))
	}
	found.Add(checkLogs(f))
	return found
}

// MissingPrivileges are those that setting a server up needs and its login does
// not have. Each is given by several privileges, old and new.
func MissingPrivileges(f *facts.Facts) []string {
	needs := [][]string{
		{"CREATE USER"},
		{"RELOAD"},
		{"SUPER", "SYSTEM_VARIABLES_ADMIN", "BINLOG ADMIN"},
		{"SUPER", "REPLICATION CLIENT", "BINLOG MONITOR"},
	}
	if f.Role == finding.Slave {
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
		if !f.HasPrivilege(any...) {
			missing = append(missing, strings.Join(any, " or "))
		}
	}
	return missing
}

// CheckPair says what keeps two servers from being master and slave of
// databases. It does not repeat what CheckMaster and CheckSlave say.
func CheckPair(master, slave *facts.Facts, databases []string) finding.Findings {
	var found finding.Findings
	found.Add(checkVersions(master.Version, slave.Version))
	found.Add(checkMigration(master, slave))
	found.Add(checkNames(master, slave, databases))
	if id := master.UUID(); id != "" && id == slave.UUID() {
		found.Problem(finding.Slave, "same-uuid", "stop it, remove auto.cnf from its data directory "+slave.Variable("datadir")+", and start it: it makes a new one",
			"it has the server_uuid of the master, as a cloned machine does, or both logins reach the same server")
	}
	found.Add(checkGTIDModes(master, slave))
	if m, s := master.Variable("lower_case_table_names"), slave.Variable("lower_case_table_names"); m != s {
		found.Problem(finding.Slave, "lower-case-table-names", "set up the slave anew with lower_case_table_names="+m, "lower_case_table_names is %s, and %s on the master", s, m)
	}
	for _, name := range databases {
		d := master.Database(name)
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
			found.Problem(finding.Slave, "unknown-collation", "convert these columns on the master (ALTER TABLE ... CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci), or update the slave",
				"%s does not know collations that %s uses: %s", slave.Version, name, finding.List(unknown))
		}
	}
	if c := master.Variable("collation_server"); c != "" && !slave.Collations[strings.ToLower(c)] {
		found.Problem(finding.Slave, "unknown-collation", "on the master set collation_server to one that both know, such as utf8mb4_general_ci, in the option files too",
			"%s does not know the master's collation_server %s, which every transaction names", slave.Version, c)
	}
	if m, s := timeZone(master), timeZone(slave); m != s {
		found.Warn(finding.Slave, "time-zone", "set the same time_zone on both, such as '+00:00', if events or statements use local time", "its time zone is %s, and %s on the master", s, m)
	}
	return found
}

func timeZone(f *facts.Facts) string {
	if zone := f.Variable("time_zone"); zone != "SYSTEM" {
		return zone
	}
	return f.Variable("system_time_zone")
}

// checkVersions says whether a slave may follow a master. A slave must not be
// older (MySQL manual, "Replication Compatibility Between MySQL Versions";
// MariaDB's, "Cross-Version Replication Compatibility").
func checkVersions(master, slave server.Version) finding.Findings {
	var found finding.Findings
	switch {
	case master.Family == slave.Family:
		if seriesBefore(slave, master) {
			found.Problem(finding.Slave, "older-slave", "update the slave to "+master.Series()+" or later", "%s cannot follow the newer %s", slave, master)
		}
	case slave.Family == server.MySQL:
		found.Warn(finding.Slave, "families", "treat it as a migration: there is no way back to MariaDB by replication", "%s follows %s: simple statements and rows work, what only one family knows does not", slave, master)
	case master.AtLeast(server.MySQL, 9, 0, 0):
		found.Problem(finding.Slave, "families", "take a MySQL server as the slave, or copy the data by a dump", "%s cannot follow %s: it has no authentication plugin that a MariaDB slave could use", slave, master)
	default:
		found.Warn(finding.Slave, "families", "treat it as a migration: there is no way back to MySQL by replication; the account of the replication must use mysql_native_password", "%s follows %s: simple statements and rows work, what only one family knows does not", slave, master)
	}
	return found
}

// checkMigration says what keeps MySQL 9 from following MariaDB: it has given up
// the format of row events that MariaDB writes (error 13121), and with gtid_mode
// ON takes no transactions without GTIDs of its own kind (1782).
func checkMigration(master, slave *facts.Facts) finding.Findings {
	var found finding.Findings
	if master.Version.Family != server.MariaDB || !slave.Version.AtLeast(server.MySQL, 9, 0, 0) {
		return found
	}
	if format := master.Variable("binlog_format"); format != "STATEMENT" {
		found.Problem(finding.Master, "row-events", "on the master: gtunnel replication setup-master --log-statements, and let its programs connect anew; or take MySQL 8.4 as the slave",
			"binlog_format is %s, and %s cannot read rows that MariaDB logs", format, slave.Version)
	}
	if slave.GTIDs() {
		found.Problem(finding.Slave, "gtid-mode", "on the slave: SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=OFF_PERMISSIVE; and gtid_mode=OFF_PERMISSIVE in its option files",
			"gtid_mode is ON, and MariaDB's transactions have no GTIDs that MySQL knows")
	}
	return found
}

// seriesBefore tells whether a's series is older than b's.
func seriesBefore(a, b server.Version) bool {
	a.Patch, b.Patch = 0, 0
	return a.Older(b)
}
