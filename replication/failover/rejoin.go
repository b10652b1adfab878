package failover

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Rejoin makes this host, which was the master, the slave of its peer, which was
// promoted. What only this host has is judged by what is in it, and saved first. A run
// that was cut off is gone on with by the next one.
type Rejoin struct {
	Host
	Want RejoinWant
	replication.Dialogue

	// Nonce is of a new copy: random, and new for each run.
	Nonce string

	own, peer *server.Server

	copyCommand string // that makes a new copy; empty: rejoin

	unlock func() // gives the lock of the own server back; can be called again
}

// RejoinWant is what the administrator has said.
type RejoinWant struct {
	Replace     []string // databases whose data on this host may be lost
	NewCopy     bool     // though the history would do
	GiveUp      string   // the name of this host, whose term is to go after a split-brain
	Unsaved     bool     // go on though what this host has alone cannot be read, and so is not saved
	SkipCompare bool
}

// wantedFlag is a flag of a command line, if it is wanted.
type wantedFlag struct {
	wanted bool
	flag   string
}

// commandLine is a command with the flags that are wanted.
func commandLine(command string, flags []wantedFlag) string {
	for _, f := range flags {
		if f.wanted {
			command += " " + f.flag
		}
	}
	return command
}

// command is the command line of it.
func (w RejoinWant) command() string {
	return commandLine("gtunnel replication rejoin", []wantedFlag{
		{w.Unsaved, "--unsaved"},
		{w.NewCopy, "--new-copy"},
		{w.GiveUp != "", "--give-up " + w.GiveUp},
		{len(w.Replace) > 0, "--replace-databases " + strings.Join(w.Replace, ",")},
		{w.SkipCompare, "--skip-compare"},
	})
}

// Run reads both servers, plans, has the plan agreed to, and carries it out. It reports
// whether the plan was carried out to its end.
func (r *Rejoin) Run(ctx context.Context) (done bool, err error) {
	ended, err := r.Store.Work(ctx)
	if err != nil {
		return false, err
	}
	defer ended()
	if r.peer, err = r.PeerServer(ctx); err != nil {
		return false, &finding.Problem{
			On: finding.Peer, Code: "peer-silent", Text: "a rejoin needs the server of " + r.Peer +
				", and it does not answer",
			Err: err, Cure: "bring it and the tunnel up: gtunnel replication status here says what is wrong; nothing was " +
				"changed",
		}
	}
	defer func() { _ = r.peer.Close() }() // nothing is left to fail
	if r.own, err = r.Own(ctx); err != nil {
		return false, err
	}
	defer func() { _ = r.own.Close() }() // nothing is left to fail
	if err := r.own.MustDiffer(ctx, r.peer); err != nil {
		return false, err
	}
	f, err := r.read(ctx)
	if err != nil {
		return false, err
	}
	plan := planRejoin(f, r.Want)
	if agreed, err := r.Consent(plan); !agreed || err != nil {
		return false, err
	}
	unlock, err := r.own.Lock(ctx)
	if err != nil {
		return false, err
	}
	r.unlock = sync.OnceFunc(unlock)
	defer r.unlock()
	err = r.Carry(ctx, plan, func(ctx context.Context, s *replication.Step) error { return r.do(ctx, f, s) })
	if err == nil {
		r.tell(Event{Name: "rejoined", Fields: map[string]any{
			"term": f.Record.Term.Number, "master": f.Peer,
		}})
	}
	return err == nil, err
}

// forbids is why there is nothing to rejoin, by the terms of both; nil: there is.
func (f *rejoinFacts) forbids(giveUp string) *finding.Problem {
	own, peer := f.Note.Term, f.Record.Term
	switch {
	case f.Record.HostID == "" || peer.IsZero():
		return finding.New(finding.Peer, "term-unknown", "on "+f.Peer+": systemctl enable --now gtunnel-guard; then the "+
			"same command again",
			"%s does not say who is the master", f.Peer)
	case f.Record.HostID == f.Note.HostID || f.Record.Name != f.Peer:
		return finding.New(finding.Peer, "own-row", "does the tunnel lead to "+f.Peer+"? If so, on "+f.Peer+
			": systemctl restart gtunnel-guard", "what is read through the tunnel is not of %s", f.Peer)
	case own.Conflicts(peer) && giveUp != f.Name:
		return f.splitBrain()
	case own.Conflicts(peer):
	case peer.Number < own.Number:
		return f.ahead()
	}
	switch {
	case peer.Master != f.Peer:
		return finding.New("", "is-master", "run it on the host that was the master before",
			"this host, %s, is the master by the term %d: it has nobody to rejoin", f.Name, peer.Number)
	case f.Note.Request != nil:
		return finding.New("", "busy", "wait for its end: the guard takes it back if its command has ended",
			"a %s to this host has begun", f.Note.Request.By)
	case f.Record.Demotion != nil && f.Record.Demotion.Refused == "" && f.Record.Demotion.Nonce != peer.Nonce:
		return finding.New(finding.Peer, "busy", "gtunnel replication switchover here",
			"%s is read-only for a switchover to this host",
			f.Peer)
	}
	return nil
}

// ahead is that the peer does not have the term yet.
func (f *rejoinFacts) ahead() *finding.Problem {
	if f.Note.IsMaster() {
		return finding.New("", "is-master", "on "+f.Peer+", if that is the old master: gtunnel replication rejoin",
			"this host, %s, is the master by the term %d: it has nobody to rejoin", f.Name, f.Note.Term.Number)
	}
	return finding.New(finding.Peer, "term-behind", "on "+f.Peer+": systemctl enable --now gtunnel-guard; then the same "+
		"command again",
		"%s is the master by the term %d, and its own row says %d", f.Peer, f.Note.Term.Number, f.Record.Term.Number)
}

// splitBrain is that two terms exclude each other.
func (f *rejoinFacts) splitBrain() *finding.Problem {
	told := func(t term.Term) string {
		return fmt.Sprintf("%s was made the master by %s at %s", t.Master, t.By,
			t.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return finding.New("", "split-brain", term.CureOfSplit(f.Name, f.Peer),
		"both hosts have a term %d, and they exclude each other: on this host, %s; on the other, %s",
		f.Note.Term.Number, told(f.Note.Term), told(f.Record.Term))
}
