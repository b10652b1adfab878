package watch

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/term"
)

// PairSide is what a host of a pair knows of it.
type PairSide struct {
	Name string `json:"name"` // of this host
	Peer string `json:"peer"` // of the other

	Term     term.Term  `json:"term"`      // by this host's note; its number is 0 if none is known
	PeerTerm *term.Term `json:"peer_term"` // by the other's row; null if that was not read

	Writable     bool  `json:"writable"`      // the server of this host, but for accounts with special rights
	PeerWritable *bool `json:"peer_writable"` // the other; null if it was not asked

	Guard     GuardSide `json:"guard"`      // of this host
	PeerGuard *bool     `json:"peer_guard"` // that of the other host runs; null if that was not asked

	SemiSync *rules.SemiSync `json:"semi_sync"` // null: it is neither wanted nor there

	StandsAside     time.Time `json:"stands_aside,omitzero"`      // since when this host does
	PeerStandsAside time.Time `json:"peer_stands_aside,omitzero"` // and the other
}

// GuardSide is what the guard of this host does.
type GuardSide struct {
	Runs   *bool     `json:"runs"` // null: the server of this host, which knows it, does not answer
	Mode   term.Mode `json:"mode"` // strict, lenient, cluster
	Waits  term.Code `json:"waits,omitempty"`
	Reason string    `json:"reason"` // why it does what it does, in words
}

// seePair notes what was seen of the pair.
func (r *statusReader) seePair(p *rules.SeenPair) {
	if p == nil {
		return
	}
	seen := *p
	r.pair = &seen
	r.Pair = &PairSide{
		Name: p.Name, Peer: p.Peer, Term: p.Note.Term, Writable: p.Writable, PeerWritable: p.PeerWritable,
		PeerGuard:   p.PeerGuard,
		Guard:       GuardSide{Runs: &p.Guard, Mode: p.Mode, Waits: p.Decision.Code, Reason: p.Decision.Reason},
		StandsAside: p.Note.StandsAside, SemiSync: p.SemiSync,
	}
	if p.Record != nil {
		r.Pair.PeerTerm, r.Pair.PeerStandsAside = &p.Record.Term, p.Record.StandsAside
	}
}
