package tunnel

import (
	"context"
	"crypto/tls"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// answerCheck ends the connection of a verified peer that only asks whether it
// is accepted (certs.CheckProtocol). It is no session, and nothing that was
// refused.
func (t *Tunnel) answerCheck(ctx context.Context, in inbound, conn *tls.Conn, result *certs.Result) {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeouts.Handshake)
	defer cancel()
	state := t.targetState(ctx)
	_ = in.conn.SetDeadline(time.Now().Add(t.config.Timeouts.Handshake)) // fails only if the peer has gone
	t.log.write(zapcore.InfoLevel, "peer checked the tunnel: accepted", connField(in.id),
		zap.Stringer("peer", in.conn.RemoteAddr()), zap.Strings("path", pathDNs(result)), zap.String("target", targetWord(state)))
	_ = certs.AnswerCheck(conn, state) // fails only if the peer has gone
	closeGently(in.conn)
}

// targetState is the state of the best of the targets, as a peer is told it.
// Targets beyond this host are not looked at: a peer could make MySQL count
// connections that break off until it blocks this host (max_connect_errors).
func (t *Tunnel) targetState(ctx context.Context) certs.TargetState {
	best := certs.TargetDown
	for _, target := range t.config.Connect {
		switch {
		case !target.IsLoopback():
			best = certs.TargetUnknown
		case t.reach(ctx, target) == nil:
			return certs.TargetUp
		}
	}
	return best
}

// reach finds out whether a target could be connected to. Where the kernel
// knows a listener, that is the answer: MySQL counts and logs a connection that
// ends before its login. Only where it knows none the target is dialled, which
// is then refused, or leads elsewhere (a container, another host). The error
// is a *targetError.
func (t *Tunnel) reach(ctx context.Context, target Address) error {
	if isListening(target) {
		return nil
	}
	conn, err := t.dial(ctx, target)
	if err != nil {
		return err
	}
	_ = conn.Close() // nothing was sent
	return nil
}
