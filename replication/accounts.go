package replication

import (
	"context"
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

// grantsOf are what one of our accounts needs on a master of a version to serve
// a slave with databases, which are named by Facts.patterns. (MySQL manual,
// "Privileges Provided by MySQL"; MariaDB's, "GRANT"; their names have changed with
// MariaDB 10.5 and MySQL 8.0.)
func grantsOf(v Version, user string, databases []string) []grant {
	client := "REPLICATION CLIENT"
	if v.atLeast(MariaDB, 10, 5, 2) {
		client = "BINLOG MONITOR"
	}
	switch user {
	case ReplicationUser:
		return []grant{{privileges: []string{"REPLICATION SLAVE"}, on: everywhere}}
	case MonitorUser:
		return monitorGrants(v, client, databases)
	}
	slaves := "REPLICATION SLAVE" // to list the other slaves, whose server ids are taken
	if v.atLeast(MariaDB, 10, 5, 2) {
		slaves = "REPLICATION MASTER ADMIN"
	}
	privileges := []string{slaves, "SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "RELOAD", "LOCK TABLES", "PROCESS", client}
	if v.atLeast(MySQL, 8, 0, 0) {
		privileges = append(privileges, "BACKUP_ADMIN")
	}
	return []grant{{privileges: privileges, on: everywhere}, {privileges: []string{"EXECUTE"}, on: objectOf("PROCEDURE ", "mysql", dropSeedProcedure)}}
}

// routineTable holds the routines, with their bodies, of MySQL before 8.0 and
// MariaDB.
var routineTable = objectOf("", "mysql", "proc")

// monitorGrants let the monitor account compare. The bodies of routines are read
// by a privilege of their own where there is one, and from their table before;
// MySQL 8.0 had neither until 8.0.20, and routines are not compared there.
func monitorGrants(v Version, client string, databases []string) []grant {
	global, perDatabase := []string{client, "PROCESS"}, []string{"SELECT", "SHOW VIEW", "TRIGGER", "EVENT"}
	switch {
	case v.atLeast(MySQL, 8, 0, 23):
		global = append(global, "FLUSH_TABLES") // for an instant, to compare at one position
	case v.Family == MySQL:
		global = append(global, "RELOAD")
	}
	var grants []grant
	switch {
	case v.atLeast(MySQL, 8, 0, 20):
		global = append(global, "SHOW_ROUTINE")
	case v.atLeast(MariaDB, 11, 3, 0):
		perDatabase = append(perDatabase, "SHOW CREATE ROUTINE")
	case !v.atLeast(MySQL, 8, 0, 0):
		grants = append(grants, grant{privileges: []string{"SELECT"}, on: routineTable})
	}
	grants = append([]grant{{privileges: global, on: everywhere}}, grants...)
	for _, database := range databases {
		grants = append(grants, grant{privileges: perDatabase, on: wholeOf(database)})
	}
	return grants
}

// dropSeedProcedure lets the seeding account drop itself when the copy is done,
// and nothing else: it has no right to drop accounts.
const dropSeedProcedure = "gtunnel_drop_seed"

// accountStatements make an account with its privileges, or complete one that
// exists if password is nil. They stay out of the binary log: the
// account is of this server, and a slave that has none of that name must not
// stumble over it. The procedure of the seeding account keeps the server's mark.
func accountStatements(v Version, user string, password *Password, databases []string, mark string) []Statement {
	account := quoteAccount(user, loopback)
	statements := []Statement{statement("SET SESSION sql_log_bin=0")}
	if password != nil {
		statements = append(statements, v.createAccount(user, loopback, *password))
	}
	if user == SeedUser {
		comment := ""
		if mark != "" {
			comment = " COMMENT " + quoteString(markBefore+mark)
		}
		statements = append(statements,
			statement("DROP PROCEDURE IF EXISTS %s", quoteTable("mysql", dropSeedProcedure)),
			statement("CREATE PROCEDURE %s()%s SQL SECURITY DEFINER BEGIN SET SESSION sql_log_bin=0; DROP USER %s; END", quoteTable("mysql", dropSeedProcedure), comment, account))
	}
	for _, g := range grantsOf(v, user, databases) {
		statements = append(statements, statement("GRANT %s ON %s TO %s", strings.Join(g.privileges, ", "), g.on, account))
	}
	return statements
}

// hasGrants tells whether SHOW GRANTS of an account lists what grantsOf wants.
func hasGrants(v Version, user string, shown, databases []string) bool {
	have := parseGrants(shown)
	return !slices.ContainsFunc(grantsOf(v, user, databases), func(g grant) bool {
		return slices.ContainsFunc(g.privileges, func(privilege string) bool { return !given(have, g.on, privilege) })
	})
}

// tryLogins logs in by accounts as a slave will: what keeps one out is better
// known now than after a copy. Where logins cannot be tried from here, as by a
// container's socket, nothing is said.
func tryLogins(h *HandOver, users []string) func(context.Context, *Applier) error {
	return func(ctx context.Context, a *Applier) error {
		address := loginAddress(a.Master, a.MasterFacts)
		if address == "" {
			return nil
		}
		for _, user := range users {
			if err := tryLogin(ctx, Login{Network: "tcp", Address: address, User: user, Password: h.Passwords[user]}); err != nil {
				return err
			}
		}
		return nil
	}
}

func tryLogin(ctx context.Context, login Login) error {
	account := quoteAccount(login.User, loopback)
	cure := "SHOW CREATE USER " + account + " shows what it is bound to, and SELECT user, host FROM mysql.user which account may take its place; then run this again, with --new-passwords if it is the password"
	server, err := Open(ctx, Master, login)
	if err == nil {
		defer func() { _ = server.Close() }() // it was only tried
		var came string
		if came, err = server.value(ctx, server.db, "SELECT CURRENT_USER()"); err == nil && came == login.User+"@localhost" { // not behind an address translation, where it is another one
			return problem(Master, "account-shadowed", cure, "a login as %s is one of another account: %s", account, came)
		}
	}
	if serverError(err) == 0 || IsAccessDenied(err) && !namesLoopback(err) {
		return ctx.Err()
	}
	return &Problem{On: Master, Code: "account-login", Text: "a slave cannot log in as " + account, Cure: cure, Err: err}
}

// containsAll tells whether a list has all of some elements.
func containsAll(list, elements []string) bool {
	return !slices.ContainsFunc(elements, func(e string) bool { return !slices.Contains(list, e) })
}
