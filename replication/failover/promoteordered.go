package failover

import (
	"context"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// orderPatience is how long a command of a cluster manager's waits for what keeps the server of
// a host that has the term from becoming writable: mostly for the other host to be heard.
const orderPatience = 30 * time.Second

// passing are the codes of what may pass by itself meanwhile.
var passing = []term.Code{term.PeerSilent, term.PeerWritable, term.StillSlave, term.BehindItsPeer, term.TermUnknown}

// obey makes the server of a host that has the term writable, as a cluster manager has
// ordered. The permission is this process, and nothing else: it ends with it. That the other
// host is fenced counts as the word of the administrator that it cannot serve.
func (p *Promote) obey(ctx context.Context) error {
	if err := p.observer.announce(ctx); err != nil {
		return err
	}
	for until := time.Now().Add(orderPatience); ; {
		err := p.observer.Open(ctx)
		if finding.HasCode(err, string(term.PeerSilent)) && p.Fenced == p.Peer {
			var stated bool
			if stated, err = p.stateAlone(ctx); stated {
				continue
			}
		}
		if err == nil || !mayPass(err) || time.Now().After(until) {
			return err
		}
		if p.Waiting != nil {
			p.Waiting(err.Error())
		}
		if err := server.Pause(ctx, term.Look/4); err != nil {
			return err
		}
	}
}

// mayPass reports whether it may be otherwise a moment later.
func mayPass(err error) bool {
	return finding.HasCode(err, alive) ||
		slices.ContainsFunc(passing, func(code term.Code) bool { return finding.HasCode(err, string(code)) })
}

// stateAlone notes that the other host cannot serve, if nothing contradicts that.
func (p *Promote) stateAlone(ctx context.Context) (stated bool, err error) {
	if err := p.MustBeSilent(ctx, p.facts.note.Term); err != nil {
		return false, err
	}
	note, err := p.Store.Update(ctx, (*term.Note).StateAlone)
	return note.Alone != term.NotAlone, err
}

// takenBackPatience is how long a command of a cluster manager's waits for the end of a
// switchover that was cut off: the guards take it back, within seconds.
const takenBackPatience = 10 * time.Second

// awaitTakenBack gives the note. That of a master which has demoted itself for the other, which
// lives, is waited for by a command of a cluster manager's.
func (p *Promote) awaitTakenBack(ctx context.Context, lives bool) (term.Note, error) {
	for until := time.Now().Add(takenBackPatience); ; {
		note, err := p.Store.Load(ctx)
		if err != nil || !p.Ordered || !lives || !note.IsDemoted() || time.Now().After(until) {
			return note, err
		}
		if err := server.Pause(ctx, atOnce); err != nil {
			return note, err
		}
	}
}
