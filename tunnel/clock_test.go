package tunnel_test

import (
	"net"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

const clockSet = "the clock was set, or the host suspended"

// clockPair is a server with an open session, whose clock may be set.
type clockPair struct {
	*pki
	atServer       *party
	atClient       *party
	server, client *running
	near, far      *net.TCPConn
	conns          <-chan *net.TCPConn // further ones to the target
}

func newClockPair(t *testing.T) *clockPair {
	t.Helper()
	s := &clockPair{pki: newPKI(t)}
	target, conns := held(t)
	s.atServer = s.party(t, serverHost, certstest.Options{}, letIn(t))
	s.server = s.atServer.serve(t, target)
	s.atClient = s.party(t, clientHost, certstest.Options{}, certs.Policy{})
	s.client = s.atClient.connect(t, s.server)
	s.near, s.far = openSession(t, s.client, conns)
	s.conns = conns
	return s
}

// newSteppedPair is one whose clock was set, and who has seen it.
func newSteppedPair(t *testing.T, step time.Duration) *clockPair {
	t.Helper()
	s := newClockPair(t)
	s.server.StepClock(step)
	line := s.server.entry(t, clockSet)
	if got, ok := line["step"].(time.Duration); !ok || (got-step).Abs() > time.Minute {
		t.Errorf("the log says %v, want %s", line["step"], step)
	}
	s.server.entry(t, "the new date alone refuses peers: their connections stay open for now")
	return s
}

// expectOpen wants the session to be open, and the clock's steps logged once
// each.
func (s *clockPair) expectOpen(t *testing.T, steps int) {
	t.Helper()
	exchangeAcross(t, s.near, s.far)
	if got := s.server.Status(); len(got.SessionsRefused) > 0 || len(got.Sessions) != 1 {
		t.Errorf("sessions %+v, refused %v", got.Sessions, got.SessionsRefused)
	}
	if n := s.server.logs.FilterMessage(clockSet).Len(); n != steps {
		t.Errorf("%d steps in the log, want %d", n, steps)
	}
}

// years is longer than any certificate of these tests is good.
const years = 3 * 365 * 24 * time.Hour

// TestClockSetWrong: a clock that is set wrong and mended closes no session,
// in whichever direction.
func TestClockSetWrong(t *testing.T) {
	for name, step := range map[string]time.Duration{"ahead": years, "back": -years} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSteppedPair(t, step)
			s.expectOpen(t, 1)
			s.server.StepClock(-step)
			eventually(t, "the log tells of the second step",
				func() bool { return s.server.logs.FilterMessage(clockSet).Len() == 2 })
			s.server.PassTime(tunnel.ClockDoubt) // and it has come to nothing
			s.server.Recheck()
			s.server.JudgeAll()
			s.expectOpen(t, 2)
		})
	}
}

// TestClockSetForGood: what the new date says counts for open sessions when
// the clock has shown it for a while.
func TestClockSetForGood(t *testing.T) {
	for name, test := range map[string]struct {
		step time.Duration
		code certs.Code
	}{"ahead": {years, certs.CodeExpired}, "back": {-years, certs.CodeNotYetValid}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSteppedPair(t, test.step)
			s.server.PassTime(tunnel.ClockDoubt - time.Minute)
			s.server.JudgeAll()
			s.expectOpen(t, 1)
			s.server.PassTime(time.Minute)
			expectReset(t, s.far)
			expectReset(t, s.near)
			s.server.expectNoLongerAccepted(t, test.code, "/CN=")
		})
	}
}

// TestRevokedWhileTheClockIsDoubted: a revocation waits for nothing.
func TestRevokedWhileTheClockIsDoubted(t *testing.T) {
	t.Parallel()
	s := newSteppedPair(t, years)
	s.atServer.revoke(t, s.ca, s.atClient.host.Certificate)
	s.server.Recheck()
	expectReset(t, s.far)
	expectReset(t, s.near)
	s.server.expectNoLongerAccepted(t, certs.CodeRevoked, "/CN="+clientHost)
}

// TestNewSessionWhileTheClockIsDoubted: new sessions are judged by the clock
// as it is.
func TestNewSessionWhileTheClockIsDoubted(t *testing.T) {
	t.Parallel()
	s := newSteppedPair(t, years)
	expectRefusal(t, s.client.Addr())
	s.server.entry(t, "peer no longer accepted", "code", string(certs.CodeExpired))
	exchangeAcross(t, s.near, s.far)
	eventually(t, "the refused session is gone", func() bool { return len(s.server.Status().Sessions) == 1 })
	if len(s.conns) > 0 {
		t.Error("the target was touched for a peer that is refused")
	}
}

// TestJudgedBeforeTheStepIsSeen: the clock is doubted from the step on, not
// only when it is next looked at.
func TestJudgedBeforeTheStepIsSeen(t *testing.T) {
	t.Parallel()
	s := newClockPair(t)
	s.server.StepClock(years)
	s.server.JudgeAll()
	exchangeAcross(t, s.near, s.far)
	s.server.entry(t, clockSet)
	s.expectOpen(t, 1)
}
