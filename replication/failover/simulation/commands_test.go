package simulation

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
)

// command is a stage in which an administrator runs a command on a host, until it is done.
func command(name string, on int, run func(ctx context.Context, p *process) error, done func(w *world) bool) stage {
	return stage{
		name: name + " on " + string("AB"[on]), done: done,
		do: func(w *world) {
			w.errBefore, w.lastErr = w.lastErr, nil
			h := w.hosts[on]
			wait := time.Duration(0)
			if w.tries > 1 {
				wait = patienceOfAdministrators
			}
			w.in(wait+w.untilLook(w.other(h)), "an administrator types "+name, func() {
				if h.up {
					w.spawn(name+" "+h.letter, h, run)
				}
			})
		},
	}
}

// agree is a Dialogue in which everything is agreed to, with the plan as the flaw wants it.
func (p *process) agree() replication.Dialogue {
	return replication.Dialogue{Agree: func(plan *replication.Plan) (bool, error) {
		if err := plan.Err(); err != nil {
			return false, err
		}
		command, _, _ := strings.Cut(p.name, " ")
		p.w.flaw.spoil(command, plan)
		return len(plan.Steps) > 0, nil
	}}
}

// isMaster reports whether a host is the master by its note, its last command has ended
// well, and its peer knows.
func isMaster(on int) func(w *world) bool {
	return func(w *world) bool {
		n, _ := w.hosts[on].note.note()
		return n.IsMaster() && w.lastErr == nil
	}
}

// switchover makes a host the master.
func switchover(on int) stage {
	return command("switchover", on, func(ctx context.Context, p *process) error {
		_, err := (&failover.Switchover{Host: p.hostOf(), Dialogue: p.agree(), Nonce: rand.Text()}).Run(ctx)
		return err
	}, isMaster(on))
}

// promote makes a host the master, with a statement that its peer is fenced.
func promote(on int) stage { return promoteUntil(on, isMaster(on)) }

// promoteInVain is promote, which is refused once the peer answers again.
func promoteInVain(on int) stage {
	return promoteUntil(on, func(w *world) bool { return w.tries > 0 })
}

func promoteUntil(on int, done func(w *world) bool) stage {
	return command("promote", on, func(ctx context.Context, p *process) error {
		peer := p.w.other(p.host)
		if peer.up {
			p.w.checker.false1 = true
		}
		_, err := (&failover.Promote{
			Host: p.hostOf(), Dialogue: p.agree(), Nonce: rand.Text(),
			PromoteWant: failover.PromoteWant{Fenced: peer.name, LoseAtMost: failover.LoseAtMost{Any: true}},
		}).Run(ctx)
		return err
	}, done)
}

// write is a stage in which a client writes to whatever can be written to.
func write() stage {
	return stage{name: "a client writes", do: func(w *world) {
		for _, h := range w.hosts {
			if w.canWrite(h) {
				w.write(h)
			}
		}
	}}
}

// untilLook is until shortly before the next look of a guard: so a command does not ask the
// same for most of a second, again and again.
func (w *world) untilLook(h *host) time.Duration {
	if !h.guard.alive() {
		return 0
	}
	since := time.Since(h.guard.asked) % time.Second
	return (2*time.Second - since - 50*time.Millisecond) % time.Second
}

// patienceOfAdministrators is how long they wait before they run a command again.
const patienceOfAdministrators = 12 * time.Second
