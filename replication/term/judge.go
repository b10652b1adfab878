package term

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrChanged is that what was decided does not hold any more for the note as it is now:
// look again.
var ErrChanged = errors.New("the note of the term has changed meanwhile")

// Decide says what a host does, by what is true of it and of its peer. It is pure. The
// guard asks it at each look, and so does a command before it makes a server writable.
//
// What it keeps to, from the rules of a failover:
//
//   - Only promote and switchover raise a term: nothing here does. A higher term that is
//     read is taken, and the server closed if it is not the master by it. Of two terms with
//     one number neither is: nothing changes but by an administrator's word.
//   - Unreachable is not dead: in strict, silence permits nothing. A master becomes writable
//     if it has heard its peer, or has a reason (Alone). And silence forbids nothing: a
//     master that is writable stays so.
//   - Data before terms: it becomes writable only if its log has all that its peer has
//     received of it.
//   - A demotion is taken back only if its request is read as withdrawn, by its nonce.
//   - A file that is lost makes a term that is unknown: neither writable nor promotable
//     until the peer has been read, but a server that runs writable is left alone.
//   - A term is published before its server is writable; and for Announce, if the peer has
//     not taken it and neither has promised nor demoted itself.
//   - Where a cluster manager decides, a server becomes writable by a command of that alone,
//     while it runs, and not by the guard.
func Decide(v View) Decision {
	if v.Note.HostID == "" {
		return Decision{Acts: []Act{NewNote}, Code: TermUnknown, Reason: "nothing is noted here of who is the master"}
	}
	peer, code, reason := v.heard()
	d := v.decide(peer)
	if code != Well && (d.Code == Well || d.Code == PeerSilent || d.Code == TermUnknown) {
		d.Code, d.Reason, d.Cure = code, reason, ""
	}
	return d
}

// decide is Decide with the peer's record, if that is one.
func (v View) decide(peer *Record) Decision {
	n := &v.Note
	switch {
	case n.Term.IsZero():
		return v.unknown(peer)
	case peer != nil && peer.Term.Conflicts(n.Term):
		d := v.split(n.Term, peer.Term)
		d.Acts = v.publishing()
		return d
	case peer != nil && peer.Term.Number > n.Term.Number:
		d := Decision{
			Acts:   []Act{Adopt},
			Reason: fmt.Sprintf("%s has the term %d, by which %s is the master", n.Peer, peer.Term.Number, peer.Term.Master),
		}
		if peer.Term.Master != n.Name && (v.Own.Writable || v.Own.Loose) { // not later by a look
			d.Acts = []Act{Close, Adopt}
		}
		return d
	case n.IsMaster():
		return v.asMaster(peer)
	}
	return v.asSlave(peer)
}

// heard is the peer's record if it is the peer's, and otherwise why it is not.
func (v View) heard() (record *Record, code Code, reason string) {
	if v.Peer == nil || v.Peer.Record == nil {
		return nil, Well, ""
	}
	switch r := v.Peer.Record; {
	case r.HostID == v.Note.HostID:
		return nil, OwnRow, "the row that is read through the tunnel is this host's own: the tunnel leads back here, or " +
			"the other is a copy of this host and its guard has not written a row of its own yet"
	case r.Name != v.Note.Peer:
		return nil, OtherPair, fmt.Sprintf("the row that is read through the tunnel is of %q, and the other host of this "+
			"pair is %s", r.Name, v.Note.Peer)
	default:
		return r, Well, ""
	}
}

// unknown decides where the note was lost, or is new. Every row that names a term proves
// that it was: the highest counts, of the peer's and of the own server's.
func (v View) unknown(peer *Record) Decision {
	if peer == nil {
		return Decision{
			Code:   TermUnknown,
			Reason: "this host has lost its note of who is the master, and " + v.Note.Peer + " does not say it either",
			Cure:   "bring " + v.Note.Peer + " and the tunnel to it up: the guard reads the term there, within seconds",
		}
	}
	best, ok := v.best(peer)
	switch {
	case !ok:
		return v.split(v.Own.Row.Term, peer.Term)
	case best.IsZero():
		return Decision{
			Code:   TermUnknown,
			Reason: "neither this host nor " + v.Note.Peer + " knows who is the master",
			Cure:   "gtunnel replication setup-master on the master, and setup-slave on the other",
		}
	}
	return Decision{Acts: []Act{Adopt}, Reason: fmt.Sprintf("%s is the master, by the term %d", best.Master, best.Number)}
}

// best is the term that a host without one takes; ok: there are no two that exclude
// each other.
func (v View) best(peer *Record) (best Term, ok bool) {
	best = peer.Term
	if row := v.Own.Row; row != nil {
		if row.Term.Conflicts(best) {
			return Term{}, false
		}
		if row.Term.Number > best.Number {
			best = row.Term
		}
	}
	return best, true
}

// split is a split-brain.
func (v View) split(own, other Term) Decision {
	return Decision{
		Code: SplitBrain,
		Reason: fmt.Sprintf("both hosts have a term %d, and not the same: %s was made the master here, and %s there",
			own.Number, own.Master, other.Master),
		Cure: CureOfSplit(v.Note.Name, v.Note.Peer),
	}
}

// CureOfSplit is what to do when the terms of both exclude each other, as this host says it:
// each host gives up its own data, and no other's.
func CureOfSplit(name, peer string) string {
	const giveUp = "gtunnel replication rejoin --give-up "
	return "gtunnel replication status on both says what differs. If the data of THIS host is to go: " + giveUp + name +
		"; if that of " + peer + " is to go, on " + peer + ": " + giveUp + peer
}

// asSlave decides for a host that is not the master.
func (v View) asSlave(peer *Record) Decision {
	n := &v.Note
	d := Decision{Reason: fmt.Sprintf("%s is the master, by the term %d", n.Term.Master, n.Term.Number)}
	if v.Own.Writable || v.Own.Loose && !v.copies() {
		d.Acts = append(d.Acts, Close)
	}
	d.Acts = append(d.Acts, v.publishing()...)
	if act := v.noting(peer); act != "" {
		d.Acts = append(d.Acts, act)
		return d
	}
	same := peer != nil && peer.Term.Same(n.Term)
	switch {
	case n.Follows() && same:
		d.Acts = append(d.Acts, Follow)
	case n.Follows():
		d.Code, d.Reason = NotFollowing, d.Reason+", and this server becomes its slave when it answers"
	case !v.Own.Slave:
		d.Code, d.Reason = NotFollowing, d.Reason+", and this server is not its slave"
		d.Cure = "gtunnel replication rejoin"
	case same && v.mayStart():
		d.Acts = append(d.Acts, StartSlave)
	}
	return d
}

// copies reports whether a command of this host makes a new copy of the master's data, for
// which administrators may write here, and nobody else.
func (v View) copies() bool { return v.Note.Copying != "" && v.Working }

// mayStart reports whether the slave is to be started: stopped by the start of its server,
// or by a request that is over. Only if the master has all that was received: to start
// deletes the relay log where both threads stand.
func (v View) mayStart() bool {
	return (v.Own.SlaveStands || v.Note.Resume) && v.Own.PeerHasAll && v.Note.Request == nil && !v.Working
}

// asMaster decides for a host that is the master.
func (v View) asMaster(peer *Record) Decision {
	n := &v.Note
	d := Decision{Reason: fmt.Sprintf("this host is the master, by the term %d", n.Term.Number)}
	switch {
	case n.Demotion != nil && peer != nil && peer.Withdrawn == n.Demotion.Nonce:
		d.Acts, d.Reason = []Act{TakeBack}, "the "+string(BySwitchover)+" to "+n.Peer+" was withdrawn"
		return d
	case n.IsDemoted():
		d.Code = IsDemoted
		d.Reason = fmt.Sprintf("this host is read-only since %s, for a switchover to %s that has not ended",
			shown(n.Demotion.Since), n.Peer)
		if v.Own.Writable || v.Own.Loose || !v.Own.Demoted {
			d.Acts = append(d.Acts, Demote)
		}
		if peer == nil {
			d.Reason += "; " + n.Peer + " does not answer, and may be the master since"
			d.Cure = "bring " + n.Peer + " and the tunnel to it up; if it is lost: gtunnel replication promote here"
		}
		if act := v.noting(peer); act != "" {
			d.Acts = append(d.Acts, act)
		}
		return d
	case v.asked(peer):
		d.Acts, d.Reason = []Act{Demote}, n.Peer+" asks for a switchover"
		return d
	}
	if v.Own.Writable {
		d.Acts = v.publishing()
		if v.Peer != nil && v.Peer.Writable {
			d.Code, d.Reason = PeerWritable, d.Reason+", and "+n.Peer+" can be written to as well"
			d.Cure = "on " + n.Peer + ": systemctl enable --now gtunnel-guard, which makes it read-only; or " +
				"SET GLOBAL read_only=1"
		}
	} else {
		d = v.opening(peer)
	}
	if act := v.noting(peer); act != "" {
		d.Acts = slices.DeleteFunc(d.Acts, func(a Act) bool { return a == Open })
		d.Acts = append(d.Acts, act)
	}
	return d
}

// asked reports whether the peer asks for a switchover that this host has not answered.
// A promotion is none of this host's business: it is meant for one that cannot answer.
func (v View) asked(peer *Record) bool {
	if peer == nil || peer.Request == nil || !peer.Term.Same(v.Note.Term) {
		return false
	}
	r := peer.Request
	return r.By == BySwitchover && r.Number == v.Note.Term.Number+1 && v.Note.Request == nil &&
		(v.Note.Demotion == nil || v.Note.Demotion.Nonce != r.Nonce)
}

// opening decides whether the master, which is read-only, becomes writable.
func (v View) opening(peer *Record) Decision {
	n := &v.Note
	wait := func(code Code, cure, reason string) Decision {
		return Decision{
			Acts: v.publishing(), Code: code, Cure: cure,
			Reason: fmt.Sprintf("this host is the master, by the term %d, and read-only: %s", n.Term.Number, reason),
		}
	}
	known := peer != nil && !peer.Term.IsZero() // and it is not higher
	same := known && peer.Term.Same(n.Term)
	promised := n.Alone == Demoted || n.Alone == StoodAside
	switch {
	case v.Own.SlaveActive:
		return wait(StillSlave, "run the command again that has made this host the master",
			"it still has running threads of a slave")
	case v.Peer != nil && v.Peer.Writable:
		return wait(PeerWritable, "on "+n.Peer+": systemctl enable --now gtunnel-guard, which makes it read-only; or, if "+
			"the data there is the right one: gtunnel replication status on both", n.Peer+" can be written to")
	case !v.Own.LogHasAll:
		return wait(BehindItsPeer, "gtunnel replication switchover on "+n.Peer,
			n.Peer+" has received transactions of it that its binary log does not have any more")
	case v.Mode == Cluster && !v.Ordered:
		return wait(AwaitsCluster, "pcs status, or crm status, says why it does not promote this host; in its maintenance "+
			"mode you may: gtunnel replication promote --cluster", "it waits for the cluster manager")
	case !known && !v.alone():
		cure := "gtunnel replication guard --i-am-master"
		if v.Mode == Cluster {
			cure = "gtunnel replication promote --cluster --fenced " + n.Peer
		}
		return wait(PeerSilent, "bring "+n.Peer+" or the tunnel to it up; if it is off and stays off: "+cure,
			n.Peer+" does not say that it was not promoted meanwhile")
	case !v.Own.Published:
		return wait(Announcing, "", "its term is being published")
	case !same && !promised && v.Known < Announce:
		return wait(Announcing, "", fmt.Sprintf("its term is published for %s, so that %s can take it",
			Announce.Round(time.Second), n.Peer))
	}
	return Decision{Acts: []Act{Open}, Reason: fmt.Sprintf("this host is the master, by the term %d", n.Term.Number)}
}

// alone reports whether this master may become writable without having heard its peer.
func (v View) alone() bool {
	return v.Note.Alone != NotAlone || v.Mode == Lenient && v.Running >= LenientPatience
}

// publishing is to write the row, if it must be and can be.
func (v View) publishing() []Act {
	if v.Own.Published || v.Own.Demoted {
		return nil
	}
	return []Act{Publish}
}

// noting is what is to be noted: that a request is over, or what the peer says.
func (v View) noting(peer *Record) Act {
	n := &v.Note
	if v.withdrawing(peer) != "" {
		return Withdraw
	}
	if after := *n; peer != nil && v.Own.Published {
		if after.Hear(*peer); after.Alone != n.Alone || after.PeerAlone != n.PeerAlone {
			return Heard
		}
	}
	return ""
}

// withdrawing is the nonce that is to be withdrawn: of a request whose process has gone,
// or one for which the peer has demoted itself and that this host does not have.
func (v View) withdrawing(peer *Record) string {
	n := &v.Note
	if n.Request != nil && !v.Working && v.Idle >= AbandonedAfter {
		return n.Request.Nonce
	}
	if peer == nil || peer.Demotion == nil || !peer.Term.Same(n.Term) {
		return ""
	}
	nonce := peer.Demotion.Nonce
	if nonce == n.Term.Nonce || nonce == n.Withdrawn || n.Request != nil && n.Request.Nonce == nonce {
		return ""
	}
	return nonce
}

// Apply does an act of the note alone: NewNote, Adopt, Withdraw, Heard. It is for
// Store.Update: by the note as it is then, what was seen must lead to the act once more;
// else it is ErrChanged.
func (v View) Apply(act Act, n *Note) error {
	v.Note = *n
	if act == NewNote { // the store has made it
		return nil
	}
	if !slices.Contains(Decide(v).Acts, act) {
		return ErrChanged
	}
	peer, _, _ := v.heard()
	switch act {
	case Adopt:
		t := peer.Term
		if n.Term.IsZero() {
			t, _ = v.best(peer)
		}
		return n.Adopt(t)
	case Withdraw:
		return n.Withdraw(v.withdrawing(peer))
	case Heard:
		n.Hear(*peer)
		return nil
	case NewNote, Publish, Close, Demote, TakeBack, Open, StartSlave, Follow:
	}
	return fmt.Errorf("%s is not an act of the note alone", act)
}
