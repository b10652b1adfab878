package failover

import (
	"context"
	"fmt"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// alive is the code of a peer that is stated to be off, and is not.
const alive = "alive"

// MustBeSilent refuses the statement that the peer is off, for a master that is to start
// without having heard it, if the peer is there: the Problem alive. A peer whose server can
// be read needs no statement: the guard hears it, and a higher term of it is the truth.
func (h *Host) MustBeSilent(ctx context.Context, own term.Term) error {
	within, cancel := context.WithTimeout(ctx, term.PeerLimit)
	defer cancel()
	peer, err := h.PeerServer(within)
	if err == nil {
		defer func() { _ = peer.Close() }() // it was only read
		r, err := term.ReadRecord(within, peer, peer.DB)
		if err == nil {
			return h.answers(r, own)
		}
	}
	asking, stop := context.WithTimeout(ctx, lifePatience)
	defer stop()
	life, err := h.Alive(asking)
	if asking.Err() != nil && ctx.Err() == nil { // it was asked, and has not answered
		err = nil
	}
	if err == nil && life.Answers {
		err = finding.New(finding.Peer, alive,
			"mend its server; or, if that cannot be: systemctl stop gtunnel there, and then this command again",
			"%s is not off: %s, and its server does not say what its term is", h.Peer, life.How)
	}
	return err
}

// answers is that the peer's server can be read.
func (h *Host) answers(r *term.Record, own term.Term) error {
	text, cure := fmt.Sprintf("%s answers: it need not be stated to be off", h.Peer),
		"gtunnel replication status says what this master waits for"
	switch {
	case r != nil && r.Term.Number > own.Number:
		text = fmt.Sprintf("%s has the term %d, by which %s is the master: this host is not", h.Peer, r.Term.Number,
			r.Term.Master)
		cure = "gtunnel replication rejoin"
	case r != nil && r.Term.Conflicts(own):
		text = fmt.Sprintf("both hosts have a term %d, and not the same", own.Number)
		cure = "gtunnel replication status on both says what differs"
	}
	return finding.New(finding.Peer, alive, cure, "%s", text)
}
