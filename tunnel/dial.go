package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// firstTarget tries the targets in order, one attempt each, and gives the
// first that works together with what was wrong with those before it. It reports
// whether one does; if not, the errors of all are in failed.
func firstTarget[T any](
	ctx context.Context, targets []Address, open func(context.Context, Address) (T, error),
) (result T, target Address, failed []error, ok bool) {
	for _, target := range targets {
		result, err := open(ctx, target)
		if err == nil {
			return result, target, failed, true
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return result, Address{}, failed, false
}

// dial opens a plain connection to one target: every address of its name is
// tried, as it resolves now, within Timeouts.Dial, those that were dead lately
// last. The error is a *targetError.
func (t *Tunnel) dial(ctx context.Context, target Address) (net.Conn, error) {
	dialer := net.Dialer{Timeout: t.config().Timeouts.Dial, KeepAlive: -1} // tune sets keepalive
	network, address := target.ForDial()
	begin := time.Now()
	conn, err := t.dead.dial(ctx, dialer, network, address)
	if err == nil {
		if err = t.tuneTarget(conn); err != nil {
			reset(conn)
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			t.countDialFailure(target)
			if netError, ok := errors.AsType[net.Error](err); ok && netError.Timeout() {
				t.dead.note([]string{target.String()}, "", time.Now())
			}
		}
		reason, cure := t.explainDial(target, err)
		return nil, &targetError{target: target, reason: reason, cure: cure, err: err}
	}
	now := time.Now()
	t.dialTimes.observe(now.Sub(begin))
	t.dead.note(nil, target.String(), now)
	return conn, nil
}

// tuneTarget tunes what the tunnel has dialled, which is a client's way to its peer.
func (t *Tunnel) tuneTarget(conn net.Conn) error {
	if t.config().Role == Client {
		return t.tunePeer(conn)
	}
	return tune(conn, t.userTimeout)
}

// explainDial is explainFailure for the targets of the tunnel, and says how long a
// dial may take.
func (t *Tunnel) explainDial(target Address, err error) (reason, cure string) {
	program := mysqld
	if t.config().Role == Client {
		program = "gtunnel server"
	}
	reason, cure = explainFailure(target, err, program)
	if reason == noAnswer {
		reason = fmt.Sprintf("no answer within %s", t.config().Timeouts.Dial)
	}
	return reason, cure
}

// ExplainDial puts the failure of a connection to where gtunnel server should listen
// into plain words: what is wrong, one clause, and what to do about it, which may be
// empty.
func ExplainDial(target Address, err error) (reason, cure string) {
	return explainFailure(target, err, "gtunnel server")
}

const (
	mysqld   = "mysqld" // the program that a server connects to
	noAnswer = "no answer in time"
)

// explainFailure puts the failure of a connection to target, where a program of
// this name should listen, into plain words: what is wrong, one clause, and what
// to do about it, which may be empty.
func explainFailure(target Address, err error, program string) (reason, cure string) {
	dnsError, isDNS := errors.AsType[*net.DNSError](err)
	netError, isNet := errors.AsType[net.Error](err)
	switch {
	case isDNS && dnsError.IsNotFound:
		return "no such host", fmt.Sprintf("check the name: getent hosts %s", target.Host)
	case isDNS:
		return "the name does not resolve: " + dnsError.Err, fmt.Sprintf("check the resolver: getent hosts %s", target.Host)
	case errors.Is(err, syscall.ECONNREFUSED) && target.Network == "unix":
		return "connection refused", fmt.Sprintf("nobody listens at the socket: is %s running?", program)
	case errors.Is(err, syscall.ECONNREFUSED) && program == mysqld:
		return "connection refused", "nobody listens there: is mysqld running, with this port, " +
			"with a bind-address that includes this one and without skip-networking?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", fmt.Sprintf("nobody listens there, or a firewall rejects it: "+
			"is %s running on that host, with this port?", program)
	case errors.Is(err, os.ErrNotExist):
		return "no such socket", fmt.Sprintf("is %s running, with this socket?", program)
	case errors.Is(err, os.ErrPermission):
		return "permission denied", "the user of gtunnel may not open it: " +
			"look at the permissions of the socket and its directories, and at the firewall"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset", fmt.Sprintf("something closes connections there before %s answers", program)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to the host", "check the network and the firewall on the way"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many open files", "raise the limit of open files (LimitNOFILE in the systemd unit)"
	case isNet && netError.Timeout():
		return noAnswer, "the host is down or a firewall drops the packets"
	default:
		return err.Error(), ""
	}
}

// countDialFailure counts a target that could not be reached.
func (t *Tunnel) countDialFailure(target Address) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dialFailures[target.String()]++
}

// targetError says why a target could not be used.
type targetError struct {
	target Address
	reason string
	cure   string
	logged bool // as "peer refused"
	err    error
}

func (e *targetError) Error() string {
	text := fmt.Sprintf("%s: %s", e.target, e.reason)
	if e.cure != "" {
		text += " (" + e.cure + ")"
	}
	return text
}

func (e *targetError) Unwrap() error { return e.err }

// handshakeFailed puts a failed handshake beside the failed dials.
func handshakeFailed(target Address, err error) *targetError {
	result := &targetError{target: target, reason: err.Error(), logged: true, err: err}
	if refusal, ok := errors.AsType[*certs.Refusal](err); ok {
		result.reason, result.cure = refusal.Reason, refusal.Cure
	} else if handshake, ok := errors.AsType[*certs.HandshakeError](err); ok {
		result.reason, result.cure = handshake.Reason, handshake.Cure
	}
	return result
}

// noTarget notes that a connection ends because no target could be used. A
// target that was refused has its own line, so a connection that failed on
// those alone is only counted.
func (t *Tunnel) noTarget(in inbound, failed []error) {
	texts := make([]string, len(failed))
	for i, err := range failed {
		texts[i] = err.Error()
	}
	t.farEnd.note(strings.Join(texts, "; "))
	var unsaid []*targetError
	for _, err := range failed {
		if e, ok := errors.AsType[*targetError](err); ok && !e.logged {
			unsaid = append(unsaid, e)
		}
	}
	switch len(unsaid) {
	case 0:
		t.countRefused(CodeNoTarget)
	case 1:
		reason := fmt.Sprintf("the target %s could not be reached: %s", unsaid[0].target, unsaid[0].reason)
		t.refuse(in, CodeNoTarget, reason, unsaid[0].cure)
	default:
		t.refuse(in, CodeNoTarget, fmt.Sprintf("none of %d targets could be reached", len(unsaid)),
			"mend one of the targets: each says what is wrong with it", targetsField(unsaid))
	}
}

// skippedTargets notes the targets that failed before one that did not.
func (t *Tunnel) skippedTargets(in inbound, failed []error) {
	if len(failed) == 0 {
		return
	}
	t.logFailure(zapcore.WarnLevel, "targets skipped", CodeNoTarget, connField(in.id), targetsField(failed))
}

// targetsField says of each target what is wrong with it.
func targetsField[E error](failed []E) zap.Field {
	texts := make([]string, len(failed))
	for i, err := range failed {
		texts[i] = err.Error()
	}
	return zap.Strings("targets", texts)
}
