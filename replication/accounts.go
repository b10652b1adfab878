package replication

import (
	"slices"
	"strings"
)

// The accounts that a slave uses on its master. The tunnel connects to MySQL
// from 127.0.0.1.
const (
	ReplicationUser = "db_rep"          // replicates
	MonitorUser     = "gtunnel_monitor" // watches and compares
	SeedUser        = "gtunnel_seed"    // copies the databases, and is dropped after that
)

// accountUsers are all of them.
var accountUsers = []string{ReplicationUser, MonitorUser, SeedUser}

// grantsOf are the privileges that one of our accounts needs on a master of a
// version to serve a slave with databases: a list for all databases and one for
// each of these. (MySQL manual, "Privileges Provided by MySQL"; MariaDB's,
// "GRANT"; their names have changed with MariaDB 10.5 and MySQL 8.0.)
func grantsOf(v Version, user string) (everywhere, perDatabase []string) {
	client := "REPLICATION CLIENT"
	if v.atLeast(MariaDB, 10, 5, 2) {
		client = "BINLOG MONITOR"
	}
	switch user {
	case ReplicationUser:
		return []string{"REPLICATION SLAVE"}, nil
	case MonitorUser:
		everywhere = []string{client, "PROCESS"}
		switch {
		case v.atLeast(MySQL, 8, 0, 23):
			everywhere = append(everywhere, "FLUSH_TABLES") // for an instant, to compare at one position
		case v.Family == MySQL:
			everywhere = append(everywhere, "RELOAD")
		}
		return everywhere, []string{"SELECT", "SHOW VIEW", "TRIGGER", "EVENT"}
	}
	slaves := "REPLICATION SLAVE" // to list the other slaves, whose server ids are taken
	if v.atLeast(MariaDB, 10, 5, 2) {
		slaves = "REPLICATION MASTER ADMIN"
	}
	everywhere = []string{slaves, "SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "RELOAD", "LOCK TABLES", "PROCESS", client}
	if v.atLeast(MySQL, 8, 0, 0) {
		everywhere = append(everywhere, "BACKUP_ADMIN")
	}
	return everywhere, nil
}

// dropSeedProcedure lets the seeding account drop itself when the copy is done,
// and nothing else: it has no right to drop accounts.
const dropSeedProcedure = "gtunnel_drop_seed"

// accountStatements make an account with its privileges. They stay out of the
// binary log: the account is of this server, and a slave that has none of that
// name must not stumble over it.
func accountStatements(v Version, user string, password Password, databases []string) []Statement {
	account := quoteAccount(user, loopback)
	statements := append([]Statement{statement("SET SESSION sql_log_bin=0")}, v.createAccount(user, loopback, password)...)
	everywhere, perDatabase := grantsOf(v, user)
	statements = append(statements, statement("GRANT %s ON *.* TO %s", strings.Join(everywhere, ", "), account))
	if len(perDatabase) > 0 {
		for _, database := range databases {
			statements = append(statements, statement("GRANT %s ON %s.* TO %s", strings.Join(perDatabase, ", "), quoteName(escapePattern(database)), account))
		}
	}
	if user == SeedUser {
		statements = append(statements,
			statement("DROP PROCEDURE IF EXISTS %s", quoteTable("mysql", dropSeedProcedure)),
			statement("CREATE PROCEDURE %s() SQL SECURITY DEFINER BEGIN SET SESSION sql_log_bin=0; DROP USER %s; END", quoteTable("mysql", dropSeedProcedure), account),
			statement("GRANT EXECUTE ON PROCEDURE %s TO %s", quoteTable("mysql", dropSeedProcedure), account))
	}
	return statements
}

// hasGrants tells whether SHOW GRANTS of an account lists what grantsOf wants.
func hasGrants(v Version, user string, grants, databases []string) bool {
	everywhere, perDatabase := grantsOf(v, user)
	has := func(object string, wanted []string) bool {
		var have []string
		for _, grant := range grants {
			list, rest, found := strings.Cut(strings.TrimPrefix(grant, "GRANT "), " ON ")
			if !found || !strings.HasPrefix(rest, object+" TO ") {
				continue
			}
			for privilege := range strings.SplitSeq(list, ",") {
				have = append(have, strings.TrimSpace(privilege))
			}
		}
		return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(have, w) && !slices.Contains(have, "ALL PRIVILEGES") })
	}
	if !has("*.*", everywhere) || user == SeedUser && !has("PROCEDURE "+quoteTable("mysql", dropSeedProcedure), []string{"EXECUTE"}) {
		return false
	}
	for _, database := range databases {
		if len(perDatabase) > 0 && !has(quoteName(escapePattern(database))+".*", perDatabase) {
			return false
		}
	}
	return true
}
