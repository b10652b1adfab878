package simulation

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/term"
)

// A cluster manager gives its orders by commands: it promotes one host at a time, and that only
// once the other is demoted, or fenced. What it has ordered, and not whether that was done, is
// what it goes by: a host that it has once told to serve may do so until it is demoted.

// isOrdered reports whether a process is a command of the cluster manager's.
func (p *process) isOrdered() bool {
	command, _, _ := strings.Cut(p.name, " ")
	return p.host.mode == term.Cluster && (command == "promote" || command == "switchover" || command == "demote")
}

// serve is a stage in which the cluster manager lets a host serve.
func serve(on int) stage {
	s := stage{name: "the cluster lets " + string("AB"[on]) + " serve"}
	s.done = func(w *world) bool { return w.promoted == w.hosts[on] && w.canWrite(w.hosts[on]) && w.lastErr == nil }
	s.do = func(w *world) {
		h, other := w.hosts[on], w.other(w.hosts[on])
		if !other.up && other.off {
			w.promoted = h
			promoteBy(on, other.name).do(w)
			return
		}
		if w.promoted == other {
			demote(w.index(other)).do(w)
			return
		}
		w.promoted = h
		if n, _ := h.note.note(); n.IsMaster() {
			promoteBy(on, "").do(w)
		} else {
			switchover(on).do(w)
		}
	}
	return s
}

// promoteBy is a promotion that it orders, by the word that the other is fenced if that is named.
func promoteBy(on int, fenced string) stage {
	return command("promote", on, func(ctx context.Context, p *process) error {
		_, err := (&failover.Promote{
			Host: p.hostOf(), Dialogue: p.agree(), Nonce: rand.Text(),
			PromoteWant: failover.PromoteWant{Fenced: fenced, LoseAtMost: failover.LoseAtMost{Any: true}},
		}).Run(ctx)
		return err
	}, nil)
}

// demote is a stage in which the cluster manager has a host end to serve.
func demote(on int) stage {
	s := command("demote", on, func(ctx context.Context, p *process) error {
		_, err := (&failover.Demote{Host: p.hostOf(), Dialogue: p.agree()}).Run(ctx)
		if err == nil {
			p.w.mu.Lock()
			defer p.w.mu.Unlock()
			p.w.promoted = nil
		}
		return err
	}, nil)
	s.done = func(w *world) bool { return w.promoted != w.hosts[on] }
	return s
}

// served is a stage in which the cluster manager sees that nobody serves, and lets the one that
// has the term do so again.
func served() stage {
	s := stage{name: "the cluster sees to it that one serves"}
	s.done = func(w *world) bool { return w.canWrite(w.hosts[0]) != w.canWrite(w.hosts[1]) }
	s.do = func(w *world) {
		for i, h := range w.hosts {
			if n, _ := h.note.note(); n.IsMaster() && h.up {
				serve(i).do(w)
				return
			}
		}
	}
	return s
}

// clusterGoesOn is a scenario in which the cluster manager gives all its orders.
func clusterGoesOn() *scenario {
	return &scenario{
		name: "a cluster goes on deciding", writes: 6, cuts: true, long: true, cluster: true,
		script: []stage{
			serve(0), write(), demote(0), serve(0), write(), demote(0), serve(1), write(), demote(1), serve(1), write(),
			off(1), serve(0), write(),
			{name: "B boots", do: func(w *world) { w.hosts[1].off = false; w.bootHost(w.hosts[1]) }},
			rejoin(1), write(), off(1),
			{name: "A is killed", do: func(w *world) { w.killServer(w.hosts[0]) }},
			{name: "A is there again", do: func(*world) {}, done: func(w *world) bool { return w.hosts[0].engine.up }},
			serve(0), write(), served(),
		},
	}
}
