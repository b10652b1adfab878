package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// watchPause is how long `status --watch` waits between two looks.
const watchPause = 2 * time.Second

// watchReplication looks again and again until ctx ends, and then tells as one look does
// whether the replication was well. On a terminal each look takes the place of the last;
// elsewhere there is a line where something has changed; as JSON, each look is a line.
func (m *Main) watchReplication(ctx context.Context, q *statusQuestion) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	screen := terminal.NewScreen(m.Stdout, m.Getenv)
	said := ""
	var last *watch.Status
	var meter watch.LagMeter
	var plot lagPlot
	for {
		status, err := m.readReplicationStatus(ctx, q)
		switch {
		case ctx.Err() != nil:
			return notWell(last)
		case err != nil:
			return err
		}
		last = status
		switch line := status.String(); {
		case q.asJSON:
			if err := m.printStatusLine(status); err != nil {
				return err
			}
		case screen.IsTerminal():
			screen.Clear()
			if err := m.writeReplicationStatus(status); err != nil {
				return err
			}
			plot.add(status.Time, meter.Measure(status))
			if drawn := plot.draw(screen.Columns(), status.Time); drawn != "" && status.Role == finding.Slave {
				fmt.Fprintf(m.Stdout, "\n%s\n", drawn)
			}
		case line != said:
			fmt.Fprintf(m.Stdout, "%s %s\n", status.Time.UTC().Format(time.RFC3339), line)
			said = line
		}
		if server.Pause(ctx, watchPause) != nil {
			return notWell(last)
		}
	}
}

// printStatusLine prints a status as one line of JSON.
func (m *Main) printStatusLine(status *watch.Status) error {
	status.Problems, status.Warnings = m.inCommandsOf(status.Problems), m.inCommandsOf(status.Warnings)
	return json.NewEncoder(m.Stdout).Encode(status)
}

// seePair looks at the pair that this host is of, by a lookout's logins; nil if it is of none.
// silent is why there is none at the peer.
func (m *Main) seePair(ctx context.Context, q *statusQuestion, l *lookout, silent error) (*rules.SeenPair, error) {
	pair, err := pairOf(q.config)
	if pair == nil {
		return nil, err
	}
	m.seeCluster(pair)
	own, peer := l.slave, l.master
	host := failover.Host{
		Name: pair.Host, Peer: pair.Peer, Mode: term.Mode(pair.Guard), Store: term.NewFile(q.stateDir, pair.Host, pair.Peer),
		Own: func(ctx context.Context) (*server.Server, error) { return server.Open(ctx, finding.Own, own.Login) },
		PeerServer: func(ctx context.Context) (*server.Server, error) {
			if peer == nil {
				return nil, silent
			}
			return server.Open(ctx, finding.Peer, peer.Login)
		},
	}
	if l.pair == nil {
		l.pair = host.Observe()
	}
	s, err := l.pair.Look(ctx)
	if err != nil {
		return nil, err
	}
	m.pairMaster = s.Note.IsMaster()
	if s.OwnServer == nil { // what was seen is not enough to judge by
		return nil, cannotTell(s)
	}
	seen := &rules.SeenPair{
		Name: host.Name, Peer: host.Peer, Mode: host.Mode, Note: s.Note, Decision: term.Decide(s.View),
		Writable: s.Own.Writable, Slave: s.Own.Slave, SemiSync: s.SemiSync(ctx),
	}
	holder, err := s.OwnServer.Server.LockHolder(ctx, s.OwnServer.On, failover.GuardLock)
	if err != nil {
		return nil, err
	}
	seen.Guard = holder != 0
	seePeer(ctx, seen, s)
	return seen, ctx.Err()
}

// seePeer notes what was seen of the other host.
func seePeer(ctx context.Context, seen *rules.SeenPair, s *failover.Sighting) {
	if s.Peer == nil {
		return
	}
	seen.Record, seen.PeerWritable = s.Peer.Record, &s.Peer.Writable
	seen.PeerID = s.PeerState.ID()
	if holder, err := s.PeerState.Server.LockHolder(ctx, s.PeerState.On, failover.GuardLock); err == nil {
		runs := holder != 0
		seen.PeerGuard = &runs
	}
}

// isMistyped reports whether the configuration file that was named is not there.
func isMistyped(file string) bool {
	_, err := os.Stat(file)
	return file != config.DefaultFile && errors.Is(err, fs.ErrNotExist)
}

// pairUnseen is why the pair was not seen: each mistake of the configuration file, or what
// is wrong with another one. It does not keep a status from telling the rest.
func pairUnseen(err error, file string) []*finding.Problem {
	if err == nil {
		return nil
	}
	var why []*finding.Problem
	for _, e := range usage.Split(err) {
		p := &finding.Problem{
			On: finding.Own, Code: "pair-unseen", Text: "what it knows of its pair cannot be read", Err: e,
			Cure: usage.HintOf(e),
		}
		if usage.Is(e) {
			p.Cure = strings.TrimPrefix(p.Cure+"; gtunnel run --check --config "+file+" lists all that is wrong with it", "; ")
		}
		why = append(why, p)
	}
	return why
}

// cannotTell is that the own server, which takes logins, does not tell all that it is asked.
func cannotTell(s *failover.Sighting) error {
	if !s.Note.IsMaster() || !s.Note.SemiSync.Wanted() {
		return s.OwnErr
	}
	return usage.WithHint(fmt.Errorf("a commit waits for the slave, as semi-synchronous replication has it, and this "+
		"server does not say meanwhile where its binary log ends: %w", s.OwnErr),
		"bring "+s.Note.Peer+" and the tunnel to it up; if it is off and stays off: gtunnel replication guard --i-am-master")
}

// pairOf is the section [pair] of a configuration file; nil if it, or the usual file, is
// not there.
func pairOf(file string) (*config.Pair, error) {
	_, missing := os.Stat(file)
	if file == "" || errors.Is(missing, fs.ErrNotExist) && file == config.DefaultFile {
		return nil, nil //nolint:nilnil // there is none
	}
	c, err := config.Read(file)
	if err == nil {
		err = usage.Join(c.PairFaults())
	}
	if err != nil || c.Pair == nil {
		return nil, err
	}
	if c.Pair.Host == "" {
		_, err := pairEndpoint(file, c.TunnelNamed(config.PairClient)) // says why the certificate cannot be read
		return nil, err
	}
	return c.Pair, nil
}

// writePairFacts prints what is known of the pair.
func writePairFacts(fact func(name, format string, args ...any), s *watch.Status) {
	p := s.Pair
	if p == nil {
		return
	}
	role := "the slave"
	switch {
	case p.Term.IsZero():
		role = "not known"
	case p.Term.Master == p.Name:
		role = "the master"
	}
	fact("pair", "%s (this host: %s) and %s", p.Name, role, p.Peer)
	fact("term", "here %s; on %s %s", termText(&p.Term), p.Peer, termText(p.PeerTerm))
	guard := "does not run"
	switch runs := p.Guard.Runs; {
	case runs == nil:
		guard = "not known"
	case *runs:
		guard = "runs, " + string(p.Guard.Mode)
	}
	guard += ": " + p.Guard.Reason
	if p.PeerGuard != nil && !*p.PeerGuard {
		guard += "; that of " + p.Peer + " does not run"
	}
	fact("guard", "%s", guard)
	writable := map[bool]string{true: "can be written to", false: "is read-only"}
	peer := "was not asked"
	if p.PeerWritable != nil {
		peer = writable[*p.PeerWritable]
	}
	fact("writers", "this server %s; that of %s %s", writable[p.Writable], p.Peer, peer)
	if p.SemiSync != nil {
		fact("semi-sync", "%s", p.SemiSync)
	}
	if !p.StandsAside.IsZero() {
		fact("aside", "this host stands aside since %s", p.StandsAside.UTC().Format(time.DateTime+" UTC"))
	}
}

// termText is a term in a line.
func termText(t *term.Term) string {
	switch {
	case t == nil:
		return "not read"
	case t.IsZero():
		return "none"
	}
	return fmt.Sprintf("%d (%s, by %s, since %s)", t.Number, t.Master, t.By, t.Since.UTC().Format(time.DateTime+" UTC"))
}
