package seed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// fillLeft makes two databases in which a cut may fall before, behind and between all that a
// dump has besides tables. It takes a moment to load the third of the tables.
func fillLeft(t *testing.T, s *pairs.Server) []string {
	t.Helper()
	databases := []string{"left_a", "left_b"}
	for _, name := range databases {
		s.ExecTogether(t, "DROP DATABASE IF EXISTS "+name, "CREATE DATABASE "+name, "USE "+name,
			"CREATE TABLE t1 (id INT PRIMARY KEY, log INT DEFAULT 0)", "INSERT INTO t1 (id) VALUES (1), (2)",
			"CREATE TABLE t2 (id INT PRIMARY KEY, one INT, CONSTRAINT FOREIGN KEY (one) REFERENCES t1 (id))",
			"INSERT INTO t2 VALUES (1, 1)",
			"CREATE TRIGGER t2t BEFORE INSERT ON t2 FOR EACH ROW UPDATE t1 SET log = log + 1",
			"CREATE TABLE t3 (id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(1000))",
			"INSERT INTO t3 (pad) SELECT REPEAT(n, 200) FROM ("+numbers(6000)+") seq",
			"CREATE TABLE t4 (id INT PRIMARY KEY, three INT, CONSTRAINT FOREIGN KEY (three) REFERENCES t3 (id))",
			"INSERT INTO t4 VALUES (1, 1)",
			"CREATE VIEW t1v AS SELECT t3.id FROM t1 JOIN t3 ON t1.id = t3.id",
			"CREATE PROCEDURE p() COMMENT 'c' BEGIN /*\n-- Table structure for table `t4`\n*/ SELECT 1; END",
			"CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO DELETE FROM t1")
	}
	return databases
}

// cutLoad is the load of a dump, in goes.
type cutLoad struct {
	master, slave *pairs.Server
	databases     []string
	dump          []byte
	state         string // the directory
}

var errCut = errors.New("cut off")

// load goes on with what is left, and is cut off as soon as a table is begun; empty: it is not.
func (l *cutLoad) load(t *testing.T, left *journal.LoadNote, at string) error {
	t.Helper()
	s := newSeed(t, l.master, l.slave, l.databases...)
	s.StateDir, s.Left = l.state, left
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	if at != "" {
		go func() {
			for n := 0; n == 0 && server.Pause(ctx, 2*time.Millisecond) == nil; {
				_ = l.slave.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE"+
					" CONCAT(table_schema, '.', table_name) = ?", at).Scan(&n)
			}
			cancel(errCut)
		}()
	}
	_, err := loadDumpBy(ctx, t, s, l.dump)
	return err
}

// left is what is noted of a load that was cut off, and holds.
func (l *cutLoad) left(t *testing.T) *journal.LoadNote {
	t.Helper()
	s := newSeed(t, l.master, l.slave, l.databases...)
	note, err := journal.ReadNote[journal.LoadNote](journal.LoadFile(l.state, s.SlaveFacts.ServerID()))
	if err == nil {
		note, err = seed.LeftOf(t.Context(), s.Slave, note, shaOf(t, l.dump), l.databases)
	}
	if err != nil {
		t.Fatal(err)
	}
	return note
}

// TestDumpGoesOn cuts the load of a dump off in the middle of tables, which is then gone on
// with: what was whole is not loaded again, and what was not is not taken for whole.
func TestDumpGoesOn(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	databases := fillLeft(t, master)
	l := cutLoad{master: master, slave: slave, databases: databases, state: t.TempDir()}
	l.dump = writeDump(t, newSeed(t, master, slave, databases...))
	for _, where := range []struct {
		at    string
		whole int
	}{{"left_a.t3", 2}, {"left_b.t3", 6}} {
		if err := l.load(t, l.left(t), where.at); !errors.Is(err, errCut) {
			t.Fatalf("at %s the load gave %v", where.at, err)
		}
		note := l.left(t)
		if note == nil || note.Whole != where.whole || note.Next != where.at {
			t.Fatalf("at %s it is noted: %+v", where.at, note)
		}
		// Nobody loads what is whole again.
		slave.Exec(t, fmt.Sprintf("INSERT INTO left_a.t1 (id) VALUES (%d)", 100+where.whole))
	}
	if err := l.load(t, l.left(t), ""); err != nil {
		t.Fatal(err)
	}
	if n := slave.Count(t, "left_a.t1", "id > 100"); n != 2 {
		t.Errorf("a table that was whole was loaded again: %d of 2 rows are left", n)
	}
	slave.Exec(t, "DELETE FROM left_a.t1 WHERE id > 100")
	compareCopies(t, master, slave, databases)
	if l.left(t) != nil {
		t.Error("a load is noted that has come to its end")
	}
}

// TestDumpBeginsAnew goes on with nothing that is not certain to be there.
func TestDumpBeginsAnew(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	databases := fillLeft(t, master)
	s := newSeed(t, master, slave, databases...)
	dump := writeDump(t, s)
	sha := shaOf(t, dump)
	if _, err := loadDump(t, s, dump); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-1000 * time.Hour) // the server was started since
	for name, is := range map[string]struct {
		note journal.LoadNote
		sql  []string
		left bool
	}{
		"the server has run":   {note: journal.LoadNote{Began: time.Now(), SHA256: sha, Whole: 2}, left: true},
		"nothing is whole":     {note: journal.LoadNote{Began: time.Now(), SHA256: sha}},
		"another dump":         {note: journal.LoadNote{Began: time.Now(), SHA256: "x", Whole: 2}},
		"it was started again": {note: journal.LoadNote{Began: before, SHA256: sha, Whole: 2}},
		"it has lost nothing":  {note: journal.LoadNote{Began: before, SHA256: sha, Whole: 2, Durable: true}, left: true},
		"it may have lost MyISAM": {
			note: journal.LoadNote{Began: before, SHA256: sha, Whole: 2, Durable: true},
			sql:  []string{"CREATE TABLE left_a.frail (id INT) ENGINE=MyISAM"},
		},
	} {
		slave.ExecTogether(t, "DROP TABLE IF EXISTS left_a.frail")
		slave.ExecTogether(t, is.sql...)
		note, err := seed.LeftOf(t.Context(), s.Slave, &is.note, sha, databases)
		if err != nil || (note != nil) != is.left {
			t.Errorf("%s: %+v, %v", name, note, err)
		}
	}
	slave.ExecTogether(t, "SET foreign_key_checks=0", "DROP TABLE left_a.t2", "DELETE FROM left_a.t1")
	s = newSeed(t, master, slave, databases...)
	s.StateDir = t.TempDir()
	s.Left = &journal.LoadNote{Began: time.Now(), SHA256: sha, Whole: 5, Next: "left_b.t2"}
	if _, err := loadDump(t, s, dump); err != nil {
		t.Fatal(err)
	}
	compareCopies(t, master, slave, databases)
}

// shaOf is the checksum of a dump, as it says itself.
func shaOf(t *testing.T, dump []byte) string {
	t.Helper()
	source := &seed.DumpSource{From: bytes.NewReader(dump), Name: "the dump", Directory: filepath.Join(t.TempDir(), "new")}
	file, err := source.Open(t.Context(), func(*seed.DumpHead) error { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return file.Tail.SHA256
}
