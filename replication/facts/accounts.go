package facts

import (
	"context"
	"sort"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// The accounts that a slave uses on its master. The tunnel connects to MySQL
// from 127.0.0.1.
const (
	ReplicationUser = "db_rep"          // replicates
	MonitorUser     = "gtunnel_monitor" // watches and compares
	SeedUser        = "gtunnel_seed"    // copies the databases, and is dropped after that

	// DropSeedProcedure lets the seeding account drop itself when the copy is
	// done, and nothing else: it has no right to drop accounts.
	DropSeedProcedure = "gtunnel_drop_seed"
)

// AccountUsers are the users of all of them.
var AccountUsers = []string{ReplicationUser, MonitorUser, SeedUser}

// Account is one row of mysql.user.
type Account struct {
	User, Host string
	Bound      bool // its logins are bound to TLS, limits or the age of its password, or locked out
	Expired    bool // its password must be set before it can do anything
}

// Account gives an account; nil if there is none, or the login may not see it.
func (f *Facts) Account(user, host string) *Account {
	for i := range f.Accounts {
		if f.Accounts[i].User == user && f.Accounts[i].Host == host {
			return &f.Accounts[i]
		}
	}
	return nil
}

// HasPrivilege reports whether the login has one of the privileges on all
// databases.
func (f *Facts) HasPrivilege(names ...string) bool { return givenEverywhere(f.Grants, names) }

// readLogin reads as whom the login is known, and its rights.
func (f *Facts) readLogin(ctx context.Context, s *server.Server, conn server.Execer) (err error) {
	return s.Together(ctx, conn, func(ctx context.Context) (err error) {
		f.User, err = s.Value(ctx, conn, "SELECT CURRENT_USER()")
		return err
	}, func(ctx context.Context) (err error) {
		f.Grants, err = showGrants(ctx, s, conn, "")
		return err
	})
}

// userRows are what the tables of accounts have.
type userRows struct {
	denied    bool            // the login may not see them
	users     []server.Record // mysql.user, whose columns differ between the servers
	bound     []server.Record // users and hosts, see readBound
	creators  []server.Record // see readCreators
	procedure []server.Record // the comment of DropSeedProcedure, if that is there
}

// readUsers reads them.
func (f *Facts) readUsers(ctx context.Context, s *server.Server, conn server.Execer) error {
	u := &f.users
	return s.Together(ctx, conn, func(ctx context.Context) (err error) {
		u.users, err = server.ReadRecords(ctx, conn, "SELECT * FROM mysql.user")
		if u.denied = server.IsDenied(err); u.denied || err == nil {
			return nil
		}
		return s.Explain("read mysql.user", err)
	}, func(ctx context.Context) (err error) {
		u.bound, err = readBound(ctx, s, conn)
		return err
	}, func(ctx context.Context) (err error) {
		u.creators, err = readCreators(ctx, s, conn)
		return err
	}, func(ctx context.Context) (err error) {
		u.procedure, err = s.Query(ctx, conn, "SELECT routine_comment AS comment FROM information_schema.routines"+
			" WHERE routine_schema = 'mysql' AND routine_name = ?", DropSeedProcedure)
		return err
	})
}

// readAccounts reads the accounts, if the login may see them, and what our own may do.
func (f *Facts) readAccounts(ctx context.Context, s *server.Server, conn server.Execer) error {
	if f.lacksAccounts() {
		return nil
	}
	if err := f.readUsers(ctx, s, conn); err != nil || f.users.denied {
		return err
	}
	f.listAccounts()
	f.OurGrants = map[string][]string{}
	var ours []string
	for _, user := range AccountUsers {
		if f.Account(user, server.Loopback) != nil {
			ours = append(ours, user)
		}
	}
	grants := make([][]string, len(ours))
	err := server.Each(ctx, s, conn, ours, func(ctx context.Context, i int, user string) (err error) {
		grants[i], err = showGrants(ctx, s, conn, server.QuoteAccount(user, server.Loopback))
		return err
	})
	for i, user := range ours {
		f.OurGrants[user] = grants[i]
	}
	return err
}

// listAccounts makes the accounts of the rows.
func (f *Facts) listAccounts() {
	for _, r := range f.users.users {
		if r["is_role"] == "Y" {
			continue
		}
		f.Accounts = append(f.Accounts, Account{
			User: r["user"], Host: r["host"], Bound: f.isBound(r), Expired: r["password_expired"] == "Y",
		})
	}
	sort.Slice(f.Accounts, func(i, j int) bool {
		a, b := f.Accounts[i], f.Accounts[j]
		return a.User < b.User || a.User == b.User && a.Host < b.Host
	})
	for _, r := range f.users.bound {
		if a := f.Account(r["user"], r["host"]); a != nil {
			a.Bound = true
		}
	}
	if f.Accounts != nil {
		f.listCreators()
	}
	if f.SeedMade = len(f.users.procedure) > 0; f.SeedMade { // setup-master has left it for the seeding account
		if mark, found := strings.CutPrefix(f.users.procedure[0]["comment"], markBefore); found {
			f.Mark = mark
		}
	}
	f.users = userRows{}
}

// markBefore is what comes before a server's mark in the comment of
// DropSeedProcedure, where it is kept. A new server in the place of another, with
// the same server_id, has another one.
const markBefore = "gtunnel replication, server "

// MarkComment is the comment of DropSeedProcedure from which Facts.Mark is read
// again.
func MarkComment(mark string) string { return markBefore + mark }

// isBound reports whether a row of mysql.user binds logins. What a server does not
// know is not in its row.
func (f *Facts) isBound(r server.Record) bool {
	for _, limit := range []string{
		"max_questions", "max_updates", "max_connections", "max_user_connections", "max_statement_time",
	} {
		if n, _ := strconv.ParseFloat(r[limit], 64); n != 0 {
			return true
		}
	}
	lifetime, own := r["password_lifetime"]
	if !own && f.Version.Family == server.MySQL {
		lifetime = f.Variable("default_password_lifetime")
	}
	days, _ := strconv.ParseFloat(lifetime, 64)
	return r["ssl_type"] != "" || r["account_locked"] == "Y" || r["password_expired"] == "Y" || days != 0
}

// readBound finds the accounts that MariaDB 10.4 and later have locked, or whose
// passwords grow old, which mysql.user does not show there.
func readBound(ctx context.Context, s *server.Server, conn server.Execer) ([]server.Record, error) {
	if !s.Version.AtLeast(server.MariaDB, 10, 4, 3) {
		return nil, nil
	}
	const query = "SELECT user, host FROM mysql.global_priv WHERE JSON_VALUE(priv, '$.account_locked') = 1" +
		" OR COALESCE(NULLIF(JSON_VALUE(priv, '$.password_lifetime'), -1), @@GLOBAL.default_password_lifetime) > 0"
	rows, err := server.ReadRecords(ctx, conn, query)
	if err != nil && !server.IsDenied(err) {
		return nil, s.Explain(query, err)
	}
	return rows, nil
}
