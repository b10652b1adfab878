package failover

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Loss is what of the master may be lost by a promotion: what it had committed, and this
// host has not received.
//
// The known part is from the last moment at which this host was seen to have received all
// that the master had (Whole), to the last moment at which the master was seen (Seen).
// What the master committed after that, nobody knows.
type Loss struct {
	Whole time.Time `json:"whole,omitzero"` // zero: not known
	Seen  time.Time `json:"seen,omitzero"`  // zero: the master was never seen by this host's guard

	// Of what the master had when it was last seen.
	Transactions uint64 `json:"transactions"` // not received, as far as GTIDs tell
	Bytes        uint64 `json:"bytes"`        // not received, of its binary log
	AtLeast      bool   `json:"at_least"`     // there are more bytes, in files whose sizes are not known
	Counted      bool   `json:"counted"`      // Transactions or Bytes are known

	SemiSync string `json:"semi_sync,omitempty"` // what semi-synchronous replication lets one say; empty: there was none
	Nothing  bool   `json:"nothing"`             // nothing that the master has acknowledged to a client is lost
}

// Window is from Whole to Seen. It is not known if one of them is not.
func (l *Loss) Window() (d time.Duration, known bool) {
	if l.Whole.IsZero() || l.Seen.IsZero() {
		return 0, false
	}
	return max(0, l.Seen.Sub(l.Whole)), true
}

// lossOf compares what was last seen of the master with what was received.
func lossOf(v server.Version, seen *term.Seen, received *Received) Loss {
	if seen == nil {
		return Loss{}
	}
	l := Loss{Whole: seen.Whole, Seen: seen.At}
	has := received.Read
	if has.IsZero() {
		has = received.Applied
	}
	switch {
	case seen.File == "" || has.IsZero():
	case has.File == seen.File:
		l.Counted = true
		l.Bytes = seen.Offset - min(seen.Offset, has.Offset)
	case has.BeforeFile(seen.File):
		l.Counted, l.Bytes, l.AtLeast = true, seen.Offset, true
	default: // the master has begun another file since
		l.Counted = true
	}
	byGTID := seen.GTID != "" && (received.Read.GTID != "" || !received.Applied.Before(received.Read))
	if byGTID {
		l.Counted = true
		l.Transactions = v.CountBeyond(seen.GTID, received.Read.GTID, received.Applied.GTID)
	}
	if l.Counted && l.Transactions == 0 && (l.Bytes == 0 || byGTID) {
		l.Whole, l.Bytes, l.AtLeast = l.Seen, 0, false // it has come since
	}
	l.semiSync(seen.SemiSync, seen.At)
	return l
}

// semiSync says what may be claimed. A finite time-out falls back unseen, so that only an
// endless one, without any fall-back, lets one say that nothing is lost.
func (l *Loss) semiSync(s *term.SemiSyncSeen, at time.Time) {
	switch {
	case s == nil:
	case !s.InForce:
		l.SemiSync = fmt.Sprintf("semi-synchronous replication was not in force at %s: it promises nothing", clock(s.At))
	case s.Endless && s.Fallbacks == 0 && s.WaitPoint == "AFTER_SYNC" && !s.At.Before(at.Add(-2*term.Look)):
		l.Nothing = true
		l.SemiSync = fmt.Sprintf("semi-synchronous replication was in force without end since %s, and has never fallen "+
			"back: nothing is lost that the master has acknowledged to a client", clock(s.Since))
	default:
		l.SemiSync = fmt.Sprintf("semi-synchronous replication was in force at %s: "+
			"what was acknowledged by then is here; what was committed later may be lost", clock(s.At))
	}
}

// mayBeAlone takes back what semi-synchronous replication lets one say: the master waits for no
// acknowledgement of a host that stands aside, or is stated to be off.
func (l *Loss) mayBeAlone() {
	if l.Nothing {
		l.Nothing = false
		l.SemiSync += "; but the master may have gone on alone since: it had the word of this host, or of an administrator"
	}
}

// Lines are the loss in words.
func (l *Loss) Lines(peer string) []string {
	if l.Seen.IsZero() {
		return []string{
			"what of " + peer + " may be lost is not known: this host's guard has never seen it (is gtunnel-guard running?)",
		}
	}
	var lines []string
	window, known := l.Window()
	amount := "an amount that is not known"
	switch {
	case l.Counted && l.Transactions > 0:
		amount = transactions(l.Transactions)
		if l.Bytes > 0 {
			amount += l.bytes(" (", ")")
		}
	case l.Counted && l.Bytes > 0:
		amount = l.bytes("", "") + " of its binary log"
	}
	switch {
	case known && window == 0:
		lines = append(lines, fmt.Sprintf("all that %s had when it was last seen, at %s, has been received", peer,
			clock(l.Seen)))
	case known:
		lines = append(lines, fmt.Sprintf("may be lost: %s, committed on %s between %s and %s (%s)", amount, peer,
			clock(l.Whole), clock(l.Seen), finding.FormatDuration(window.Round(time.Millisecond))))
	default:
		lines = append(lines, fmt.Sprintf("may be lost: %s, since a time that is not known", amount))
	}
	if l.Nothing {
		return append(lines, l.SemiSync)
	}
	lines = append(lines, fmt.Sprintf("what was committed on %s after %s is lost as well if it was not received: nobody "+
		"knows how much that is", peer, clock(l.Seen)))
	if l.SemiSync != "" {
		lines = append(lines, l.SemiSync)
	}
	return lines
}

// bytes are the bytes in words.
func (l *Loss) bytes(before, after string) string {
	text := finding.FormatBytes(l.Bytes)
	if l.AtLeast {
		text = "more than " + text
	}
	return before + text + after
}

// LoseAtMost is the loss that an administrator agrees to: the longest Window.
type LoseAtMost struct {
	Any  bool          // also one that is not known
	Time time.Duration // 0: all that the master had when it was last seen must have been received
}

// Covers reports whether a loss is agreed to.
func (m LoseAtMost) Covers(l *Loss) bool {
	if m.Any || l.Nothing {
		return true
	}
	window, known := l.Window()
	return known && window <= m.Time
}

// flagFor is the flag that agrees to a loss.
func (l *Loss) flagFor() string {
	window, known := l.Window()
	if !known {
		return "--lose-at-most any"
	}
	return "--lose-at-most " + (window + time.Second - 1).Truncate(time.Second).String()
}

// clock is a time for a sentence.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
