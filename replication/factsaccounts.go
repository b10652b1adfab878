package replication

import (
	"context"
	"database/sql"
	"sort"
	"strconv"
)

// Account is one row of mysql.user.
type Account struct {
	User, Host, Plugin string
	// Bound tells that its logins are bound to TLS, limits or the age of its
	// password, or locked out.
	Bound bool
	// Expired tells that its password must be set before it can do anything.
	Expired bool
}

// account gives an account; nil if there is none, or the login may not see it.
func (f *Facts) account(user, host string) *Account {
	for i := range f.Accounts {
		if f.Accounts[i].User == user && f.Accounts[i].Host == host {
			return &f.Accounts[i]
		}
	}
	return nil
}

// hasPrivilege tells whether the login has one of the privileges on all
// databases.
func (f *Facts) hasPrivilege(names ...string) bool { return givenEverywhere(f.Grants, names) }

func (f *Facts) readLogin(ctx context.Context, s *Server, conn *sql.Conn) (err error) {
	if f.User, err = s.value(ctx, conn, "SELECT CURRENT_USER()"); err != nil {
		return err
	}
	f.Grants, err = showGrants(ctx, s, conn, "")
	return err
}

// readAccounts reads mysql.user, whose columns differ between the servers.
func (f *Facts) readAccounts(ctx context.Context, s *Server, conn *sql.Conn) error {
	rows, err := readRecords(ctx, conn, "SELECT * FROM mysql.user")
	if err != nil {
		if isDenied(err) {
			return nil
		}
		return s.explain("read mysql.user", err)
	}
	for _, r := range rows {
		if r["is_role"] == "Y" {
			continue
		}
		f.Accounts = append(f.Accounts, Account{User: r["user"], Host: r["host"], Plugin: r["plugin"], Bound: f.isBound(r), Expired: r["password_expired"] == "Y"})
	}
	sort.Slice(f.Accounts, func(i, j int) bool {
		a, b := f.Accounts[i], f.Accounts[j]
		return a.User < b.User || a.User == b.User && a.Host < b.Host
	})
	made, err := s.query(ctx, conn, "SELECT routine_comment AS comment FROM information_schema.routines WHERE routine_schema = 'mysql' AND routine_name = ?", dropSeedProcedure)
	if err != nil {
		return err
	}
	if f.SeedMade = len(made) > 0; f.SeedMade {
		f.Mark = markIn(made[0]["comment"])
	}
	f.OurGrants = map[string][]string{}
	for _, user := range accountUsers {
		if f.account(user, loopback) == nil {
			continue
		}
		if f.OurGrants[user], err = showGrants(ctx, s, conn, quoteAccount(user, loopback)); err != nil {
			return err
		}
	}
	return nil
}

// isBound tells whether a row of mysql.user binds logins. What a server does not
// know is not in its row.
func (f *Facts) isBound(r record) bool {
	for _, limit := range []string{"max_questions", "max_updates", "max_connections", "max_user_connections", "max_statement_time"} {
		if n, _ := strconv.ParseFloat(r[limit], 64); n != 0 {
			return true
		}
	}
	lifetime, own := r["password_lifetime"]
	if !own && f.Version.Family == MySQL {
		lifetime = f.variable("default_password_lifetime")
	}
	days, _ := strconv.ParseFloat(lifetime, 64)
	return r["ssl_type"] != "" || r["account_locked"] == "Y" || r["password_expired"] == "Y" || days != 0
}

// readBound finds the accounts that MariaDB 10.4 and later have locked, or whose
// passwords grow old, which mysql.user does not show there.
func (f *Facts) readBound(ctx context.Context, s *Server, conn *sql.Conn) error {
	if !s.Version.atLeast(MariaDB, 10, 4, 3) {
		return nil
	}
	const query = "SELECT user, host FROM mysql.global_priv WHERE JSON_VALUE(priv, '$.account_locked') = 1" +
		" OR COALESCE(NULLIF(JSON_VALUE(priv, '$.password_lifetime'), -1), @@GLOBAL.default_password_lifetime) > 0"
	rows, err := readRecords(ctx, conn, query)
	if err != nil && !isDenied(err) {
		return s.explain(query, err)
	}
	for _, r := range rows {
		if a := f.account(r["user"], r["host"]); a != nil {
			a.Bound = true
		}
	}
	return nil
}
