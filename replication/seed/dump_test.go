package seed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// writeDump dumps databases of a master as the command does.
func writeDump(t *testing.T, s *seed.Seed) []byte {
	t.Helper()
	dump := &seed.Seed{Master: s.Master, MasterFacts: s.MasterFacts, Databases: s.Databases, LockTables: s.LockTables}
	found, err := dump.CheckDump(t.Context())
	if err != nil || len(found.Problems) > 0 {
		t.Fatalf("%v, %v", found.Problems, err)
	}
	head := dump.NewDumpHead("server1", "1.0")
	head.Warn(found.Warnings)
	var to bytes.Buffer
	done, err := dump.WriteDump(t.Context(), &to, head)
	if err != nil {
		t.Fatal(err)
	}
	if done.Written+512 < uint64(to.Len()) || done.Head.Start.IsZero() || done.Tail.Bytes == 0 {
		t.Errorf("of %d bytes it says %+v", to.Len(), done)
	}
	return to.Bytes()
}

// loadDump loads a dump, of which no problem is found before.
func loadDump(t *testing.T, s *seed.Seed, dump []byte) (server.Position, error) {
	t.Helper()
	return loadDumpBy(t.Context(), t, s, dump)
}

// loadDumpBy is loadDump until ctx ends.
func loadDumpBy(ctx context.Context, t *testing.T, s *seed.Seed, dump []byte) (server.Position, error) {
	t.Helper()
	source := &seed.DumpSource{From: bytes.NewReader(dump), Name: "the dump", Directory: filepath.Join(t.TempDir(), "new")}
	file, err := source.Open(t.Context(), func(*seed.DumpHead) error { return nil }, s.Progress)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s.Method, s.File = journal.SeedFile, file
	found, err := s.Check(t.Context())
	if err != nil || len(found.Problems) > 0 {
		return server.Position{}, errors.Join(append([]error{err}, found.Err())...)
	}
	return s.Run(ctx)
}

// TestDumpCopiesEverything copies databases with all that databases have by a dump.
func TestDumpCopiesEverything(t *testing.T) {
	for _, pair := range pairs.All {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			databases := fillServer(t, master, pair.Crosses())
			s := newSeed(t, master, slave, databases...)
			dump := writeDump(t, s)
			var phases []seed.Phase
			s.Progress = func(p seed.Progress) { phases = append(phases, p.Phase) }
			var started server.Position
			s.Started = func(_ context.Context, p server.Position) error { started = p; return nil }
			position, err := loadDump(t, s, dump)
			if err != nil {
				t.Fatal(err)
			}
			if position.IsZero() || position != started || position != s.File.Head.Start || position.GTID == "" {
				t.Errorf("the dump is of %v; the copy began at %v and says %v", s.File.Head.Start, started, position)
			}
			if len(phases) == 0 || phases[len(phases)-1] != seed.PhaseEnd {
				t.Errorf("the phases told were %v", phases)
			}
			compareCopies(t, master, slave, databases)
			if n := slave.Count(t, "information_schema.events", "status = 'ENABLED' AND event_schema = 'seed_all'"); n != 0 {
				t.Errorf("%d events are enabled on the slave", n)
			}
		})
	}
}

// TestDumpOfBefore: a dump of a binary log that is no longer there, or begun anew, is not
// loaded.
func TestDumpOfBefore(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_old", "CREATE DATABASE seed_old",
				"CREATE TABLE seed_old.t (id INT PRIMARY KEY)")
			slave.Exec(t, "DROP DATABASE IF EXISTS seed_old")
			s := newSeed(t, master, slave, "seed_old")
			reset := "RESET MASTER"
			if pair.Master.IsMySQL() {
				reset = "RESET BINARY LOGS AND GTIDS"
			}
			refused := func(code string, dump []byte) {
				t.Helper()
				if _, err := loadDump(t, s, dump); !hasProblem(err, code) {
					t.Errorf("it gives %v, want %s", err, code)
				}
				if n := slave.Count(t, "information_schema.schemata", "schema_name = 'seed_old'"); n != 0 {
					t.Error("it has been loaded")
				}
			}
			master.Exec(t, reset, "INSERT INTO seed_old.t VALUES (1), (2)", "DELETE FROM seed_old.t")
			dump := writeDump(t, s)
			master.Exec(t, reset)
			refused("bad-coordinates", dump)
			for range 9 { // what begins at its position now is another transaction
				master.Exec(t, "INSERT INTO seed_old.t VALUES (1)", "DELETE FROM seed_old.t")
			}
			if !pair.Master.IsMySQL() { // whose GTIDs are the same again
				refused("bad-coordinates", dump)
			}

			dump = writeDump(t, s)
			master.Exec(t, "FLUSH BINARY LOGS")
			pairs.WaitFor(t, time.Minute, "one binary log", func() (string, bool) { // until it is known that all is stored
				logs := master.Rows(t, "SHOW BINARY LOGS")
				master.Exec(t, "PURGE BINARY LOGS TO '"+logs[len(logs)-1][0]+"'")
				return fmt.Sprint(logs), len(logs) == 1
			})
			refused("log-purged", dump)
		})
	}
}

// hasProblem reports whether a code is among joined errors.
func hasProblem(err error, code string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if hasProblem(e, code) {
				return true
			}
		}
	}
	return finding.HasCode(err, code)
}

// TestDumpFails: a dump whose tool is killed, or that cannot be written, is an error, and
// its tools have ended.
func TestDumpFails(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_fails", "CREATE DATABASE seed_fails",
		"CREATE TABLE seed_fails.t (id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(1000))",
		"INSERT INTO seed_fails.t (pad) SELECT HEX(RANDOM_BYTES(450)) FROM ("+numbers(5000)+") seq")
	s := newSeed(t, master, slave, "seed_fails")
	dump := &seed.Seed{Master: s.Master, MasterFacts: s.MasterFacts, Databases: s.Databases}
	full := errors.New("full")
	if _, err := dump.WriteDump(t.Context(), failing{full}, dump.NewDumpHead("h", "1")); !errors.Is(err, full) {
		t.Errorf("it gives %v", err)
	}
	pairs.NoTools(t)
	dump.MaxRate = 64 << 10
	var written bytes.Buffer
	killed := false
	dump.Progress = func(p seed.Progress) {
		if p.Phase != seed.PhaseCopy || killed {
			return
		}
		for _, id := range master.Values(t, "SELECT id FROM information_schema.processlist WHERE db = 'seed_fails'") {
			master.Exec(t, "KILL "+id)
			killed = true
		}
	}
	_, err := dump.WriteDump(t.Context(), &written, dump.NewDumpHead("h", "1"))
	if !finding.HasCode(err, "tool-failed") || !killed {
		t.Errorf("a dump whose connection was killed (%t) gives %v", killed, err)
	}
	source := &seed.DumpSource{From: &written, Name: "it", Directory: t.TempDir()}
	accept := func(*seed.DumpHead) error { return nil }
	if _, err := source.Open(t.Context(), accept, nil); !finding.HasCode(err, "dump-cut") {
		t.Errorf("what it has left gives %v", err)
	}
	pairs.NoTools(t)
}

// failing fails once something has been written.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

var _ io.Writer = failing{}
