package tunnel

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// session is one connection whose peer is verified.
//
// Its goroutine sets peer before the session enters the table, and plain,
// target and the hooks before relay. Others may call abort, judge, check and
// status at any time.
type session struct {
	id     uint64
	tunnel *Tunnel
	opened time.Time
	from   netip.Addr   // of who connected; none of a unix socket
	origin origin       // of the peer
	source netip.Prefix // server: of the peer
	proved string       // client: the name that the server has proved

	countedFor string // the DN for which the table counts it; table.mu guards it

	judging sync.Mutex
	result  atomic.Pointer[certs.Result] // why the peer is trusted; judge alone replaces it

	peer leg // TLS
	wire *wire

	// Hooks of the roles; each may be nil.
	inspect     func(data []byte) error
	onFirstByte func()
	onReadError func(from leg, err error)

	fromPeer     atomic.Uint64 // plain bytes out of TLS
	toPeer       atomic.Uint64 // plain bytes into TLS
	lastActivity atomic.Int64  // Unix nanoseconds
	halfClosed   atomic.Bool   // one side has ended
	failing      atomic.Bool   // one side is broken, the end will be a reset

	mu         sync.Mutex
	plain      leg
	target     string
	code       closeCode // the first for which the session ended; empty while it has none
	reason     string    // likewise
	ended      bool
	abortTimer *time.Timer
	nextReport time.Time

	// check alone uses these.
	peerStall, plainStall stallGuard
	outdated              time.Time // since when its target is no longer one; zero: it is
}

// newSession makes the session of a verified peer.
func (t *Tunnel) newSession(id uint64, w *wire, conn *tlsStream, result *certs.Result) *session {
	now := time.Now()
	s := &session{
		id: id, tunnel: t, opened: now, wire: w, origin: origin{address: w.RemoteAddr()},
		peer:       leg{name: peerSide, stream: conn, socket: w, ended: new(atomic.Bool)},
		nextReport: now.Add(t.reportEvery),
	}
	s.result.Store(result)
	s.touch()
	return s
}

// attach gives the session its plain side. It fails if the session was ended
// meanwhile; conn is then reset.
func (s *session) attach(name string, conn net.Conn, target string) error {
	plain, err := newPlainStream(conn)
	if err != nil {
		reset(conn)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		reset(conn)
		return net.ErrClosed
	}
	s.plain = leg{name: name, stream: plain, socket: conn, ended: new(atomic.Bool)}
	s.target = target
	return nil
}

// touch notes that data moved.
func (s *session) touch() { s.lastActivity.Store(time.Now().UnixNano()) }

// abort resets both sides at once. The first reason counts.
func (s *session) abort(code closeCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setReason(code, reason)
	s.failing.Store(true)
	s.resetLegs()
}

// setReason notes why the session ends, if it has no reason yet. The caller
// holds s.mu.
func (s *session) setReason(code closeCode, reason string) {
	s.code, s.reason = cmp.Or(s.code, code), cmp.Or(s.reason, reason)
}

// fail notes that one side is broken and resets both after a while, unless
// abort or finish comes first.
func (s *session) fail(code closeCode, reason string, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setReason(code, reason)
	s.failing.Store(true)
	if s.abortTimer == nil && !s.ended {
		s.abortTimer = time.AfterFunc(after, func() { s.abort("", "") })
	}
}

// explain replaces the reason by a better one, and reports whether it did: not
// if this end has ended the session itself.
func (s *session) explain(code closeCode, reason string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.code, s.reason = code, reason
	return true
}

// finish closes both sides after the relay: in order if both ended in order.
func (s *session) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abortTimer != nil {
		s.abortTimer.Stop()
	}
	s.wire.drop()
	if s.failing.Load() {
		s.resetLegs()
		return
	}
	s.setReason(closedInOrder, "both sides ended")
	s.ended = true
	_ = s.plain.socket.Close() // both directions have ended: nothing can be lost
	_ = s.wire.Close()
}

// resetLegs resets both sides. The caller holds s.mu.
func (s *session) resetLegs() {
	if s.ended {
		return
	}
	s.ended = true
	reset(s.wire)
	if s.plain.socket != nil {
		reset(s.plain.socket)
	}
}

// check ends the session if it has been silent too long, keeps one whose
// reader is merely slow, and writes a line about a long-lived one now and
// then. One goroutine calls it.
func (s *session) check(now time.Time) {
	timeouts := s.tunnel.config().Timeouts
	s.mu.Lock()
	plain := s.plain.socket
	s.mu.Unlock()
	silent := now.Sub(time.Unix(0, s.lastActivity.Load()))
	ended := s.halfClosed.Load() && silent > timeouts.HalfClose
	idle := timeouts.Idle > 0 && silent > timeouts.Idle
	switch {
	case (ended || idle) && (isQueued(s.wire.Conn) || isQueued(plain)):
		s.touch() // not silent: a reader is slow, and what it is to read is on its way
	case ended:
		s.abort(closedHalf, fmt.Sprintf("one side had ended and the other was silent for %s", timeouts.HalfClose))
		return
	case idle:
		s.abort(closedIdle, fmt.Sprintf("idle for %s", timeouts.Idle))
		return
	case timeouts.SessionAge > 0 && now.Sub(s.opened) >= timeouts.SessionAge:
		s.abort(closedAge, fmt.Sprintf("as old as max-session-age allows, %s", timeouts.SessionAge))
		return
	case s.isOverdue(now):
		s.abort(closedTargetRemoved, "its target is no longer one of the tunnel's, and the time to drain is over")
		return
	}
	s.mu.Lock()
	due := !now.Before(s.nextReport)
	if due {
		s.nextReport = now.Add(s.tunnel.reportEvery)
	}
	s.mu.Unlock()
	s.tunnel.handshakes.verified(s.source, now)
	s.peerStall.check(s.wire.Conn, s.tunnel.userTimeout, answerTime)
	s.plainStall.check(plain, s.tunnel.userTimeout, answerTime)
	if due {
		s.info("still open", s.traffic()...)
	}
}

// isOverdue reports whether Update took the session's target away, or the name
// that it has proved, longer ago than open connections may go on after a stop.
func (s *session) isOverdue(now time.Time) bool {
	s.mu.Lock()
	target := s.target
	s.mu.Unlock()
	t := s.tunnel
	config := t.config()
	isItsOwn := func(a Address) bool {
		return a.String() == target && (config.Role == Server || t.serverName(a) == s.proved)
	}
	switch {
	case target == "" || slices.ContainsFunc(config.Connect, isItsOwn):
		s.outdated = time.Time{}
	case s.outdated.IsZero():
		s.outdated = now
	default:
		return now.Sub(s.outdated) >= config.Timeouts.Drain
	}
	return false
}

// info writes a line of this session.
func (s *session) info(message string, fields ...zap.Field) {
	s.tunnel.log.write(zapcore.InfoLevel, message, append([]zap.Field{connField(s.id)}, fields...)...)
}

// logClosed counts the end of the session and writes its last line.
func (s *session) logClosed() {
	s.mu.Lock()
	code, reason := s.code, s.reason
	s.mu.Unlock()
	s.tunnel.countClosed(code)
	s.info("closed", append(s.traffic(), zap.String("reason", reason))...)
}

func (s *session) traffic() []zap.Field {
	return []zap.Field{
		zap.String("dn", s.result.Load().Peer.DN),
		zap.Uint64("bytes_from_peer", s.fromPeer.Load()),
		zap.Uint64("bytes_to_peer", s.toPeer.Load()),
		zap.Duration("duration", time.Since(s.opened).Round(time.Millisecond)),
	}
}

// status is what the session has done.
func (s *session) status() SessionStatus {
	s.mu.Lock()
	target := s.target
	s.mu.Unlock()
	result := s.result.Load()
	proxy := ""
	if s.origin.proxy != nil {
		proxy = s.origin.proxy.String()
	}
	return SessionStatus{
		ID:            formatID(s.id),
		PeerAddress:   s.origin.address.String(),
		ProxyAddress:  proxy,
		PeerDN:        result.Peer.DN,
		Path:          pathDNs(result),
		NextEvent:     result.NextEvent,
		Target:        target,
		Opened:        s.opened,
		LastActivity:  time.Unix(0, s.lastActivity.Load()),
		BytesFromPeer: s.fromPeer.Load(),
		BytesToPeer:   s.toPeer.Load(),
	}
}

// lastID is the id of the newest connection of the process.
var lastID atomic.Uint64

func formatID(id uint64) string { return strconv.FormatUint(id, 10) }

// connField is what every log line of a connection has in common.
func connField(id uint64) zap.Field { return zap.String("conn", formatID(id)) }

// table holds the live sessions and bounds their number.
type table struct {
	mu       sync.Mutex
	limit    int
	perPeer  int // 0: no limit
	sessions map[uint64]*session
	ofPeer   map[string]int // sessions, by the DN of their peer
	closed   string         // why no session may be added any more; empty while they may
}

// add enters a session. If it cannot, because the table is full or closed, or
// the peer has as many as it may, a code says which limit is reached.
func (t *table) add(s *session) (code certs.Code) {
	dn := s.result.Load().Peer.DN
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed != "" || len(t.sessions) >= t.limit:
		return CodeTooManyConnections
	case t.perPeer > 0 && t.ofPeer[dn] >= t.perPeer:
		return CodeTooManyOfPeer
	case t.sessions == nil:
		t.sessions, t.ofPeer = make(map[uint64]*session), make(map[string]int)
	}
	s.countedFor = dn
	t.sessions[s.id] = s
	t.ofPeer[dn]++
	return ""
}

// allow sets how many sessions there may be, and how many of them of one peer.
// More than that go on.
func (t *table) allow(limit, perPeer int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit, t.perPeer = limit, perPeer
}

// isFull reports whether there is no place for another session.
func (t *table) isFull() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed == "" && len(t.sessions) >= t.limit
}

func (t *table) remove(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.id] != s {
		return
	}
	delete(t.sessions, s.id)
	if t.ofPeer[s.countedFor]--; t.ofPeer[s.countedFor] == 0 {
		delete(t.ofPeer, s.countedFor)
	}
}

func (t *table) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sessions)
}

// get gives a session; nil if there is none of this id any more.
func (t *table) get(id uint64) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[id]
}

// list gives the sessions, the oldest first.
func (t *table) list() []*session {
	t.mu.Lock()
	list := make([]*session, 0, len(t.sessions))
	for _, s := range t.sessions {
		list = append(list, s)
	}
	t.mu.Unlock()
	slices.SortFunc(list, func(a, b *session) int { return cmp.Compare(a.id, b.id) })
	return list
}

// close aborts every session and lets none be added any more.
func (t *table) close(reason string) {
	t.mu.Lock()
	t.closed = reason
	t.mu.Unlock()
	for _, s := range t.list() {
		s.abort(closedStopped, reason)
	}
}
