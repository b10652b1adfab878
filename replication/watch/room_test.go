package watch_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// TestRelayDiskFull: a slave whose relay log has no room is said to be so at once,
// by a server that does not tell how it replicates.
func TestRelayDiskFull(t *testing.T) {
	t.Parallel()
	p := newWatchedPair(t, servertest.MariaDB)
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=12m,mode=777"); err != nil {
		if os.Getenv("CI") != "" || os.Getuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("this user mounts nothing: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) }) // before the folder goes
	os.Chmod(filepath.Dir(folder), 0o755)
	file := filepath.Join(p.slave.ConfigDir, "zz-relay.cnf")
	if err := os.WriteFile(file, []byte("[mysqld]\nrelay-log="+folder+"/relay\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.slave.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE SQL_THREAD")
	for i := range 8 {
		p.run(p.master.DB, fmt.Sprintf("INSERT INTO d.t VALUES (%d, REPEAT('x', 2000000))", i))
	}
	pairs.WaitUntil(p, "full disk", func() (string, bool) {
		err := p.s.HasRoom(t.Context(), p.s.DB)
		return fmt.Sprint(err), finding.HasCode(err, server.RelayDiskFull)
	})
	began := time.Now()
	s := p.status(p.m, watch.Options{})
	p.wantWords(s, pairs.ProblemOf(s.Problems, server.RelayDiskFull), "the disk of the relay log is full", "free space")
	if took := time.Since(began); s.Healthy || s.State != watch.HealthStalled || took > server.QuestionLimit {
		text, _ := json.Marshal(s)
		t.Errorf("after %s: %s", took, text)
	}
	if _, err := facts.Read(t.Context(), p.s); !finding.HasCode(err, server.RelayDiskFull) {
		t.Errorf("facts: %v", err)
	}
	began = time.Now()
	ctx := server.EachWithin(t.Context(), server.QuestionLimit)
	if _, err := p.s.SlaveStatus(ctx, p.s.DB); !finding.HasCode(err, server.RelayDiskFull) {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	if !strings.Contains(s.Summary, "does not tell") {
		t.Error(s.Summary)
	}
	if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	p.slave.Kill() // it would wait for a minute
}
