package facts

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// A question that a server refuses costs a round trip more: what was sent after it has to
// be sent again. So nothing is asked that the rights of the login, as far as they were read,
// leave no doubt about.

// ordinaryPrivileges are privileges on everything that do not let a login see whom a server
// follows, nor who follows it. Of one that is not among them that is not known.
var ordinaryPrivileges = []string{
	"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "CREATE TEMPORARY TABLES",
	"LOCK TABLES", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "EVENT", "TRIGGER",
	"SHOW DATABASES", "PROCESS", "RELOAD", "BINLOG MONITOR",
}

// isOrdinary reports whether the login is known to have no privileges on everything but these
// and some more.
func (f *Facts) isOrdinary(more ...string) bool {
	return f.knowsGrants() && !slices.ContainsFunc(ParseGrants(f.Grants), func(g Grant) bool {
		return g.On == Everywhere && slices.ContainsFunc(g.Privileges, func(privilege string) bool {
			return !slices.Contains(ordinaryPrivileges, privilege) && !slices.Contains(more, privilege)
		})
	})
}

// lacksAccounts reports whether the login is known not to see mysql.user.
func (f *Facts) lacksAccounts() bool {
	const system = "mysql"
	return f.knowsGrants() && !slices.ContainsFunc(ParseGrants(f.Grants), func(g Grant) bool {
		return (g.On.Matches(system) || g.On.Database == server.QuoteName(system)) &&
			slices.ContainsFunc(g.Privileges, func(privilege string) bool {
				return privilege == "ALL PRIVILEGES" || strings.HasPrefix(privilege, "SELECT") // of columns, too
			})
	})
}

// knowsGrants reports whether all that the login may do was read: roles have what their own
// grants tell.
func (f *Facts) knowsGrants() bool { return len(f.Grants) > 0 && len(rolesIn(f.Grants)) == 0 }
