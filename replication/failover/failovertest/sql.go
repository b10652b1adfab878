package failovertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Own logs in to the host's server by the socket, until the test ends.
func (h *Host) Own() *server.Server {
	h.t.Helper()
	s, err := h.spec().own(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = s.Close() }) // the server may have ended
	return s
}

// Exec runs statements on the host's server as the administrator, in one session.
func (h *Host) Exec(statements ...string) {
	h.t.Helper()
	conn, err := h.Server.DB.Conn(h.t.Context())
	if err != nil {
		h.t.Fatalf("%s: %v", h.Name, err)
	}
	defer server.Discard(conn)
	for _, statement := range statements {
		if _, err := conn.ExecContext(h.t.Context(), statement); err != nil {
			h.t.Fatalf("%s: %s: %v", h.Name, statement, err)
		}
	}
}

// Value is the one value of a query on the host's server; empty if it is NULL.
func (h *Host) Value(query string) string {
	h.t.Helper()
	value, err := h.value(h.t.Context(), query)
	if err != nil {
		h.t.Fatalf("%s: %s: %v", h.Name, query, err)
	}
	return value
}

func (h *Host) value(ctx context.Context, query string) (string, error) {
	var value *string
	err := h.Server.DB.QueryRowContext(ctx, query).Scan(&value)
	if err != nil || value == nil {
		return "", err
	}
	return *value, nil
}

// Wait waits until a query on the host's server gives a value; while it is down, too.
func (h *Host) Wait(query, want string) {
	h.t.Helper()
	var got string
	var err error
	waitFor(h.t, func() bool {
		got, err = h.value(h.t.Context(), query)
		return err == nil && got == want
	}, func() (string, any) { return h.Name + " gives not " + want + " of " + query, []any{got, err} })
}

// WaitWritable waits until ordinary accounts can write to the host's server.
func (h *Host) WaitWritable() {
	h.t.Helper()
	h.Wait("SELECT @@GLOBAL.read_only", "0")
}

// WaitReadOnly waits until they cannot.
func (h *Host) WaitReadOnly() {
	h.t.Helper()
	h.Wait("SELECT @@GLOBAL.read_only", "1")
}

// waitLook is how often it is looked whether something is so. InnoDB notes its transactions
// anew only when nobody has looked for 100 ms: who looks more often never sees a new one.
const waitLook = 120 * time.Millisecond

// waitFor waits until something is so.
func waitFor(t testing.TB, is func() bool, otherwise func() (string, any)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	ticker := time.NewTicker(waitLook)
	defer ticker.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			text, got := otherwise()
			t.Fatalf("%s: %v", text, got)
		case <-ticker.C:
		}
	}
}

// Follow makes the host's server the slave of the other's from what it has, by GTID,
// and starts it. The other must have all that it has.
func (h *Host) Follow() {
	h.t.Helper()
	s := h.Own()
	to := server.Connection{
		Host: server.Loopback, Port: h.Port, User: replicationUser, Password: replicationPassword, ByGTID: true,
	}
	statements := []server.Statement{
		s.Version.StopSlave(server.BothThreads), s.Version.ResetSlaveAll(), s.Version.ChangeMaster(to),
		s.Version.StartSlave(server.BothThreads),
	}
	if s.Version.Family == server.MariaDB {
		statements = slices.Insert(statements, 2, s.Version.SetStart(h.Value("SELECT @@gtid_current_pos")))
	}
	if err := s.Run(h.t.Context(), statements); err != nil {
		h.t.Fatal(err)
	}
}

// Sync waits until the other has what the host's server has, to which nobody must write.
func (p *Pair) Sync(from *Host) {
	p.t.Helper()
	if p.Kind.IsMySQL() && from.Value("SELECT @@GLOBAL.gtid_mode") != "ON" {
		p.syncPosition(from)
		return
	}
	if p.Kind.IsMySQL() {
		from.Peer.Wait("SELECT GTID_SUBSET('"+from.Value("SELECT @@GLOBAL.gtid_executed")+"', @@GLOBAL.gtid_executed)", "1")
		return
	}
	from.Peer.Wait("SELECT @@GLOBAL.gtid_slave_pos", from.Value("SELECT @@GLOBAL.gtid_binlog_pos"))
}

// syncPosition is Sync of servers without GTIDs.
func (p *Pair) syncPosition(from *Host) {
	p.t.Helper()
	master, slave := from.Own(), from.Peer.Own()
	want, err := master.Position(p.t.Context(), master.DB)
	if err != nil {
		p.t.Fatal(err)
	}
	var status *server.SlaveStatus
	waitFor(p.t, func() bool {
		status, err = slave.SlaveStatus(p.t.Context(), slave.DB)
		return err == nil && status != nil && !status.Executed.Before(want)
	}, func() (string, any) { return from.Peer.Name + " is not at " + want.String(), []any{status, err} })
}

// Equal fails the test if the pair's data differ. Both must stand still.
func (p *Pair) Equal() {
	p.t.Helper()
	const digest = "SELECT CONCAT(COUNT(*), ' rows, ', COALESCE(SUM(CRC32(CONCAT_WS(' ', id, host, at))), 0))" +
		" FROM " + Table
	if a, b := p.A.Value(digest), p.B.Value(digest); a != b {
		p.t.Errorf("%s has %s, %s has %s", p.A.Name, a, p.B.Name, b)
	}
}
