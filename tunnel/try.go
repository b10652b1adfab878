package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// How long Try waits before it tries a target again: the double after each
// failure.
const (
	tryAgainMin = 5 * time.Second
	tryAgainMax = time.Minute
)

// Try tries each target until it has worked once, or ctx ends, and logs what
// an administrator wants to know after a start: that it works, or why not and
// what to do. A reason is logged again only when it changes. It makes no
// session, and needs neither Listen nor Serve. What does not speak TLS is not
// tried again.
//
// A server looks whether its target listens; it connects only where the kernel
// cannot tell. A client shakes hands with its server by certs.CheckProtocol,
// and breaks the handshake off with a server that does not know that, as soon
// as it has proved itself: such a server would connect to its target.
func (t *Tunnel) Try(ctx context.Context) { t.tryEach(ctx, tryAgainMin) }

// tryEach is Try with a first delay.
func (t *Tunnel) tryEach(ctx context.Context, delay time.Duration) {
	try := t.tryTarget
	if t.config().Role == Client {
		try = t.tryServer
	}
	var trying sync.WaitGroup
	for _, target := range t.config().Connect {
		trying.Go(func() { t.tryUntilItWorks(ctx, target, delay, try) })
	}
	trying.Wait()
}

// tried is how one attempt at a target went, as the log tells it.
type tried struct {
	works   bool
	final   bool // it need not be tried again
	message string
	reason  string // what must change for the line to be written again
	fields  []zap.Field
}

// failedTry is an attempt that came to nothing.
func failedTry(message string, err error) tried {
	reason, cure, code := err.Error(), "", certs.Code("")
	if e, ok := errors.AsType[*targetError](err); ok {
		reason, cure = e.reason, e.cure
	} else if e, ok := errors.AsType[*certs.Refusal](err); ok {
		cure, code = e.Cure, e.Code
	} else if e, ok := errors.AsType[*certs.HandshakeError](err); ok {
		cure, code = e.Cure, e.Code
	}
	result := tried{
		message: message, reason: reason,
		fields: []zap.Field{zap.String("reason", reason), zap.String("cure", cure)},
	}
	// MySQL's own port counts who speaks TLS to it, until it blocks this host
	// (max_connect_errors); and only another --connect mends that.
	result.final = code == certs.CodeNotTLS
	if code != "" {
		result.fields = append(result.fields, zap.String("code", string(code)))
	}
	return result
}

func (t *Tunnel) tryUntilItWorks(
	ctx context.Context, target Address, delay time.Duration, try func(context.Context, Address) tried,
) {
	for said := ""; ; delay = min(2*delay, tryAgainMax) {
		result := try(ctx, target)
		if ctx.Err() != nil {
			return // it proves nothing
		}
		t.noteTried(target, result)
		if result.works || said != result.message+result.reason {
			said = result.message + result.reason
			level := zapcore.WarnLevel
			if result.works {
				level = zapcore.InfoLevel
			}
			t.config().Logger.Log(level, result.message,
				append([]zap.Field{zap.Stringer("target", target)}, boundFields(result.fields)...)...)
		}
		if result.works || result.final {
			return
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
}

// tryTarget tries a server's target.
func (t *Tunnel) tryTarget(ctx context.Context, target Address) tried {
	if err := t.reach(ctx, target); err != nil {
		return failedTry("target not reached: connections will be refused until it is", err)
	}
	return tried{works: true, message: "target reached"}
}

// tryServer tries a client's server.
func (t *Tunnel) tryServer(ctx context.Context, target Address) tried {
	conn, err := t.dial(ctx, target)
	if err != nil {
		return failedTry("server not reached", err)
	}
	defer func() { _ = conn.Close() }() // it was only tried
	deadline, cancel := context.WithTimeout(ctx, t.config().Timeouts.Handshake)
	defer cancel()
	name := t.serverName(target)
	probing, err := t.config().Endpoint.Probe(deadline, conn, name, true)
	if err != nil {
		return failedTry("server reached, but it has not proved itself", err)
	}
	if problems := probing.Problems(); len(problems) > 0 {
		return failedTry("server reached, but connections will fail", problems[0])
	}
	result := tried{works: true, fields: []zap.Field{
		zap.String("server_name", name),
		zap.Stringer("address", conn.RemoteAddr()),
		zap.String("dn", probing.Result.Peer.DN),
		zap.Int("days_left", int(time.Until(probing.Chain[0].NotAfter).Hours()/24)),
	}}
	switch {
	case !probing.Checked:
		result.message = "server reached and proven; whether it accepts this host shows at the first connection"
	case !probing.Answered:
		return failedTry("server reached, but connections will fail", &certs.HandshakeError{
			Code: certs.CodeSilent, Reason: "it did not answer in time after the handshake", Cure: "Look in its log.",
		})
	case probing.Target == certs.TargetDown:
		result.works = false
		result.message = "server reached and proven, and it accepts this host; but MySQL does not listen behind it"
		result.fields = append(result.fields,
			zap.String("cure", "start MySQL there; the log of gtunnel server says what it has met"))
	default:
		result.message = "server reached and proven, and it accepts this host"
		result.fields = append(result.fields, zap.String("mysql", targetWord(probing.Target)))
	}
	return result
}

// targetWord is the state of a target for the log.
func targetWord(state certs.TargetState) string {
	if state == certs.TargetUnknown {
		return "unknown"
	}
	return string(state)
}

// answerCheck ends the connection of a verified peer that only asks whether it
// is accepted (certs.CheckProtocol). It is no session, and nothing that was
// refused.
func (t *Tunnel) answerCheck(ctx context.Context, in inbound, conn *tls.Conn, result *certs.Result) {
	ctx, cancel := context.WithTimeout(ctx, t.config().Timeouts.Handshake)
	defer cancel()
	state := t.targetState(ctx)
	_ = in.conn.SetDeadline(time.Now().Add(t.config().Timeouts.Handshake)) // fails only if the peer has gone
	t.log.write(zapcore.InfoLevel, "peer checked the tunnel: accepted", append(in.from.fields("peer"), connField(in.id),
		zap.Strings("path", pathDNs(result)), zap.String("target", targetWord(state)))...)
	_ = certs.AnswerCheck(conn, state) // fails only if the peer has gone
	closeGently(in.conn)
}

// targetState is the state of the best of the targets, as a peer is told it.
// Targets beyond this host are not looked at: a peer could make MySQL count
// connections that break off until it blocks this host (max_connect_errors).
func (t *Tunnel) targetState(ctx context.Context) certs.TargetState {
	best := certs.TargetDown
	for _, target := range t.config().Connect {
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
