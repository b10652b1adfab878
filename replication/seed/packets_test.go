package seed_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// ownPacket is the slave's own max_allowed_packet.
const ownPacket = "1048576"

// largeRowCase is a seed of a large row, as change makes it.
type largeRowCase struct {
	name   string
	change func(*seed.Seed, context.CancelFunc)
	fails  bool
}

// largeRowCases are the ways in which a copy may end. In note is what a copy to the
// slave has changed there.
func largeRowCases(t *testing.T, slave *pairs.Server, note string) []largeRowCase {
	t.Helper()
	return []largeRowCase{
		{name: "whole", change: func(*seed.Seed, context.CancelFunc) {}},
		{
			name:   "a table",
			change: func(s *seed.Seed, _ context.CancelFunc) { s.Databases, s.Tables = nil, []string{"seed_large.t"} },
		},
		{name: "an error", change: func(s *seed.Seed, _ context.CancelFunc) {
			s.Started = func(context.Context, server.Position) error { return errors.New("enough") }
		}, fails: true},
		{name: "a signal", change: func(s *seed.Seed, cancel context.CancelFunc) {
			s.Started = func(context.Context, server.Position) error { cancel(); return nil }
		}, fails: true},
		{name: "after a kill", change: func(*seed.Seed, context.CancelFunc) {
			if err := os.WriteFile(note,
				[]byte(`{"began": "`+time.Now().Format(time.RFC3339Nano)+`", "max_allowed_packet": `+ownPacket+`}`),
				0o600); err != nil {
				t.Fatal(err)
			}
			slave.Exec(t, "SET GLOBAL max_allowed_packet=1073741824")
		}},
		{name: "after a kill and a restart", change: func(*seed.Seed, context.CancelFunc) {
			if err := os.WriteFile(note, []byte(`{"max_allowed_packet": 2097152}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "by mydumper", change: func(s *seed.Seed, _ context.CancelFunc) {
			if !slave.Kind.IsMySQL() { // whose position that of Debian 12 does not know
				needMydumper(t)
				t.Setenv("TMPDIR", t.TempDir())
				s.Method = journal.SeedMydumper
			}
		}},
	}
}

// TestSeedLargeRow copies a row that a dump writes in more bytes than the slave
// takes at once. Afterwards the slave has its own max_allowed_packet again,
// however the copy ended, also if an earlier one was killed.
func TestSeedLargeRow(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			before := slave.Values(t, "SELECT @@GLOBAL.max_allowed_packet")[0]
			defer slave.Exec(t, "SET GLOBAL max_allowed_packet="+before)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_large", "CREATE DATABASE seed_large",
				"CREATE TABLE seed_large.t (id INT PRIMARY KEY, b LONGBLOB)",
				"INSERT INTO seed_large.t VALUES (1, REPEAT(x'ff', 900000))")
			slave.Exec(t, "DROP DATABASE IF EXISTS seed_large")
			folder := t.TempDir()
			note := filepath.Join(folder, "packet-"+slave.Values(t, "SELECT @@GLOBAL.server_id")[0]+".json")
			for _, c := range largeRowCases(t, slave, note) {
				slave.Exec(t, "SET GLOBAL max_allowed_packet="+ownPacket)
				if !c.fails {
					slave.Exec(t, "DROP DATABASE IF EXISTS seed_large", "CREATE DATABASE seed_large")
				}
				seed := newSeed(t, master, slave, "seed_large")
				seed.StateDir = folder
				ctx, cancel := context.WithCancel(t.Context())
				c.change(seed, cancel)
				_, err := seed.Run(ctx)
				cancel()
				if (err != nil) != c.fails {
					t.Errorf("%s: %v", c.name, err)
				}
				if got := slave.Values(t, "SELECT @@GLOBAL.max_allowed_packet")[0]; got != ownPacket {
					t.Errorf("%s: max_allowed_packet is %s", c.name, got)
				}
				if left, _ := os.ReadDir(folder); len(left) > 0 {
					t.Errorf("%s: noted is still %v", c.name, left)
				}
				if !c.fails && slave.Values(t, "SELECT LENGTH(b) FROM seed_large.t")[0] != "900000" {
					t.Errorf("%s: the row is not there", c.name)
				}
			}
		})
	}
}
