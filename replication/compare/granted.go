package compare

import (
	"context"
	"slices"

	"github.com/gtunnel/gtunnel/replication/server"
)

// granted are the privileges of a login: "*" for all databases. "SELECT ON proc"
// is one on mysql.proc, which has the routines of all.
type granted map[string]map[string]bool

// readGranted reads what the login may do.
func readGranted(ctx context.Context, session *session) (granted, error) {
	rows, err := session.query(ctx,
		"SELECT '*' AS d, privilege_type AS p FROM information_schema.user_privileges WHERE "+server.OwnGrantee+
			" UNION ALL SELECT table_schema, privilege_type FROM information_schema.schema_privileges WHERE "+
			server.OwnGrantee+
			" UNION ALL SELECT '*', CONCAT(privilege_type, ' ON proc') FROM information_schema.table_privileges"+
			" WHERE table_schema = 'mysql' AND table_name = 'proc' AND "+server.OwnGrantee)
	g := granted{}
	for _, r := range rows {
		if g[r["d"]] == nil {
			g[r["d"]] = map[string]bool{}
		}
		g[r["d"]][r["p"]] = true
	}
	return g, err
}

// has reports whether one of the privileges is given on a database; "*": on all.
func (g granted) has(database string, privileges []string) bool {
	return slices.ContainsFunc(privileges, func(p string) bool {
		return g["*"][p] || g[database][p] || g[server.EscapePattern(database)][p]
	})
}

// lacking are those of the databases on which none of the privileges is given.
func (g granted) lacking(databases, privileges []string) []string {
	return slices.DeleteFunc(slices.Clone(databases), func(d string) bool { return g.has(d, privileges) })
}
