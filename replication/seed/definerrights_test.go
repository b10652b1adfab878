package seed_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// rightsOfRole are a definer that may have the rights of a role, and what needs
// them.
const rightsOfRole = "'by_role'@'localhost'"

// rightsWay is a way to have a right.
type rightsWay struct{ name, give, take string }

// rightsWays are those of a kind of server.
func rightsWays(kind servertest.Kind) []rightsWay {
	ways := []rightsWay{
		{name: "none", give: "DO 1", take: "DO 1"},
		{
			name: "itself", give: "GRANT SELECT ON by_role.* TO " + rightsOfRole,
			take: "REVOKE SELECT ON by_role.* FROM " + rightsOfRole,
		},
		{name: "a role", give: "GRANT by_role_reads TO " + rightsOfRole, take: "REVOKE by_role_reads FROM " + rightsOfRole},
	}
	if kind.IsMySQL() {
		return append(ways,
			rightsWay{
				name: "a default role",
				give: "GRANT by_role_reads TO " + rightsOfRole + "; ALTER USER " + rightsOfRole + " DEFAULT ROLE by_role_reads",
				take: "REVOKE by_role_reads FROM " + rightsOfRole,
			},
			rightsWay{
				name: "all but this",
				give: "SET GLOBAL partial_revokes=ON; GRANT SELECT ON *.* TO " + rightsOfRole +
					"; REVOKE SELECT ON by_role.* FROM " + rightsOfRole,
				take: "REVOKE SELECT ON *.* FROM " + rightsOfRole + "; SET GLOBAL partial_revokes=OFF",
			})
	}
	return append(ways,
		rightsWay{
			name: "a default role",
			give: "GRANT by_role_reads TO " + rightsOfRole + "; SET DEFAULT ROLE by_role_reads FOR " + rightsOfRole,
			take: "SET DEFAULT ROLE NONE FOR " + rightsOfRole + "; REVOKE by_role_reads FROM " + rightsOfRole,
		},
		rightsWay{
			name: "PUBLIC", give: "GRANT SELECT ON by_role.* TO PUBLIC", take: "REVOKE SELECT ON by_role.* FROM PUBLIC",
		},
		rightsWay{name: "a role of PUBLIC", give: "GRANT by_role_reads TO PUBLIC", take: "REVOKE by_role_reads FROM PUBLIC"})
}

// TestDefinerRightsByRoles: the rights that a definer has by roles count as they
// do where something runs as it.
func TestDefinerRightsByRoles(t *testing.T) {
	for _, pair := range []pairs.Pair{pairs.MariaDB, pairs.MariaDB118, pairs.MySQL, pairs.Crossed} {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			for _, s := range []*pairs.Server{master, slave} {
				s.Exec(t, "CREATE DATABASE by_role", "CREATE TABLE by_role.t (a INT)", "CREATE USER "+rightsOfRole,
					"CREATE ROLE by_role_reads", "GRANT SELECT ON by_role.* TO by_role_reads",
					"CREATE DEFINER="+rightsOfRole+
						" FUNCTION by_role.f() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM by_role.t)",
					"GRANT EXECUTE ON by_role.* TO "+rightsOfRole)
				defer s.Exec(t, "DROP DATABASE by_role", "DROP USER "+rightsOfRole, "DROP ROLE by_role_reads")
			}
			runs := func(ctx context.Context, s *pairs.Server) bool {
				var rows int
				return s.DB.QueryRowContext(ctx, "SELECT by_role.f()").Scan(&rows) == nil
			}
			seen := map[[2]bool]bool{}
			for _, m := range rightsWays(pair.Master) {
				master.Exec(t, strings.Split(m.give, "; ")...)
				for _, s := range rightsWays(pair.Slave) {
					slave.Exec(t, strings.Split(s.give, "; ")...)
					found, err := newSeed(t, master, slave, "by_role").Check(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					both := [2]bool{runs(t.Context(), master), runs(t.Context(), slave)}
					seen[both] = true
					p := pairs.ProblemOf(slices.Concat(found.Problems, found.Warnings), "definer-rights")
					if want := both == [2]bool{true, false}; (p != nil) != want {
						t.Errorf("by %s on the master and %s on the slave it runs: %v; the findings are\n%s%s", m.name, s.name, both,
							pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
					}
					if p != nil {
						cure := p.Cure[strings.LastIndexByte(p.Cure, '\n')+1:]
						if !strings.HasPrefix(cure, "GRANT SELECT, EXECUTE ON ") { // of the patterns the server heeds one
							t.Errorf("by %s on the master and %s on the slave the cure is %q", m.name, s.name, p.Cure)
						}
						slave.Exec(t, cure)
						if !runs(t.Context(), slave) {
							t.Errorf("by %s on the master and %s on the slave the cure is of no use: %q", m.name, s.name, cure)
						}
						slave.Exec(t, strings.NewReplacer("GRANT", "REVOKE", " TO ", " FROM ").Replace(cure),
							"GRANT EXECUTE ON by_role.* TO "+rightsOfRole)
					}
					slave.Exec(t, strings.Split(s.take, "; ")...)
				}
				master.Exec(t, strings.Split(m.take, "; ")...)
			}
			if len(seen) != 4 {
				t.Errorf("it has run only so: %v", seen)
			}
		})
	}
}
