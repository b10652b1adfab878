package failover_test

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// rejoining gives a rejoin of a host, which copies by hand.
func rejoining(t *testing.T, h *failovertest.Host) *failover.Rejoin {
	t.Helper()
	r := &failover.Rejoin{Host: h.Failover()}
	completeRejoin(r, h.StateDir)
	r.Copy = func(_ context.Context, want failover.CopyWant, _ replication.Dialogue) error {
		want.Unlock()
		copyByHand(t, h)
		return nil
	}
	r.Begin = func(s *replication.Step) error { t.Logf("%s: %s %v", s.Name, s.What, s.SQL); return nil }
	return r
}

// completeRejoin gives a rejoin what the command line gives it.
func completeRejoin(r *failover.Rejoin, stateDir string) {
	r.Shelf = journal.Shelf{Directory: stateDir}
	own := r.Own
	r.ReadBinaryLog = func(ctx context.Context, files []string, from uint64, gtids string, to io.Writer) error {
		s, err := own(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }() // nothing is left to fail
		return seed.ReadBinaryLog(ctx, s, files, from, gtids, to)
	}
}

// copyByHand makes a host the slave of its peer with the same rows. Nobody may write.
func copyByHand(t *testing.T, h *failovertest.Host) {
	t.Helper()
	rows, err := h.Peer.Server.DB.QueryContext(t.Context(), "SELECT id, host, at FROM "+failovertest.Table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // Err says it all
	load := []string{"SET SESSION sql_log_bin=0", "SET GLOBAL read_only=0", "TRUNCATE " + failovertest.Table}
	for rows.Next() {
		var id, host, at string
		if err := rows.Scan(&id, &host, &at); err != nil {
			t.Fatal(err)
		}
		load = append(load, "INSERT INTO "+failovertest.Table+" VALUES ("+id+", '"+host+"', '"+at+"')")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	s := h.Own()
	readOnly := s.Version.SetReadOnly().Reveal()
	if s.Version.Family == server.MySQL {
		missing := server.SubtractGTIDs(h.Peer.Value("SELECT @@GLOBAL.gtid_executed"),
			h.Value("SELECT @@GLOBAL.gtid_executed"))
		h.Exec(append(load, readOnly, "SET GLOBAL gtid_purged='+"+missing+"'")...)
	} else {
		at := h.Peer.Value("SELECT @@GLOBAL.gtid_binlog_pos")
		h.Exec(append(load, readOnly, "SET GLOBAL gtid_slave_pos='"+at+"'")...)
	}
	err = s.Run(t.Context(), []server.Statement{
		s.Version.ChangeMaster(server.Connection{
			Host: server.Loopback, Port: h.Port, User: "db_rep", Password: h.Failover().ReplicationPassword, ByGTID: true,
		}),
		s.Version.StartSlave(server.BothThreads),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// loseMaster kills the master after it has written what the slave does not receive, and
// makes the slave the master by hand, as a promotion does, with a row of its own.
func loseMaster(t *testing.T, p *failovertest.Pair, alone ...string) {
	t.Helper()
	p.A.Exec("INSERT INTO " + failovertest.Table + " VALUES (1, 'both', NOW())")
	p.Sync(p.A)
	p.B.Link.Cut()
	p.A.Exec(alone...)
	p.A.StopGuard()
	p.A.KillServer()
	promoteByHand(t, p.B)
	p.B.Link.Restore()
}

func promoteByHand(t *testing.T, h *failovertest.Host) {
	t.Helper()
	s := h.Own()
	v := s.Version
	if err := s.Run(t.Context(), []server.Statement{v.StopSlave(server.BothThreads)}); err != nil {
		t.Fatal(err)
	}
	status, err := s.SlaveStatus(t.Context(), s.DB)
	if err != nil || status == nil {
		t.Fatal(status, err)
	}
	at, err := s.Position(t.Context(), s.DB)
	if err != nil {
		t.Fatal(err)
	}
	start := term.Start{
		OldFile: status.Executed.File, OldOffset: status.Executed.Offset, OldGTID: at.GTID,
		File: at.File, Offset: at.Offset, GTID: at.GTID,
	}
	if v.Family == server.MariaDB {
		start.OldGTID, start.GTID = h.Value("SELECT @@GLOBAL.gtid_slave_pos"), h.Value("SELECT @@GLOBAL.gtid_binlog_pos")
	}
	const retention = "864000"
	h.Exec(v.SetRetention(retention).Reveal())
	nonce := rand.Text()
	h.Update(func(n *term.Note) error { return n.Begin(nonce, term.ByPromotion, time.Now()) })
	h.Update(func(n *term.Note) error {
		return n.Raise(term.Raised{
			Nonce: nonce, At: time.Now(), Start: start, Alone: term.Fenced, Promotion: &term.Promotion{KeepLogs: retention},
		})
	})
	h.Exec(v.ResetSlaveAll().Reveal(), v.KeepLogs().Reveal(), "SET GLOBAL read_only=0")
	h.Exec("INSERT INTO " + failovertest.Table + " VALUES (2, 'the new master', NOW())")
	h.StartGuard()
	h.WaitWritable()
}

// comeBack starts the old master again, whose guard takes the higher term.
func comeBack(t *testing.T, h *failovertest.Host) {
	t.Helper()
	h.StartServer()
	h.StartGuard()
	waitTerm(t, h, h.Peer.Note().Term)
}

func waitTerm(t *testing.T, h *failovertest.Host, want term.Term) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), failovertest.Patience)
	defer cancel()
	for !h.Note().Term.Same(want) {
		if err := server.Pause(ctx, 20*time.Millisecond); err != nil {
			t.Fatalf("the term of %s is %+v: %v", h.Name, h.Note().Term, err)
		}
	}
}

// mustRejoin runs a rejoin to its end.
func mustRejoin(t *testing.T, r *failover.Rejoin) {
	t.Helper()
	if done, err := r.Run(t.Context()); err != nil || !done {
		t.Fatalf("rejoin: done %t, %v", done, err)
	}
}

// joined fails unless a host follows its peer, both are equal, and nothing is left to do.
func joined(t *testing.T, p *failovertest.Pair) {
	t.Helper()
	p.B.Exec("INSERT INTO " + failovertest.Table + " VALUES (1000000, 'after', NOW())")
	p.Sync(p.B)
	p.Equal()
	p.A.WaitReadOnly()
	if a, b := p.A.Note(), p.B.Note(); a.Joined != b.Term.Nonce {
		t.Errorf("%s has not joined: %+v", p.A.Name, a)
	}
	ended := func() bool { n := p.B.Note(); return n.Promotion == nil }
	ctx, cancel := context.WithTimeout(t.Context(), failovertest.Patience)
	defer cancel()
	for !ended() {
		if err := server.Pause(ctx, 20*time.Millisecond); err != nil {
			t.Fatalf("the promotion has not ended: %+v", p.B.Note().Promotion)
		}
	}
	if p.B.Value("SELECT @@GLOBAL."+p.B.Own().Version.RetentionVariable()) == "0" {
		t.Error("the retention of the binary log was not given back")
	}
	r := rejoining(t, p.A)
	r.Begin = func(s *replication.Step) error { t.Errorf("the second run does %s", s.Name); return nil }
	if _, err := r.Run(t.Context()); err != nil {
		t.Errorf("the second run: %v", err)
	}
}

// saved gives the files that were saved on a host.
func saved(t *testing.T, h *failovertest.Host) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.StateDir, "errant-*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestRejoinByHistory rejoins an old master that has nothing alone.
func TestRejoinByHistory(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.Exec("CREATE EVENT " + failovertest.Database + ".e ON SCHEDULE EVERY 1 DAY DO DELETE FROM " +
			"" + failovertest.Table + " WHERE id < 0")
		p.A.StartGuard()
		loseMaster(t, p)
		comeBack(t, p.A)
		p.A.Exec("SET GLOBAL event_scheduler=OFF") // as its guard does, which notes what it was
		p.A.Update(func(n *term.Note) error { n.SchedulerWas("ON"); return nil })
		if !p.Kind.IsMySQL() { // MySQL makes the channel anew, with the filter of the option file
			p.A.Exec("SET GLOBAL replicate_wild_do_table=''")
		}
		mustRejoin(t, rejoining(t, p.A))
		joined(t, p)
		p.A.Wait("SELECT @@GLOBAL.event_scheduler", "ON")
		if !p.Kind.IsMySQL() {
			p.A.Wait("SELECT @@GLOBAL.replicate_wild_do_table", failovertest.Database+".%")
		}
		if status := p.A.Value("SELECT status FROM information_schema.events WHERE event_name = " +
			"'e'"); !strings.Contains(status, "DISABLED") {
			t.Errorf("the event is %s", status)
		}
		if files := saved(t, p.A); len(files) > 0 {
			t.Errorf("saved: %q", files)
		}
	})
}

// TestRejoinOthers rejoins an old master that has changes of other databases alone: they
// are saved, and the new master can follow it later.
func TestRejoinOthers(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		if !p.Kind.IsMySQL() {
			p.A.Exec("SET GLOBAL gtid_strict_mode=1")
			p.B.Exec("SET GLOBAL gtid_strict_mode=1")
		}
		p.A.StartGuard()
		loseMaster(t, p, "CREATE DATABASE other", "CREATE TABLE other.x (id INT PRIMARY KEY, v VARCHAR(20))",
			"INSERT INTO other.x VALUES (1, 'one'), (2, 'two')", "FLUSH TABLES")
		comeBack(t, p.A)
		if !p.Kind.IsMySQL() {
			p.A.Exec("SET GLOBAL gtid_strict_mode=1")
		}
		mustRejoin(t, rejoining(t, p.A))
		joined(t, p)
		files := saved(t, p.A)
		if len(files) != 1 {
			t.Fatalf("saved: %q", files)
		}
		text, err := os.ReadFile(files[0])
		if err != nil || !strings.Contains(string(text), "### INSERT INTO `other`.`x`") {
			t.Errorf("%v:\n%s", err, text)
		}
		if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		switchByHand(t, p)
	})
}

// switchByHand makes A the master again, with nothing in its binary log that is older than
// that, and B its slave.
func switchByHand(t *testing.T, p *failovertest.Pair) {
	t.Helper()
	p.A.StopGuard()
	p.B.StopGuard()
	p.B.Exec("SET GLOBAL read_only=1")
	p.Sync(p.B)
	a := p.A.Own()
	log := p.A.Value("SELECT @@GLOBAL.log_bin_basename")
	if err := a.Run(t.Context(), []server.Statement{
		a.Version.StopSlave(server.BothThreads),
		a.Version.ResetSlaveAll(),
	}); err != nil {
		t.Fatal(err)
	}
	p.A.Exec("SET GLOBAL read_only=0", "FLUSH BINARY LOGS")
	logs, err := a.BinaryLogs(t.Context(), a.DB)
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind.IsMySQL() { // where it asks for all that it does not have
		p.A.Exec("PURGE BINARY LOGS TO '" + logs[len(logs)-1].File + "'")
	}
	p.B.Follow()
	p.A.Exec("INSERT INTO " + failovertest.Table + " VALUES (2000000, '" + filepath.Base(log) + "', NOW())")
	p.Sync(p.A)
	p.Equal()
}

// TestRejoinOfPair rejoins an old master that has changes of the pair's databases alone: by
// consent alone, and after they were saved.
func TestRejoinOfPair(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		loseMaster(t, p, "INSERT INTO "+failovertest.Table+" VALUES (3, 'the old master', NOW())")
		comeBack(t, p.A)
		_, err := rejoining(t, p.A).Run(t.Context())
		if !finding.HasCode(err, failover.DataLost) {
			t.Fatalf("without consent: %v", err)
		}
		t.Log(err)
		r := rejoining(t, p.A)
		r.Want.Replace = []string{failovertest.Database}
		mustRejoin(t, r)
		joined(t, p)
		files := saved(t, p.A)
		if len(files) != 1 {
			t.Fatalf("saved: %q", files)
		}
		apply(t, p.B, files[0])
		p.Sync(p.B)
		p.Equal()
		if host := p.A.Value("SELECT host FROM " + failovertest.Table + " WHERE id = 3"); host != "the old master" {
			t.Errorf("what was saved and applied on the master is %q on the slave", host)
		}
	})
}

// TestRejoinSplitBrain gives up the term of a host that excludes the other's.
func TestRejoinSplitBrain(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		loseMaster(t, p)
		p.A.Update(func(n *term.Note) error {
			n.Term.Number, n.Term.Nonce = 2, "another"
			return nil
		})
		p.A.StartServer()
		p.A.StartGuard()
		if _, err := rejoining(t, p.A).Run(t.Context()); !finding.HasCode(err, "split-brain") {
			t.Fatal(err)
		}
		r := rejoining(t, p.A)
		r.Want.GiveUp = p.A.Name
		mustRejoin(t, r)
		joined(t, p)
	})
}

// TestRejoinRefuses runs a rejoin where there is nothing to rejoin.
func TestRejoinRefuses(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		p.A.WaitWritable()
		waitPublished(t, p)
		if _, err := rejoining(t, p.A).Run(t.Context()); !finding.HasCode(err, "is-master") {
			t.Errorf("on the master: %v", err)
		}
		p.A.Link.Cut()
		if _, err := rejoining(t, p.A).Run(t.Context()); !finding.HasCode(err, "peer-silent") {
			t.Errorf("without the peer: %v", err)
		}
		p.A.Link.Restore()
	})
}

// waitPublished waits until both have published their rows.
func waitPublished(t *testing.T, p *failovertest.Pair) {
	t.Helper()
	for _, h := range []*failovertest.Host{p.A, p.B} {
		h.Wait("SELECT COUNT(*) FROM gtunnel.pair", "1")
	}
}

// apply runs a saved file by the client of the server, as an administrator does.
func apply(t *testing.T, h *failovertest.Host, path string) {
	t.Helper()
	client := "mariadb"
	if h.Server.Kind.IsMySQL() {
		client = "mysql"
	}
	program, err := h.Server.Kind.Find(client)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it was read
	cmd := exec.CommandContext(t.Context(), program, "--no-defaults", "--socket="+h.Server.Socket,
		"--user="+h.Server.User)
	cmd.Stdin = file
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
