package failover

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// Clients wait for all that the slave is behind when the old master becomes read-only. So a
// switchover asks for that at a moment at which it is close behind.

const (
	// closeBehind is how far a slave may be behind when a switchover is asked for.
	closeBehind = 100 * time.Millisecond

	// keepUpPatience is how long such a moment is waited for, while clients can write: then it
	// is asked for all the same.
	keepUpPatience = MaxLag
)

// keepUp waits until the slave is close behind.
type keepUp struct{}

// planKeepUp plans that, unless clients wait already.
func planKeepUp(p *replication.Plan, f *SwitchoverFacts) {
	if f.Note.Request != nil || f.closed() {
		return
	}
	add(p, &replication.Step{
		Name: "keep-up", On: finding.Own, What: "wait until the slave is close behind",
		Why: "clients wait for all that it is behind when " + f.Peer + " becomes read-only", Action: keepUp{},
	})
}

// keepUp waits until what the other had in its binary log has been applied a moment later.
func (s *Switchover) keepUp(ctx context.Context) error {
	var other *SwitchoverSide // at since
	var since time.Time
	return s.await(ctx, keepUpPatience, func(seen *Sighting) (bool, error) {
		if seen.PeerState == nil {
			return false, nil
		}
		own := sideOf(seen.OwnServer)
		if err := own.mustApply(); err != nil {
			return false, err
		}
		if other != nil && own.hasAll(other) && seen.At.Sub(since) > closeBehind {
			other = nil
		}
		if other == nil {
			side := sideOf(seen.PeerState)
			other, since = &side, seen.At
		}
		return own.hasAll(other), nil
	}, func(*Sighting) error { return nil }) // the plan has judged how far it is behind
}

// mustApply refuses a slave that has none of its master's changes to come.
func (s *SwitchoverSide) mustApply() error {
	switch {
	case s.Slave == nil:
		return finding.New(finding.Own, "no-slave", statusCure, "it is no slave any more")
	case s.Slave.SQLErrno != 0:
		return s.Slave.MustRun()
	}
	return nil
}
