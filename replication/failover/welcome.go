package failover

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/term"
)

// welcome does, on the master, what the way back of its peer asks for: it goes on beyond
// the GTIDs that only the peer has, and once the peer follows, what was kept for it is
// given back. Nothing is done twice.
func (g *Guard) welcome(ctx context.Context, s *Sighting) error {
	ctx, cancel := context.WithTimeout(ctx, 2*ownLimit)
	defer cancel()
	n, own := &s.Note, s.OwnServer
	if !n.IsMaster() {
		if n.Promotion == nil || n.Term.IsZero() {
			return nil
		}
		return g.endPromotion(ctx, s) // what it kept its binary log for is over
	}
	if s.Peer == nil || s.Peer.Record == nil || !s.Peer.Record.Term.Same(n.Term) || !own.Writable() || n.IsDemoted() {
		return nil
	}
	if peer := s.Peer.Record; peer.Judged != "" && peer.Judged != g.judged {
		if err := takeJudged(ctx, own.Server, peer.Judged); err != nil {
			return err
		}
		g.judged = peer.Judged
	}
	if err := g.letCopy(ctx, s); err != nil {
		return err
	}
	if n.Promotion == nil || s.Peer.Record.Joined != n.Term.Nonce {
		return nil
	}
	return g.endPromotion(ctx, s)
}

// endPromotion ends what was kept for the other host.
func (g *Guard) endPromotion(ctx context.Context, s *Sighting) error {
	if keep := s.Note.Promotion.KeepLogs; keep != "" {
		v := s.OwnServer.Server.Version
		if err := g.observer.change(ctx, s.OwnServer, v.SetRetention(keep)); err != nil {
			return err
		}
	}
	return g.observer.update(ctx, s, func(n *term.Note) error { n.EndPromotion(); return nil })
}
