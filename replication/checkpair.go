package replication

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// PairCheck is the check of a pair before a failover, on either of its hosts. It changes
// nothing.
type PairCheck struct {
	Name, Peer string
	Mode       term.Mode // of the guards
	Note       term.Note
	Own        *server.Server
	PeerServer *server.Server // by the monitor account; nil: see Silent
	Silent     error          // why the peer's server cannot be asked
	Login      error          // of this host at the peer's server, by the account of the replication; nil: it works
	GuardLock  string         // which the guard of a host holds on its server
	ConfigDir  string         // from which the server reads option files; empty: it is looked for
}

// Verdict is what a check says of one command.
type Verdict struct {
	Command string // promote, switchover, rejoin
	finding.Findings
}

// PairReadiness is what a check of a pair says: of each command, and all of it together.
type PairReadiness struct {
	Readiness

	Verdicts []Verdict
}

// Run reads both servers, and says of promote, switchover and rejoin each what is missing.
func (c *PairCheck) Run(ctx context.Context) (*PairReadiness, error) {
	ready := &rules.Ready{
		Now: time.Now(), Mode: c.Mode, Note: c.Note, Silent: c.Silent, Login: c.Login,
		Own: rules.PairHost{Name: c.Name}, Peer: rules.PairHost{Name: c.Peer},
	}
	own, err := facts.Read(ctx, c.Own)
	if err != nil {
		return nil, err
	}
	dropIn, err := findDropIn(own, c.ConfigDir)
	if err != nil {
		return nil, err
	}
	if err := c.readHost(ctx, &ready.Own, c.Own, own); err != nil {
		return nil, err
	}
	ready.Own.Unset = unsetOf(own, dropIn, c.Note.Databases)
	if c.PeerServer != nil {
		peer, err := facts.ReadVariables(ctx, c.PeerServer, c.PeerServer.DB)
		if err != nil {
			return nil, err
		}
		if err := peer.ReadPlugins(ctx, c.PeerServer, c.PeerServer.DB); err != nil {
			return nil, err
		}
		if err := c.readHost(ctx, &ready.Peer, c.PeerServer, peer); err != nil {
			return nil, err
		}
		for _, w := range pairSettings(peer, c.Note.Databases, peer.GTIDs()) {
			if !w.ok && !onlyAtStart(w.name) {
				ready.Peer.Unset = append(ready.Peer.Unset, rules.LacksSetting(w.name, w.value, peer))
			}
		}
	}
	if err := c.readAlike(ctx, ready); err != nil {
		return nil, err
	}
	return judgeReady(ready), nil
}

// alikePatience is how long a slave is waited for that is a little behind its master.
const alikePatience = 3 * time.Second

// alikeLook is how long the next look at both comes after one that has found them different.
const alikeLook = alikePatience / 10

// readAlike reads what both have in the pair's databases. The slave comes last, and once
// more while a sequence of it stands where it is only behind.
func (c *PairCheck) readAlike(ctx context.Context, ready *rules.Ready) (err error) {
	if c.PeerServer == nil {
		return nil
	}
	master, slave, on := &ready.Own, &ready.Peer, c.PeerServer
	of := c.Own
	if c.Note.Term.Master == c.Peer {
		master, slave, on, of = slave, master, of, on
	}
	if master.Alike, err = facts.ReadAlike(ctx, of, c.Note.Databases); err != nil || master.Alike == nil {
		return err
	}
	for begun := time.Now(); ; {
		slave.Alike, err = facts.ReadAlike(ctx, on, c.Note.Databases)
		if err != nil || !slave.Alike.IsBehind(master.Alike) || time.Since(begun) > alikePatience {
			return err
		}
		if err := server.Pause(ctx, alikeLook); err != nil {
			return err
		}
	}
}

// readHost reads what both hosts have of a pair.
func (c *PairCheck) readHost(ctx context.Context, h *rules.PairHost, s *server.Server, f *facts.Facts) (err error) {
	h.Facts = f
	holder, err := s.LockHolder(ctx, s.DB, c.GuardLock)
	if err != nil {
		return err
	}
	runs := holder != 0
	h.Guard = &runs
	if h.Record, err = term.ReadRecord(ctx, s, s.DB); err != nil {
		return err
	}
	h.Rights, err = facts.ReadRights(ctx, s)
	return err
}

// onlyAtStart reports whether a variable matters at the start of a server alone. What it is
// until then says nothing: no setup can change it without a restart.
func onlyAtStart(name string) bool {
	return name == rules.RelayLogRecovery || strings.HasPrefix(name, "skip_")
}

// unsetOf are the settings of a pair that a server lacks, or that its option files do.
func unsetOf(f *facts.Facts, dropIn *optionfile.DropIn, databases []string) []string {
	var unset []string
	for _, w := range slices.Concat(pairSettings(f, databases, f.GTIDs()), readOnlySettings(f)) {
		atStart := onlyAtStart(w.name)
		kept := !w.always && (w.ok || !atStart) || dropIn.Sets(w.name, w.value) || f.Persisted[w.name] == w.value
		switch {
		case !w.ok && !atStart:
			unset = append(unset, rules.LacksSetting(w.name, w.value, f))
		case !kept || f.IsPersistedOtherwise(w.name, w.value):
			unset = append(unset, w.name+" in the option files")
		}
	}
	return unset
}

// judgeReady holds a pair against the rules of each command.
func judgeReady(ready *rules.Ready) *PairReadiness {
	r := &PairReadiness{}
	for _, command := range []struct {
		name   string
		moment rules.Moment
	}{{"promote", rules.CheckPromote}, {"switchover", rules.CheckSwitchover}, {"rejoin", rules.CheckRejoin}} {
		found := rules.Judge(&rules.Subject{Moment: command.moment, Ready: ready})
		r.Verdicts = append(r.Verdicts, Verdict{Command: command.name, Findings: finding.Findings{
			Problems: slices.Clone(found.Problems), Warnings: slices.Clone(found.Warnings),
		}})
		r.addNew(found)
	}
	// What is a problem of one command need not be a warning of another.
	r.Warnings = slices.DeleteFunc(r.Warnings, func(w *finding.Problem) bool {
		return slices.ContainsFunc(r.Problems, func(p *finding.Problem) bool {
			return p.On == w.On && p.Code == w.Code && p.Text == w.Text
		})
	})
	for _, h := range []rules.PairHost{ready.Own, ready.Peer} {
		if h.Facts != nil {
			role := finding.Slave
			if ready.Note.Term.Master == h.Name {
				role = finding.Master
			}
			r.well("", "%s is the %s by the term %d: %s", h.Name, role, ready.Note.Term.Number, h.Facts.Version)
		}
	}
	return r
}
