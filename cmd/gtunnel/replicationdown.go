package main

import (
	"context"
	"errors"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// isDown reports whether a login has failed since the server of this host does not answer.
func isDown(err error) bool {
	return finding.HasCode(err, "connect") || finding.HasCode(err, server.NoAnswer) || errors.Is(err, errNoSocket)
}

// ofOwn is an error of the own server, whose role nobody knows yet.
func ofOwn(err error) error {
	if p, ok := errors.AsType[*finding.Problem](err); ok {
		p.On = finding.Own
	}
	return err
}

// readDown is the status of a host whose own server does not answer: what its note and the
// other host tell.
func (m *Main) readDown(ctx context.Context, q *statusQuestion, why error) (*watch.Status, error) {
	p, ok := errors.AsType[*finding.Problem](why)
	if !ok {
		p = &finding.Problem{Code: "connect", Text: "its server does not answer", Err: why}
	}
	p.On = finding.Own
	pair, err := m.seePairDown(ctx, q, why)
	if err != nil && (ctx.Err() != nil || isMistyped(q.config)) {
		return nil, err
	}
	p.Cure = "systemctl status mariadb, or of MySQL mysqld or mysql, and its error log say why; " +
		"if it runs: is its address right?"
	if pair != nil && pair.IsMaster() {
		p.Cure += "; if it cannot be started: gtunnel help failover"
	}
	status := watch.ServerDown(p, pair)
	status.Problems = append(status.Problems, pairUnseen(err, q.config)...)
	return status, nil
}

// seePairDown is what is seen of the pair that this host is of without its server; nil if it
// is of none.
func (m *Main) seePairDown(ctx context.Context, q *statusQuestion, why error) (*rules.SeenPair, error) {
	pair, err := pairOf(q.config)
	if pair == nil {
		return nil, err
	}
	m.seeCluster(pair)
	peer, err := m.openMaster(ctx, &q.master)
	if err != nil && (ctx.Err() != nil || usage.Is(err) && q.master != (masterFlags{})) {
		return nil, err
	}
	host := failover.Host{
		Name: pair.Host, Peer: pair.Peer, Mode: term.Mode(pair.Guard), Store: term.NewFile(q.stateDir, pair.Host, pair.Peer),
		Own: func(context.Context) (*server.Server, error) { return nil, why },
		PeerServer: func(ctx context.Context) (*server.Server, error) {
			if peer == nil {
				return nil, err
			}
			return server.Open(ctx, finding.Peer, peer.Login)
		},
	}
	if peer != nil {
		defer func() { _ = peer.Close() }() // it was only asked
	}
	observer := host.Observe()
	defer observer.Close()
	s, err := observer.Look(ctx)
	if err != nil {
		return nil, err
	}
	m.pairMaster = s.Note.IsMaster()
	seen := &rules.SeenPair{Name: host.Name, Peer: host.Peer, Mode: host.Mode, Note: s.Note}
	seePeer(ctx, seen, s)
	return seen, ctx.Err()
}
