package facts

import (
	"context"
	"database/sql"
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
func (f *Facts) readLogin(ctx context.Context, s *server.Server, conn *sql.Conn) (err error) {
	if f.User, err = s.Value(ctx, conn, "SELECT CURRENT_USER()"); err != nil {
		return err
	}
	f.Grants, err = showGrants(ctx, s, conn, "")
	return err
}

// readAccounts reads mysql.user, whose columns differ between the servers.
func (f *Facts) readAccounts(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	rows, err := server.ReadRecords(ctx, conn, "SELECT * FROM mysql.user")
	if err != nil {
		if server.IsDenied(err) {
			return nil
		}
		return s.Explain("read mysql.user", err)
	}
	for _, r := range rows {
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
	if err := f.readSeedProcedure(ctx, s, conn); err != nil {
		return err
	}
	f.OurGrants = map[string][]string{}
	for _, user := range AccountUsers {
		if f.Account(user, server.Loopback) == nil {
			continue
		}
		if f.OurGrants[user], err = showGrants(ctx, s, conn, server.QuoteAccount(user, server.Loopback)); err != nil {
			return err
		}
	}
	return nil
}

// readSeedProcedure reads what setup-master has left for the seeding account.
func (f *Facts) readSeedProcedure(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	rows, err := s.Query(ctx, conn, "SELECT routine_comment AS comment FROM information_schema.routines"+
		" WHERE routine_schema = 'mysql' AND routine_name = ?", DropSeedProcedure)
	if f.SeedMade = len(rows) > 0; f.SeedMade {
		if mark, found := strings.CutPrefix(rows[0]["comment"], markBefore); found {
			f.Mark = mark
		}
	}
	return err
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
func (f *Facts) readBound(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	if !s.Version.AtLeast(server.MariaDB, 10, 4, 3) {
		return nil
	}
	const query = "SELECT user, host FROM mysql.global_priv WHERE JSON_VALUE(priv, '$.account_locked') = 1" +
		" OR COALESCE(NULLIF(JSON_VALUE(priv, '$.password_lifetime'), -1), @@GLOBAL.default_password_lifetime) > 0"
	rows, err := server.ReadRecords(ctx, conn, query)
	if err != nil && !server.IsDenied(err) {
		return s.Explain(query, err)
	}
	for _, r := range rows {
		if a := f.Account(r["user"], r["host"]); a != nil {
			a.Bound = true
		}
	}
	return nil
}
