package term_test

import (
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// now is when all happens here.
var now = time.Date(2026, 11, 28, 2, 58, 10, 0, time.UTC)

// pairOf is both hosts of a pair, "here" the master.
func pairOf(t *testing.T) (master, slave *term.Note) {
	t.Helper()
	master = &term.Note{HostID: "a", Name: here, Peer: there}
	slave = &term.Note{HostID: "b", Name: there, Peer: here}
	must(t, master.Establish("n1", now))
	must(t, slave.Adopt(master.Term))
	if !master.IsMaster() || slave.IsMaster() || master.Term.Number != 1 {
		t.Fatalf("%+v, %+v", master, slave)
	}
	return master, slave
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused wants a Problem of a code, and a note that is as it was.
func refused(t *testing.T, n *term.Note, code string, change func(*term.Note) error) {
	t.Helper()
	before := *n
	if err := change(n); !finding.HasCode(err, code) {
		t.Errorf("want %s, and got %v", code, err)
	}
	if n.Term != before.Term || n.Request != before.Request || n.Demotion != before.Demotion || n.Alone != before.Alone {
		t.Errorf("%s: the note has changed: %+v", code, n)
	}
}

// TestSwitchoverNotes: the notes of both hosts through a switchover, each change made twice.
func TestSwitchoverNotes(t *testing.T) {
	t.Parallel()
	a, b := pairOf(t)
	for range 2 {
		must(t, b.Begin("n2", term.BySwitchover, now))
		must(t, a.Demote("n2", "ON", now))
	}
	if !a.IsDemoted() || a.Follows() || a.EventScheduler != "ON" || b.Request.Number != 2 {
		t.Fatalf("%+v, %+v", a, b)
	}
	raised := term.Raised{Nonce: "n2", At: now, Alone: term.Demoted, Promotion: &term.Promotion{Events: []string{"d.e"}}}
	for range 2 {
		must(t, b.Raise(raised))
	}
	if !b.IsMaster() || b.Term.Number != 2 || b.Request != nil || b.Alone != term.Demoted {
		t.Fatalf("%+v", b)
	}
	refused(t, b, "raised", func(n *term.Note) error { return n.Withdraw("n2") })
	for range 2 {
		must(t, a.Adopt(b.Term))
	}
	if a.IsMaster() || a.IsDemoted() || !a.Follows() || a.EventScheduler != "ON" {
		t.Fatalf("%+v", a)
	}
	if b.Hear(a.Record()); b.Alone != term.NotAlone {
		t.Errorf("it was heard, and has a reason to start alone: %s", b.Alone)
	}
	a.Followed()
	if a.Follows() {
		t.Errorf("%+v", a)
	}
}

// TestWithdrawnNotes: a switchover that is taken back, and another after it.
func TestWithdrawnNotes(t *testing.T) {
	t.Parallel()
	a, b := pairOf(t)
	must(t, b.Begin("n2", term.BySwitchover, now))
	must(t, a.Demote("n2", "", now))
	refused(t, a, "is-demoted", (*term.Note).StateAlone)
	refused(t, a, "changed", func(n *term.Note) error { return n.TakeBack("another") })
	refused(t, a, "changed", func(n *term.Note) error { return n.Demote("n3", "", now) })
	must(t, b.Withdraw("n2"))
	if !b.Resume || b.Withdrawn != "n2" || b.Request != nil {
		t.Errorf("%+v", b)
	}
	refused(t, b, "request-ended", func(n *term.Note) error {
		return n.Raise(term.Raised{Nonce: "n2", At: now, Alone: term.Demoted})
	})
	for range 2 {
		must(t, a.TakeBack("n2"))
	}
	must(t, b.Begin("n3", term.BySwitchover, now))
	must(t, a.Demote("n3", "", now))
	must(t, a.Refuse("n3", "a long statement"))
	if a.IsDemoted() {
		t.Error("one that is refused holds")
	}
	must(t, b.Begin("n4", term.ByPromotion, now)) // which ends the switchover
	if b.Withdrawn != "n3" || b.Request.Nonce != "n4" {
		t.Errorf("%+v", b)
	}
	must(t, a.Demote("n5", "", now))
}

// TestRefusedChanges: what must not be noted.
func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	a, b := pairOf(t)
	none := &term.Note{HostID: "c", Name: here, Peer: there}
	begin := func(by term.Cause) func(*term.Note) error {
		return func(n *term.Note) error { return n.Begin("n9", by, now) }
	}
	refused(t, none, "term-unknown", begin(term.ByPromotion))
	refused(t, none, "term-unknown", (*term.Note).StateAlone)
	refused(t, a, "is-master", begin(term.BySwitchover))
	refused(t, a, "is-master", func(n *term.Note) error { return n.StandAside(now) })
	refused(t, b, "not-master", (*term.Note).StateAlone)
	refused(t, b, "not-master", func(n *term.Note) error { return n.Establish("n9", now) })
	refused(t, b, "not-master", func(n *term.Note) error { return n.Demote("n9", "", now) })
	refused(t, b, "changed", func(n *term.Note) error { return n.Adopt(term.Term{Number: 1, Nonce: "x", Master: there}) })
	refused(t, b, "changed", func(n *term.Note) error { return n.GiveUp(third) })
	refused(t, b, "request-ended", func(n *term.Note) error {
		return n.Raise(term.Raised{Nonce: "n9", At: now, Alone: term.Fenced})
	})
	must(t, b.StandAside(now))
	refused(t, b, "stands-aside", begin(term.ByPromotion))
	a.Hear(b.Record())
	if b.Hear(a.Record()); a.Alone != term.StoodAside || b.PeerAlone != term.StoodAside {
		t.Errorf("%+v, %+v", a, b)
	}
	b.StandBy()
	if a.Hear(b.Record()); a.Alone != term.NotAlone || b.PeerAlone != term.StoodAside {
		t.Errorf("%+v, %+v", a, b)
	}
	must(t, begin(term.ByPromotion)(b))
	refused(t, b, "request-ended", func(n *term.Note) error {
		return n.Raise(term.Raised{Nonce: "n9", At: now, Alone: term.Stated})
	})
}

// TestDemotedMasterIsPromoted: its peer, which has asked for a switchover, is lost, and may
// have raised the term before. The new number is higher than that.
func TestDemotedMasterIsPromoted(t *testing.T) {
	t.Parallel()
	a, b := pairOf(t)
	must(t, b.Begin("n2", term.BySwitchover, now))
	must(t, a.Demote("n2", "ON", now))
	must(t, b.Raise(term.Raised{Nonce: "n2", At: now, Alone: term.Demoted}))
	must(t, a.Begin("n3", term.ByPromotion, now))
	must(t, a.Raise(term.Raised{Nonce: "n3", At: now, Alone: term.Fenced}))
	if a.Term.Number != 3 || a.IsDemoted() || !a.IsMaster() {
		t.Errorf("%+v", a)
	}
	must(t, b.Adopt(a.Term))
	if b.IsMaster() || b.Follows() {
		t.Errorf("%+v", b)
	}
}

// TestGivenUp: of two terms with one number, one is given up.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	a, b := pairOf(t)
	for _, n := range []*term.Note{a, b} {
		n.Term = term.Term{Number: 2, Nonce: n.HostID, Master: n.Name}
	}
	must(t, a.GiveUp(b.Term))
	must(t, a.GiveUp(b.Term))
	if a.IsMaster() || a.Term != b.Term {
		t.Errorf("%+v", a)
	}
}

// TestRetentionIsKept: what the retention of the binary log was is not forgotten by a term
// that comes before it was given back.
func TestRetentionIsKept(t *testing.T) {
	t.Parallel()
	a, _ := pairOf(t)
	a.Promotion = &term.Promotion{KeepLogs: "86400", Events: []string{"d.e"}}
	must(t, a.Adopt(secondThere))
	if a.Promotion == nil || a.Promotion.KeepLogs != "86400" || a.Promotion.Events != nil {
		t.Errorf("%+v", a.Promotion)
	}
}
