package replication

import (
	"context"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// grantsOf are what one of our accounts needs on a master of a version to serve
// a slave with databases, which are named by Facts.patterns. (MySQL manual,
// "Privileges Provided by MySQL"; MariaDB's, "GRANT"; their names have changed with
// MariaDB 10.5 and MySQL 8.0.)
func grantsOf(v server.Version, user string, databases []string) []facts.Grant {
	client := "REPLICATION CLIENT"
	if v.AtLeast(server.MariaDB, 10, 5, 2) {
		client = "BINLOG MONITOR"
	}
	switch user {
	case facts.ReplicationUser:
		return []facts.Grant{{Privileges: []string{"REPLICATION SLAVE"}, On: facts.Everywhere}}
	case facts.MonitorUser:
		return monitorGrants(v, client, databases)
	}
	slaves := "REPLICATION SLAVE" // to list the other slaves, whose server ids are taken
	if v.AtLeast(server.MariaDB, 10, 5, 2) {
		slaves = "REPLICATION MASTER ADMIN"
	}
	privileges := []string{slaves, "SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "RELOAD", "LOCK TABLES", "PROCESS", client}
	if v.AtLeast(server.MySQL, 8, 0, 0) {
		privileges = append(privileges, "BACKUP_ADMIN")
	}
	grants := []facts.Grant{
		{Privileges: privileges, On: facts.Everywhere},
		{Privileges: []string{"EXECUTE"}, On: facts.ObjectOf("PROCEDURE ", "mysql", facts.DropSeedProcedure)},
	}
	for _, database := range databases { // to open views that call functions as who opens them
		grants = append(grants, facts.Grant{Privileges: []string{"EXECUTE"}, On: facts.WholeOf(database)})
	}
	return grants
}

// accountGrants are what the accounts get.
type accountGrants struct {
	databases []string // as GRANT has them: see facts.Patterns
	pair      bool     // the server is one of a pair
}

// of are those of one account. In a pair the other host asks whether this one is a slave,
// too (SLAVE MONITOR came with MariaDB 10.5.8; before, and on MySQL, it is a part of
// others).
func (g accountGrants) of(v server.Version, user string) []facts.Grant {
	grants := grantsOf(v, user, g.databases)
	if g.pair && user == facts.MonitorUser && v.AtLeast(server.MariaDB, 10, 5, 8) {
		grants = append(grants, facts.Grant{Privileges: []string{"SLAVE MONITOR"}, On: facts.Everywhere})
	}
	return grants
}

// has reports whether SHOW GRANTS of an account lists them.
func (g accountGrants) has(v server.Version, user string, shown []string) bool {
	have := facts.ParseGrants(shown)
	return !slices.ContainsFunc(g.of(v, user), func(g facts.Grant) bool {
		return slices.ContainsFunc(g.Privileges, func(privilege string) bool { return !facts.Given(have, g.On, privilege) })
	})
}

// routineTable holds the routines, with their bodies, of MySQL before 8.0 and
// MariaDB.
var routineTable = facts.ObjectOf("", "mysql", "proc")

// monitorGrants let the monitor account compare. The bodies of routines are read
// by a privilege of their own where there is one, and from their table before;
// MySQL 8.0 had neither until 8.0.20, and routines are not compared there. It gets no
// EXECUTE: a view is compared without being opened, and the account stays, with its
// password on the slave's host, where a procedure of a definer's could write.
func monitorGrants(v server.Version, client string, databases []string) []facts.Grant {
	global, perDatabase := []string{client, "PROCESS"}, []string{"SELECT", "SHOW VIEW", "TRIGGER", "EVENT"}
	switch {
	case v.AtLeast(server.MySQL, 8, 0, 23):
		global = append(global, "FLUSH_TABLES") // for an instant, to compare at one position
	case v.Family == server.MySQL:
		global = append(global, "RELOAD")
	}
	var grants []facts.Grant
	switch {
	case v.AtLeast(server.MySQL, 8, 0, 20):
		global = append(global, "SHOW_ROUTINE")
	case v.AtLeast(server.MariaDB, 11, 3, 0):
		perDatabase = append(perDatabase, "SHOW CREATE ROUTINE")
	case !v.AtLeast(server.MySQL, 8, 0, 0):
		grants = append(grants, facts.Grant{Privileges: []string{"SELECT"}, On: routineTable})
	}
	grants = append([]facts.Grant{{Privileges: global, On: facts.Everywhere}}, grants...)
	for _, database := range databases {
		grants = append(grants, facts.Grant{Privileges: perDatabase, On: facts.WholeOf(database)})
	}
	return grants
}

// accountStatements make an account with its privileges, or complete one that
// exists if password is nil. They stay out of the binary log: the
// account is of this server, and a slave that has none of that name must not
// stumble over it. The procedure of the seeding account keeps the server's mark.
func accountStatements(
	v server.Version, user string, password *server.Password, grants accountGrants, mark string,
) []server.Statement {
	account := server.QuoteAccount(user, server.Loopback)
	statements := []server.Statement{server.SQL("SET SESSION sql_log_bin=0")}
	if password != nil {
		statements = append(statements, v.CreateAccount(user, server.Loopback, *password))
	}
	if user == facts.SeedUser {
		comment := ""
		if mark != "" {
			comment = " COMMENT " + server.QuoteString(facts.MarkComment(mark))
		}
		statements = append(statements,
			server.SQL("DROP PROCEDURE IF EXISTS %s", server.QuoteTable("mysql", facts.DropSeedProcedure)),
			server.SQL("CREATE PROCEDURE %s()%s SQL SECURITY DEFINER BEGIN SET SESSION sql_log_bin=0; DROP USER %s; END",
				server.QuoteTable("mysql", facts.DropSeedProcedure), comment, account))
	}
	for _, g := range grants.of(v, user) {
		statements = append(statements, server.SQL("GRANT %s ON %s TO %s", strings.Join(g.Privileges, ", "), g.On, account))
	}
	return statements
}

// tryLogins logs in by accounts as a slave will: what keeps one out is better
// known now than after a copy. Where logins cannot be tried from here, as by a
// container's socket, nothing is said.
type tryLogins struct {
	logins []server.Login // without an address
}

func (a *Applier) tryLogins(ctx context.Context, step *Step, t tryLogins) error {
	f := a.SlaveFacts
	if step.On == finding.Master {
		f = a.MasterFacts
	}
	address := loginAddress(a.on(step), f)
	if address == "" {
		return nil
	}
	for _, login := range t.logins {
		login.Address = address
		if err := tryLogin(ctx, step.On, login); err != nil {
			return err
		}
	}
	return nil
}

func tryLogin(ctx context.Context, on finding.Role, login server.Login) error {
	account := server.QuoteAccount(login.User, server.Loopback)
	cure := "SHOW CREATE USER " + account +
		" shows what it is bound to, and SELECT user, host FROM mysql.user which account may take its place; " +
		"then run this again, with --new-passwords if it is the password"
	s, err := server.Open(ctx, on, login)
	if err == nil {
		defer func() { _ = s.Close() }() // it was only tried
		var came string
		// not behind an address translation, where it is another one
		if came, err = s.Value(ctx, s.DB, "SELECT CURRENT_USER()"); err == nil && came == login.User+"@localhost" {
			return finding.New(on, "account-shadowed", cure, "a login as %s is one of another account: %s",
				account, came)
		}
	}
	if server.ErrorNumber(err) == 0 || server.IsAccessDenied(err) && !namesLoopback(err) {
		return ctx.Err()
	}
	return &finding.Problem{
		On: on, Code: "account-login", Text: "a slave cannot log in as " + account, Cure: cure, Err: err,
	}
}

// containsAll reports whether a list has all of some elements.
func containsAll(list, elements []string) bool {
	return !slices.ContainsFunc(elements, func(e string) bool { return !slices.Contains(list, e) })
}
