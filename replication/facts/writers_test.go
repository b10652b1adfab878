package facts_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestWritersByRoles: those that can write in spite of read_only by a role, or
// as everybody can, are among the writers.
func TestWritersByRoles(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MariaDB118, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			server := pairs.SharedServer(t, kind, string(kind)+" slave", 12)
			const account = "'by_role'@'127.0.0.1'"
			privilege, activate := "READ_ONLY ADMIN", "SET DEFAULT ROLE by_role_outer FOR "+account
			if kind.IsMySQL() {
				privilege, activate = "CONNECTION_ADMIN", "ALTER USER "+account+" DEFAULT ROLE by_role_outer"
			}
			server.Exec(t, "CREATE DATABASE by_role", "CREATE TABLE by_role.t (a INT)", "CREATE ROLE by_role_inner",
				"CREATE ROLE by_role_outer", "GRANT by_role_inner TO by_role_outer",
				"CREATE USER "+account+" IDENTIFIED BY 'by role'", "GRANT INSERT ON by_role.* TO "+account,
				"SET GLOBAL read_only=1")
			defer server.Exec(t, "SET GLOBAL read_only=0", "DROP DATABASE by_role", "DROP USER "+account,
				"DROP ROLE by_role_inner", "DROP ROLE by_role_outer")
			check := func(what, want string) {
				t.Helper()
				_, read := server.AsSeeder(t, finding.Slave)
				found := slices.DeleteFunc(read.Writers,
					func(w string) bool { return !strings.Contains(w, "by_role@") && !strings.Contains(w, "PUBLIC") })
				if got := strings.Join(found, ", "); got != want {
					t.Errorf("%s: the writers are %q, want %q", what, got, want)
				}
				db, err := server.Open("by_role", "by role")
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				if _, err := db.ExecContext(t.Context(), "INSERT INTO by_role.t VALUES (1)"); (err == nil) != (want != "") {
					t.Errorf("%s: the account writes: %v", what, err)
				}
			}
			check("nothing", "")
			server.Exec(t, "GRANT "+privilege+" ON *.* TO by_role_inner")
			check("a role that it does not have", "")
			server.Exec(t, "GRANT by_role_outer TO "+account, activate)
			outer := "by_role_outer"
			if kind.IsMySQL() {
				outer += "@%"
			}
			check("a role that has another", "by_role@127.0.0.1 (role "+outer+")")
			server.Exec(t, "REVOKE by_role_outer FROM "+account)
			if kind.IsMySQL() {
				return
			}
			server.Exec(t, "GRANT by_role_outer TO PUBLIC")
			check("a role of PUBLIC", "PUBLIC (every account)")
			server.Exec(t, "REVOKE by_role_outer FROM PUBLIC")
			check("a role that is taken back", "")
			server.Exec(t, "GRANT "+privilege+" ON *.* TO PUBLIC")
			check("PUBLIC", "PUBLIC (every account)")
			server.Exec(t, "REVOKE "+privilege+" ON *.* FROM PUBLIC")
		})
	}
}
