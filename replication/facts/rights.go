package facts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// rightsView is a view that tells of each account of a server a digest of its login and
// one of its rights, and neither of them. It runs as the administrator who has made it, so
// that the monitor account needs no right to read the tables of accounts.
const rightsView = "accounts"

// Rights are the accounts of a server, by "'user'@'host'", but for those of the server's
// own, of its packages, and of gtunnel.
type Rights map[string]AccountDigests

// AccountDigests are alike on two servers if what they are of is.
type AccountDigests struct {
	Login  string // plugin and hash: of caching_sha2_password with a salt, so that one password has many
	Rights string // on everything, databases, tables, columns and routines, and roles
}

// grantTables are the tables in which servers keep accounts and rights, as far as they have
// them, with the columns of whose account a row is.
var grantTables = []struct{ name, user, host string }{
	{"global_priv", "user", "host"},
	{"user", "user", "host"},
	{"db", "user", "host"},
	{"tables_priv", "user", "host"},
	{"columns_priv", "user", "host"},
	{"procs_priv", "user", "host"},
	{"proxies_priv", "user", "host"},
	{"global_grants", "user", "host"},
	{"role_edges", "to_user", "to_host"},
	{"default_roles", "user", "host"},
	{"roles_mapping", "user", "host"},
}

// GrantColumns are the columns of the grant tables of a server, by table, in lower case.
type GrantColumns map[string][]string

// ReadGrantColumns reads them.
func ReadGrantColumns(ctx context.Context, s *server.Server) (GrantColumns, error) {
	var names []string
	for _, t := range grantTables {
		names = append(names, t.name)
	}
	rows, err := s.Query(ctx, s.DB, "SELECT LOWER(c.table_name) AS t, LOWER(c.column_name) AS c"+
		" FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)"+
		" WHERE c.table_schema = 'mysql' AND t.table_type = 'BASE TABLE' AND c.table_name IN ("+server.QuoteList(names)+")"+
		" ORDER BY 1, c.ordinal_position")
	columns := GrantColumns{}
	for _, r := range rows {
		columns[r["t"]] = append(columns[r["t"]], r["c"])
	}
	return columns, err
}

// isLogin reports whether a column says how an account logs in.
func isLogin(column string) bool {
	return slices.Contains([]string{"plugin", "authentication_string", "password", "account_locked"}, column)
}

// isRight reports whether a column says what an account may do. Others tell when and by
// whom that was given, or how often it may be used.
func isRight(column string) bool {
	return strings.HasSuffix(column, "_priv") || slices.Contains([]string{
		"priv", "db", "table_name", "column_name", "routine_name", "routine_type", "ssl_type", "user_attributes",
		"with_grant",
		"proxied_user", "proxied_host", "from_user", "from_host", "default_role_user", "default_role_host",
		"with_grant_option",
		"with_admin_option", "role", "admin_option", "is_role", "default_role",
	}, column)
}

// MakeRightsView gives the statements that make the view and let an account read it.
func MakeRightsView(columns GrantColumns, monitor, host string) []server.Statement {
	var parts []string
	part := func(table, user, host, kind string, values []string) {
		if len(values) == 0 {
			return
		}
		parts = append(parts, fmt.Sprintf("SELECT CAST(%s AS BINARY) AS user, CAST(%s AS BINARY) AS host, '%s' AS kind,"+
			" SHA2(CONCAT_WS('-', '%s', %s), 256) AS digest FROM mysql.%s", user, host, kind, table,
			strings.Join(values, ", "), server.QuoteName(table)))
	}
	hexed := func(value string) string { return "COALESCE(HEX(" + value + "), '')" }
	for _, t := range grantTables {
		var login, rights []string
		for _, column := range columns[t.name] {
			switch {
			case t.name == "global_priv" && column == "priv": // MariaDB's JSON
				for _, key := range []string{"plugin", "authentication_string", "account_locked"} {
					login = append(login, hexed("JSON_VALUE(priv, '$."+key+"')"))
				}
				login = append(login, hexed("JSON_QUERY(priv, '$.auth_or')"))
				for _, key := range []string{"access", "ssl_type", "is_role", "default_role"} {
					rights = append(rights, hexed("JSON_VALUE(priv, '$."+key+"')"))
				}
			case isLogin(column):
				login = append(login, hexed(server.QuoteName(column)))
			case isRight(column):
				rights = append(rights, hexed(server.QuoteName(column)))
			}
		}
		part(t.name, t.user, t.host, "login", login)
		part(t.name, t.user, t.host, "rights", rights)
	}
	view := server.QuoteTable(OwnDatabase, rightsView)
	return []server.Statement{
		server.SQL("SET SESSION sql_log_bin=0"),
		server.SQL("CREATE OR REPLACE SQL SECURITY DEFINER VIEW %s AS %s", view, strings.Join(parts, " UNION ALL ")),
		server.SQL("GRANT SELECT ON %s TO %s", view, server.QuoteAccount(monitor, host)),
	}
}

// HasRightsView reports whether the view is there.
func HasRightsView(ctx context.Context, s *server.Server) (bool, error) {
	n, err := s.Value(ctx, s.DB,
		"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
		OwnDatabase, rightsView)
	return n != "0", err
}

// ReadRights reads the view of a server; nil if there is none, or it may not be read.
func ReadRights(ctx context.Context, s *server.Server) (Rights, error) {
	const noDatabase, noTable, invalidView = 1049, 1146, 1356
	rows, err := server.ReadRecords(ctx, s.DB, "SELECT user, host, kind, digest FROM "+
		server.QuoteTable(OwnDatabase, rightsView))
	switch number := server.ErrorNumber(err); {
	case number == noDatabase, number == noTable, number == invalidView, server.IsDenied(err):
		return nil, nil
	case err != nil:
		return nil, s.Explain("read the accounts", err)
	}
	digests := map[string]map[string][]string{}
	for _, r := range rows {
		if isOwn(r["user"]) {
			continue
		}
		account := server.QuoteAccount(r["user"], r["host"])
		if digests[account] == nil {
			digests[account] = map[string][]string{}
		}
		digests[account][r["kind"]] = append(digests[account][r["kind"]], r["digest"])
	}
	sum := func(list []string) string {
		slices.Sort(list)
		of := sha256.Sum256([]byte(strings.Join(list, " ")))
		return hex.EncodeToString(of[:])
	}
	rights := Rights{}
	for account, of := range digests {
		rights[account] = AccountDigests{Login: sum(of["login"]), Rights: sum(of["rights"])}
	}
	return rights, nil
}

// isOwn reports whether an account is the server's own, its packages', or gtunnel's.
func isOwn(user string) bool {
	switch user {
	case "root", "mysql", "mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "debian-sys-maint",
		"PUBLIC", "":
		return true
	}
	return strings.HasPrefix(user, "gtunnel_") || user == ReplicationUser
}
