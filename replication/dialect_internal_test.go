package replication

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
// 5.7, 8.0, 8.4 and of MariaDB 10.0 cannot be tried on servers in CI.
var versions = []Version{
	{Family: MySQL, Major: 5, Minor: 7, Patch: 42},
	{Family: MySQL, Major: 8, Minor: 0, Patch: 46},
	{Family: MySQL, Major: 8, Minor: 4, Patch: 13},
	{Family: MySQL, Major: 9, Minor: 7, Patch: 0},
	{Family: MariaDB, Major: 10, Minor: 0, Patch: 38},
	{Family: MariaDB, Major: 10, Minor: 5, Patch: 23},
	{Family: MariaDB, Major: 10, Minor: 11, Patch: 19},
	{Family: MariaDB, Major: 11, Minor: 8, Patch: 6},
}

func TestDialects(t *testing.T) {
	databases := []string{"DB_1", "voms"}
	start := Position{File: "mysql-bin.000007", Offset: 4711, GTID: "0-1-23"}
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			var b strings.Builder
			section := func(name string, statements ...any) {
				fmt.Fprintf(&b, "-- %s\n", name)
				for _, s := range statements {
					if s, ok := s.(Statement); ok {
						fmt.Fprintf(&b, "%s;\n", s.Reveal())
						if strings.Contains(s.String(), "secret") {
							t.Errorf("%s shows the password", s.String())
						}
						continue
					}
					fmt.Fprintf(&b, "%s;\n", s)
				}
			}
			many := func(statements []Statement) (list []any) {
				for _, s := range statements {
					list = append(list, s)
				}
				return list
			}
			section("status", v.showSlaveStatus(), v.showMasterStatus())
			section("threads", v.startSlave(bothThreads), v.stopSlave(bothThreads), v.startSlave(sqlThread), v.stopSlave(ioThread),
				v.startUntil(start), v.resetSlaveAll())
			c := connection{host: loopback, port: 3307, user: ReplicationUser, password: NewPassword(`a'secret\`), start: start}
			section("by coordinates", v.changeMaster(c))
			c.byGTID = true
			section("by GTID", v.setStart(start.GTID), v.changeMaster(c))
			section("filters", v.setFilter(databases), v.setFilter(nil), v.setIgnored([]string{"DB_1.t"}, databases))
			section("events", v.disableEvent("`a`@`%`", "`voms`.`e`", "PRESERVE"))
			secret := NewPassword("secret")
			for _, user := range accountUsers {
				section("account "+user, many(accountStatements(v, user, &secret, (&Facts{Version: v}).patterns(databases), ""))...)
			}
			section("account that is there", v.setPassword(ReplicationUser, loopback, secret), v.freeAccount(ReplicationUser, loopback))
			name := strings.ToLower(string(v.Family)) + "-" + v.Series() + ".sql"
			golden(t, filepath.Join("dialects", name), b.String())
		})
	}
}
