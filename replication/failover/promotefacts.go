package failover

import (
	"context"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// promoteFacts are all that the plan of a promotion depends on.
type promoteFacts struct {
	name, peer string
	slaves     []string // further ones
	version    server.Version
	databases  []string
	note       term.Note
	signs      signs
	slave      *slaveState
	loss       Loss
	left       *leftovers // of the promotion
	promotion  *term.Promotion
	writable   bool // a client without special rights can write
	variables  map[string]string
	old        []server.Process // sessions that are ended before it is made writable: see oldSessions
	hooks      Hooks
	keeps      bool // the relay log can be copied
	canAsk     bool // somebody can be asked to state
	ordered    bool // by a cluster manager: see Host.Ordered
	now        time.Time
}

// The variables that a promotion reads.
var promoteVariables = []string{
	readOnly, superReadOnly, eventScheduler, "log_bin", "log_slave_updates", "log_replica_updates", "sync_binlog",
	"innodb_flush_log_at_trx_commit", "relay_log_index", "relay_log_recovery", gtidBinlogPos,
}

// read reads them. A peer that was heard a moment ago is waited for, but by a dry run.
func (p *Promote) read(ctx context.Context) (*promoteFacts, error) {
	f := &promoteFacts{
		name: p.Name, peer: p.Peer, slaves: p.Slaves, version: p.own.Version, databases: p.Databases, hooks: p.Hooks,
		keeps: p.KeepRelayLog != nil, canAsk: p.Ask != nil, ordered: p.Ordered,
	}
	var err error
	if f.note, err = p.Store.Load(ctx); err != nil {
		return nil, err
	}
	if !f.note.IsMaster() || f.note.IsDemoted() {
		if f.signs, err = p.silence(ctx, &f.note); err != nil {
			return nil, err
		}
		if f.note, err = p.awaitTakenBack(ctx, f.signs.way != ""); err != nil { // the guard goes on
			return nil, err
		}
	}
	f.now = time.Now()
	if f.variables, err = p.own.Variables(ctx, p.own.DB, promoteVariables...); err != nil {
		return nil, err
	}
	f.writable = f.variables[readOnly] == "OFF"
	if f.slave, err = readSlave(ctx, p.own); err != nil {
		return nil, err
	}
	f.loss = lossOf(p.own.Version, f.note.Seen, &f.slave.received)
	if !f.note.StandsAside.IsZero() || f.note.PeerAlone != term.NotAlone {
		f.loss.mayBeAlone()
	}
	retention, err := p.own.Variables(ctx, p.own.DB, p.own.Version.RetentionVariable())
	if err != nil {
		return nil, err
	}
	f.promotion = f.note.Promotion
	if !f.raised() {
		f.promotion = promotionOf(f, retention[p.own.Version.RetentionVariable()])
	}
	if f.left, err = readLeftovers(ctx, p.own, f.promotion, p.Databases); err != nil {
		return nil, err
	}
	f.old, err = oldSessions(ctx, p.own, p.own.DB, p.own.First)
	return f, err
}

// silence reads the signs of life, and waits until the peer has been silent for long
// enough. That it lives is in the signs, and no error.
func (p *Promote) silence(ctx context.Context, note *term.Note) (signs, error) {
	if p.DryRun {
		return p.life.look(ctx, note)
	}
	began := time.Now()
	s, err := p.life.awaitSilence(ctx, note, p.Waiting)
	p.times.Silence += time.Since(began)
	if finding.HasCode(err, PeerAlive) {
		err = nil
	}
	return s, err
}

// promotionOf is what is to be done, and to be given back, after this host was raised.
func promotionOf(f *promoteFacts, retention string) *term.Promotion {
	promotion := &term.Promotion{Old: oldConnection(f.slave.status)}
	if number(retention) != 0 {
		promotion.KeepLogs = retention
	}
	if f.note.Promotion != nil && f.note.Promotion.KeepLogs != "" { // of an earlier term, not given back yet
		promotion.KeepLogs = f.note.Promotion.KeepLogs
	}
	if seen := f.note.Seen; seen != nil {
		promotion.Events, promotion.Sequences = seen.Events, seen.Sequences
	}
	return promotion
}

// raised reports whether this host is the master by its term, and has not demoted itself
// for its peer.
func (f *promoteFacts) raised() bool { return f.note.IsMaster() && !f.note.IsDemoted() }

// isFenced reports whether it is stated that the peer cannot serve, or a hook will say so.
func (f *promoteFacts) isFenced(want PromoteWant) bool {
	return want.Fenced == f.peer || want.Fenced == "" && f.hooks.Fence != ""
}

// runsFence reports whether the hook makes the statement.
func (f *promoteFacts) runsFence(want PromoteWant) bool {
	return want.Fenced == "" && f.hooks.Fence != ""
}

// report is what is shown before the plan.
func (f *promoteFacts) report() *PromoteReport {
	return &PromoteReport{
		Peer: f.peer, Heard: f.signs.heard, HeardBy: f.signs.by, Received: f.slave.received, Loss: f.loss,
	}
}

// Lines are the report in words.
func (r *PromoteReport) Lines() []string {
	var lines []string
	if r.Heard.IsZero() {
		lines = append(lines, r.Peer+" does not answer, and was not heard of since this host's guard runs")
	} else {
		lines = append(lines, fmt.Sprintf("%s does not answer; last heard at %s: %s", r.Peer, clock(r.Heard), r.HeardBy))
	}
	return append(append(lines, r.Received.Lines()...), r.Loss.Lines(r.Peer)...)
}

// Lines are what was received, in words.
func (r *Received) Lines() []string {
	at := func(p server.Position) string {
		if p.GTID == "" {
			return p.String()
		}
		if p.IsZero() {
			return p.GTID
		}
		return p.String() + " (" + p.GTID + ")"
	}
	var lines []string
	if r.Read.IsZero() && r.Read.GTID == "" {
		lines = append(lines, "received: nothing since this server's start, beyond what is applied")
	} else {
		lines = append(lines, "received: up to "+at(r.Read))
	}
	applied := "applied:  up to " + at(r.Applied)
	switch {
	case r.Waiting > 0:
		applied += "; " + transactions(r.Waiting) + " to be applied first"
	case r.Bytes > 0:
		applied += fmt.Sprintf("; %s of the master's binary log to be applied first", finding.FormatBytes(r.Bytes))
	}
	lines = append(lines, applied)
	if r.Incomplete != "" {
		lines = append(lines, "of the transaction "+r.Incomplete+" a part alone was received: it is lost, and was not "+
			"acknowledged to any client unless the master committed it while nobody received it")
	}
	if len(r.Prepared) > 0 {
		lines = append(lines, "prepared by XA, and to be committed or rolled back by whoever began them: "+
			finding.List(r.Prepared))
	}
	return lines
}

// transactions is a number of them in words.
func transactions(n uint64) string {
	return finding.Count(int(min(n, 1<<31)), "transaction")
}
