package tunnel

import (
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// Recheck has every open session judged again, and is to be called after each
// change of the Endpoint's Store or access. It returns at once; calls that come
// while one is waiting are one. A session whose peer is no longer accepted is
// closed, both sides by a reset, and the reason logged and counted. Sessions
// whose time has come (certs.Result.NextEvent) need no call, and none is
// needed when the clock is set.
func (t *Tunnel) Recheck() { t.agenda.trustChanged() }

// How long judgeSessions sleeps at most, because the clock may be set or the
// host suspended meanwhile, and at least, lest an event that does not go away
// keep it busy.
const (
	judgeWaitMax = time.Second
	judgeWaitMin = 100 * time.Millisecond
)

// agenda is when open sessions are to be judged again.
type agenda struct {
	wake chan struct{} // holds one

	mu   sync.Mutex
	all  bool      // the trust has changed
	next time.Time // no session has an event before this one; zero if none has any
}

func newAgenda() agenda { return agenda{wake: make(chan struct{}, 1)} }

// trustChanged puts every session on the agenda.
func (a *agenda) trustChanged() {
	a.mu.Lock()
	a.all = true
	a.mu.Unlock()
	a.signal()
}

// expect notes the next event of a session.
func (a *agenda) expect(event time.Time) {
	if event.IsZero() {
		return
	}
	a.mu.Lock()
	earlier := a.next.IsZero() || event.Before(a.next)
	if earlier {
		a.next = event
	}
	a.mu.Unlock()
	if earlier {
		a.signal()
	}
}

func (a *agenda) signal() {
	select {
	case a.wake <- struct{}{}:
	default: // it is awake already
	}
}

// take reports whether all sessions are to be judged now, and whether those whose
// time has come are. Whoever takes either must expect the events of all sessions
// anew.
func (a *agenda) take(now time.Time) (all, due bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, due = a.all, !a.next.IsZero() && !now.Before(a.next)
	if all || due {
		a.all, a.next = false, time.Time{}
	}
	return all, due
}

// wait is how long there is nothing to do, by the clock as it is now.
func (a *agenda) wait(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next.IsZero() {
		return judgeWaitMax
	}
	return min(max(a.next.Sub(now), judgeWaitMin), judgeWaitMax)
}

// judgeSessions judges open sessions again, when the trust has changed, their
// time has come or the clock was set, until over is closed.
func (t *Tunnel) judgeSessions(over <-chan struct{}) {
	timer := time.NewTimer(judgeWaitMax)
	defer timer.Stop()
	for {
		select {
		case <-over:
			return
		case <-t.agenda.wake:
		case <-timer.C:
		}
		step, news := t.clock.look()
		if step != 0 {
			t.log.write(zapcore.WarnLevel, "the clock was set, or the host suspended",
				zap.Duration("step", step.Round(time.Millisecond)),
				zap.String("cure", "if nobody meant it, see timedatectl and chronyc tracking"))
		}
		// Certificates know no monotonic time, so the comparison is one of
		// the clock on the wall.
		switch all, due := t.agenda.take(t.clock.now()); {
		case all || news:
			t.judgeAll()
		case due:
			t.judgeDue()
		}
		timer.Reset(t.agenda.wait(t.clock.now()))
	}
}

// judgeAll judges every open session.
func (t *Tunnel) judgeAll() {
	t.warnings.renew()
	kept := 0
	for _, s := range t.sessions.list() {
		if s.judgeAgain() {
			kept++
		}
		runtime.Gosched() // data goes first
	}
	t.warnings.forget()
	if kept > 0 {
		t.log.write(zapcore.WarnLevel, "the new date alone refuses peers: their connections stay open for now",
			zap.Int("connections", kept), zap.Duration("doubt", clockDoubt))
	}
}

// judgeDue judges the sessions whose time has come.
func (t *Tunnel) judgeDue() {
	for _, s := range t.sessions.list() {
		if event := s.result.Load().NextEvent; t.clock.now().Before(event) {
			t.agenda.expect(event)
			continue
		}
		s.judgeAgain()
		runtime.Gosched()
	}
}

// judge judges the peer of a session that begins by the trust of this moment,
// and reports whether the peer is accepted. If not, the session is closed, and
// that is counted and logged.
func (s *session) judge() bool {
	s.judging.Lock() // so that the newest verdict is the last
	defer s.judging.Unlock()
	result, err := s.recheck(s.tunnel.clock.now())
	if err != nil {
		s.refuse(err)
		return false
	}
	s.accept(result)
	return true
}

// judgeAgain is judge for a session that is open. It reports whether only the
// date refuses the peer, while the clock is doubted: the session is then kept
// as it is, until a change of the clock or the end of the doubt has it judged
// anew.
func (s *session) judgeAgain() (kept bool) {
	s.judging.Lock()
	defer s.judging.Unlock()
	result, err := s.recheck(s.tunnel.clock.now())
	if err == nil {
		s.accept(result)
		return false
	}
	if at, doubt := s.tunnel.clock.unstepped(); doubt {
		if result, err = s.recheck(at); err == nil {
			s.tunnel.warn(result.Warnings)
			return true
		}
	}
	s.refuse(err)
	return false
}

func (s *session) recheck(now time.Time) (*certs.Result, error) {
	if err := s.checkSource(); err != nil {
		return nil, err
	}
	return s.tunnel.config().Endpoint.Recheck(s.result.Load(), now)
}

// accept notes a verdict in the peer's favour.
func (s *session) accept(result *certs.Result) {
	s.result.Store(result)
	s.tunnel.warn(result.Warnings)
	s.tunnel.agenda.expect(result.NextEvent)
}

// refuse closes the session because its peer is refused now.
func (s *session) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.tunnel.peerNoLongerAccepted(s, err) // before the line that the session is closed
	s.setReason(closedNotAccepted, "the peer is no longer accepted: "+err.Error())
	s.failing.Store(true)
	s.resetLegs()
}
