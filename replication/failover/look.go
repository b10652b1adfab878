package failover

import (
	"context"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Observer reads what term.Decide must know of a pair, by sessions that it keeps: the
// guard has one, and so has each command. One goroutine at a time uses it.
type Observer struct {
	host      *Host
	own, peer link

	begun     time.Time // the first look
	idle      time.Time // since when no command has worked, as far as this process knows
	known     term.Term // that was published at knownFrom
	knownFrom time.Time

	started time.Time // the own server, when it was looked at last
	ran     bool      // a thread of its slave has been seen to run since
	guards  bool      // it is the guard's: see take
	holds   bool      // the lock of a demotion
	first   uint64    // the first session of this process with the own server, if that is not the Observer's; 0: it is

	semiSyncOff bool // both sides were seen to be off since it is not wanted: see keepSemiSync
}

// Observe makes an Observer of a host. Close ends its sessions.
func (h *Host) Observe() *Observer {
	o := &Observer{host: h}
	o.own = link{open: h.Own, limit: ownLimit, begin: o.begin}
	o.peer = link{open: h.PeerServer, limit: term.PeerLimit}
	return o
}

// Close ends its sessions.
func (o *Observer) Close() {
	o.own.drop()
	o.peer.drop()
}

// ownLimit is how long the own server is waited for: it may have much to do.
const ownLimit = 5 * time.Second

// Sighting is what one look has shown.
type Sighting struct {
	term.View

	At        time.Time // before anything was read
	OwnServer *State    // nil: it does not answer, and the View is not whole
	OwnErr    error     // why
	PeerState *State    // nil: it does not answer
	PeerErr   error
}

// State is what was read of a server.
type State struct {
	Server *server.Server
	On     server.Execer // the session of the Observer

	Row       *term.Record // nil: there is none
	Variables map[string]string
	Log       server.Position // of its binary log, with what it has written: MariaDB's gtid_binlog_pos
	Applied   string          // MariaDB: gtid_slave_pos
	Slave     *server.SlaveStatus
	Unclear   bool // it does not tell of its slave in time: Slave is nil
}

// The variables of a State.
const (
	readOnly       = "read_only"
	superReadOnly  = "super_read_only"
	eventScheduler = "event_scheduler"
	serverUUID     = "server_uuid"
	gtidMode       = "gtid_mode"
	gtidBinlogPos  = "gtid_binlog_pos"
	gtidSlavePos   = "gtid_slave_pos"
	syncRelayLog   = "sync_relay_log"
	serverID       = "server_id"
	strictMode     = "gtid_strict_mode"
)

// Writable reports whether a client without special rights can write.
func (s *State) Writable() bool { return s.Variables[readOnly] == "OFF" }

// loose reports whether MySQL's administrators can write although it is read-only.
func (s *State) loose() bool { return !s.Writable() && s.Variables[superReadOnly] == "OFF" }

// byGTID reports whether positions of the server's binary log are told by its GTIDs.
func (s *State) byGTID() bool {
	return s.Server.Version.Family == server.MariaDB || s.Variables[gtidMode] == "ON"
}

// Look reads both servers and the note. That a server does not answer is no error. The
// peer comes first: what was received from it is then never too little, and what it has
// received never too much.
func (o *Observer) Look(ctx context.Context) (*Sighting, error) {
	s := &Sighting{At: time.Now()}
	if o.begun.IsZero() {
		o.begun, o.idle = s.At, s.At
	}
	note, err := o.host.Store.Load(ctx)
	if err != nil {
		return nil, err
	}
	s.PeerState, s.PeerErr = o.peer.read(ctx)
	if err := o.readPeer(ctx, s, &note); err != nil {
		s.PeerState, s.Peer, s.PeerErr = nil, nil, err
		o.peer.drop()
	}
	s.OwnServer, s.OwnErr = o.own.read(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	// The note is the newest: what was read may be older, and never newer.
	if s.Note, err = o.host.Store.Load(ctx); err != nil {
		return nil, err
	}
	s.Mode, s.Ordered, s.Running = o.host.Mode, o.host.Ordered, time.Since(o.begun)
	if s.Working = o.host.Store.Working(ctx); s.Working {
		o.idle = time.Now()
	}
	s.Idle = time.Since(o.idle)
	if s.OwnServer == nil {
		return s, nil
	}
	if err := o.readOwn(ctx, s); err != nil {
		s.OwnServer, s.OwnErr = nil, err
		o.own.drop()
	}
	return s, nil
}

// readPeer completes the view of the peer.
func (o *Observer) readPeer(ctx context.Context, s *Sighting, note *term.Note) error {
	if s.PeerState == nil {
		return nil
	}
	p := s.PeerState
	s.Peer = &term.Peer{Record: p.Row, Writable: p.Writable()}
	if note.Request == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, term.PeerLimit)
	defer cancel()
	holder, err := p.Server.LockHolder(ctx, p.On, DemotionLock(note.Request.Nonce))
	s.Peer.Locked = holder != 0
	return err
}

// readOwn completes the view of the own server.
func (o *Observer) readOwn(ctx context.Context, s *Sighting) (err error) {
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	own := s.OwnServer
	if own.Slave != nil && own.Slave.Active() {
		o.ran = true
	}
	s.Own = term.Own{
		Writable: own.Writable(), Loose: own.loose(), Row: own.Row, Published: own.Row.Says(o.record(s)),
		Slave: own.Slave != nil || own.Unclear, SlaveActive: own.Unclear || own.Slave != nil && own.Slave.Active(),
		LogHasAll: true, PeerHasAll: true, Demoted: o.holds,
	}
	s.Known = o.knowsFor(s)
	stands := s.Own.Slave && !s.Own.SlaveActive && !o.ran && own.Slave.IOErrno == 0 && own.Slave.SQLErrno == 0
	if stands || s.Own.Loose {
		busy, err := own.Server.Busy(ctx, own.On)
		if err != nil {
			return err
		}
		s.Own.SlaveStands = stands && !busy
		// A run of gtunnel, such as a repair, has let administrators write to a slave, and ends that.
		s.Own.Loose = s.Own.Loose && (!busy || s.Note.IsMaster())
	}
	switch {
	case s.Note.IsMaster() && !s.Own.Writable:
		s.Own.LogHasAll, err = logHasAll(ctx, own, s.PeerState, s.Note.Term.Start)
	case s.PeerState != nil && (s.Own.SlaveStands || s.Note.Resume && !s.Own.SlaveActive):
		s.Own.PeerHasAll, err = logHasReceived(ctx, s.PeerState, own)
	}
	return err
}

// record is what the row of this host is to say. What is not of the note, stays.
func (o *Observer) record(s *Sighting) term.Record {
	r := s.Note.Record()
	if row := s.OwnServer.Row; row != nil && row.HostID == r.HostID {
		r.LoggedIn, r.LoginErr = row.LoggedIn, row.LoginErr
	}
	return r
}

// announce publishes a term that was just raised. A look would ask the peer first, and wait
// for it if it is silent, as it is when this host was promoted.
func (o *Observer) announce(ctx context.Context) (err error) {
	s := &Sighting{At: time.Now()}
	if s.OwnServer, err = o.own.read(ctx); err != nil {
		return err
	}
	if s.Note, err = o.host.Store.Load(ctx); err != nil {
		return err
	}
	return o.publish(ctx, s)
}

// knowsFor is how long this process has known the term, and it was published.
func (o *Observer) knowsFor(s *Sighting) time.Duration {
	row := s.OwnServer.Row
	if row == nil || row.HostID != s.Note.HostID || !row.Term.Same(s.Note.Term) {
		o.known = term.Term{}
		return 0
	}
	if o.known.IsZero() || !o.known.Same(s.Note.Term) {
		o.known, o.knownFrom = s.Note.Term, time.Now()
	}
	return time.Since(o.knownFrom)
}

// ID is the server_id; 0: it is not known.
func (s *State) ID() uint32 {
	id, err := strconv.ParseUint(s.Variables[serverID], 10, 32)
	if err != nil {
		return 0
	}
	return uint32(id)
}
