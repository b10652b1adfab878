package failover

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// closePatience is how long statements that write are waited for until their connections
// are ended, when the server must not be written to.
const closePatience = time.Second

// closeTries is how often that is done: those who come back begin to write again.
const closeTries = 3

// errLockWait is the server's error that a lock did not come in time.
const errLockWait = 1205

// shut makes the server read-only, because another is the master. Whatever clients do,
// it ends that.
func (g *Guard) shut(ctx context.Context, s *Sighting) error {
	own := s.OwnServer
	if own.Slave == nil && !own.Unclear { // events of a slave are disabled each
		if err := g.stopScheduler(ctx, s); err != nil {
			return err
		}
	}
	v := own.Server.Version
	err := g.observer.change(ctx, own, v.SetReadOnly())
	for try := 1; server.ErrorNumber(err) == errLockWait && try < closeTries; try++ {
		if err = endClients(ctx, own.Server, own.On); err == nil {
			err = g.observer.change(ctx, own, v.SetReadOnly())
		}
	}
	if err != nil {
		return err
	}
	s.Own.Writable, s.Own.Loose = false, false
	own.Variables[readOnly] = "ON"
	if v.StopsAllWrites() {
		own.Variables[superReadOnly] = "ON"
		return nil
	}
	return endTransactions(ctx, own.Server, own.On)
}

// stopScheduler stops the scheduler of events, and notes before what it was.
func (g *Guard) stopScheduler(ctx context.Context, s *Sighting) error {
	if s.OwnServer.Variables[eventScheduler] != "ON" {
		return nil
	}
	err := g.observer.update(ctx, s, func(n *term.Note) error { n.SchedulerWas("ON"); return nil })
	if err != nil {
		return err
	}
	return g.observer.change(ctx, s.OwnServer, server.SetEventScheduler("OFF"))
}

// endTransactions ends the connections that have changed something in an open
// transaction. MariaDB lets some accounts commit on a read-only server.
func endTransactions(ctx context.Context, s *server.Server, on server.Execer) error {
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	ids, err := s.OpenTransactions(ctx, on)
	if err != nil {
		return err
	}
	return kill(ctx, s, on, ids)
}

// endClients ends all connections but those of servers and of gtunnel: one of them keeps
// the server from becoming read-only. The own one stays, and so does that of the guard.
func endClients(ctx context.Context, s *server.Server, on server.Execer) error {
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	me, err := s.Value(ctx, on, "SELECT CONNECTION_ID()")
	if err != nil {
		return err
	}
	guard, err := s.LockHolder(ctx, on, GuardLock)
	if err != nil {
		return err
	}
	processes, err := s.Processes(ctx, on)
	if err != nil {
		return err
	}
	var ids []uint64
	for _, p := range processes {
		mine := p.ID == guard || strconv.FormatUint(p.ID, 10) == me
		if !mine && !p.IsServers() && !slices.Contains(facts.AccountUsers, p.User) {
			ids = append(ids, p.ID)
		}
	}
	return kill(ctx, s, on, ids)
}

// kill ends connections. One that has ended by itself is none any more.
func kill(ctx context.Context, s *server.Server, on server.Execer, ids []uint64) error {
	const noSuchThread = 1094
	for _, id := range ids {
		if err := s.Exec(ctx, on, server.Kill(id)); err != nil && server.ErrorNumber(err) != noSuchThread {
			return err
		}
	}
	return nil
}
