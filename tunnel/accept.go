package tunnel

import (
	"context"
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
	id       uint64
	conn     net.Conn
	from     origin
	source   netip.Prefix // of from
	deadline time.Time    // of the handshake, and of what a proxy sends before it
	place    *place

	isProxyCheck bool // a proxy speaks for itself, or for nobody that it knows
}

// accept starts a goroutine of connections for every connection, until ctx
// ends or Close or Retire is called. What is not open yet ends with opening. The
// error says that the listener is broken.
func (t *Tunnel) accept(
	ctx, opening context.Context, listener net.Listener, connections *sync.WaitGroup,
) error {
	var delay time.Duration
	for {
		t.inHand.Store(false)
		conn, err := listener.Accept()
		t.turns.Add(1)
		t.inHand.Store(true)
		if err == nil {
			delay = 0
			t.admit(opening, conn, connections)
			continue
		}
		if ctx.Err() != nil || t.isClosed() || t.isRetired() {
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

// isBroken reports whether a listener will never accept again after err. All
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

// admit begins the life of a connection. Where it comes from is known at once, or
// when a proxy has said so.
func (t *Tunnel) admit(ctx context.Context, conn net.Conn, connections *sync.WaitGroup) {
	t.accepted.Add(1)
	from := origin{address: conn.RemoteAddr()}
	in := inbound{
		id: lastID.Add(1), conn: conn, from: from, source: sourceOf(from.ip()),
		deadline: time.Now().Add(t.config().Timeouts.Handshake),
	}
	t.log.write(zapcore.DebugLevel, "accepted", append(in.from.fields("from"), connField(in.id))...)
	if t.isProxy(in.from.address) {
		t.admitProxied(ctx, in, connections)
		return
	}
	t.admitOrigin(ctx, in, connections)
}

// admitOrigin goes on with a connection of which is known where it comes from, or
// refuses it: a server at once if there is no place for its session, a client if as
// many local connections wait for the far side as may.
func (t *Tunnel) admitOrigin(ctx context.Context, in inbound, connections *sync.WaitGroup) {
	if !t.config().takesFrom(in.from.ip()) {
		if !in.isProxyCheck {
			t.refuse(in, CodeSourceNotAllowed, notFrom(in.from.ip()), allowFrom(in.from.ip()))
		}
		reset(in.conn)
		return
	}
	if t.sessions.isFull() {
		t.refuseSession(ctx, in)
		t.dismiss(in.conn, connections)
		return
	}
	if !t.takePlace(&in, in.source, connections) {
		return
	}
	connections.Go(func() {
		open := t.openClient
		if t.config().Role == Server {
			open = t.openServer
		}
		if s := open(ctx, in); s != nil {
			s.relay(connections)
		}
	})
}

// takePlace gives a connection a place for its handshake, as one from source, or
// refuses it, and reports whether it did give one.
func (t *Tunnel) takePlace(in *inbound, source netip.Prefix, connections *sync.WaitGroup) bool {
	p, gone, code := t.handshakes.enter(source, time.Now())
	if gone != nil {
		gone.dismiss()
	}
	if code != "" {
		t.refuse(*in, code, tooMany(code), raiseLimit)
		t.dismiss(in.conn, connections)
		return false
	}
	in.place = p
	conn := in.conn
	p.watch(nil, func() { // until shakeHands does: many may come before a goroutine of theirs runs
		_, _ = conn.Write(certs.BusyAlert()) // the first in its socket, which takes it
		_ = conn.Close()
	})
	return true
}

// farewells is how many connections at once are told why they are refused, for
// which each is kept for a second at most. Others are reset.
const farewells = 100

// dismiss ends a connection that is refused before its handshake. A server
// tells the peer by an alert.
func (t *Tunnel) dismiss(conn net.Conn, connections *sync.WaitGroup) {
	if t.config().Role != Server || t.dismissing.Load() >= farewells {
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
