package term_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/term"
)

// The pair of these tests: "here" decides, "there" is its peer.
const (
	here  = "server1.domain.one"
	there = "server2.domain.two"
)

// The terms. Two have the number 2.
var (
	first       = term.Term{Number: 1, Nonce: "n1", Master: here, By: term.BySetup}
	firstThere  = term.Term{Number: 1, Nonce: "n1", Master: there, By: term.BySetup}
	second      = term.Term{Number: 2, Nonce: "n2", Master: here, By: term.ByPromotion}
	secondThere = term.Term{Number: 2, Nonce: "m2", Master: there, By: term.BySwitchover}
	third       = term.Term{Number: 3, Nonce: "n3", Master: there, By: term.BySwitchover}
)

// asks is the request of the peer, and took what the peer has demoted itself for.
const asks, took = "asked", "taken"

// notes are those of the host, over a small domain of each of their parts.
func notes() []term.Note {
	list := []term.Note{{Name: here, Peer: there}, {HostID: "own", Name: here, Peer: there}}
	for _, t := range []term.Term{first, firstThere, second, secondThere} {
		for _, demotion := range []*term.Demotion{
			nil, {Nonce: asks}, {Nonce: asks, Refused: "a long statement"}, {Nonce: t.Nonce},
		} {
			for _, request := range []*term.Request{nil, {Number: t.Number + 1, Nonce: took, By: term.BySwitchover}} {
				for _, alone := range []term.Alone{term.NotAlone, term.Fenced, term.Demoted, term.StoodAside, term.Stated} {
					list = append(list, term.Note{
						HostID: "own", Name: here, Peer: there, Term: t, Demotion: demotion, Request: request, Alone: alone,
					})
				}
			}
		}
	}
	return list
}

// peers are what may be read of the peer.
func peers() []*term.Peer {
	list := []*term.Peer{nil}
	for _, writable := range []bool{false, true} {
		list = append(list, &term.Peer{Writable: writable},
			&term.Peer{Writable: writable, Record: &term.Record{HostID: "own", Name: there, Term: third}},
			&term.Peer{Writable: writable, Record: &term.Record{HostID: "other", Name: "server3", Term: third}})
		for _, t := range []term.Term{{}, first, second, firstThere, secondThere, third} {
			for _, base := range []term.Record{
				{},
				{Request: &term.Request{Number: t.Number + 1, Nonce: asks, By: term.BySwitchover}},
				{Request: &term.Request{Number: t.Number + 1, Nonce: asks, By: term.ByPromotion}},
				{Withdrawn: asks},
				{Demotion: &term.Demotion{Nonce: took}},
				{StandsAside: time.Unix(1, 0), Alone: term.Stated},
			} {
				base.HostID, base.Name, base.Term = "other", there, t
				list = append(list, &term.Peer{Writable: writable, Record: &base})
			}
		}
	}
	return list
}

// clocks are the parts of a view that are time.
func clocks() []term.View {
	return []term.View{
		{Mode: term.Strict, Idle: term.AbandonedAfter},
		{Mode: term.Strict, Running: time.Hour, Known: term.Announce, Working: true},
		{Mode: term.Lenient, Running: term.LenientPatience - 1, Known: term.Announce, Idle: term.AbandonedAfter - 1},
		{Mode: term.Lenient, Running: term.LenientPatience, Known: term.Announce - 1, Idle: term.AbandonedAfter},
		{Mode: term.Lenient, Running: term.LenientPatience, Known: term.Announce},
		{Mode: term.Cluster, Running: time.Hour, Known: term.Announce, Idle: term.AbandonedAfter},
		{Mode: term.Cluster, Running: time.Hour, Known: term.Announce, Working: true},
		{Mode: term.Cluster, Running: time.Hour, Known: term.Announce, Working: true, Ordered: true},
	}
}

// owns are what the own server says: seven of its parts, each true and false, of which
// one host has five that matter.
func owns(master bool) []term.Own {
	var list []term.Own
	for bits := range 32 {
		on := func(bit int) bool { return bits&(1<<bit) != 0 }
		own := term.Own{Writable: on(0), Published: on(1), LogHasAll: true, PeerHasAll: true}
		if master {
			own.LogHasAll, own.SlaveActive, own.Demoted = on(2), on(3), on(4)
		} else {
			own.PeerHasAll, own.Slave, own.SlaveStands = on(2), on(3) || on(4), on(4)
		}
		list = append(list, own)
	}
	return list
}

// TestDecide asks for the decision in every state of small domains, and holds each against
// the rules, which are written here a second time and in other words.
func TestDecide(t *testing.T) {
	t.Parallel()
	states, opened := 0, 0
	for _, note := range notes() {
		for _, clock := range clocks() {
			for _, own := range owns(note.IsMaster()) {
				for _, peer := range peers() {
					v := clock
					v.Note, v.Own, v.Peer = note, own, peer
					d := term.Decide(v)
					states++
					if slices.Contains(d.Acts, term.Open) {
						opened++
					}
					if broken := judge(v, d); broken != "" {
						t.Fatalf("%s\n%s\ndecided: %+v", broken, describe(v), d)
					}
				}
			}
		}
	}
	t.Logf("%d states, of which %d make the server writable", states, opened)
	if opened == 0 {
		t.Error("nothing ever makes the server writable")
	}
}

func describe(v term.View) string {
	peer := "silent"
	if v.Peer != nil {
		peer = fmt.Sprintf("%+v, record %+v", *v.Peer, v.Peer.Record)
	}
	return fmt.Sprintf("note: %+v\ndemotion: %+v, request: %+v\nown: %+v\npeer: %s\n"+
		"mode %s, ordered %t, running %s, known %s, working %t, idle %s",
		v.Note, v.Note.Demotion, v.Note.Request, v.Own, peer, v.Mode, v.Ordered, v.Running, v.Known, v.Working, v.Idle)
}

// judge says which rule a decision breaks.
func judge(v term.View, d term.Decision) string {
	for _, rule := range []func(term.View, term.Decision, *term.Record) string{
		judgeOpen, judgeClose, judgeTerms, judgeDemotion, judgeSlave, judgeWords,
	} {
		if broken := rule(v, d, readOf(v)); broken != "" {
			return broken
		}
	}
	return ""
}

// readOf is what was read of the peer and is the peer's.
func readOf(v term.View) *term.Record {
	if v.Peer == nil || v.Peer.Record == nil || v.Peer.Record.HostID != "other" || v.Peer.Record.Name != there {
		return nil
	}
	return v.Peer.Record
}

// judgeOpen: when a server may become writable.
func judgeOpen(v term.View, d term.Decision, r *term.Record) string {
	if !slices.Contains(d.Acts, term.Open) {
		return ""
	}
	n, heard := v.Note, r != nil && r.Term.Number > 0
	silence := n.Alone != "" || v.Mode == term.Lenient && v.Running >= term.LenientPatience
	waits := n.Alone != term.Demoted && n.Alone != term.StoodAside && (!heard || r.Term.Nonce != n.Term.Nonce)
	switch {
	case n.Term.Master != here || n.Term.Number == 0:
		return "open though the term is not ours"
	case v.Own.Writable:
		return "open what is open"
	case !v.Own.LogHasAll:
		return "open though the peer has received more: data before terms"
	case !v.Own.Published:
		return "open before the term is published"
	case v.Own.SlaveActive:
		return "open though it is still a slave"
	case n.Demotion != nil && n.Demotion.Refused == "" && n.Demotion.Nonce != n.Term.Nonce:
		return "open though demoted"
	case v.Peer != nil && v.Peer.Writable:
		return "open though the peer can be written to"
	case heard && (r.Term.Number > n.Term.Number || r.Term.Number == n.Term.Number && r.Term.Nonce != n.Term.Nonce):
		return "open though the peer has a higher term, or another of the same number"
	case !heard && !silence:
		return "silence taken as consent"
	case v.Mode == term.Cluster && !v.Ordered:
		return "open though the cluster manager has not asked for it"
	case waits && v.Known < term.Announce:
		return "open before the peer could take the term"
	case len(d.Acts) > 1:
		return "open, and something else"
	}
	return ""
}

// judgeClose: what is writable and must not be is closed, and nothing else.
func judgeClose(v term.View, d term.Decision, r *term.Record) string {
	closes, n := slices.Contains(d.Acts, term.Close), v.Note
	higher := r != nil && r.Term.Number > n.Term.Number && n.Term.Number > 0
	conflict := r != nil && r.Term.Number == n.Term.Number && r.Term.Nonce != n.Term.Nonce && n.Term.Number > 0
	switch {
	case closes && n.Term.Number == 0:
		return "closed though nothing is known: what runs is left alone"
	case closes && r == nil && n.Term.Master == here:
		return "a cut of the network closes a master"
	case closes && conflict:
		return "closed in a split-brain"
	case closes && d.Acts[0] != term.Close:
		return "something is done before closing"
	case closes != v.Own.Writable && higher && r.Term.Master == there:
		return "a higher term does not close"
	case closes != v.Own.Writable && !higher && !conflict && n.Term.Number > 0 && n.Term.Master == there:
		return "the term is not ours, and the server is not closed"
	}
	return ""
}

// judgeTerms: no decision raises a term, and higher ones are taken.
func judgeTerms(v term.View, d term.Decision, r *term.Record) string {
	n := v.Note
	conflict := r != nil && r.Term.Number == n.Term.Number && r.Term.Nonce != n.Term.Nonce && n.Term.Number > 0
	others := func(acts ...term.Act) bool { // is something done that is none of these?
		return slices.ContainsFunc(d.Acts, func(a term.Act) bool { return !slices.Contains(acts, a) })
	}
	switch {
	case conflict && (d.Code != term.SplitBrain || others(term.Publish)):
		return "in a split-brain nothing changes"
	case n.HostID != "" && r != nil && r.Term.Number > n.Term.Number && !slices.Contains(d.Acts, term.Adopt):
		return "a higher term is not taken"
	case n.Term.Number == 0 && others(term.NewNote, term.Adopt):
		return "something is done without a term"
	}
	for _, act := range d.Acts {
		if act != term.Adopt && act != term.Withdraw && act != term.Heard {
			continue
		}
		after := v.Note
		if err := v.Apply(act, &after); err != nil {
			return fmt.Sprintf("%s cannot be applied: %v", act, err)
		}
		if !after.Term.Same(n.Term) && (r == nil || !after.Term.Same(r.Term)) {
			return "a term from nowhere"
		}
		if n.Demotion != nil && after.Demotion == nil && after.Term.Same(n.Term) {
			return "a demotion is lost"
		}
		if again := after; !errors.Is(v.Apply(act, &again), term.ErrChanged) {
			return fmt.Sprintf("%s is done twice", act)
		}
	}
	return ""
}

// judgeDemotion: who demotes himself, and when it is taken back.
func judgeDemotion(v term.View, d term.Decision, r *term.Record) string {
	n := v.Note
	pending := n.IsMaster() && n.Demotion != nil && n.Demotion.Refused == "" && n.Demotion.Nonce != n.Term.Nonce
	asked := r != nil && r.Request != nil && r.Request.By == term.BySwitchover && r.Request.Number == n.Term.Number+1 &&
		r.Term.Same(n.Term)
	switch back, demotes := slices.Contains(d.Acts, term.TakeBack), slices.Contains(d.Acts, term.Demote); {
	case back && (r == nil || n.Demotion == nil || r.Withdrawn != n.Demotion.Nonce):
		return "taken back without a withdrawal"
	case demotes && !n.IsMaster():
		return "demoted, and no master"
	case demotes && !pending && !asked:
		return "demoted unasked"
	case slices.Contains(d.Acts, term.Withdraw) && n.Request != nil && (v.Working || v.Idle < term.AbandonedAfter) &&
		(r == nil || r.Demotion == nil):
		return "a request is withdrawn whose command works"
	case v.Own.Demoted && slices.Contains(d.Acts, term.Publish):
		return "published under its own lock"
	}
	return ""
}

// judgeSlave: when a slave is started.
func judgeSlave(v term.View, d term.Decision, r *term.Record) string {
	n := v.Note
	same := r != nil && r.Term.Same(n.Term)
	switch starts, follows := slices.Contains(d.Acts, term.StartSlave), slices.Contains(d.Acts, term.Follow); {
	case (starts || follows) && (n.Term.Master != there || !same):
		return "started, or followed, without having heard the master"
	case starts && (!v.Own.PeerHasAll || v.Working || n.Request != nil):
		return "started though the master lacks what was received, or a command works"
	case follows && (n.Demotion == nil || n.Demotion.Nonce != n.Term.Nonce):
		return "followed without having been demoted for that term"
	}
	return ""
}

// judgeWords: who waits is told for what.
func judgeWords(v term.View, d term.Decision, _ *term.Record) string {
	switch {
	case d.Reason == "":
		return "no reason"
	case len(d.Acts) == 0 && v.Note.IsMaster() && !v.Own.Writable && d.Code == term.Well:
		return "a master is read-only, nothing is done, and all is well"
	}
	return ""
}
