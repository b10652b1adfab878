package rules

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// SemiSync is what is known of the semi-synchronous replication of a pair.
type SemiSync struct {
	Wanted  bool   `json:"wanted"`
	Timeout string `json:"timeout,omitempty"` // as wanted, in words

	// Of the master: as it is now, or as it was seen last.
	InForce   bool      `json:"in_force"`
	At        time.Time `json:"at,omitzero"`    // when it was seen so; zero: never
	Since     time.Time `json:"since,omitzero"` // since when it is in force; zero: that is not known
	Fallbacks uint64    `json:"fallbacks"`      // since the master's start
	Endless   bool      `json:"endless"`

	// Slaves are those that acknowledge now, of the master if it was asked.
	Slaves uint64 `json:"slaves"`
}

// SeeSemiSync is what is true now: of the note of a host, and of its master, nil if that
// was not asked. It is nil if semi-synchronous replication is neither wanted nor there.
func SeeSemiSync(n *term.Note, master *server.SemiSync, now time.Time) *SemiSync {
	s := &SemiSync{Wanted: n.SemiSync.Wanted()}
	if s.Wanted {
		s.Timeout = n.SemiSync.String()
	}
	seen := &term.SemiSyncSeen{}
	if n.Seen != nil && n.Seen.SemiSync != nil && !n.IsMaster() {
		seen = n.Seen.SemiSync
	}
	switch {
	case master == nil:
		s.InForce, s.At, s.Since, s.Fallbacks, s.Endless = seen.InForce, seen.At, seen.Since, seen.Fallbacks, seen.Endless
	case master.Known:
		s.InForce, s.At, s.Fallbacks, s.Endless = master.WaitsNow(), now, master.Fallbacks, master.Endless()
		s.Slaves = master.Slaves
		if s.InForce && seen.InForce && seen.Fallbacks == s.Fallbacks {
			s.Since = seen.Since
		}
	default:
		s.At = now
	}
	if !s.Wanted && !s.InForce {
		return nil
	}
	return s
}

// String is all of it in a sentence's words.
func (s *SemiSync) String() string {
	const clock = "2006-01-02 15:04:05 UTC"
	words := "not in force"
	if s.InForce {
		words = "in force"
		if !s.Since.IsZero() {
			words += " since " + s.Since.UTC().Format(clock)
		}
	}
	switch {
	case s.At.IsZero():
		return "it was not seen yet whether it is in force"
	case s.Fallbacks > 0:
		words += fmt.Sprintf("; it fell back %s since the master's start",
			finding.Count(int(s.Fallbacks), "time")) //nolint:gosec // a few
	case s.Endless:
		words += "; a commit waits without end"
	}
	return words
}

// semiSyncRules are about what the administrator has wanted.
var semiSyncRules = []Rule{
	{
		Code: "semi-sync-off", On: finding.Own, Needs: PairSeen, Warning: Status | StatusMaster, judge: lacksSemiSync,
		Meaning: "semi-synchronous replication is wanted, and not in force: commits do not wait for the slave",
		Cure: "it comes back by itself once the slave has caught up; else gtunnel replication status on the slave, and " +
			"journalctl -u gtunnel-guard on both",
	},
	{
		Code: "semi-sync-outside", On: finding.Own, Needs: PairSeen, Warning: StatusMaster, judge: acknowledgedByOthers,
		Meaning: "a slave that is not of the pair acknowledges semi-synchronously: that counts for the pair's promise",
		Cure:    "on each slave that is not of the pair: gtunnel replication status says how it is turned off",
	},
}

// acknowledgedByOthers finds more slaves that acknowledge than the one of the pair.
func acknowledgedByOthers(j *judgement) {
	if s := j.Seen.Pair.SemiSync; s != nil && s.Slaves > 1 {
		j.say("%s acknowledge what is committed, and the pair has one: a commit may be answered that its other host does "+
			"not have", finding.Count(int(s.Slaves), "slave")) //nolint:gosec // a few
	}
}

func lacksSemiSync(j *judgement) {
	s := j.Seen.Pair.SemiSync
	if s == nil || !s.Wanted || s.InForce || s.At.IsZero() {
		return
	}
	text := "semi-synchronous replication is wanted, and not in force: what is committed now is on the master alone " +
		"until the slave gets it"
	if s.Fallbacks > 0 {
		text += fmt.Sprintf("; it fell back %s", finding.Count(int(s.Fallbacks), "time")) //nolint:gosec // a few
	}
	j.say("%s", text)
}
