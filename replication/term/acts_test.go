package term_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/term"
)

// noteOf is a note of this host with a term.
func noteOf(t term.Term, changes ...func(*term.Note)) term.Note {
	n := term.Note{HostID: "own", Name: here, Peer: there, Term: t}
	for _, change := range changes {
		change(&n)
	}
	return n
}

// peerOf is a peer that answers with a term.
func peerOf(t term.Term, changes ...func(*term.Record)) *term.Peer {
	r := term.Record{HostID: "other", Name: there, Term: t}
	for _, change := range changes {
		change(&r)
	}
	return &term.Peer{Record: &r}
}

// ownOf is a server that is read-only, with nothing to be said of it but the changes.
func ownOf(changes ...func(*term.Own)) term.Own {
	own := term.Own{Published: true, LogHasAll: true, PeerHasAll: true}
	for _, change := range changes {
		change(&own)
	}
	return own
}

// What notes and records may have.
func demoted(n *term.Note) { n.Demotion = &term.Demotion{Nonce: asks} }

func refusing(n *term.Note) { n.Demotion = &term.Demotion{Nonce: asks, Refused: "a long statement"} }
func fenced(n *term.Note)   { n.Alone = term.Fenced }
func requests(n *term.Note) {
	n.Request = &term.Request{Number: n.Term.Number + 1, Nonce: took, By: term.BySwitchover}
}
func lockHeld(o *term.Own) { o.Demoted = true }
func writable(o *term.Own) { o.Writable = true }
func slave(o *term.Own)    { o.Slave = true }
func stands(o *term.Own)   { o.Slave, o.SlaveStands = true, true }

func askingFor(number uint64) func(*term.Record) {
	return func(r *term.Record) { r.Request = &term.Request{Number: number, Nonce: asks, By: term.BySwitchover} }
}
func withdraws(r *term.Record)   { r.Withdrawn = asks }
func isDemoted(r *term.Record)   { r.Demotion = &term.Demotion{Nonce: took} }
func mayBeAlone(r *term.Record)  { r.Alone = term.Stated }
func hasFollowed(r *term.Record) { r.Demotion = &term.Demotion{Nonce: firstThere.Nonce} }

// decided is what must be decided.
type decided struct {
	v    term.View
	code term.Code
	acts []term.Act
}

func do(v term.View, acts ...term.Act) decided { return decided{v: v, acts: acts} }
func tell(c term.Code, v term.View, acts ...term.Act) decided {
	return decided{v: v, code: c, acts: acts}
}

// TestActs: what must be done, so that things go on; TestDecide asks what must not.
func TestActs(t *testing.T) {
	t.Parallel()
	for _, cases := range []map[string]decided{actsOfMaster(), actsOfSlave(), actsOfLost()} {
		for name, c := range cases {
			if d := term.Decide(c.v); !slices.Equal(d.Acts, c.acts) || d.Code != c.code {
				t.Errorf("%s: decided are %v, %q: %s\nwant %v, %q", name, d.Acts, d.Code, d.Reason, c.acts, c.code)
			}
		}
	}
}

func actsOfMaster() map[string]decided {
	own, asking := ownOf(), peerOf(first, askingFor(2))
	return map[string]decided{
		"the peer asks":   do(term.View{Note: noteOf(first), Own: own, Peer: asking}, term.Demote),
		"it was answered": tell(term.IsDemoted, term.View{Note: noteOf(first, demoted), Own: ownOf(lockHeld), Peer: asking}),
		"lock is lost":    tell(term.IsDemoted, term.View{Note: noteOf(first, demoted), Own: own, Peer: asking}, term.Demote),
		"and in silence":  tell(term.IsDemoted, term.View{Note: noteOf(first, demoted), Own: own}, term.Demote),
		"it was refused":  do(term.View{Note: noteOf(first, refusing), Own: own, Peer: asking}, term.Open),
		"withdrawn": do(term.View{
			Note: noteOf(first, demoted), Own: own, Peer: peerOf(first, withdraws),
		}, term.TakeBack),
		"another number": do(term.View{Note: noteOf(first), Own: own, Peer: peerOf(first, askingFor(3))}, term.Open),
		"both start":     do(term.View{Note: noteOf(first), Own: own, Peer: peerOf(first)}, term.Open),
		"alone":          do(term.View{Note: noteOf(second, fenced), Own: own, Known: term.Announce}, term.Open),
		"just raised":    tell(term.Announcing, term.View{Note: noteOf(second, fenced), Own: own}),
		"strict":         tell(term.PeerSilent, term.View{Note: noteOf(first), Own: own}),
		"lenient": do(term.View{
			Note: noteOf(first), Own: own, Mode: term.Lenient, Running: term.LenientPatience, Known: term.Announce,
		}, term.Open),
		"a cluster": tell(term.AwaitsCluster, term.View{
			Note: noteOf(first, fenced), Own: own, Mode: term.Cluster, Known: term.Announce, Peer: peerOf(first),
		}, term.Heard),
		"its order": do(term.View{
			Note: noteOf(first), Own: own, Mode: term.Cluster, Ordered: true, Peer: peerOf(first),
		}, term.Open),
		"its order in silence": tell(term.PeerSilent, term.View{
			Note: noteOf(first), Own: own, Mode: term.Cluster, Ordered: true,
		}),
		"its order by a fence": do(term.View{
			Note: noteOf(first, fenced), Own: own, Mode: term.Cluster, Ordered: true, Known: term.Announce,
		}, term.Open),
		"a cluster's guard": do(term.View{Note: noteOf(first), Own: ownOf(writable), Mode: term.Cluster}),
		"a cluster's guard of no master": do(term.View{
			Note: noteOf(firstThere), Own: ownOf(slave, writable), Mode: term.Cluster,
		}, term.Close),
		"a cut":          do(term.View{Note: noteOf(first), Own: ownOf(writable)}),
		"the peer knows": do(term.View{Note: noteOf(first, fenced), Own: own, Peer: peerOf(first)}, term.Heard),
		"its own row": tell(term.OwnRow, term.View{
			Note: noteOf(first), Own: own, Peer: &term.Peer{Record: &term.Record{HostID: "own", Name: there}},
		}),
	}
}

func actsOfSlave() map[string]decided {
	own, peer := ownOf(slave), peerOf(firstThere)
	noteOfFollower := noteOf(secondThere, func(n *term.Note) { n.Demotion = &term.Demotion{Nonce: secondThere.Nonce} })
	return map[string]decided{
		"the peer knows": do(term.View{Note: noteOf(firstThere), Own: own, Peer: peerOf(firstThere, mayBeAlone)}, term.Heard),
		"and it does not know of this": do(term.View{
			Note: noteOf(firstThere), Own: term.Own{Slave: true}, Peer: peerOf(firstThere, mayBeAlone),
		}, term.Publish),
		"abandoned": do(term.View{Note: noteOf(firstThere, requests), Own: own, Idle: term.AbandonedAfter}, term.Withdraw),
		"a command works": do(term.View{
			Note: noteOf(firstThere, requests), Own: own, Working: true, Idle: term.AbandonedAfter,
			Peer: peerOf(firstThere, isDemoted),
		}),
		"what it is demoted for is not there": do(term.View{
			Note: noteOf(firstThere), Own: own, Peer: peerOf(firstThere, isDemoted),
		}, term.Withdraw),
		"what it is demoted for is the term": do(term.View{
			Note: noteOf(firstThere), Own: own, Peer: peerOf(firstThere, hasFollowed),
		}),
		"of an earlier term":    do(term.View{Note: noteOf(secondThere), Own: own, Peer: peerOf(first, isDemoted)}),
		"the master answers":    do(term.View{Note: noteOf(firstThere), Own: ownOf(stands), Peer: peer}, term.StartSlave),
		"demoted for this term": do(term.View{Note: noteOfFollower, Own: ownOf(), Peer: peerOf(secondThere)}, term.Follow),
		"promoted against it": tell(term.NotFollowing, term.View{
			Note: noteOf(secondThere), Own: ownOf(), Peer: peerOf(secondThere),
		}),
		"opened by hand": do(term.View{Note: noteOf(firstThere), Own: ownOf(slave, writable)}, term.Close),
	}
}

func actsOfLost() map[string]decided {
	lost := noteOf(term.Term{})
	row := ownOf(func(o *term.Own) { o.Row = &term.Record{HostID: "lost", Name: here, Term: second} })
	return map[string]decided{
		"no note":              tell(term.TermUnknown, term.View{Note: term.Note{Name: here, Peer: there}}, term.NewNote),
		"silence":              tell(term.TermUnknown, term.View{Note: lost, Own: row}),
		"nobody knows":         tell(term.TermUnknown, term.View{Note: lost, Own: ownOf(), Peer: peerOf(term.Term{})}),
		"the peer says it":     do(term.View{Note: lost, Own: ownOf(), Peer: peerOf(first)}, term.Adopt),
		"the own row excludes": tell(term.SplitBrain, term.View{Note: lost, Own: row, Peer: peerOf(secondThere)}),
	}
}

// TestCureOfSplit: a split-brain names for each host the command that gives up what that one
// has, since who reads it here may run it there.
func TestCureOfSplit(t *testing.T) {
	t.Parallel()
	d := term.Decide(term.View{Note: noteOf(second), Own: ownOf(), Peer: peerOf(secondThere)})
	for _, want := range []string{
		"THIS host is to go: gtunnel replication rejoin --give-up " + here + ";",
		"on " + there + ": gtunnel replication rejoin --give-up " + there,
	} {
		if d.Code != term.SplitBrain || !strings.Contains(d.Cure, want) {
			t.Errorf("%q: no %q in %q", d.Code, want, d.Cure)
		}
	}
}

// TestLostNoteTakesTheHigherRow: a host that was promoted, and has lost its note since, does
// not take the lower term of its peer for it: its own row has what it was.
func TestLostNoteTakesTheHigherRow(t *testing.T) {
	t.Parallel()
	note := noteOf(term.Term{})
	row := ownOf(writable, func(o *term.Own) { o.Row = &term.Record{HostID: "lost", Name: here, Term: second} })
	v := term.View{Note: note, Own: row, Peer: peerOf(first)}
	if err := v.Apply(term.Adopt, &note); err != nil || note.Term != second {
		t.Errorf("%+v, %v", note.Term, err)
	}
}
