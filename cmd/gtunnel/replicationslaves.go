package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// writeKnownSlaves prints the slaves that a master has or had by their server ids, where the
// connections do not say all of that.
func writeKnownSlaves(fact func(name, format string, args ...any), s *watch.Status) {
	told := map[uint32]bool{}
	for _, f := range s.Slaves {
		if f.ServerID != nil {
			told[*f.ServerID] = true
		}
	}
	for _, k := range s.Known {
		of := ""
		if k.OfPair && s.Pair != nil {
			of = ", the server of " + s.Pair.Peer
		}
		switch {
		case !k.Connected:
			fact("known", "%s%s: not connected, seen last at %s", k, of, journal.NoteTime(k.Last))
		case !told[k.ServerID] || of != "":
			fact("known", "%s%s: connected, seen first at %s", k, of, journal.NoteTime(k.First))
		}
	}
}

// forgetSlave leaves a slave out of what is noted of a master.
func (m *Main) forgetSlave(ctx context.Context, q *statusQuestion) error {
	if q.forget == 0 {
		return nil
	}
	s, err := m.openLocal(ctx, finding.Master, &q.login)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // it was only asked
	f, err := facts.ReadVariables(ctx, s, s.DB)
	if err != nil {
		return err
	}
	file := journal.SlavesFile(q.stateDir, f.ServerID())
	note, err := journal.ReadNote[journal.SlavesNote](file)
	if err != nil {
		return err
	}
	if note == nil || q.forget < 0 || !note.Forget(uint32(q.forget)) { //nolint:gosec // a server_id has 32 bits
		return &usage.Error{
			Where: "--forget", Message: fmt.Sprintf("no slave with the server_id %d is noted", q.forget),
			Cure: "gtunnel replication status on the master lists those that are",
		}
	}
	return file.Write(note)
}

// tellFurther says what slaves beside the pair need after a change of the master.
func (m *Main) tellFurther(slaves []string) {
	if len(slaves) > 0 {
		fmt.Fprintf(m.Stdout, "Further slaves do not follow by themselves. On each of %s: gtunnel replication follow\n",
			strings.Join(slaves, ", "))
	}
}
