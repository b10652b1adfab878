package term

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// What follows is all that ever changes a Note. Each function asks again whether the
// change may be, since the note may have changed since it was decided, and leaves the note
// as it was if not. Each can be repeated: what is done already is no error.

// firstNumber is the number of the term that a setup begins with.
const firstNumber = 1

// Establish begins with the first term, whose master is this host: a setup does so. A
// host that knows a term keeps it.
func (n *Note) Establish(nonce string, at time.Time) error {
	switch {
	case n.Term.IsZero():
		n.Term = Term{Number: firstNumber, Nonce: nonce, Master: n.Name, Since: moment(at), By: BySetup}
		return nil
	case n.IsMaster():
		return nil
	}
	return n.problem("not-master", "run it on "+n.Term.Master, "%s is the master of this pair, by the term %d",
		n.Term.Master, n.Term.Number)
}

// Begin notes the request of a switchover or promotion to this host. One with the same
// cause that is there already is gone on with: it is in the note afterwards, and not
// another. One with another cause is withdrawn. The nonce must be random and new.
//
// A master that is demoted, and whose peer is lost, may be promoted: by a number that is
// higher than the one that the peer may have raised to.
func (n *Note) Begin(nonce string, by Cause, at time.Time) error {
	number := n.Term.Number + 1
	if by == ByPromotion {
		number = n.NextNumber()
	}
	switch {
	case n.Term.IsZero():
		return n.unknown()
	case n.IsMaster() && number == n.Term.Number+1:
		return n.problem("is-master", "", "%s is the master already, by the term %d", n.Name, n.Term.Number)
	case !n.StandsAside.IsZero() && !n.IsMaster():
		return n.problem("stands-aside", "gtunnel replication guard --stand-by",
			"%s stands aside since %s: it has promised not to become the master", n.Name, shown(n.StandsAside))
	case n.Request != nil && n.Request.By == by:
		return nil
	case n.Request != nil:
		n.Withdrawn = n.Request.Nonce
	}
	n.Request = &Request{Number: number, Nonce: nonce, By: by, Since: moment(at)}
	return nil
}

// NextNumber is the number of the next term of this host. A master that has demoted itself
// for its peer's request, and is promoted once that is lost, leaves the peer's number out:
// that may have raised it.
func (n *Note) NextNumber() uint64 {
	if n.IsDemoted() {
		return n.Term.Number + 2
	}
	return n.Term.Number + 1
}

// Raised is what a host notes that becomes the master.
type Raised struct {
	Nonce     string // of the Request
	At        time.Time
	Start     Start
	Alone     Alone // Fenced, or Demoted
	Promotion *Promotion
}

// Raise makes the request the term: from then on this host is the master, and nothing of
// it can be taken back. Raised before with the same nonce is no error.
func (n *Note) Raise(r Raised) error {
	switch {
	case n.Term.Nonce == r.Nonce && n.IsMaster():
		return nil
	case n.Request == nil || n.Request.Nonce != r.Nonce || n.Request.Number <= n.Term.Number:
		return n.problem("request-ended", "run the command again", "the request of this command has ended: it was withdrawn,"+
			" or the term has changed")
	case r.Alone != Fenced && r.Alone != Demoted:
		return n.problem("request-ended", "", "a term is raised if the other host is fenced or demoted, and not otherwise")
	}
	n.Term = Term{
		Number: n.Request.Number, Nonce: n.Request.Nonce, Master: n.Name, Since: moment(r.At), By: n.Request.By,
		Start: r.Start,
	}
	n.Request, n.Demotion, n.Resume, n.Copying = nil, nil, false, ""
	n.Alone, n.PeerAlone = r.Alone, NotAlone
	n.Promotion, n.StandsAside = r.Promotion, time.Time{}
	return nil
}

// Withdraw ends the request with a nonce, which is this host's, or one that its peer has
// read of it and that is gone: whoever asks is answered. What was raised is not withdrawn.
func (n *Note) Withdraw(nonce string) error {
	if n.Term.Nonce == nonce {
		return n.problem("raised", "", "the request has become the term %d: it cannot be taken back", n.Term.Number)
	}
	if n.Request != nil && n.Request.Nonce == nonce {
		n.Request, n.Resume = nil, true
	}
	n.Withdrawn = nonce
	return nil
}

// Resumed notes that the slave was started.
func (n *Note) Resumed() { n.Resume = false }

// Adopt takes a higher term that was read, or any if this host knows none. A request of
// this host is over by it, and so is a demotion, unless it was for this very term.
func (n *Note) Adopt(t Term) error {
	switch {
	case t.IsZero():
		return n.unknown()
	case n.Term.Same(t) && !n.Term.IsZero():
		return nil
	case t.Number <= n.Term.Number:
		return n.problem("changed", "", "the term %d is known, and %d is not higher", n.Term.Number, t.Number)
	}
	n.take(t)
	return nil
}

// GiveUp takes a term of the same number in place of this host's: after a split-brain,
// by the word of the administrator.
func (n *Note) GiveUp(t Term) error {
	switch {
	case n.Term.Same(t):
		return nil
	case !n.Term.Conflicts(t):
		return n.problem("changed", "", "the term %d is known, and the term %d of the other does not exclude it",
			n.Term.Number, t.Number)
	}
	n.take(t)
	return nil
}

// take makes t the term.
func (n *Note) take(t Term) {
	if n.Request != nil {
		n.Withdrawn = n.Request.Nonce
	}
	if n.Demotion != nil && (n.Demotion.Nonce != t.Nonce || n.Demotion.Refused != "") {
		n.Demotion = nil
	}
	if n.Term.Master != t.Master {
		n.Seen = nil
	}
	if n.Promotion != nil && n.Promotion.KeepLogs != "" { // which is still to be given back
		n.Promotion = &Promotion{KeepLogs: n.Promotion.KeepLogs}
	} else {
		n.Promotion = nil
	}
	n.Term, n.Request, n.Resume = t, nil, false
	n.Alone, n.PeerAlone = NotAlone, NotAlone
}

// Demote notes that this host answers its peer's request: it is read-only from here on,
// and its row says so, before anything is done to the server. scheduler is what
// event_scheduler is now, if that is on.
func (n *Note) Demote(nonce, scheduler string, at time.Time) error {
	switch {
	case !n.IsMaster():
		return n.problem("not-master", "", "%s is not the master", n.Name)
	case n.Demotion != nil && n.Demotion.Nonce == nonce:
		return nil
	case n.Demotion != nil && n.Demotion.Refused == "":
		return n.problem("changed", "", "%s is read-only for another request, which has not been withdrawn", n.Name)
	}
	n.Demotion = &Demotion{Nonce: nonce, Since: moment(at)}
	if n.EventScheduler == "" {
		n.EventScheduler = scheduler
	}
	return nil
}

// Refuse notes that a demotion could not be, and why. It must be done before this
// process takes the lock of the demotion, or not at all.
func (n *Note) Refuse(nonce, why string) error {
	if n.Demotion == nil || n.Demotion.Nonce != nonce || !n.IsMaster() {
		return n.problem("changed", "", "that demotion is over")
	}
	n.Demotion.Refused = why
	return nil
}

// TakeBack ends a demotion whose request was read as withdrawn.
func (n *Note) TakeBack(nonce string) error {
	if n.Demotion == nil {
		return nil
	}
	if n.Demotion.Nonce != nonce || n.Demotion.Nonce == n.Term.Nonce {
		return n.problem("changed", "", "that demotion is over")
	}
	n.Demotion = nil
	return nil
}

// Followed notes that this server is the slave of the term's master, whatever it was.
func (n *Note) Followed() {
	if !n.IsMaster() {
		n.Demotion, n.Joined = nil, n.Term.Nonce
	}
}

// SchedulerWas notes what event_scheduler was before this server was made read-only. What
// is noted already, stays.
func (n *Note) SchedulerWas(value string) {
	if n.EventScheduler == "" {
		n.EventScheduler = value
	}
}

// SchedulerSet notes that event_scheduler is again what it was before a demotion.
func (n *Note) SchedulerSet() { n.EventScheduler = "" }

// EndPromotion notes that the peer is the slave of this master again, and all that was
// left to do after the promotion is done.
func (n *Note) EndPromotion() { n.Promotion = nil }

// Hear notes what the peer says that has the same term: that ends the reasons to start
// without having heard it, but for its promise not to be promoted.
func (n *Note) Hear(r Record) {
	if n.Term.IsZero() || !n.Term.Same(r.Term) {
		return
	}
	n.PeerAlone, n.Alone = r.Alone, NotAlone
	if n.IsMaster() && !r.StandsAside.IsZero() {
		n.Alone = StoodAside
	}
}

// StandAside promises that this host will not be promoted, until StandBy.
func (n *Note) StandAside(at time.Time) error {
	switch {
	case n.Term.IsZero():
		return n.unknown()
	case n.IsMaster():
		return n.problem("is-master", "gtunnel replication switchover on "+n.Peer+
			" first; or, if only the network is to be down: nothing, a master goes on without its slave",
			"%s is the master, and has nothing to stand aside from", n.Name)
	case n.Request != nil:
		return n.problem("busy", "wait for its end", "a %s to this host has begun", n.Request.By)
	case n.StandsAside.IsZero():
		n.StandsAside = moment(at)
	}
	return nil
}

// StandBy takes that promise back. Until the master is heard to know, it may start alone.
func (n *Note) StandBy() {
	if !n.StandsAside.IsZero() && !n.IsMaster() {
		n.PeerAlone = StoodAside
	}
	n.StandsAside = time.Time{}
}

// StateAlone notes the administrator's word that the peer cannot serve: this host, which
// is the master by its term, becomes writable without having heard it. It raises nothing.
func (n *Note) StateAlone() error {
	switch {
	case n.Term.IsZero():
		return n.unknown()
	case !n.IsMaster():
		return n.problem("not-master", "if "+n.Term.Master+" is lost: gtunnel replication promote",
			"%s is the master by the term %d, and not this host", n.Term.Master, n.Term.Number)
	case n.IsDemoted():
		return n.problem("is-demoted", "if "+n.Peer+" answers: gtunnel replication switchover there; if it is lost: "+
			"gtunnel replication promote here",
			"%s has made itself read-only for %s, which may be the master since", n.Name, n.Peer)
	case n.Alone == NotAlone:
		n.Alone = Stated
	}
	return nil
}

// IsMaster reports whether this host is the master by its term.
func (n *Note) IsMaster() bool { return !n.Term.IsZero() && n.Term.Master == n.Name }

// IsDemoted reports whether this host is the master and must not be writable, because
// its peer may have become the master.
func (n *Note) IsDemoted() bool {
	return n.IsMaster() && n.Demotion != nil && n.Demotion.Refused == "" && n.Demotion.Nonce != n.Term.Nonce
}

// Follows reports whether this host is to become the slave of the new master by itself:
// it has demoted itself for that very term.
func (n *Note) Follows() bool {
	return !n.Term.IsZero() && !n.IsMaster() && n.Demotion != nil && n.Demotion.Nonce == n.Term.Nonce
}

// problem is a change that cannot be.
func (n *Note) problem(code, cure, format string, args ...any) error {
	return finding.New("", code, cure, format, args...)
}

// unknown is that no term is known.
func (n *Note) unknown() error {
	return n.problem(string(TermUnknown), "bring "+n.Peer+" and the tunnel to it up: the guard reads the term there,"+
		" within seconds; if this pair was never set up: gtunnel replication setup-master on the master",
		"this host does not know who of the pair is the master")
}

// moment is a time as a note keeps it.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// shown is a time for a sentence.
func shown(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Judge notes which GTIDs of this host's own its peer does not need: see Note.Judged.
func (n *Note) Judge(gtids string) { n.Judged = gtids }

// Join notes that this server is the slave of the term's master, with its history or a
// copy of its data: nothing of the old time is left to be judged.
func (n *Note) Join(t Term) error {
	if n.IsMaster() || !n.Term.Same(t) {
		return n.problem("changed", "run the command again", "the term has changed meanwhile")
	}
	n.Joined, n.Demotion, n.Copying = t.Nonce, nil, ""
	return nil
}

// HasJoined reports whether this host has become the slave of its term's master, with its
// events disabled.
func (n *Note) HasJoined() bool { return !n.IsMaster() && n.Joined != "" && n.Joined == n.Term.Nonce }

// Copy notes that this host makes a new copy of the peer's data. One that was begun is gone
// on with: its nonce is in the note afterwards.
func (n *Note) Copy(nonce string) error {
	if n.IsMaster() {
		return n.problem("changed", "run the command again", "the term has changed meanwhile")
	}
	if n.Copying == "" {
		n.Copying = nonce
	}
	return nil
}

// LetCopy notes the nonce of a copy for which there is an account here; empty: there is none.
func (n *Note) LetCopy(nonce string) { n.LetsCopy = nonce }

// StrictIs notes whether gtid_strict_mode is off, and is to be turned on again.
func (n *Note) StrictIs(off bool) { n.StrictOff = off }
