package tunnel_test

import (
	"net"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestSessionsClosedByReason: both ends count why a session ended.
func TestSessionsClosedByReason(t *testing.T) {
	for name, test := range map[string]struct {
		end            func(t *testing.T, server *running, near, far *net.TCPConn)
		server, client string
	}{
		"in order": {func(_ *testing.T, _ *running, near, far *net.TCPConn) {
			near.CloseWrite()
			far.CloseWrite()
		}, "ended", "ended"},
		"reset at the client": {
			func(t *testing.T, _ *running, near, _ *net.TCPConn) { abort(t, near) }, "peer-reset", "plain-reset",
		},
		"reset at the server": {
			func(t *testing.T, _ *running, _, far *net.TCPConn) { abort(t, far) }, "plain-reset", "peer-reset",
		},
		"administrator": {func(t *testing.T, server *running, _, _ *net.TCPConn) {
			id := server.Status().Sessions[0].ID
			if !server.CloseSession(id, "closed by a test") || server.CloseSession("x", "") {
				t.Error("it is not closed")
			}
		}, "administrator", "peer-reset"},
		"silent": {func(*testing.T, *running, *net.TCPConn, *net.TCPConn) {}, "idle", "peer-reset"},
	} {
		t.Run(name, func(t *testing.T) {
			target, conns := held(t)
			server, client := startPair(t, target, func(server, _ *tunnel.Config) {
				if name == "silent" {
					server.Timeouts.Idle = 100 * time.Millisecond
				}
			})
			near, far := openSession(t, client, conns)
			test.end(t, server, near, far)
			eventually(t, "both have ended", func() bool {
				return server.Status().SessionsClosed[test.server] == 1 && client.Status().SessionsClosed[test.client] == 1
			})
		})
	}
}
