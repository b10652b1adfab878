package failover_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
)

// The ids of rows that sessions of this file write.
const (
	rowOfOld = 1_000_000 + iota
	rowOfLater
)

// oldSession gives a session of a host's server that has the server_id of the other one,
// which that of the host was until a moment ago: as after a setup.
func oldSession(t *testing.T, h *failovertest.Host) *sql.Conn {
	t.Helper()
	words := h.Own().Version.InWords
	own, others := h.Value("SELECT @@GLOBAL.server_id"), h.Peer.Value("SELECT @@GLOBAL.server_id")
	h.Exec(words("STOP SLAVE"), "SET GLOBAL server_id="+others)
	conn, err := h.Server.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // it may have been ended
	h.Exec("SET GLOBAL server_id="+own, words("START SLAVE"))
	return conn
}

// writeRow writes a row by a session.
func writeRow(ctx context.Context, conn *sql.Conn, row int, by string) error {
	_, err := conn.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d, '%s', NOW(6))", failovertest.Table, row, by))
	return err
}

// TestSwitchoverOldSession holds that what a session writes on the new master reaches the
// other, also one that has the server_id of the other: it is ended. One that began later
// lives on. Others end by themselves while they are ended.
func TestSwitchoverOldSession(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		old := oldSession(t, p.B)
		stopLeaving := leave(t, p.B)
		p.A.StartGuard()
		p.B.StartGuard()
		waitReady(p)
		later, err := p.B.Server.DB.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = later.Close() }() // it may have been ended
		_, err = switchTo(t, p.B)
		stopLeaving()
		if err != nil {
			t.Fatal(err)
		}
		oldEnded := writeRow(t.Context(), old, rowOfOld, "old") != nil
		if err := writeRow(t.Context(), later, rowOfLater, "later"); err != nil {
			t.Errorf("the later session has ended: %v", err)
		}
		p.Sync(p.B)
		p.Equal()
		if !oldEnded {
			t.Error("the session of before the server_id was changed can write")
		}
	})
}

// leave opens sessions on a host's server that end by themselves, one after another, until
// the end of the test or stop.
func leave(t *testing.T, h *failovertest.Host) (stop func()) {
	t.Helper()
	const many, pace = 40, 50 * time.Millisecond
	var sessions []*sql.Conn
	for range many {
		conn, err := h.Server.DB.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, conn)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var leaving sync.WaitGroup
	leaving.Go(func() {
		for _, conn := range sessions {
			select {
			case <-ctx.Done():
			case <-time.After(pace):
			}
			server.Discard(conn)
		}
	})
	return func() { cancel(); leaving.Wait() }
}

// TestGuardRenewsSession changes the server_id while a guard runs: it begins another
// session, and says of no trouble.
func TestGuardRenewsSession(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		holder := "SELECT IS_USED_LOCK('" + failover.GuardLock + "')"
		p.A.StartGuard()
		p.A.WaitWritable()
		waitLooks(t, p.A)
		before := p.A.Value(holder)
		p.A.Exec("SET GLOBAL server_id=7")
		p.A.Wait("SELECT COALESCE(IS_USED_LOCK('"+failover.GuardLock+"'), "+before+") > "+before, "1")
		now := p.A.Value(holder)
		waitLooks(t, p.A)
		if later := p.A.Value(holder); later != now {
			t.Errorf("it has begun one more session: %s, %s, %s", before, now, later)
		}
	})
}

// TestPromoteOldSession is the same of a promotion, without a guard.
func TestPromoteOldSession(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		old := oldSession(t, p.B)
		p.A.PowerCut()
		if _, err := promote(t, p.B).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := writeRow(t.Context(), old, rowOfOld, "old"); err == nil {
			t.Error("the session of before the server_id was changed can write")
		}
	})
}
