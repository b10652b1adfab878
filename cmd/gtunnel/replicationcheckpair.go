package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// pairOfCheck reads of which pair this host is, and what it has noted. It reports whether
// the pair is set up: where it is not, the checks are those of the setups.
func (m *Main) pairOfCheck(ctx context.Context, c *replicationCheck) (config.Config, term.Note, bool, error) {
	_, missing := os.Stat(c.pair.config)
	if c.role != "" || errors.Is(missing, fs.ErrNotExist) && c.pair.config == config.DefaultFile {
		return config.Config{}, term.Note{}, false, nil
	}
	cfg, err := config.Read(c.pair.config)
	if err == nil {
		err = usage.Join(cfg.PairFaults())
	}
	if err != nil || cfg.Pair == nil || cfg.Pair.Host == "" {
		return cfg, term.Note{}, false, err
	}
	note, err := term.NewFile(c.pair.stateDir, cfg.Pair.Host, cfg.Pair.Peer).Load(ctx)
	return cfg, note, err == nil && !note.Term.IsZero(), err
}

// checkPair checks a pair before a failover. It reports whether this host is of one that
// is set up.
func (m *Main) checkPair(ctx context.Context, c *replicationCheck, found *findings) (bool, error) {
	cfg, note, isPair, err := m.pairOfCheck(ctx, c)
	for _, hook := range cfg.Hooks() {
		found.problem("hook", hook)
	}
	if err != nil || !isPair {
		return false, err
	}
	c.pair.login, m.pairMaster = c.login, note.IsMaster()
	host, err := m.openHost(ctx, &c.pair)
	if err != nil {
		return true, err
	}
	check := &replication.PairCheck{
		Name: host.Name, Peer: host.Peer, Mode: host.Mode, Note: note, ConfigDir: c.configDir,
		GuardLock: failover.GuardLock,
	}
	if check.Own, err = host.Own(ctx); err != nil {
		return true, err
	}
	defer func() { _ = check.Own.Close() }() // it was only asked
	if check.PeerServer, check.Silent = host.PeerServer(ctx); check.Silent == nil {
		defer func() { _ = check.PeerServer.Close() }() // it was only asked
		follower, err := host.Follower(ctx)
		if check.Login = err; err == nil {
			_ = follower.Close() // it was only tried
		}
	}
	ready, err := check.Run(ctx)
	if err != nil {
		return true, err
	}
	found.addReadiness(ready.Readiness)
	for _, v := range ready.Verdicts {
		found.addVerdict(v)
	}
	return true, nil
}

// addVerdict says of a command whether it is ready.
func (f *findings) addVerdict(v replication.Verdict) {
	if len(v.Problems) == 0 {
		f.ok(v.Command, "ready")
		return
	}
	var codes []string
	for _, p := range v.Problems {
		codes = append(codes, p.Code)
	}
	*f = append(*f, checkLine{
		Level: levelProblem, About: v.Command, verdict: true,
		Text: fmt.Sprintf("not ready: %s (see above)", finding.List(slices.Compact(slices.Sorted(slices.Values(codes))))),
	})
}
