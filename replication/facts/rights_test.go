package facts_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestRights: accounts of a name are alike on two servers as long as their logins and
// rights are, and the monitor account sees no more than that.
func TestRights(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MariaDB105, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			s := pairs.OwnServer(t, kind, string(kind)+" rights", 31)
			root := s.AsRoot(t, finding.Slave)
			columns, err := facts.ReadGrantColumns(t.Context(), root)
			if err != nil {
				t.Fatal(err)
			}
			const monitor = "'" + facts.MonitorUser + "'@'127.0.0.1'"
			s.Exec(t, "CREATE DATABASE "+facts.OwnDatabase, "CREATE DATABASE app", "CREATE TABLE app.t (a INT, b INT)",
				"CREATE USER "+monitor+" IDENTIFIED BY 'monitor'")
			view := facts.MakeRightsView(columns, facts.MonitorUser, server.Loopback)
			for range 2 { // it can be made again
				if err := root.Run(t.Context(), view); err != nil {
					t.Fatal(err)
				}
			}
			login := server.Login{
				Network: "tcp", Address: s.Address(), User: facts.MonitorUser, Password: server.NewPassword("monitor"),
			}
			as := s.Login(t, finding.Slave, login)
			read := func() facts.Rights {
				t.Helper()
				rights, err := facts.ReadRights(t.Context(), as)
				if err != nil || rights == nil {
					t.Fatalf("%v, %v", rights, err)
				}
				return rights
			}
			if rights := read(); len(rights) != 0 {
				t.Errorf("accounts that are nobody's: %v", slices.Collect(maps.Keys(rights)))
			}
			const app = "'app'@'%'"
			s.Exec(t, "CREATE USER app IDENTIFIED BY 'one'")
			last := read()[app]
			for _, change := range []struct {
				statement     string
				login, rights bool // that they differ then
			}{
				{"GRANT SELECT ON app.* TO app", false, true},
				{"GRANT UPDATE (a) ON app.t TO app", false, true},
				{"GRANT PROCESS ON *.* TO app", false, true},
				{"ALTER USER app IDENTIFIED BY 'two'", true, false},
				{"REVOKE SELECT ON app.* FROM app", false, true},
				{"FLUSH PRIVILEGES", false, false},
			} {
				s.Exec(t, change.statement)
				now, known := read()[app]
				if !known || (now.Login != last.Login) != change.login || (now.Rights != last.Rights) != change.rights {
					t.Errorf("%s: %+v after %+v", change.statement, now, last)
				}
				last = now
			}
			if s.Lets(t.Context(), t, "SELECT 1") && root.Version.AtLeast(server.MariaDB, 10, 4, 0) {
				if _, err := as.DB.ExecContext(t.Context(), "SELECT * FROM mysql.global_priv"); !server.IsDenied(err) {
					t.Errorf("the monitor account reads the accounts: %v", err)
				}
			}
		})
	}
}
