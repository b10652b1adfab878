package failover

import (
	"context"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// poll is how often a switchover looks at what it waits for.
const poll = 20 * time.Millisecond

// readSwitchover reads what a switchover is judged and planned by, and waits for at most
// MaxLag until the slave has what the master had when it was asked.
func (s *Switchover) readSwitchover(ctx context.Context) (*SwitchoverFacts, error) {
	seen, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	f := &SwitchoverFacts{Name: s.Name, Peer: s.Peer, Note: seen.Note, Nonce: s.Nonce, Now: time.Now()}
	if err := s.readOwn(ctx, seen, &f.Own); err != nil || f.raised() {
		return f, err
	}
	if f.Other, f.Silent = readOther(ctx, seen, s.Databases); f.Silent != nil {
		f.Other = nil
		return f, ctx.Err()
	}
	f.LoginErr = s.tryReplicationLogin(ctx)
	if f.Own.Slave != nil {
		err = s.catchUp(ctx, f)
	}
	return f, err
}

// look looks at both servers; the own one must answer, and say whether it is a slave, which
// may take its time.
func (s *Switchover) look(ctx context.Context) (*Sighting, error) {
	for began := time.Now(); ; {
		seen, err := s.eyes.Look(ctx)
		switch {
		case err != nil:
			return nil, err
		case seen.OwnServer == nil:
			return nil, seen.OwnErr
		case !seen.OwnServer.Unclear:
			if seen.Peer != nil && seen.Peer.Writable {
				s.writable = seen.At
			}
			return seen, nil
		case time.Since(began) > server.QuestionLimit:
			return nil, finding.New(finding.Own, server.NoAnswer, "SHOW FULL PROCESSLIST there; "+againCure,
				"its server does not say whether it is a slave")
		}
	}
}

// readOwn reads of this host's server what a look does not.
func (s *Switchover) readOwn(ctx context.Context, seen *Sighting, o *SwitchoverOwn) (err error) {
	ctx = server.EachWithin(ctx, ownLimit)
	state := seen.OwnServer
	*o = SwitchoverOwn{
		SwitchoverSide: sideOf(state), Super: state.Variables[superReadOnly] == "ON",
		MayStart: seen.Own.SlaveStands && seen.PeerState != nil && seen.Own.PeerHasAll &&
			!state.Slave.AppliesAlone(state.Server.Version),
	}
	own, on := state.Server, state.On
	variables, err := own.Variables(ctx, on, "log_slave_updates", "log_replica_updates")
	if err != nil {
		return err
	}
	o.LogsUpdates = variables["log_slave_updates"] == "ON" || variables["log_replica_updates"] == "ON"
	if o.Temporary, err = own.OpenTemporaryTables(ctx, on); err != nil {
		return err
	}
	if o.Prepared, err = own.Prepared(ctx, on); err != nil {
		return err
	}
	o.Scheduler = state.Variables[eventScheduler] == "ON" || seen.Note.EventScheduler == "ON"
	o.Row = s.eyes.record(seen)
	if o.Guard, err = own.LockHolder(ctx, on, GuardLock); err != nil {
		return err
	}
	o.Old, err = oldSessions(ctx, own, on, s.own.First)
	return err
}

// sideOf is what a look shows of a server.
func sideOf(state *State) SwitchoverSide {
	return SwitchoverSide{
		Version: state.Server.Version, Writable: state.Writable(), GTIDs: state.byGTID(), Log: state.Log,
		Applied: state.Applied, Slave: state.Slave,
	}
}

// readOther reads the other host's server.
func readOther(ctx context.Context, seen *Sighting, databases []string) (_ *SwitchoverOther, err error) {
	ctx = server.EachWithin(ctx, server.QuestionLimit)
	state := seen.PeerState
	if state == nil {
		return nil, seen.PeerErr
	}
	o := &SwitchoverOther{SwitchoverSide: sideOf(state), Record: state.Row}
	if o.Guard, err = state.Server.LockHolder(ctx, state.On, GuardLock); err != nil {
		return nil, err
	}
	if o.Transactions, err = state.Server.LongTransactions(ctx, state.On, MaxStatement); err != nil {
		return nil, err
	}
	variables, err := state.Server.Variables(ctx, state.On, strictMode)
	if err != nil {
		return nil, err
	}
	o.Strict = variables[strictMode] == "ON"
	events, err := facts.EnabledEvents(ctx, state.Server, state.On, databases)
	if err != nil && !server.IsDenied(err) {
		return nil, err
	}
	for _, e := range events {
		o.Events = append(o.Events, e.Database+"."+e.Name)
	}
	processes, err := state.Server.Processes(ctx, state.On)
	o.Statements = slices.DeleteFunc(processes, func(p server.Process) bool {
		return p.IsServers() || p.Time < MaxStatement || p.Statement == "" || p.Command == "Sleep" ||
			slices.Contains(facts.AccountUsers, p.User)
	})
	return o, err
}

// catchUp waits until this server has what the other had when it was read.
func (s *Switchover) catchUp(ctx context.Context, f *SwitchoverFacts) error {
	began := time.Now()
	for {
		f.Received, f.Lag = f.Own.hasAll(&f.Other.SwitchoverSide), time.Since(began)
		if f.Received || f.Lag > MaxLag || f.Own.Slave == nil || f.Own.Slave.SQLRunning != "Yes" {
			return nil
		}
		if err := server.Pause(ctx, poll); err != nil {
			return err
		}
		seen, err := s.look(ctx)
		if err != nil {
			return err
		}
		f.Own.SwitchoverSide = sideOf(seen.OwnServer)
	}
}

// hasAll reports whether a slave has applied all that was in its master's binary log.
func (s *SwitchoverSide) hasAll(master *SwitchoverSide) bool {
	switch {
	case s.Slave == nil:
		return false
	case s.Version.Family == server.MySQL && s.GTIDs && master.GTIDs:
		return s.Version.ReachesGTIDs(s.Log.GTID, master.Log.GTID)
	case s.Version.Family == server.MariaDB && s.Slave.ByGTID:
		return s.Version.ReachesGTIDs(s.Applied, master.Log.GTID)
	default:
		return !s.Slave.Executed.IsZero() && !s.Slave.Executed.Before(master.Log)
	}
}

// hasApplied reports whether a slave has applied all that it has received.
func (s *SwitchoverSide) hasApplied() bool {
	switch {
	case s.Version.Family == server.MySQL && s.Slave.ByGTID:
		return s.Version.ReachesGTIDs(s.Log.GTID, s.Slave.GTIDReceived)
	case s.Version.Family == server.MariaDB && s.Slave.ByGTID && s.Version.ReachesGTIDs(s.Applied, s.Slave.GTIDReceived):
		return true
	}
	return s.Slave.HasReadAll() || !s.Slave.Unapplied()
}

// tryReplicationLogin logs in at the other by the account of the replication, as this
// host's server has to: the password may have changed since its I/O thread did so.
func (s *Switchover) tryReplicationLogin(ctx context.Context) error {
	if s.Follower == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, server.QuestionLimit)
	defer cancel()
	opened, err := s.Follower(ctx)
	if err == nil {
		_ = opened.Close() // it was only tried
	}
	return err
}
