package tunnel

import (
	"net"
	"time"

	"github.com/gtunnel/gtunnel/certs"
)

// SetReportEvery changes how often long-lived sessions are logged. It must be
// called before Serve.
func (t *Tunnel) SetReportEvery(every time.Duration) { t.reportEvery = every }

// SetUserTimeout changes TCP_USER_TIMEOUT. It must be called before Serve.
func (t *Tunnel) SetUserTimeout(timeout time.Duration) { t.userTimeout = timeout }

// Tune sets the socket options of a leg.
func Tune(conn net.Conn) error { return tune(conn, userTimeout) }

// NewCarryingWire is the socket under a TLS connection that carries data.
func NewCarryingWire(conn net.Conn) (net.Conn, error) {
	w := &wire{Conn: conn}
	return w, w.carry()
}

// AddSession enters a session of a verified peer without a connection.
func (t *Tunnel) AddSession(conn net.Conn, result *certs.Result) {
	t.sessions.add(t.newSession(lastID.Add(1), &wire{Conn: conn}, nil, result))
}

// JudgeAll does what Recheck has Serve do.
func (t *Tunnel) JudgeAll() { t.judgeAll() }
