package replication

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; go test ./replication -run %s -update writes it anew. It is now:\n%s", path, t.Name(), got)
	}
}

// versions are those whose SQL is kept in testdata/dialects. The statements of
// 5.7, 8.0, 8.4 and of MariaDB 10.0 and 12.3 cannot be tried on servers in CI.
var versions = []server.Version{
	{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42},
	{Family: server.MySQL, Major: 8, Minor: 0, Patch: 46},
	{Family: server.MySQL, Major: 8, Minor: 4, Patch: 13},
	{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0},
	{Family: server.MariaDB, Major: 10, Minor: 0, Patch: 38},
	{Family: server.MariaDB, Major: 10, Minor: 5, Patch: 23},
	{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 19},
	{Family: server.MariaDB, Major: 11, Minor: 8, Patch: 6},
	{Family: server.MariaDB, Major: 12, Minor: 3, Patch: 1},
}

func TestDialects(t *testing.T) {
	databases := []string{"DB_1", "voms"}
	start := server.Position{File: "mysql-bin.000007", Offset: 4711, GTID: "0-1-23"}
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			var b strings.Builder
			section := func(name string, statements ...any) {
				fmt.Fprintf(&b, "-- %s\n", name)
				for _, s := range statements {
					if s, ok := s.(server.Statement); ok {
						fmt.Fprintf(&b, "%s;\n", s.Reveal())
						if strings.Contains(s.String(), "secret") {
							t.Errorf("%s shows the password", s.String())
						}
						continue
					}
					fmt.Fprintf(&b, "%s;\n", s)
				}
			}
			many := func(statements []server.Statement) (list []any) {
				for _, s := range statements {
					list = append(list, s)
				}
				return list
			}
			section("status", v.ShowSlaveStatus(), v.ShowMasterStatus())
			section("threads", v.StartSlave(server.BothThreads), v.StopSlave(server.BothThreads), v.StartSlave(server.SQLThread),
				v.StopSlave(server.IOThread),
				v.StartUntil(start), v.ResetSlaveAll())
			c := server.Connection{
				Host: server.Loopback, Port: 3307, User: facts.ReplicationUser, Password: server.NewPassword(`a'secret\`),
				Start: start,
			}
			section("by coordinates", v.ChangeMaster(c))
			c.ByGTID = true
			section("by GTID", v.SetStart(start.GTID), v.ChangeMaster(c))
			section("filters", v.SetFilter(databases), v.SetFilter(nil), v.SetIgnored([]string{"DB_1.t"}, databases))
			section("events", v.DisableEvent(server.SQL("`a`@`%%`"), server.SQL("`voms`.`e`"), "PRESERVE"))
			secret := server.NewPassword("secret")
			for _, user := range facts.AccountUsers {
				section("account "+user,
					many(accountStatements(v, user, &secret,
						accountGrants{databases: (&facts.Facts{Version: v}).Patterns(databases)}, ""))...)
			}
			section("account that is there", v.SetPassword(facts.ReplicationUser, server.Loopback, secret),
				v.FreeAccount(facts.ReplicationUser, server.Loopback))
			name := strings.ToLower(string(v.Family)) + "-" + v.Series() + ".sql"
			golden(t, filepath.Join("dialects", name), b.String())
		})
	}
}
