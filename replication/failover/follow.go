package failover

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// NotContained is the code of a server that has written what the new master had not
// received when it became the master: it cannot follow by its history as it is.
const NotContained = "not-contained"

// Contained refuses a server which has more in its binary log than the new master had of
// it when that became the master by a term, or less: the Problem not-contained.
func Contained(own *State, t term.Term) error {
	start, v := t.Start, own.Server.Version
	at := server.Position{File: start.OldFile, Offset: start.OldOffset}
	beyond := ""
	if lacks := own.lacks(start.OldGTID); lacks != "" {
		return finding.New(finding.Slave, NotContained, "gtunnel replication rejoin",
			"the end of its binary log was lost: it has the GTIDs %s, and %s had received %s from it; what a server has "+
				"written itself it does not take back as a slave", own.written(), t.Master, lacks)
	}
	switch {
	case own.byGTID() && v.ReachesGTIDs(start.OldGTID, own.Log.GTID) && (start.OldGTID != "" || own.Log.GTID == ""):
		return nil
	case !at.IsZero() && !at.Before(server.Position{File: own.Log.File, Offset: own.Log.Offset}):
		return nil
	case own.byGTID():
		beyond = "; it has the GTIDs " + own.Log.GTID + ", and the new master had " + start.OldGTID
	}
	return finding.New(finding.Slave, NotContained, "gtunnel replication rejoin",
		"its binary log stands at %s:%d, and %s had received it up to %s when it became the master by the term %d%s",
		own.Log.File, own.Log.Offset, t.Master, at, t.Number, beyond)
}

// lacks gives what of the GTIDs that were received from this server it does not have itself
// any more; empty: nothing, or it does not go by GTIDs.
func (s *State) lacks(received string) string {
	v := s.Server.Version
	if v.Family == server.MySQL {
		received = server.GTIDsOf(received, s.Variables[serverUUID])
	}
	if !s.byGTID() || v.ReachesGTIDs(s.written(), received) {
		return ""
	}
	return received
}

// FollowStatements makes a server whose history is contained in that of the new master its
// slave: in order, by one session that logs nothing. The events of the pair's databases,
// which are enabled, are disabled before; see DisableEvents.
func (h *Host) FollowStatements(own *State, t term.Term) []server.Statement {
	v := own.Server.Version
	to := server.Connection{
		Host: server.Loopback, Port: h.Port, User: facts.ReplicationUser, Password: h.ReplicationPassword,
		ByGTID: own.byGTID() && (t.Start.GTID != "" || v.Family == server.MariaDB),
		Start:  server.Position{File: t.Start.File, Offset: t.Start.Offset, GTID: t.Start.GTID},
	}
	var statements []server.Statement
	if to.ByGTID && v.Family == server.MariaDB {
		// The new master's own log, and not what this server has in its: the one may lack
		// transactions of other databases that the other has.
		statements = append(statements, v.SetStart(t.Start.GTID))
	}
	return append(statements, v.ChangeMaster(to), v.SetFilter(h.Databases))
}

// DisableEvents disables the enabled events of the pair's databases on a server, which are
// the master's to run. What it writes is not logged.
func (h *Host) DisableEvents(ctx context.Context, own *State) error {
	s := own.Server
	events, err := facts.EnabledEvents(ctx, s, own.On, h.Databases)
	if err != nil || len(events) == 0 {
		return err
	}
	return own.runLocally(ctx, seed.DisableEvents(s.Version, events))
}

// follow makes this server the slave of the one that has become the master by a switchover.
// It can be repeated: a connection that is there is not made anew.
func (g *Guard) follow(ctx context.Context, s *Sighting) error {
	own, t := s.OwnServer, s.Note.Term
	ctx, cancel := context.WithTimeout(ctx, 2*ownLimit)
	defer cancel()
	if err := g.DisableEvents(ctx, own); err != nil {
		return err
	}
	v := own.Server.Version
	switch status := own.Slave; {
	case own.Unclear:
		return finding.New(finding.Slave, server.NoAnswer, "", "the server does not say whether it is a slave")
	case status == nil:
		if err := Contained(own, t); err != nil {
			return err
		}
		if err := own.Server.Run(ctx, g.FollowStatements(own, t)); err != nil {
			return err
		}
	case !status.Active(): // it was not started since
		if err := own.Server.Run(ctx, []server.Statement{v.SetFilter(g.Databases)}); err != nil {
			return err
		}
	}
	if err := g.observer.keepSemiSync(ctx, s); err != nil {
		return err
	}
	if err := own.Server.Run(ctx, []server.Statement{v.StartSlave(server.BothThreads)}); err != nil {
		return err
	}
	g.observer.ran = true
	if err := g.observer.restoreScheduler(ctx, s); err != nil {
		return err
	}
	return g.observer.update(ctx, s, func(n *term.Note) error { n.Followed(); return nil })
}

// startSlave starts the slave, whose master answers. Where that deletes the relay log, the
// master must be able to give what is in it once more.
func (g *Guard) startSlave(ctx context.Context, s *Sighting) error {
	own, v := s.OwnServer, s.OwnServer.Server.Version
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	if status := own.Slave; status != nil && status.StartDeletes(v) && status.Unapplied() {
		err := s.PeerState.Server.VerifySlave(ctx, status.Executed)
		if finding.HasCode(err, "elsewhere") {
			return rules.LosesReceived(v, status)
		}
		if err != nil {
			return err
		}
	}
	if err := g.observer.keepSemiSync(ctx, s); err != nil {
		return err
	}
	var first []server.Statement
	if own.Slave != nil && own.Slave.AppliesAlone(v) { // a promotion was cut off
		first = v.FollowByGTID()
	}
	if err := own.Server.Exec(ctx, own.On, append(first, v.StartSlave(server.BothThreads))...); err != nil {
		return err
	}
	g.observer.ran = true
	return g.observer.update(ctx, s, func(n *term.Note) error { n.Resumed(); return nil })
}
