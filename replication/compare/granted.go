package compare

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/server"
)

// granted are the privileges of a login: "*" for all databases. "SELECT ON proc"
// is one on mysql.proc, which has the routines of all.
type granted map[string]map[string]bool

// readGranted reads what the login may do, and of what in the databases it does not see all.
func (s *schema) readGranted(databases []string) reading {
	return reads("SELECT '*' AS d, privilege_type AS p FROM information_schema.user_privileges WHERE "+server.OwnGrantee+
		" UNION ALL SELECT table_schema, privilege_type FROM information_schema.schema_privileges WHERE "+
		server.OwnGrantee+
		" UNION ALL SELECT '*', CONCAT(privilege_type, ' ON proc') FROM information_schema.table_privileges"+
		" WHERE table_schema = 'mysql' AND table_name = 'proc' AND "+server.OwnGrantee, func(rows []server.Record) error {
		s.granted = granted{}
		for _, r := range rows {
			if s.granted[r["d"]] == nil {
				s.granted[r["d"]] = map[string]bool{}
			}
			s.granted[r["d"]][r["p"]] = true
		}
		s.unseen = map[string][]string{
			tableKind:      s.granted.lacking(databases, []string{"SELECT"}),
			constraintKind: s.granted.lacking(databases, []string{"TRIGGER"}), // or another one that does more than read
		}
		return nil
	})
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
