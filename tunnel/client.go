package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
)

// verified is a connection to a server that has proved itself.
type verified struct {
	wire   *wire
	conn   *tls.Conn
	result *certs.Result
	name   string // that it has proved
}

// openClient begins the life of a connection of a client: the server is
// dialled and verified, and whatever fails resets the local side at once, so
// that what waits there notices; it is counted and logged, and openClient
// gives nil.
//
// A target whose handshake fails is passed over like one that cannot be
// reached: every target must prove itself, so the next one is no less safe. A
// server that refuses this client is not passed over in TLS 1.3, because it
// says so only when the connection is in use already.
func (t *Tunnel) openClient(ctx context.Context, in inbound) *session {
	defer t.handshakes.leave(in.place)
	if err := tune(in.conn, t.userTimeout); err != nil {
		reset(in.conn) // it has gone already
		return nil
	}
	endDial, ok := t.beginDial(ctx, in)
	if !ok {
		reset(in.conn)
		return nil
	}
	v, target, failed, ok := t.openTarget(ctx, in)
	if !ok {
		endDial()
		reset(in.conn)
		if ctx.Err() == nil {
			t.noTarget(in, failed)
		}
		return nil
	}
	t.skippedTargets(in, failed)
	time.AfterFunc(acceptanceTime, endDial)

	s := t.newSession(in.id, v.wire, &tlsStream{Conn: v.conn, wire: v.wire}, v.result)
	s.from, s.proved = in.from.ip(), v.name
	s.inspect = t.plainInspector(in)
	s.onFirstByte = func() {
		endDial()
		t.farEnd.note("")
		s.info("connected", zap.Stringer("target", target))
	}
	s.onReadError = func(from leg, err error) { t.explainFirstRead(s, from, err) }
	if err := s.attach("local side", in.conn, target.String()); err != nil {
		reset(v.wire)
		return nil
	}
	if t.sessions.add(s) != "" {
		s.abort(closedNotOpened, "too many connections")
		t.refuseSession(ctx, in)
		return nil
	}
	if !s.judge() { // the trust has changed since the handshake
		t.sessions.remove(s)
		return nil
	}
	return s
}

// How long a client waits before it tries a server again that is at a limit: at
// first and at most.
const (
	busyWaitMin = 100 * time.Millisecond
	busyWaitMax = time.Second
)

// openTarget opens the first target that can be, and reports whether one could,
// like firstTarget. As long as a dial may take it tries again where a server is
// at a limit (certs.CodePeerBusy): its places change hands within moments, and
// MySQL would wait a minute before its slave connects again.
func (t *Tunnel) openTarget(ctx context.Context, in inbound) (v verified, target Address, failed []error, ok bool) {
	open := func(ctx context.Context, target Address) (verified, error) { return t.dialVerified(ctx, in, target) }
	end := time.Now().Add(t.config().Timeouts.Dial)
	for wait := busyWaitMin; ; wait = min(2*wait, busyWaitMax) {
		v, target, failed, ok = firstTarget(ctx, t.dead.inOrder(t.config().Connect, time.Now()), open)
		if ok || !slices.ContainsFunc(failed, isBusy) || time.Until(end) < wait {
			return v, target, failed, ok
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2)): //nolint:gosec // G404: only not all at the same moment
		case <-ctx.Done():
			return v, target, failed, false
		}
	}
}

// isBusy reports whether a target is at a limit.
func isBusy(err error) bool {
	handshake, ok := errors.AsType[*certs.HandshakeError](err)
	return ok && handshake.Code == certs.CodePeerBusy
}

// maxDials is how many connections a client opens at once, so that a burst of
// local ones stays below what a server lets one source begin: half of the
// preset, because two clients may be behind one address.
const maxDials = 100

// acceptanceTime is how long a connection counts as being opened after the
// client's part of the handshake, unless a byte comes before: in TLS 1.3 the
// server judges the client after that.
const acceptanceTime = 500 * time.Millisecond

// beginDial waits until a connection may be opened, as long as a dial may take.
// It is open once end was called, which may be done more than once.
func (t *Tunnel) beginDial(ctx context.Context, in inbound) (end func(), ok bool) {
	patience := time.NewTimer(t.config().Timeouts.Dial)
	defer patience.Stop()
	select {
	case t.dials <- struct{}{}:
		return sync.OnceFunc(func() { <-t.dials }), true
	case <-ctx.Done():
	case <-patience.C:
		t.refuse(in, CodeTooManyHandshakes,
			fmt.Sprintf("%d other connections were being opened to the targets for all of dial-timeout, %s", maxDials,
				t.config().Timeouts.Dial),
			"look at the other lines of this log: the targets are slow or cannot be reached")
	}
	return nil, false
}

// dialVerified opens a TLS connection to one target, which proves its name.
// The error is a *targetError.
func (t *Tunnel) dialVerified(ctx context.Context, in inbound, target Address) (verified, error) {
	raw, err := t.dial(ctx, target)
	if err != nil {
		return verified{}, err
	}
	deadline, cancel := context.WithTimeout(ctx, t.config().Timeouts.Handshake)
	defer cancel()
	w, err := newWire(raw)
	if err != nil {
		reset(raw)
		return verified{}, &targetError{target: target, reason: err.Error(), err: err}
	}
	name, begin := t.serverName(target), time.Now()
	conn, result, err := t.config().Endpoint.Client(deadline, w, name)
	if err == nil {
		t.handshakeTimes.observe(time.Since(begin))
		err = w.carry()
	}
	if err != nil {
		if ctx.Err() == nil {
			t.peerRefused(in.id, peerAt(target.String()), err)
		}
		closeGently(raw)
		return verified{}, handshakeFailed(target, err)
	}
	t.peerVerified(in.id, peerAt(target.String()), conn, result)
	return verified{wire: w, conn: conn, result: result, name: name}, nil
}

// peerAt names a server that was dialled as a peer.
func peerAt(target string) []zap.Field { return []zap.Field{zap.String("peer", target)} }

// serverName is the name that a target must prove.
func (t *Tunnel) serverName(target Address) string {
	switch configured := t.config().ServerName; {
	case configured != "":
		return configured
	case target.Host == "":
		return "127.0.0.1"
	default:
		return target.Host
	}
}

// explainFirstRead says why a server gave nothing at all: in TLS 1.3 that is
// how it refuses a client.
func (t *Tunnel) explainFirstRead(s *session, from leg, err error) {
	if from.socket != net.Conn(s.wire) || s.fromPeer.Load() > 0 {
		return
	}
	explained, ok := errors.AsType[*certs.HandshakeError](certs.Explain(err))
	if !ok || explained.Code != certs.CodePeerRefusedUs {
		explained = &certs.HandshakeError{
			Code:   certs.CodeDisconnected,
			Reason: "the server closed the connection before it sent anything",
			Cure:   "look at its log: it refused this host, is at a limit, or its target cannot be reached",
			Err:    err,
		}
	}
	if s.explain(closedPeerRefusedUs, explained.Reason) {
		t.farEnd.note(explained.Error())
		t.peerRefused(s.id, peerAt(s.status().Target), explained)
	}
}
