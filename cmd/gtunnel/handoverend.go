package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// endHandOver deals with the hand-over file of a slave that replicates, which needs it
// no more: the file is removed if a flag or the answer to a question says so. How to
// remove it on both hosts is said in any case.
func (m *Main) endHandOver(ctx context.Context, s *setupSlave, master string) error {
	if _, err := os.Lstat(s.handOver); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	fmt.Fprintf(m.Stdout, "\nThe hand-over file holds passwords, and is needed no more. Remove it on both hosts:\n"+
		"  on this host:  rm %s\n  on %s:  rm %s\n",
		finding.ShellWord(s.handOver), master, finding.ShellWord(defaultHandOver))
	if !s.removeHandOver {
		yes, err := m.askToRemove(ctx, s)
		if err != nil || !yes {
			return err
		}
	}
	if err := os.Remove(s.handOver); err != nil {
		return usage.WithHint(fmt.Errorf("remove the hand-over file: %w", err), "rm "+finding.ShellWord(s.handOver))
	}
	fmt.Fprintf(m.Stdout, "%s is removed; the other is yours to remove.\n", s.handOver)
	return nil
}

// withoutHandOver passes over a hand-over file that is missing if the slave replicates, and
// nothing is asked for that needs it: then it has been removed, as it should be.
func (m *Main) withoutHandOver(ctx context.Context, s *setupSlave, pair *replication.Pair, missing error) error {
	_, err := os.Lstat(s.handOver)
	asked := s.reseed || s.newPasswords || s.trustCreators || s.byAdministrator() || s.start != "" ||
		len(s.databases)+len(s.replace)+len(s.inner.Connect) > 0 || s.pair.gtids || len(s.pair.others) > 0
	if !errors.Is(err, fs.ErrNotExist) || asked || s.plan.asJSON {
		return missing
	}
	if pair != nil {
		note, err := pair.Store.Load(ctx)
		if err != nil || note.Term.IsZero() {
			return errors.Join(err, missing) // it has not been set up as one of the pair
		}
		if s.semiSync.Given { // it needs no more than the note, whatever the state of the replication
			return m.noteSemiSync(ctx, s, pair, &note)
		}
	}
	master := s.master
	master.defaultsFile = s.monitor
	status, err := m.readReplicationStatus(ctx, &statusQuestion{login: s.login, master: master, stateDir: s.stateDir})
	if err != nil || !status.Healthy {
		return missing // status says more
	}
	fmt.Fprintf(m.Stdout, "no change: this slave replicates (%s), and needs no hand-over file\n", status)
	return nil
}

// noteSemiSync does what --semi-sync says, on a slave of a pair that is set up.
func (m *Main) noteSemiSync(ctx context.Context, s *setupSlave, pair *replication.Pair, note *term.Note) error {
	if note.IsMaster() {
		return usage.WithHint(errors.New("--semi-sync is told to the slave's host, and this one is the master"),
			"the same on "+note.Peer)
	}
	slave, err := m.openLocal(ctx, finding.Slave, &s.login)
	if err != nil {
		return err
	}
	defer func() { _ = slave.Close() }() // nothing is left to fail
	talk, end := m.dialogue(ctx, s.plan)
	setup := &replication.Setup{Slave: slave, Pair: pair, Dialogue: talk}
	changed, err := setup.NoteSemiSync(ctx)
	end()
	if err == nil && changed {
		fmt.Fprintf(m.Stdout, "\nThe guards of both hosts do the rest, within seconds. Watch it with: %s\n",
			m.inCommands("gtunnel replication status"))
	}
	return err
}

// askToRemove asks whether the hand-over file may be removed. The answer is no where
// nobody can be asked, and after --yes, which agrees to the plan and no more.
func (m *Main) askToRemove(ctx context.Context, s *setupSlave) (bool, error) {
	keyboard := terminal.OpenKeyboard(m.Stdin)
	if keyboard == nil || s.plan.yes {
		return false, nil
	}
	answer, err := keyboard.Choose(ctx, m.Stdout, "Remove it on this host now? [y]es, [n]o: ", "yes", "no")
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		err = nil // no answer is a no: the slave replicates all the same
	}
	return answer == "yes", err
}
