package tunnel

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/certs"
)

// SetReportEvery changes how often long-lived sessions are logged. It must be
// called before Serve.
func (t *Tunnel) SetReportEvery(every time.Duration) { t.reportEvery = every }

// SetUserTimeout changes TCP_USER_TIMEOUT. It must be called before Serve.
func (t *Tunnel) SetUserTimeout(timeout time.Duration) { t.userTimeout = timeout }

// SetFirstByteTime changes how long a peer may be silent. It must be called
// before Serve.
func (t *Tunnel) SetFirstByteTime(patience time.Duration) { t.firstByte = patience }

// Tune sets the socket options of a leg.
func Tune(conn net.Conn) error { return tune(conn, userTimeout) }

// TuneTo is Tune with another TCP_USER_TIMEOUT.
func TuneTo(conn net.Conn, timeout time.Duration) error { return tune(conn, timeout) }

// StallGuard is the stallGuard of one leg.
type StallGuard struct {
	Silence time.Duration
	guard   stallGuard
}

// Check is to be called again and again.
func (g *StallGuard) Check(conn net.Conn, timeout time.Duration) {
	g.guard.check(conn, timeout, g.Silence)
}

// NewCarryingWire is the socket under a TLS connection that carries data. Its
// Read waits.
func NewCarryingWire(conn net.Conn) (net.Conn, error) {
	w, err := newWire(conn)
	if err != nil {
		return nil, err
	}
	return waitingWire{wire: w}, w.carry()
}

// BreakListener shuts the listening socket down, as nothing in this process
// does.
func (t *Tunnel) BreakListener() error {
	raw, err := t.listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	return errors.Join(err, failed)
}

// TellNobody has as many connections told why they are refused as may be. It
// must be called before Serve.
func (t *Tunnel) TellNobody() { t.dismissing.Store(farewells) }

// HoldTurns takes every turn of strangers. It must be called before Serve.
func (t *Tunnel) HoldTurns() { t.handshakes.turns.strangers = math.MaxInt }

// AddSession enters a session of a verified peer without a connection.
func (t *Tunnel) AddSession(conn net.Conn, result *certs.Result) {
	t.sessions.add(t.newSession(lastID.Add(1), &wire{Conn: conn}, nil, result))
}

// JudgeAll does what Recheck has Serve do.
func (t *Tunnel) JudgeAll() { t.judgeAll() }

// StepClock sets the clock by which sessions are judged, ahead or back.
func (t *Tunnel) StepClock(step time.Duration) { t.clock.shift(step, 0) }

// PassTime has the clocks by which sessions are judged go on by d.
func (t *Tunnel) PassTime(d time.Duration) { t.clock.shift(d, d) }

func (c *clock) shift(wall, steady time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	read := c.read
	c.read = func() reading {
		r := read()
		return reading{wall: r.wall.Add(wall), steady: r.steady + steady}
	}
}

// waitingWire waits where the relay would.
type waitingWire struct{ *wire }

func (w waitingWire) Read(data []byte) (int, error) {
	n, err := w.wire.Read(data)
	if errors.Is(err, errDrained) {
		if err = w.fill(); err == nil {
			n, err = w.wire.Read(data)
		}
	}
	return n, err
}

// TryEvery is Try with another first delay.
func (t *Tunnel) TryEvery(ctx context.Context, delay time.Duration) { t.tryEach(ctx, delay) }

// TargetState is what a peer that checks is told.
func (t *Tunnel) TargetState(ctx context.Context) certs.TargetState { return t.targetState(ctx) }

// IsListening reports whether the kernel knows a listener.
func IsListening(address Address) bool { return isListening(address) }

// ClockDoubt is how long the clock is doubted after a step.
const ClockDoubt = clockDoubt

// NewCollector tells Prometheus of tunnels.
func NewCollector(tunnels ...*Tunnel) prometheus.Collector {
	return newCollector(func() []*Tunnel { return tunnels })
}

// BuffersInUse is how many bytes of buffers are on their way in the process.
func BuffersInUse() int64 { return buffersInUse.Load() }

// BuffersLimit is where every stream is held to the smallest buffers.
const BuffersLimit = buffersLimit

// Suspects are how many sources are remembered for failed handshakes.
func (t *Tunnel) Suspects() int {
	t.handshakes.mu.Lock()
	defer t.handshakes.mu.Unlock()
	return len(t.handshakes.suspects)
}

// WriteLog writes one line as a tunnel does.
func WriteLog(logger *zap.Logger, message string, fields ...zap.Field) {
	boundedLog{logger: logger}.write(logger.Level(), message, fields...)
}

// EachLeg gives the two sockets of each session.
func (t *Tunnel) EachLeg(see func(peer, plain net.Conn)) {
	for _, s := range t.sessions.list() {
		s.mu.Lock()
		plain := s.plain.socket
		s.mu.Unlock()
		see(s.wire.Conn, plain)
	}
}

// UnreadyText says why a tunnel is not ready at a moment.
func (t *Tunnel) UnreadyText(ctx context.Context, now time.Time) string {
	return inFlags(strings.Join(t.Unready(ctx, now), "\n"))
}

// How long a client's last attempt counts for its readiness.
const (
	ProvenFor = provenFor
	FailedFor = failedFor
)

// ReadProxyHeader reads a header of the PROXY protocol, and gives its bytes and the
// address that it names; nil if it names none.
func ReadProxyHeader(conn io.Reader) (text []byte, address net.Addr, err error) {
	if text, err = readProxyHeader(conn); err == nil {
		address, err = parseProxyHeader(text)
	}
	return text, address, err
}

// FormatProxyHeader makes a header for the target.
func FormatProxyHeader(from, to net.Addr) ([]byte, error) { return formatProxyHeader(from, to) }

// ReadAnswer reads what a target sends, in pieces, and gives the first error in it.
func ReadAnswer(pieces ...[]byte) (number uint16, message string) {
	var a answerReader
	for _, piece := range pieces {
		if number, message = a.read(piece); number != 0 {
			break
		}
	}
	return number, message
}

// AnswerCure is what to do about a refusal of the target's.
func AnswerCure(number uint16, message string) string { return answerCure(number, message) }
