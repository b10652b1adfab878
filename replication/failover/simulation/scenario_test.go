package simulation

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// scenario is what happens in a run without deviations, and which deviations there can be.
type scenario struct {
	name    string
	script  []stage
	prepare func(w *world)                              // changes what there is before the hosts boot; nil: nothing
	writes  int                                         // of clients, at most: besides those of the script
	lags    bool                                        // a thread of the slave may get nothing done for a while
	power   bool                                        // hosts may lose their power
	long    bool                                        // it is explored by make simulate alone
	alone   bool                                        // the old master has what keeps it from following
	cuts    bool                                        // the link may be cut
	guard   func(ctx context.Context, p *process) error // nil: the real one
	cluster bool                                        // a cluster manager decides, and no guard opens a server
}

// stage is a part of a scenario's script: it begins when nothing has changed for a while, and
// no command runs.
type stage struct {
	name string
	do   func(w *world)

	// done reports whether there is nothing left to do of it; until then, it is done again,
	// as an administrator would who runs the same command once more. nil: it is done once.
	done func(w *world) bool
}

// triesOfStage is how often.
const triesOfStage = 8

// next does what comes next in the script; false: nothing is left.
func (w *world) next() (move, bool) {
	for ; w.stage < len(w.scenario.script); w.stage, w.tries = w.stage+1, 0 {
		s := w.scenario.script[w.stage]
		if s.done == nil && w.tries > 0 || s.done != nil && s.done(w) {
			continue
		}
		return move{name: "stage " + s.name, do: func() {
			if w.tries++; w.tries > triesOfStage {
				w.violate("%s: not done after %d tries: %v; %s", s.name, triesOfStage, w.lastErr, w.standing())
				return
			}
			if w.tries == 2 && w.deviated == 0 {
				w.violate("%s: not done at the first try, although nothing has happened to it: %v", s.name, w.lastErr)
				return
			}
			w.log("--- %s", s.name)
			s.do(w)
			w.change()
		}}, true
	}
	return move{}, false
}

// begin makes a ready pair, whose master is A, and boots both; f: nil is none.
func (s *scenario) begin(ctx context.Context, family server.Family, f *flaw) *world {
	w := newWorld(ctx, family)
	w.scenario, w.flaw = s, f
	if f != nil { // before guards run, which decide by it
		w.decide = f.decide
	}
	a, b := w.hosts[0], w.hosts[1]
	first := term.Term{Number: 1, Nonce: "FIRSTFIRSTFIRSTFIRSTFIRST1", Master: a.name, Since: time.Now(), By: term.BySetup}
	for _, h := range w.hosts {
		n := term.Note{
			HostID: map[string]string{"A": "HOSTHOSTHOSTHOSTHOSTHOSTAA", "B": "HOSTHOSTHOSTHOSTHOSTHOSTBB"}[h.letter],
			Name:   h.name, Peer: w.other(h).name, Term: first,
		}
		h.note, _ = json.Marshal(&n)
		h.engine.hasRecord = true
	}
	b.engine.master = &source{host: server.Loopback, port: 3307, user: replicationUser, byGTID: true}
	for _, h := range w.hosts {
		if s.cluster {
			h.mode = term.Cluster
		}
	}
	if s.prepare != nil {
		s.prepare(w)
	}
	for _, h := range w.hosts {
		w.bootHost(h)
	}
	return w
}

// startGuard starts the guard of a host.
func (w *world) startGuard(h *host) {
	if w.scenario.guard != nil {
		h.guard = w.spawn("guard "+h.letter, h, w.scenario.guard)
		return
	}
	h.guard = w.spawn("guard "+h.letter, h, func(ctx context.Context, p *process) error {
		return (&failover.Guard{Host: p.hostOf()}).Run(ctx)
	})
}

// hostOf is what a process has of its host.
func (p *process) hostOf() failover.Host {
	h, peer := p.host, p.w.other(p.host)
	return failover.Host{
		Name: h.name, Peer: peer.name, Mode: h.mode, Ordered: p.isOrdered(), Store: store{p},
		Own: func(ctx context.Context) (*server.Server, error) {
			return p.open(ctx, finding.Slave, &connector{p: p, server: h.engine, user: "root"})
		},
		PeerServer: func(ctx context.Context) (*server.Server, error) {
			return p.open(ctx, finding.Master, &connector{p: p, server: peer.engine, remote: true, user: facts.MonitorUser})
		},
		Follower: func(ctx context.Context) (*server.Server, error) {
			return p.open(ctx, finding.Master, &connector{p: p, server: peer.engine, remote: true, user: replicationUser})
		},
		Databases: []string{"t"}, Port: 3307, ReplicationPassword: server.Password{},
		Alive: p.alivePeer, Decide: p.w.decide,
		KeepRelayLog: func(ctx context.Context, _ *server.Server, _ string) (string, error) {
			_, err := p.do(ctx, &operation{
				text: "copy the relay log", effect: true, broken: func() error { return errDisk },
				run: func() (any, error) {
					h.copied = len(h.engine.relay)
					return nil, nil
				},
			})
			return "/copy", err
		},
	}
}

// open logs in.
func (p *process) open(ctx context.Context, role finding.Role, c *connector) (*server.Server, error) {
	s, err := server.Over(ctx, role, server.Login{Network: "unix", Address: "/" + c.server.host.letter, User: c.user}, c)
	if err == nil {
		p.w.mu.Lock()
		p.cleanup = append(p.cleanup, func() { _ = s.Close() })
		p.w.mu.Unlock()
	}
	return s, err
}

// alivePeer asks the peer's host over TLS.
func (p *process) alivePeer(ctx context.Context) (failover.Life, error) {
	value, err := p.do(ctx, &operation{
		text: "ask the host of the peer", remote: true,
		run:    func() (any, error) { return truth(true), nil },
		broken: func() error { return errDead },
	})
	if err != nil {
		return failover.Life{How: "no answer"}, nil //nolint:nilerr // that is the answer
	}
	return failover.Life{Answers: bool(value.(truth)), How: "it answers"}, nil
}
