package tunnel

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// openServer begins the life of a connection of a server: handshake and
// verification, and only then the target. It gives nil if one fails.
func (t *Tunnel) openServer(ctx context.Context, in inbound) *session {
	s := t.verifyInbound(ctx, in)
	if s == nil {
		return nil
	}
	conn, target, failed, ok := firstTarget(ctx, t.dead.inOrder(t.config().Connect, time.Now()),
		func(ctx context.Context, target Address) (net.Conn, error) { return t.dialFor(ctx, in, target) })
	if !ok {
		s.abort(closedNotOpened, "no target could be reached")
		if ctx.Err() == nil {
			t.noTarget(in, failed)
		}
		t.sessions.remove(s)
		return nil
	}
	t.skippedTargets(in, failed)
	if err := s.attach("target", conn, target.String()); err != nil {
		s.abort(closedNotOpened, err.Error())
		t.sessions.remove(s)
		return nil
	}
	t.farEnd.note("")
	if t.config().ProxyProtocol {
		s.inspect = t.answerInspector(in, target)
	}
	s.info("connected", zap.Stringer("target", target))
	return s
}

// verifyInbound makes a session of an accepted connection whose peer proves
// itself in time. All others are closed, counted and logged, and give nil.
func (t *Tunnel) verifyInbound(ctx context.Context, in inbound) *session {
	defer t.handshakes.leave(in.place)
	peer := in.from.fields("peer")
	w, err := t.newInboundWire(in)
	if err != nil {
		t.handshakeEnded(ctx, in, err)
		return nil
	}
	conn, result, err := t.shakeHands(ctx, in, w)
	if err != nil {
		t.handshakeEnded(ctx, in, err)
		return nil
	}
	t.handshakes.verified(in.source, time.Now())
	if certs.IsCheck(conn) {
		t.answerCheck(ctx, in, conn, result)
		return nil
	}
	if !t.handshakes.leave(in.place) {
		t.handshakeEnded(ctx, in, net.ErrClosed)
		return nil
	}
	t.peerVerified(in.id, peer, conn, result)
	s := t.newSession(in.id, w, &tlsStream{Conn: conn, wire: w}, result)
	s.from, s.origin, s.source = in.from.ip(), in.from, in.source
	if err := w.carry(); err != nil {
		reset(in.conn)
		t.peerRefused(in.id, peer, err)
		return nil
	}
	switch t.sessions.add(s) {
	case "":
	case CodeTooManyOfPeer:
		reset(in.conn)
		t.refuseOfPeer(in, result.Peer.DN)
		return nil
	default:
		reset(in.conn)
		t.refuseSession(ctx, in)
		return nil
	}
	if !s.judge() { // the trust has changed since the handshake
		t.sessions.remove(s)
		return nil
	}
	return s
}

// newInboundWire makes the wire of an accepted connection, which reads in
// turns.
func (t *Tunnel) newInboundWire(in inbound) (*wire, error) {
	if err := t.tunePeer(in.conn); err != nil {
		return nil, err
	}
	w, err := newWire(in.conn)
	if err != nil {
		return nil, err
	}
	w.place = in.place
	return w, w.SetReadDeadline(time.Now().Add(t.firstByte))
}

// shakeHands runs the handshake until its deadline, or until the place of the
// connection goes to another: the peer is then told so, as far as TLS can, and
// the connection is closed, also after a handshake that failed. That is done
// before the new one is served, or connections could outnumber the places.
func (t *Tunnel) shakeHands(ctx context.Context, in inbound, w *wire) (*tls.Conn, *certs.Result, error) {
	ctx, cancel := context.WithDeadline(ctx, in.deadline)
	defer cancel()
	in.place.watch(ctx.Done(), func() {
		if w.isOver() {
			t.suspect(in)
		}
		w.refuse()
		_ = in.conn.Close()
		cancel()
	})
	begin := time.Now()
	conn, result, err := t.config().Endpoint.Server(ctx, w)
	if err == nil {
		t.handshakeTimes.observe(time.Since(begin))
	}
	in.place.await(time.Now()) // at most for the end of the connection
	return conn, result, err
}

// handshakeEnded closes, counts and logs a connection whose handshake failed.
func (t *Tunnel) handshakeEnded(ctx context.Context, in inbound, err error) {
	code := in.place.gone()
	switch {
	case ctx.Err() != nil: // the tunnel stops: not the peer's fault
		reset(in.conn)
	case code != "":
		t.refuse(in, code, tooMany(code)+", and it gave way to a newer one", raiseLimit)
	case in.place.starved:
		_ = in.conn.Close()
		t.refuse(in, CodeTooManyHandshakes, errNoTurn.Error(),
			"see who connects so much: ss -tn; a firewall can bound what one network opens")
	case in.isProxyCheck && in.place.shown() == silent:
		t.log.write(zapcore.DebugLevel, "a proxy has checked the port", append(in.from.fields("from"), connField(in.id))...)
		closeGently(in.conn)
	default:
		t.suspect(in)
		t.peerRefused(in.id, in.from.fields("peer"), err)
		closeGently(in.conn)
	}
}

// suspect notes that a handshake came to nothing by what the peer did. Who only
// looks whether the port is open is no suspect.
func (t *Tunnel) suspect(in inbound) {
	if in.place.shown() > silent {
		t.handshakes.failed(in.source, time.Now())
	}
}
