package compare_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// inPieces is a comparison of a database with a snapshot for every two chunks of a hundred
// rows.
func inPieces(p *pairs.Couple, database string) *compare.Comparison {
	c := compare.Comparison{
		Master: p.Master, Slave: p.Slave, Databases: []string{database}, All: true, MaxSnapshot: time.Nanosecond,
	}
	return c.WithChunks(1)
}

// planted are differences on both sides of the pieces' borders, which are multiples of 100,
// and within the pieces.
var (
	planted = []string{
		"DELETE FROM planted.t WHERE id IN (1, 100, 101, 300, 500)",
		"UPDATE planted.t SET v = 'x' WHERE id IN (200, 250, 401)",
		"INSERT INTO planted.t VALUES (0, 'x'), (501, 'x')",
	}
	plantedFound = []string{
		"id 1: missing on the slave", "id 0: only on the slave", "id 100 to 101: missing on the slave", "id 200: differs",
		"id 250: differs", "id 300: missing on the slave", "id 401: differs", "id 500: missing on the slave",
		"id 501: only on the slave",
	}
)

// TestComparePieces compares a table at many positions while it is written to, and finds
// what is planted, each difference once, also after a comparison was cut off anywhere.
func TestComparePieces(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB}, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "planted")
		p.OnMaster(t, "CREATE TABLE planted.t (id INT PRIMARY KEY, v VARCHAR(30))",
			"CREATE TABLE planted.written (id INT PRIMARY KEY, v VARCHAR(30))",
			"CREATE TABLE planted.old (id INT PRIMARY KEY, v VARCHAR(30)) ENGINE=MyISAM")
		p.OnMaster(t, pairs.Numbered("planted.t", 500)...)
		p.OnMaster(t, pairs.Numbered("planted.written", 90)...)
		p.OnMaster(t, pairs.Numbered("planted.old", 90)...)
		p.Sync(t)
		p.OnSlave(t, append([]string{"SET sql_log_bin=0"}, planted...)...)
		stop := p.Write(t, "UPDATE planted.written SET v = ? WHERE id = 1 + ? MOD 90",
			"REPLACE INTO planted.written (v, id) VALUES (?, 80 + ? MOD 90)", "DO SLEEP(0.005 + 0 * (? + ?))")
		defer stop()
		mustFind := func(result *compare.Result) {
			t.Helper()
			for _, r := range result.Tables {
				if r.Table == "planted.t" && len(r.At) < 3 || r.Table != "planted.t" && !r.Equal() {
					t.Errorf("%s at %q: %q", r.Table, r.At, found(result, r.Table))
				}
			}
			if got := found(result, "planted.t"); !slices.Equal(got, plantedFound) || len(result.Tables) != 3 {
				t.Errorf("of %d tables, found %q", len(result.Tables), got)
			}
			if !result.At.Before(result.Until) {
				t.Errorf("compared from %s to %s", result.At, result.Until)
			}
			p.MustRun(t)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it must not go round in circles
		defer cancel()
		result, err := inPieces(p, "planted").Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		mustFind(result)
		mustFind(cutOff(ctx, t, p, 4))
	})
}

// cutOff cuts a comparison off at a moment, twice: as ctrl-C does, and, by what is in its
// directory then, as a kill; and goes on. It gives what the second one has found.
func cutOff(ctx context.Context, t *testing.T, p *pairs.Couple, moment int) *compare.Result {
	t.Helper()
	directory := t.TempDir()
	notes := func() []string {
		list, err := filepath.Glob(filepath.Join(directory, "compare-checkpoint-*"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	var left []byte // by a kill
	cut, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := inPieces(p, "planted")
	c.StateDir, c.Keep = directory, true
	c.Progress = func(now compare.Progress) {
		if now.Table == "" {
			return
		}
		if moment--; moment == 0 {
			if list := notes(); len(list) == 1 {
				left, _ = os.ReadFile(list[0])
			}
			cancel(errors.New("enough"))
		}
	}
	said := ""
	c.Say = func(text string) { said += text }
	if _, err := c.Run(cut); err == nil || !strings.Contains(said, " is kept: gtunnel replication compare --resume") {
		t.Fatalf("it was cut off by %v, and says %q", err, said)
	}
	p.MustRun(t)
	list := notes()
	if len(list) != 1 {
		t.Fatalf("left are %q", list)
	}
	if info, err := os.Stat(list[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the checkpoint is %v, %v", info, err)
	}
	byCtrlC, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	return goOn(ctx, t, p, directory, list[0], left, byCtrlC)
}

// goOn goes on from each of several contents of a checkpoint. It gives what the last one has
// found.
func goOn(
	ctx context.Context, t *testing.T, p *pairs.Couple, directory, file string, contents ...[]byte,
) (result *compare.Result) {
	t.Helper()
	for _, content := range contents {
		if content == nil {
			continue
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		said := ""
		again := inPieces(p, "planted")
		again.StateDir, again.Keep, again.Resume = directory, true, true
		again.Say = func(text string) { said += text }
		var err error
		if result, err = again.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(said, "goes on with the comparison of ") {
			t.Errorf("it says %q", said)
		}
		if got := found(result, "planted.t"); !slices.Equal(got, plantedFound) {
			t.Errorf("after a cut it finds %q", got)
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("the checkpoint is left")
		}
	}
	return result
}

// TestCompareChanges: tables that change, or go, between two pieces.
func TestCompareChanges(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB}, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "changes")
		p.OnMaster(t, "CREATE TABLE changes.a (id INT PRIMARY KEY, v VARCHAR(30))",
			"CREATE TABLE changes.b (id INT PRIMARY KEY, v VARCHAR(30))", "CREATE TABLE changes.keyless (v VARCHAR(30))",
			"INSERT INTO changes.keyless VALUES ('a'), ('b')")
		p.OnMaster(t, pairs.Numbered("changes.a", 1000)...)
		p.OnMaster(t, pairs.Numbered("changes.b", 1000)...)
		p.Sync(t)
		c := inPieces(p, "changes")
		moment := 0
		c.Progress = func(now compare.Progress) {
			if now.Table != "changes.a" || now.Bytes == 0 {
				return
			}
			if moment++; moment == 2 {
				p.OnMaster(t, "ALTER TABLE changes.a ADD w INT DEFAULT 7", "DROP TABLE changes.b")
			}
		}
		result, err := c.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !result.Equal() || len(result.Tables) != 2 || result.Tables[0].Rows != 1000 ||
			!strings.Contains(result.Tables[0].Note, "it was begun anew") ||
			!strings.Contains(strings.Join(result.Skipped, "\n"), "table changes.b: it was dropped while") {
			t.Errorf("got %+v", result)
		}
	})
}

// TestCompareGrows: a table to which more is added in each piece than that has comes to an
// end, which is that of its first piece on either side.
func TestCompareGrows(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB}, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "grows")
		p.OnMaster(t, "CREATE TABLE grows.t (id INT PRIMARY KEY, v VARCHAR(30))")
		p.OnMaster(t, pairs.Numbered("grows.t", 250)...)
		p.Sync(t)
		p.OnSlave(t, "SET sql_log_bin=0", "INSERT INTO grows.t VALUES (251, 'x')")
		c := inPieces(p, "grows")
		pieces := 0
		c.Progress = func(now compare.Progress) {
			if now.Table == "grows.t" && now.Bytes > 0 {
				pieces++
				p.OnMaster(t, fmt.Sprintf("INSERT INTO grows.t SELECT id + 1000 * %d, v FROM grows.t WHERE id <= 250", pieces))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		result, err := c.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := result.Tables[0]
		if !slices.Equal(found(result, "grows.t"), []string{"id 251: only on the slave"}) || got.Rows != 250 ||
			len(got.At) < 2 || got.Note != "rows after id 251 were added meanwhile, and are for the next comparison" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestCompareTakesLong: a table that takes longer than the server's estimates let one believe
// is cut, and its chunks are made smaller.
func TestCompareTakesLong(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB}, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "takes")
		p.OnMaster(t, "CREATE TABLE takes.long (id INT PRIMARY KEY, v VARCHAR(30))",
			"CREATE TABLE takes.keyless (id INT, v VARCHAR(30))")
		p.OnMaster(t, pairs.Numbered("takes.long", 60000)...)
		p.OnMaster(t, "INSERT INTO takes.keyless SELECT * FROM takes.long")
		p.Sync(t)
		p.OnSlave(t, "SET sql_log_bin=0", "UPDATE takes.long SET v = 'x' WHERE id = 50000")
		c := compare.Comparison{Databases: []string{"takes"}}.WithChunks(1 << 30).WithLimit(3 * time.Millisecond)
		result := compareOn(t, p, *c)
		if got := found(result, "takes.long"); !slices.Equal(got, []string{"id 50000: differs"}) || len(result.Tables) != 2 ||
			!result.Tables[0].Equal() || result.Rows != 120000 {
			t.Errorf("found %q: %+v", got, result)
		}
	})
}

// TestCompareGivesWay waits for the load of the master with no snapshot on it, and then goes
// on; and refuses a load that the master does not tell.
func TestCompareGivesWay(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB}, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "loaded")
		p.OnMaster(t, "CREATE TABLE loaded.t (id INT PRIMARY KEY, v VARCHAR(30))")
		p.OnMaster(t, pairs.Numbered("loaded.t", 1000)...)
		p.Sync(t)
		c := inPieces(p, "loaded")
		waited := false
		c.Progress = func(now compare.Progress) {
			switch {
			case now.GivesWay != "":
				waited = true
				if !strings.HasPrefix(now.GivesWay, "Threads_connected of the master is ") {
					t.Errorf("it gives way because %s", now.GivesWay)
				}
				pairs.WaitUntil(t, "no transaction on the master", func() (string, bool) { // once it has noticed the end
					open, err := p.Master.Value(t.Context(), p.MasterDB, "SELECT COUNT(*) FROM information_schema.innodb_trx")
					return open, err == nil && open == "0"
				})
				p.MustRun(t)
				c.PauseWhen = nil
			case now.Bytes > 0 && !waited:
				c.PauseWhen = []compare.Load{{Name: "threads_running", Most: 1 << 40}, {Name: "Threads_connected"}}
			}
		}
		if result, err := c.Run(t.Context()); err != nil || !result.Equal() || result.Rows != 1000 || !waited {
			t.Errorf("got %+v, %v; it has waited: %t", result, err, waited)
		}
		c.PauseWhen = []compare.Load{{Name: "Thread_running", Most: 5}}
		unknown := &compare.UnknownLoadError{}
		if _, err := c.Run(t.Context()); !errors.As(err, &unknown) || !slices.Contains(unknown.Known, "Threads_running") {
			t.Errorf("of a load that is none it says %v", err)
		}
	})
}
