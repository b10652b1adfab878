package seed_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestParallelAlone copies by one dump where the lock under which several begin is not to be
// had: a query that takes long keeps it waiting, until it is said that the copy goes on by one.
func TestParallelAlone(t *testing.T) {
	master, slave := pairs.MySQL.Start(t)
	const d = "seed_alone"
	makeTables(t, master, d, 10)
	slave.Exec(t, "DROP DATABASE IF EXISTS "+d)
	s := newSeed(t, master, slave, d)
	s.Method = journal.SeedParallel
	s.SetLockPatience(time.Second)
	const long = "SELECT SLEEP(600) FROM " + d + ".a"
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = master.DB.ExecContext(t.Context(), long) // it is killed
	}()
	running := func() []string {
		return master.Values(t, "SELECT id FROM information_schema.processlist WHERE info = '"+long+"'")
	}
	pairs.WaitUntil(t, "the long query", func() (string, bool) { return "", len(running()) == 1 })
	var said []string
	s.Waiting = func(text string) {
		if said = append(said, text); strings.Contains(text, "method dump") {
			for _, id := range running() {
				master.Exec(t, "KILL QUERY "+id)
			}
		}
	}
	position, err := s.Run(t.Context())
	for _, id := range running() {
		master.Exec(t, "KILL QUERY "+id)
	}
	<-ended
	if err != nil || position.IsZero() {
		t.Fatalf("the seed gave %v, %v, and said %q", position, err, said)
	}
	if !strings.Contains(strings.Join(said, "\n"), "the copy goes on by one, method dump") {
		t.Errorf("the seed said %q", said)
	}
	compareCopies(t, master, slave, []string{d})
	pairs.NoTools(t)
}

// TestParallelWithoutRight stops before anything is loaded where the login may not take the
// lock without which MySQL's coordinates are not to be had, by several dumps or by one.
func TestParallelWithoutRight(t *testing.T) {
	master, slave := pairs.MySQL.Start(t)
	const d = "seed_no_right"
	makeTables(t, master, d, 10)
	slave.Exec(t, "DROP DATABASE IF EXISTS "+d)
	s := newSeed(t, master, slave, d)
	s.Method = journal.SeedParallel
	master.ExecTogether(t, "SET sql_log_bin=0", "REVOKE RELOAD ON *.* FROM 'seed er'@'127.0.0.1'")
	position, err := s.Run(t.Context())
	if err == nil || !position.IsZero() || !strings.Contains(err.Error(), "RELOAD") {
		t.Errorf("the seed gave %v, %v", position, err)
	}
	if slave.Count(t, "information_schema.schemata", "schema_name = '"+d+"'") != 0 {
		t.Error("something has been loaded")
	}
	pairs.NoTools(t)
}

// makeTables makes a database with three tables: a and c are small, b has rows of a kB.
func makeTables(t *testing.T, master *pairs.Server, d string, rows int) {
	t.Helper()
	master.Exec(t, "DROP DATABASE IF EXISTS "+d, "CREATE DATABASE "+d)
	for name, n := range map[string]int{"a": 10, "b": rows, "c": 10} {
		master.Exec(t, "CREATE TABLE "+d+"."+name+" (id INT PRIMARY KEY, pad VARCHAR(1000))",
			fmt.Sprintf("INSERT INTO %s.%s SELECT n, REPEAT('x', 1000) FROM (%s) seq", d, name, numbers(n)))
	}
}

// TestParallelOnFullDisk: a slave whose disk becomes full says so, and has no half table that
// is taken for a whole one: with room again the copy goes on.
func TestParallelOnFullDisk(t *testing.T) {
	for _, pair := range pairs.Usual() {
		t.Run(pair.String(), func(t *testing.T) {
			master, _ := pair.Start(t)
			slave := pairs.OwnServer(t, pair.Slave, "full slave", 31)
			resize := putOnDisk(t, slave)
			const d = "seed_full"
			makeTables(t, master, d, 40000)
			s := newSeed(t, master, slave, d)
			s.Method = journal.SeedParallel
			resize(16 << 20)
			position, err := s.Run(t.Context())
			p, ok := err.(*finding.Problem) //nolint:errorlint // as it is shown
			if !ok || !position.IsZero() || !strings.Contains(p.Error(), "is full") ||
				!strings.HasPrefix(p.Cure, "make room") || strings.Contains(p.Cure, "START SLAVE") {
				t.Fatalf("the seed gave %v, %v", position, err)
			}
			resize(256 << 20)
			s.GoOn = true
			if position, err = s.Run(t.Context()); err != nil || position.IsZero() {
				t.Fatalf("with room the seed gave %v, %v", position, err)
			}
			compareCopies(t, master, slave, []string{d})
			master.Exec(t, "DROP DATABASE "+d)
			pairs.NoTools(t)
		})
	}
}

// putOnDisk puts the data of a server on a disk of its own, and gives what leaves it so many
// bytes of room.
func putOnDisk(t *testing.T, s *pairs.Server) (resize func(room uint64)) {
	t.Helper()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	data := s.DataDir()
	if err := os.Rename(data, data+".before"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=1g"); err != nil {
		if os.Getenv("CI") != "" || os.Getuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("this user mounts nothing: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(data, syscall.MNT_DETACH) }) // before the server's folder goes
	if said, err := exec.CommandContext(t.Context(), "cp", "-a", data+".before/.", data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func(room uint64) {
		var is syscall.Statfs_t
		if err := syscall.Statfs(data, &is); err != nil {
			t.Fatal(err)
		}
		size := (is.Blocks-is.Bfree)*uint64(is.Bsize) + room
		if err := syscall.Mount("", data, "", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size)); err != nil {
			t.Fatal(err)
		}
	}
}
