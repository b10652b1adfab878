package seed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestSeedOfHangingTools: a tool that sleeps for ever is ended, and the copy goes on or
// says so; one whose server works is not.
func TestSeedOfHangingTools(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	needMydumper(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_hang", "CREATE DATABASE seed_hang",
		"CREATE TABLE seed_hang.t (id INT PRIMARY KEY)", "INSERT INTO seed_hang.t VALUES (1), (2)")
	for name, test := range map[string]struct {
		tool, script string
		method       journal.SeedMethod
		code         string // empty: it copies
		told         bool   // that another method goes on
	}{
		"mydumper at its end": {
			tool: "mydumper", method: journal.SeedMydumper, told: true,
			script: `case "$*" in *'regex=^$'*) exec $tool "$@" ;; esac; $tool "$@"; sleep 1000`,
		},
		"myloader":             {tool: "myloader", method: journal.SeedMydumper, script: "sleep 1000", told: true},
		"dump at its end":      {tool: "mariadb-dump", script: `$tool "$@"; exec >&-; sleep 1000`, code: "tool-hangs"},
		"client":               {tool: "mariadb", script: "exec sleep 1000", code: "tool-hangs"},
		"client, server works": {tool: "mariadb", script: `(cat; echo "DO SLEEP(5);") | $tool "$@"`},
	} {
		t.Run(name, func(t *testing.T) {
			slave.Exec(t, "DROP DATABASE IF EXISTS seed_hang")
			t.Setenv("TMPDIR", t.TempDir())
			pairs.WrapTools(t, test.script, test.tool)
			s := newSeed(t, master, slave, "seed_hang")
			s.Method = test.method
			s.SetHangPatience(3 * time.Second)
			var told []string
			s.Waiting = func(text string) { told = append(told, text) }
			_, err := s.Run(t.Context())
			if test.code != "" && !finding.HasCode(err, test.code) || test.code == "" && err != nil {
				t.Errorf("got %v", err)
			}
			if got := strings.Contains(strings.Join(told, ""), "anew by the method dump"); got != test.told {
				t.Errorf("told was %q", told)
			}
			if test.code == "" {
				compareCopies(t, master, slave, []string{"seed_hang"})
			}
			pairs.NoTools(t)
		})
	}
}
