package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// How long accept waits after a failure: the double after each further one.
const (
	acceptDelayMin = 5 * time.Millisecond
	acceptDelayMax = time.Second
)

// inbound is an accepted connection whose peer is not verified yet.
type inbound struct {
	id     uint64
	conn   net.Conn
	source netip.Prefix
	place  *place
}

// accept starts a goroutine of connections for every connection, until ctx
// ends or Close is called. The error says that the listener is broken.
func (t *Tunnel) accept(ctx context.Context, listener net.Listener, connections *sync.WaitGroup) error {
	var delay time.Duration
	for {
		conn, err := listener.Accept()
		if err == nil {
			delay = 0
			t.admit(ctx, conn, connections)
			continue
		}
		if ctx.Err() != nil || t.isClosed() {
			return nil //nolint:nilerr // the end was asked for, and closed the listener
		}
		if isBroken(err) {
			return fmt.Errorf("accept at %s: %w", listener.Addr(), err)
		}
		delay = min(max(2*delay, acceptDelayMin), acceptDelayMax)
		t.acceptFailed(err, delay)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		case <-t.closed:
		}
	}
}

// isBroken says whether a listener will never accept again after err. All
// else passes: too many open files, no memory, a connection that is gone
// already.
func isBroken(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EBADF) ||
		errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK)
}

// acceptFailed notes a failure that passes.
func (t *Tunnel) acceptFailed(err error, delay time.Duration) {
	t.countRefused(CodeAcceptFailed)
	cure := ""
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		cure = "raise the limit of open files (LimitNOFILE in the systemd unit)"
	}
	t.logFailure(zapcore.ErrorLevel, "accept failed", CodeAcceptFailed,
		zap.Error(err), zap.Duration("retry_in", delay), zap.String("cure", cure))
}

// admit begins the life of a connection, or refuses it: a server at once if
// there is no place for its session, a client if as many local connections
// wait for the far side as may.
func (t *Tunnel) admit(ctx context.Context, conn net.Conn, connections *sync.WaitGroup) {
	t.accepted.Add(1)
	in := inbound{id: lastID.Add(1), conn: conn, source: sourceOf(conn.RemoteAddr())}
	t.log.write(zapcore.DebugLevel, "accepted", connField(in.id), fromField(conn))
	if t.sessions.isFull() {
		t.refuseSession(ctx, in)
		t.dismiss(conn, connections)
		return
	}
	p, gone, code := t.handshakes.enter(in.source, time.Now())
	if gone != nil {
		gone.dismiss()
	}
	if code != "" {
		t.refuse(in, code, tooMany(code), raiseLimit)
		t.dismiss(conn, connections)
		return
	}
	in.place = p
	p.watch(nil, func() { // until shakeHands does: many may come before a goroutine of theirs runs
		_, _ = conn.Write(certs.BusyAlert()) // the first in its socket, which takes it
		_ = conn.Close()
	})
	connections.Go(func() {
		open := t.openClient
		if t.config.Role == Server {
			open = t.openServer
		}
		if s := open(ctx, in); s != nil {
			s.relay(connections)
		}
	})
}

// raiseLimit is the cure where places for handshakes are short.
const raiseLimit = "if they are your own hosts, raise max-handshakes or max-handshakes-per-source"

// tooMany says which limit of handshakes is reached.
func tooMany(code certs.Code) string {
	if code == CodeTooManyFromSource {
		return "more connections from its address wait for their verification than max-handshakes-per-source allows"
	}
	return "more connections wait for their verification than max-handshakes allows"
}

// farewells is how many connections at once are told why they are refused, for
// which each is kept for a second at most. Others are reset.
const farewells = 100

// dismiss ends a connection that is refused before its handshake. A server
// tells the peer by an alert.
func (t *Tunnel) dismiss(conn net.Conn, connections *sync.WaitGroup) {
	if t.config.Role != Server || t.dismissing.Load() >= farewells {
		reset(conn)
		return
	}
	t.dismissing.Add(1)
	connections.Go(func() {
		defer t.dismissing.Add(-1)
		if conn.SetWriteDeadline(time.Now().Add(gentleTime)) == nil {
			_, _ = conn.Write(certs.BusyAlert()) // a peer that has gone need not know
		}
		closeGently(conn)
	})
}

// refuse counts and logs a connection that the tunnel itself refuses. The
// caller closes it.
func (t *Tunnel) refuse(in inbound, code certs.Code, reason, cure string, more ...zap.Field) {
	t.countRefused(code)
	fields := append([]zap.Field{
		connField(in.id), fromField(in.conn), zap.String("reason", reason), zap.String("cure", cure),
	}, more...)
	t.logFailure(zapcore.WarnLevel, "connection refused", code, fields...)
}

// fromField is the address that a connection came from.
func fromField(conn net.Conn) zap.Field { return zap.Stringer("from", conn.RemoteAddr()) }

// peerRefused counts and logs a peer with which the handshake failed. peer is
// its address.
func (t *Tunnel) peerRefused(id uint64, peer string, err error) {
	fields := []zap.Field{connField(id), zap.String("peer", peer)}
	level := zapcore.WarnLevel
	code := certs.CodeDisconnected
	refusal, isRefusal := errors.AsType[*certs.Refusal](err)
	handshake, isHandshake := errors.AsType[*certs.HandshakeError](err)
	switch {
	case isRefusal:
		code = refusal.Code
		fields = append(fields, refusalFields(refusal)...)
	case isHandshake:
		code = handshake.Code
		fields = append(fields, zap.String("reason", handshake.Reason), zap.String("cure", handshake.Cure))
		if code == certs.CodeDisconnected {
			level = zapcore.InfoLevel
		}
	default:
		fields = append(fields, zap.String("reason", err.Error()))
	}
	t.countRefused(code)
	t.logFailure(level, "peer refused", code, fields...)
}

// refusalFields says why a peer is refused, and what to do about it. The code
// is its own field of every line.
func refusalFields(refusal *certs.Refusal) []zap.Field {
	fields := []zap.Field{
		zap.String("reason", refusal.Reason), zap.String("cure", refusal.Cure),
		zap.Int("depth", refusal.Depth), zap.String("dn", refusal.Subject),
	}
	if refusal.File != "" {
		fields = append(fields, zap.String("file", refusal.File), zap.Int("line", refusal.Line))
	}
	return fields
}

// peerVerified logs why a peer is trusted, and whether it had a ticket.
func (t *Tunnel) peerVerified(id uint64, peer string, conn *tls.Conn, result *certs.Result) {
	t.log.write(zapcore.InfoLevel, "peer verified", connField(id), zap.String("peer", peer),
		zap.Strings("path", pathDNs(result)), zap.Strings("hosts", result.Peer.Hosts),
		zap.Bool("resumed", conn.ConnectionState().DidResume))
}

// pathDNs names the certificates of a verified path, the peer's own first.
func pathDNs(result *certs.Result) []string {
	path := make([]string, len(result.Path))
	for depth, link := range result.Path {
		path[depth] = link.DN
	}
	return path
}
