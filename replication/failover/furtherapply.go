package failover

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// do carries a step out.
func (s *FurtherSlave) do(ctx context.Context, f *furtherFacts, step *replication.Step) error {
	switch step.Action.(type) {
	case compareBoth: // tables take their time
		return s.compareBoth(ctx, f)
	case copyAnew:
		return s.Copy(ctx, FurtherCopy{
			End: f.Choice.End, Databases: f.Databases, Replace: f.Present, Unlock: s.unlock,
		}, s.Dialogue)
	}
	ctx = server.EachWithin(ctx, rejoinLimit)
	switch action := step.Action.(type) {
	case nil:
		return s.own.Run(ctx, step.SQL)
	case saveErrant:
		return s.saveErrant(ctx, f)
	case notGrownFurther:
		if err := s.mustNotHaveGrown(ctx, f); err != nil {
			return err
		}
		return s.own.Run(ctx, step.SQL)
	case pointMonitor:
		file := s.monitorFile(f)
		return optionfile.WriteFile(file.Path, []byte(file.Content().Reveal()), 0o600)
	case noteMaster:
		return s.noteMaster(ctx, f, action.done)
	case catchUpWithMaster:
		return s.catchUp(ctx, f)
	default:
		panic(fmt.Sprintf("failover: no step of a further slave does %T", action))
	}
}

// monitorFile is the login of the monitor account at the master.
func (s *FurtherSlave) monitorFile(f *furtherFacts) *optionfile.ClientFile {
	file := *s.MonitorFile
	file.Login.Network = "tcp"
	file.Login.Address = net.JoinHostPort(server.Loopback, strconv.Itoa(f.Choice.End.Port))
	return &file
}

// mustNotHaveGrown refuses that the slave has received more, since it was judged, that the
// master has not; and that the master is not it any more. Both threads stand now.
func (s *FurtherSlave) mustNotHaveGrown(ctx context.Context, f *furtherFacts) error {
	for _, v := range s.look(ctx) {
		if v.End != f.Choice.End {
			if v.Record != nil && v.Record.Term.Number > f.Choice.Term.Number {
				return f.changed(v.said())
			}
			continue
		}
		if v.Silence != nil || v.Record == nil || !v.Record.Term.Same(f.Choice.Term) || !v.Writable {
			return f.changed(v.said())
		}
	}
	now := *f
	if err := s.compareHistories(ctx, &now); err != nil {
		return err
	}
	if h := &now.History; h.Alone != f.History.Alone || h.Copy != f.History.Copy || h.SlavePos != f.History.SlavePos {
		return f.changed("it has received more than what was judged")
	}
	return nil
}

func (f *furtherFacts) changed(what string) *finding.Problem {
	return finding.New(finding.Slave, "changed", "the same command again: it looks anew, and goes on from here",
		"what was decided does not hold any more: %s", what)
}

// saveErrant saves what only this slave has, as SQL.
func (s *FurtherSlave) saveErrant(ctx context.Context, f *furtherFacts) error {
	head := &rejoinFacts{Name: "a further slave", Peer: f.Choice.Master, Own: f.Own, Errant: f.Errant}
	head.Record.Term = f.Choice.Term
	return s.Shelf.Put(f.SavedName, func(to io.Writer) error {
		if _, err := io.WriteString(to, head.savedHead()); err != nil {
			return err
		}
		saved, err := s.readErrant(ctx, f, to)
		if err == nil && saved.Transactions != f.Errant.Transactions {
			return f.changed("its binary log has grown")
		}
		return err
	})
}

// noteMaster notes whose slave this is now.
func (s *FurtherSlave) noteMaster(ctx context.Context, f *furtherFacts, done bool) error {
	known, err := s.master(f).Variables(ctx, s.master(f).DB, "server_id", "server_uuid")
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(known["server_id"], 10, 32)
	if err != nil {
		return fmt.Errorf("the server_id of %s: %w", f.Choice.Master, err)
	}
	state := &s.State.State
	if state.MasterID != uint32(id) || state.MasterUUID != known["server_uuid"] {
		state.MasterMark = "" // of the other one
	}
	state.MasterID, state.MasterUUID, state.Databases = uint32(id), known["server_uuid"], f.Databases
	state.Term, state.TermNonce = f.Choice.Term.Number, f.Choice.Term.Nonce
	state.Stage = journal.StageRunning
	if done {
		state.Stage = journal.StageDone
	}
	return s.State.Save()
}

// catchUp waits until the slave has applied all that the master has now.
func (s *FurtherSlave) catchUp(ctx context.Context, f *furtherFacts) error {
	joins := &Rejoin{
		Host: Host{Databases: f.Databases, Peer: f.Choice.Master}, Dialogue: s.Dialogue, own: s.own, peer: s.master(f),
		copyCommand: "gtunnel replication follow --new-copy",
	}
	return joins.catchUp(ctx)
}

// compareBoth compares the data.
func (s *FurtherSlave) compareBoth(ctx context.Context, f *furtherFacts) error {
	if s.Compare == nil {
		return nil
	}
	equal, err := s.Compare(ctx, s.own, s.master(f), f.Databases, s.Dialogue)
	if err != nil || equal {
		return err
	}
	return finding.New(finding.Slave, "different", "gtunnel replication compare shows where; --repair-table copies a "+
		"table anew; or everything: "+FurtherWant{NewCopy: true, Replace: f.Databases}.command(),
		"the data differs from the master's, although the histories agree")
}
