package failover

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Unreachable is not dead: a host that answers on any way, or was heard on any within
// SilentFor, lives. The ways are its host over TLS, its server by a login, its own logins
// here, and what this server's slave receives of it. They are asked again until it has
// been silent for long enough, or answers.

// signs are what one look has shown of the peer's life.
type signs struct {
	way   string    // in words, of an answer just now; empty: none
	host  bool      // it is its host alone that answers: its server does not
	heard time.Time // the last sign of it
	by    string    // in words, what that was
	blind string    // why this host could not ask; empty: it could
}

// hear keeps the later of two signs.
func (s *signs) hear(at time.Time, by string) {
	if at.After(s.heard) {
		s.heard, s.by = at, by
	}
}

// lifeWatch follows the signs of life of the peer.
type lifeWatch struct {
	host  *Host
	own   *server.Server
	began time.Time

	received string    // what the I/O thread had received: see server.Heard
	moved    time.Time // when that changed last, or was looked at first
	came     bool      // it has changed since the first look
	asked    bool      // once without an answer, with all patience
}

// look asks once, on all ways.
func (w *lifeWatch) look(ctx context.Context, note *term.Note) (signs, error) {
	now := time.Now()
	if w.began.IsZero() {
		w.began = now
	}
	var s signs
	if note.Seen != nil {
		s.hear(note.Seen.At, "its server answered this host's guard")
	}
	if err := w.logins(ctx, &s); err != nil {
		return s, err
	}
	if err := w.receives(ctx, &s); err != nil {
		return s, err
	}
	w.ask(ctx, &s)
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	return s, nil
}

// ask asks its host and its server, at once. Once that was done with all patience, an answer
// is waited for no longer than the silence has to last.
func (w *lifeWatch) ask(ctx context.Context, s *signs) {
	patience := lifePatience
	if left := SilentFor - time.Since(s.heard); w.asked && left < patience {
		patience = max(left, lastPatience)
	}
	w.asked = true
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var asking sync.WaitGroup
	var life Life
	var blind error
	if w.host.Alive != nil {
		asking.Go(func() { life, blind = w.host.Alive(limited) })
	}
	answer := ""
	asking.Go(func() {
		peer, err := w.host.PeerServer(limited)
		switch server.WayOf(err) {
		case server.WayAnswered:
			answer = "its server answers"
			_ = peer.Close() // it was only asked
		case server.WayRefused:
			answer = fmt.Sprintf("its server answers, and refuses the login: %v", err)
		case server.WayUnknown, server.WayClosed, server.WayCut, server.WaySilent:
		}
	})
	asking.Wait()
	switch {
	case answer != "":
		s.way = answer
	case life.Answers:
		s.way, s.host = life.How, true
	case blind != nil && limited.Err() == nil:
		s.blind = blind.Error()
	}
	if s.way != "" {
		s.hear(time.Now(), s.way)
	}
}

// logins looks for the peer's logins in this server: what it asks comes from its guard
// each second, through its own tunnel.
func (w *lifeWatch) logins(ctx context.Context, s *signs) error {
	processes, err := w.own.Processes(server.EachWithin(ctx, server.QuestionLimit), w.own.DB)
	if err != nil {
		return err
	}
	for _, p := range processes {
		if p.User != facts.MonitorUser && p.User != facts.ReplicationUser {
			continue
		}
		last := time.Now().Add(-p.Time)
		s.hear(last, "it was logged in here as "+p.User)
		if s.way == "" && last.After(w.began.Add(loginGrain)) {
			s.way = "it asks this server, through its own tunnel"
		}
	}
	return nil
}

// loginGrain is how exactly a server tells how old a login is: in whole seconds, of which
// the first may have begun before.
const loginGrain = 2 * time.Second

// receives sees whether the slave still receives anything. A connection that was cut
// without a word seems to be there until its heartbeats have been missing for long.
func (w *lifeWatch) receives(ctx context.Context, s *signs) error {
	status, err := w.own.SlaveStatus(ctx, w.own.DB)
	if err != nil {
		return err
	}
	received, err := w.own.Heard(server.EachWithin(ctx, server.QuestionLimit), w.own.DB, status)
	if err != nil || received == "" {
		w.received = ""
		return err
	}
	now := time.Now()
	if received != w.received {
		// What was under way when it was lost comes in later: megabytes, of which MySQL flushes
		// each event to the disk (sync_relay_log=1).
		if w.received != "" && s.way == "" && now.After(w.began.Add(UnderWayFor)) {
			s.way = fmt.Sprintf("the slave has received from it for %s, at last %s",
				finding.FormatDuration(now.Sub(w.began).Round(time.Second)), status.Read)
		}
		w.came = w.came || w.received != ""
		w.received, w.moved = received, now
	}
	by := "the slave is connected to it"
	if w.came {
		by = "the slave has received " + status.Read.String()
	}
	// A beat may be due until then: only its absence is silence.
	s.hear(w.moved.Add(max(0, status.HeartbeatPeriod+loginGrain-SilentFor)), by)
	return nil
}

// lifePatience is how long an answer of the peer is waited for; lastPatience is the least, for
// a link with a round trip of 0.3 s: see ask.
const (
	lifePatience = 3 * time.Second
	lastPatience = 1500 * time.Millisecond
)

// lifePoll is how often the peer is asked while it is waited for its silence.
const lifePoll = time.Second

// awaitSilence waits until the peer has been silent for SilentFor. A sign of life
// meanwhile is the Problem peer-alive.
func (w *lifeWatch) awaitSilence(ctx context.Context, note *term.Note, waiting func(text string)) (signs, error) {
	for {
		s, err := w.look(ctx, note)
		if err != nil {
			return s, err
		}
		if p := s.problem(w.host, w.own.Version); p != nil {
			return s, p
		}
		left := SilentFor - time.Since(s.heard)
		if left <= 0 {
			return s, nil
		}
		if waiting != nil {
			waiting(fmt.Sprintf("has %s gone? It must be silent for %s more (%s)", w.host.Peer,
				finding.FormatDuration(left.Round(time.Second)), s.by))
		}
		if err := server.Pause(ctx, min(left+10*time.Millisecond, lifePoll)); err != nil {
			return s, err
		}
	}
}

// PeerAlive is the code of a peer that lives, and may be the master.
const PeerAlive = "peer-alive"

// problem is that the peer lives; nil if it does not answer.
func (s *signs) problem(h *Host, v server.Version) *finding.Problem {
	switch {
	case s.way == "":
		return nil
	case s.host:
		return finding.New(finding.Peer, PeerAlive,
			"start its database again, if it can be: then nothing has to be done here; if it cannot, make sure that it stays "+
				"off, on "+h.Peer+": "+stopping(v)+
				"; then here: gtunnel replication promote --fenced "+h.Peer,
			"the host %s lives (%s), though its database does not answer", h.Peer, s.way)
	default:
		return finding.New(finding.Peer, PeerAlive,
			"while both live: gtunnel replication switchover, which loses nothing; if it works only one way, mend the "+
				"network or the tunnel first (gtunnel status, on both hosts); if "+h.Peer+" shall be given up nevertheless, "+
				"stop it first, there: "+stopping(v)+
				"; then here: gtunnel replication promote --fenced "+h.Peer,
			"%s lives: %s", h.Peer, s.way)
	}
}

// stopping is how a host of a pair is kept from serving: by its services, which stay off.
// The other host's server is of the same family.
func stopping(v server.Version) string {
	if v.Family == server.MySQL {
		return "systemctl disable --now gtunnel-guard gtunnel; " +
			"systemctl disable --now mysqld || systemctl disable --now mysql"
	}
	return "systemctl disable --now gtunnel-guard gtunnel mariadb"
}
