package seed

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// missingAccount is an account of the master that the slave lacks and that its
// copy of the databases needs.
type missingAccount struct {
	user, host string
	// definerOf are the objects that cannot be used without it, as "view
	// database.name".
	definerOf []string
	// bars are the views, as "database.name", that cannot be made without it:
	// they are made on a view that runs as it.
	bars []string
	// applied tells that it has rights on the databases: an application's.
	applied bool
	// create are the lines that make it on the slave, for one session, which
	// logs nothing. Between servers of one family they hold the hash of its
	// password, if the login may see that: the account is then the same. Else its
	// password is to be filled in.
	create []string
	hashed bool // they hold such a hash
}

// problem makes a warning of it, or a problem if it bars the copy. How is what makes it on
// the slave.
func (m *missingAccount) problem(how string) *finding.Problem {
	if len(m.bars) > 0 {
		return finding.New(finding.Slave, "account-missing", "on the slave, and then run this again"+how,
			"the account %s is on the master only, and without it these views cannot be made,"+
				" which use views of which it is the definer: %s",
			server.QuoteAccount(m.user, m.host), finding.Items(m.bars))
	}
	why, of := "it has rights on the databases", finding.Items(m.definerOf)
	switch {
	case len(of) > 0 && m.applied:
		why += ", and it is the definer of "
	case len(of) > 0:
		why = "it is the definer of "
	}
	return finding.New(finding.Slave, "account-missing", "on the slave, if it is wanted there"+how,
		"the account %s is on the master only: %s%s", server.QuoteAccount(m.user, m.host), why, of)
}

// how is what makes it on the slave: lines without a secret, or a file of the directory.
func (m *missingAccount) how(directory string, slave *facts.Facts) (string, error) {
	switch {
	case !m.hashed:
		return ":\n" + strings.Join(slave.WhileWritable(m.create...), "\n"), nil
	case directory == "":
		return ", what SHOW CREATE USER and SHOW GRANTS say of it on the master, after " + server.LogNothing, nil
	}
	command, err := m.writeAccountFile(directory, slave)
	return ": " + command + "\nThe file has the hash of its password, and is removed when this is run again.", err
}

// missingAccounts finds the accounts that objects of databases have as their
// definers, or that have rights on databases, and that the slave lacks. What
// the logins may not see is not found.
func missingAccounts(
	ctx context.Context, master *server.Server, masterFacts, slaveFacts *facts.Facts, d *defined,
) ([]missingAccount, error) {
	if slaveFacts.Accounts == nil {
		return nil, nil
	}
	var missing []*missingAccount
	need := func(user, host string) *missingAccount {
		if slaveFacts.Account(user, host) != nil {
			return nil
		}
		for _, m := range missing {
			if m.user == user && m.host == host {
				return m
			}
		}
		m := &missingAccount{user: user, host: host}
		missing = append(missing, m)
		return m
	}
	for _, o := range d.objects {
		if m := need(o.user, o.host); m != nil {
			m.definerOf = append(m.definerOf, o.name)
		}
	}
	for _, m := range missing {
		m.bars = d.barred[m.user+"@"+m.host]
	}
	for _, r := range d.granted {
		// Not a role, and not ours.
		if masterFacts.Account(r["user"], r["host"]) == nil || slices.Contains(facts.AccountUsers, r["user"]) {
			continue
		}
		if m := need(r["user"], r["host"]); m != nil {
			m.applied = true
		}
	}
	list := make([]missingAccount, len(missing))
	err := server.Each(ctx, master, master.DB, missing, func(ctx context.Context, i int, m *missingAccount) error {
		create, hashed, err := createLines(ctx, master, masterFacts, slaveFacts, m)
		m.create, m.hashed = append([]string{server.LogNothing}, create...), hashed
		list[i] = *m
		return err
	})
	return list, err
}

// defined is what databases have to do with accounts.
type defined struct {
	objects []definedObject
	barred  map[string][]string // see barredViews
	granted []server.Record     // users and hosts, see grantedAccounts
}

// readDefined reads it of a master.
func readDefined(ctx context.Context, master *server.Server, databases []string) (*defined, error) {
	d := &defined{}
	if len(databases) == 0 {
		return d, nil
	}
	err := master.Together(ctx, master.DB, func(ctx context.Context) (err error) {
		d.objects, err = definedObjects(ctx, master, databases)
		return err
	}, func(ctx context.Context) (err error) {
		d.barred, err = barredViews(ctx, master, databases)
		return err
	}, func(ctx context.Context) (err error) {
		d.granted, err = grantedAccounts(ctx, master, databases)
		return err
	})
	return d, err
}

// definedObject is an object with a definer that is a user.
type definedObject struct {
	name       string // as "view database.name"
	user, host string // the definer
	asDefiner  bool   // it runs with the rights of its definer
}

// definers are where objects with a definer are listed, and with whose rights
// they run.
var definers = []struct{ kind, query string }{
	{
		kind: "view",
		query: "SELECT definer, table_schema AS d, table_name AS n, security_type AS s FROM information_schema.views" +
			" WHERE table_schema IN (%s)",
	},
	{
		kind: "trigger",
		query: "SELECT definer, trigger_schema AS d, trigger_name AS n, 'DEFINER' AS s" +
			" FROM information_schema.triggers WHERE trigger_schema IN (%s)",
	},
	{
		kind: "routine",
		query: "SELECT definer, routine_schema AS d, routine_name AS n, security_type AS s" +
			" FROM information_schema.routines WHERE routine_schema IN (%s)",
	},
	{
		kind: "event",
		query: "SELECT definer, event_schema AS d, event_name AS n, 'DEFINER' AS s FROM information_schema.events" +
			" WHERE event_schema IN (%s)",
	},
}

// definedObjects gives those of databases.
func definedObjects(ctx context.Context, s *server.Server, databases []string) ([]definedObject, error) {
	found := make([][]server.Record, len(definers))
	kinds := make([]int, len(definers))
	err := server.Each(ctx, s, s.DB, kinds, func(ctx context.Context, i int, _ int) (err error) {
		found[i], err = s.Query(ctx, s.DB, fmt.Sprintf(definers[i].query, server.QuoteExactly(databases))+" ORDER BY 1, 2, 3")
		return err
	})
	var objects []definedObject
	for i, from := range definers {
		for _, r := range found[i] {
			if user, host, isUser := server.SplitAccount(r["definer"]); isUser { // else a role of MariaDB
				objects = append(objects, definedObject{
					name: from.kind + " " + r["d"] + "." + r["n"],
					user: user, host: host, asDefiner: r["s"] == "DEFINER",
				})
			}
		}
	}
	return objects, err
}

// barredViews gives the views that are made on views with the rights of their
// definer, by that definer: a server makes a view only if it can open those
// below it (error 1449).
func barredViews(ctx context.Context, master *server.Server, databases []string) (map[string][]string, error) {
	views, err := master.Query(ctx, master.DB,
		"SELECT table_schema AS d, table_name AS n, definer, security_type, view_definition"+
			" FROM information_schema.views WHERE table_schema IN ("+server.QuoteExactly(databases)+") ORDER BY 1, 2")
	if err != nil {
		return nil, err
	}
	barred := map[string][]string{}
	for _, below := range views {
		if below["security_type"] != "DEFINER" {
			continue
		}
		for _, v := range views {
			name := v["d"] + "." + v["n"]
			// The server writes names in full, each in quotes.
			if strings.Contains(v["view_definition"], server.QuoteTable(below["d"], below["n"])) &&
				!slices.Contains(barred[below["definer"]], name) {
				barred[below["definer"]] = append(barred[below["definer"]], name)
			}
		}
	}
	return barred, nil
}

// grantedAccounts gives the accounts with rights on databases or parts of them;
// none if the login may not see the rights.
func grantedAccounts(ctx context.Context, master *server.Server, databases []string) ([]server.Record, error) {
	patterns := slices.Clone(databases)
	for _, name := range databases {
		patterns = append(patterns, server.EscapePattern(name))
	}
	var parts []string
	for _, table := range []string{"db", "tables_priv", "columns_priv", "procs_priv"} {
		parts = append(parts, "SELECT user, host FROM mysql."+table+" WHERE db IN ("+server.QuoteList(patterns)+")")
	}
	rows, err := server.ReadRecords(ctx, master.DB, strings.Join(parts, " UNION ")+" ORDER BY 1, 2")
	if err != nil && server.IsDenied(err) {
		return nil, nil
	}
	if err != nil {
		return nil, master.Explain("read the rights on databases", err)
	}
	return rows, nil
}

// createLines makes the lines that make an account, and reports whether they hold the
// hash of its password.
func createLines(
	ctx context.Context, master *server.Server, masterFacts, slaveFacts *facts.Facts, m *missingAccount,
) (_ []string, hashed bool, _ error) {
	account := server.QuoteAccount(m.user, m.host)
	anew := []string{"CREATE USER " + account + " IDENTIFIED BY '...'; -- the password that the application uses"}
	if m.host == "localhost" || !m.applied {
		anew[0] = "CREATE USER " + account + " IDENTIFIED BY '...'; -- any password, if it is a definer only"
	}
	switch {
	case masterFacts.Accounts == nil: // it may not be seen
		return anew, false, nil
	case masterFacts.Account(m.user, m.host) == nil:
		anew[0] += "; it is not on the master either"
		return anew, false, nil
	}
	lines, err := showAccount(ctx, master, account)
	if number := server.ErrorNumber(err); server.IsDenied(err) || number == 1064 || number == 1141 {
		return anew, false, nil // it may not be seen, or the server is too old
	}
	if err != nil {
		return nil, false, err
	}
	if masterFacts.Version.AtLeast(server.MySQL, 8, 0, 0) {
		// A role is an account there: the lines of another may have made it.
		lines[0] = strings.Replace(lines[0], "CREATE USER ", "CREATE USER IF NOT EXISTS ", 1)
	}
	roles, err := facts.RoleLines(ctx, master, master.DB, lines)
	if err != nil {
		return nil, false, err
	}
	if masterFacts.Version.Family == slaveFacts.Version.Family {
		return append(roles, lines...), true, nil
	}
	for _, grant := range lines[1:] {
		anew = append(anew, hashInGrant.ReplaceAllString(grant, ""))
	}
	return append(roles, anew...), false, nil
}

// showAccount gives the lines by which a server shows how an account is made, and what it
// may do.
func showAccount(ctx context.Context, s *server.Server, account string) ([]string, error) {
	shows := []string{"SHOW CREATE USER " + account, "SHOW GRANTS FOR " + account}
	if s.Version.AtLeast(server.MySQL, 8, 0, 17) { // a salted hash is not text
		shows[0] = "SET SESSION print_identified_with_as_hex=1; " + shows[0]
	}
	lines := make([][]string, len(shows))
	err := server.Each(ctx, s, s.DB, shows, func(ctx context.Context, i int, show string) error {
		rows, err := s.Query(ctx, s.DB, show)
		for _, r := range rows {
			for _, line := range r { // the only column
				lines[i] = append(lines[i], line+";")
			}
		}
		return err
	})
	return slices.Concat(lines...), err
}

// hashInGrant is what MariaDB's SHOW GRANTS says of the password.
var hashInGrant = regexp.MustCompile(` IDENTIFIED (?:BY PASSWORD|VIA) [^ ;]+(?: USING [^ ;]+)?`)
