package failover

import (
	"context"
	"fmt"
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// A session writes events with the server_id that its server had when it began, on both
// families. If that was the peer's, as before the setup of two servers that both had 1, the
// peer takes these events for its own and passes over them: nothing fails, and what was
// written is on one server alone. So no such session may be left when a server is opened.

// oldSessions gives the sessions of clients that may have another server_id than the server
// has now. If that was set since the server's start, they are all that are older than the
// guard's, which begins a new one when it sees a change: see link.renew. Later ones are
// right, and the programs of gtunnel, which the server cannot tell from those of others, are
// among them; first is the first session of this process.
func oldSessions(ctx context.Context, s *server.Server, on server.Execer, first uint64) ([]server.Process, error) {
	changed, err := s.IDChanged(ctx, on)
	if err != nil || !changed {
		return nil, err
	}
	guard, err := s.LockHolder(ctx, on, GuardLock)
	if err != nil {
		return nil, err
	}
	if guard != 0 {
		first = min(first, guard)
	}
	processes, err := s.Processes(ctx, on)
	return slices.DeleteFunc(processes, func(p server.Process) bool {
		return p.ID >= first || p.IsServers() || slices.Contains(facts.AccountUsers, p.User)
	}), err
}

// endOldSessions ends them. The server is read-only: none of them gets another session that
// writes before the server is opened, and that one will be right.
func (o *Observer) endOldSessions(ctx context.Context, own *State) error {
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	first := own.Server.First
	if o.first != 0 {
		first = min(first, o.first)
	}
	old, err := oldSessions(ctx, own.Server, own.On, first)
	if err != nil || len(old) == 0 {
		return err
	}
	ids := make([]uint64, len(old))
	for i, p := range old {
		ids[i] = p.ID
	}
	if err := kill(ctx, own.Server, own.On, ids); err != nil {
		return err
	}
	o.host.tell(Event{Name: "sessions ended", Fields: map[string]any{
		"sessions": programsOf(old), "reason": "they may have the server_id of before it was changed",
	}})
	return nil
}

// programsOf says whose sessions they are, each once.
func programsOf(sessions []server.Process) string {
	var names []string
	for _, p := range sessions {
		host, _ := server.SplitAddress(p.Host)
		if name := p.User + "@" + host; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return finding.Items(names).String()
}

// endings are the statements that end sessions; a plan shows them.
func endings(sessions []server.Process) (statements []server.Statement) {
	for _, p := range sessions {
		statements = append(statements, server.Kill(p.ID))
	}
	return statements
}

// endingWords is the part of a step which says that it ends sessions before, and why; empty
// if there are none.
func endingWords(sessions []server.Process) (what, why string) {
	if len(sessions) == 0 {
		return "", ""
	}
	return fmt.Sprintf("end %s of before the server_id was changed (%s), and ",
			finding.Count(len(sessions), "session"), programsOf(sessions)),
		"; a session keeps the server_id that it began with, and what it writes by that of the other server is passed" +
			" over there"
}
