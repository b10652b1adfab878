package failover

import (
	"context"
	"database/sql"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// link is the way to a server, by one session that lives on from look to look. It is
// thrown away with the first question that is not answered.
type link struct {
	open  func(context.Context) (*server.Server, error)
	begin func(context.Context, *server.Server, *sql.Conn) error // what a new session begins with; nil: nothing
	limit time.Duration                                          // of all that is read in one look

	server   *server.Server
	session  *sql.Conn
	serverID string // of the server, when it was read last: see renew
}

// get gives the server and the session.
func (l *link) get(ctx context.Context) (*server.Server, *sql.Conn, error) {
	if l.session != nil {
		return l.server, l.session, nil
	}
	s, err := l.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	session, err := s.Session(ctx)
	if err == nil && l.begin != nil {
		err = l.begin(ctx, s, session)
	}
	if err != nil {
		if session != nil {
			server.Discard(session)
		}
		_ = s.Close() // the first error says more
		return nil, nil, err
	}
	l.server, l.session = s, session
	return s, session, nil
}

// drop ends the session, and what it holds.
func (l *link) drop() {
	if l.session == nil {
		return
	}
	server.Discard(l.session)
	_ = l.server.Close() // it is not used any more
	l.server, l.session = nil, nil
}

// read reads a server.
func (l *link) read(ctx context.Context) (*State, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	s, session, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	state := &State{Server: s, On: session}
	if err := state.read(ctx, l.begin != nil); err != nil {
		l.drop()
		return nil, err
	}
	was := l.serverID
	if l.serverID = state.Variables[serverID]; l.begin != nil && was != "" && was != l.serverID {
		l.renew(ctx)
		return l.read(ctx)
	}
	return state, nil
}

// renew ends the session because the server_id was changed: it would write by the one that
// it began with, and the next has the present one. See oldSessions.
func (l *link) renew(ctx context.Context) {
	_ = l.server.ReleaseLock(ctx, l.session, GuardLock) // at the latest, it ends with the session
	l.drop()
}

// statusLimit is how long the own server may take to tell of its slave: it waits for a STOP
// SLAVE, which waits for the end of what is being applied.
const statusLimit = time.Second

// read reads what a State has. A server that is own is looked at even if it does not tell
// of its slave.
func (s *State) read(ctx context.Context, own bool) (err error) {
	if s.Row, err = term.ReadRecord(ctx, s.Server, s.On); err != nil {
		return err
	}
	if s.Variables, err = s.Server.Variables(ctx, s.On, readOnly, superReadOnly, eventScheduler, serverUUID, gtidMode,
		gtidBinlogPos, gtidSlavePos, syncRelayLog, serverID); err != nil {
		return err
	}
	if s.Log, err = s.Server.Position(ctx, s.On); err != nil {
		return err
	}
	if s.Server.Version.Family == server.MariaDB {
		s.Log.GTID, s.Applied = s.Variables[gtidBinlogPos], s.Variables[gtidSlavePos]
	}
	if !own {
		s.Slave, err = s.Server.SlaveStatus(ctx, s.On)
		return err
	}
	// By another session, since that is lost if the answer does not come.
	within, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	s.Slave, err = s.Server.SlaveStatus(within, s.Server.DB)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		s.Unclear, err = true, nil
	}
	return err
}

// logHasAll reports whether the binary log of a master has all that its slave has received
// from it, as far as that answers, and all that it had itself when it became the master.
func logHasAll(ctx context.Context, own, peer *State, start term.Start) (bool, error) {
	if own.byGTID() && !own.Server.Version.ReachesGTIDs(own.written(), start.GTID) {
		return false, nil
	}
	if peer == nil {
		return true, nil
	}
	return logHasReceived(ctx, own, peer)
}

// logHasReceived reports whether the binary log of a master has all that a slave of it has
// received: by GTIDs, and by file and position where those do not tell of what waits in the
// relay log of a slave that was restarted.
func logHasReceived(ctx context.Context, master, slave *State) (bool, error) {
	status := slave.Slave
	if status == nil {
		return true, nil
	}
	v := master.Server.Version
	if master.byGTID() && slave.byGTID() && v.Family == slave.Server.Version.Family {
		received := []string{status.GTIDReceived}
		if v.Family == server.MySQL {
			received = append(received, server.GTIDsOf(slave.Log.GTID, master.Variables[serverUUID]))
		} else {
			received = append(received, slave.Applied)
		}
		for _, gtids := range received {
			if !v.ReachesGTIDs(master.written(), gtids) {
				return false, nil
			}
		}
		if v.Family == server.MySQL {
			return true, nil
		}
	}
	if status.Read.IsZero() || status.Read.Offset == 0 {
		return true, nil
	}
	logs, err := master.Server.BinaryLogs(ctx, master.On)
	return err == nil && server.LogHas(logs, status.Read), err
}

// written are the GTIDs of all that a server has; on MariaDB the last of each domain.
func (s *State) written() string {
	if s.Server.Version.Family == server.MariaDB && s.Applied != "" {
		return server.JoinGTIDs(s.Log.GTID, s.Applied)
	}
	return s.Log.GTID
}
