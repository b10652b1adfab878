package failover

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// await looks, many times a second, until done reports that it is as it should be or gives
// an error, for at most some time: late is the error then. That the other does not answer
// for a moment is no error.
func (s *Switchover) await(
	ctx context.Context, patience time.Duration, done func(*Sighting) (bool, error), late func(*Sighting) error,
) error {
	for began := time.Now(); ; {
		seen, err := s.look(ctx)
		if err != nil {
			return err
		}
		if ended, err := done(seen); ended || err != nil {
			return err
		}
		if time.Since(began) > patience {
			return late(seen)
		}
		if err := server.Pause(ctx, poll); err != nil {
			return err
		}
	}
}

// stillAsks refuses to go on if the request is not what it was.
func (s *Switchover) stillAsks(seen *Sighting, nonce string) error {
	if seen.Note.Request == nil || seen.Note.Request.Nonce != nonce {
		return finding.New(finding.Own, "request-ended", againCure, "the request of this command has ended meanwhile")
	}
	return nil
}

// awaitDemotion waits until the other's guard holds the lock that nothing is written there.
func (s *Switchover) awaitDemotion(ctx context.Context, a awaitDemotion) error {
	locked := false
	return s.await(ctx, DemotionPatience, func(seen *Sighting) (bool, error) {
		if err := s.stillAsks(seen, a.nonce); err != nil {
			return false, err
		}
		if seen.Peer == nil {
			return false, nil
		}
		if r := seen.Peer.Record; r != nil {
			switch {
			case r.Term.Number > seen.Note.Term.Number || r.Term.Conflicts(seen.Note.Term):
				return false, finding.New("", "terms-differ", statusCure, "the other host has another term now: %d", r.Term.Number)
			case r.Demotion != nil && r.Demotion.Nonce == a.nonce && r.Demotion.Refused != "":
				return false, finding.New(finding.Peer, "demotion-refused", againCure, "it could not be made read-only: %s",
					r.Demotion.Refused)
			}
		}
		if !seen.Peer.Locked || seen.Peer.Writable {
			locked = false
			return false, nil
		}
		// What was read before the lock was seen may be older than it: so once more.
		if !locked {
			locked = true
			return false, nil
		}
		s.end, s.then = sideOf(seen.PeerState), sideOf(seen.OwnServer)
		return true, nil
	}, func(seen *Sighting) error {
		if seen.Peer == nil {
			return &finding.Problem{
				On: finding.Peer, Code: "peer-silent", Text: "its server does not answer any more", Err: seen.PeerErr,
				Cure: statusCure,
			}
		}
		return finding.New(finding.Peer, "no-demotion", "on "+s.Peer+": systemctl status gtunnel-guard; "+againCure,
			"its guard has not made it read-only within %s", DemotionPatience)
	})
}

// mustBeDemoted refuses to raise the term unless the other's guard still holds the lock, and
// its server has written nothing since it was read.
func (s *Switchover) mustBeDemoted(seen *Sighting, nonce string) error {
	switch {
	case seen.Peer == nil:
		return &finding.Problem{
			On: finding.Peer, Code: "peer-silent", Text: "its server does not answer any more, before it was known to stay " +
				"read-only", Err: seen.PeerErr, Cure: statusCure,
		}
	case !seen.Peer.Locked || seen.Peer.Writable:
		return finding.New(finding.Peer, "no-demotion", "on "+s.Peer+": systemctl status gtunnel-guard; "+againCure,
			"its guard has ended while it held the server read-only")
	case s.end.Log != seen.PeerState.Log:
		return finding.New(finding.Peer, "written", "who can write to a server that is read_only? SHOW GRANTS of the"+
			" accounts there; "+againCure,
			"something was written there although it was read-only: its binary log was at %s, and is at %s",
			s.end.Log, seen.PeerState.Log)
	}
	return s.stillAsks(seen, nonce)
}

// applyAll waits until this server has all that the other had.
func (s *Switchover) applyAll(ctx context.Context) error {
	if s.hasAll(&s.then) {
		return nil
	}
	return s.await(ctx, ApplyPatience, func(seen *Sighting) (bool, error) {
		own := sideOf(seen.OwnServer)
		if s.hasAll(&own) {
			return true, nil
		}
		return false, own.mustApply()
	}, func(*Sighting) error {
		return finding.New(finding.Own, "lagging", "a large transaction may have come last; "+againCure,
			"its slave has not applied all within %s", ApplyPatience)
	})
}

// hasAll reports whether this server has all that the demoted master had. One that was
// behind had less than was received.
func (s *Switchover) hasAll(own *SwitchoverSide) bool {
	return own.hasAll(&s.end) && (!s.before.closed() || own.hasApplied())
}

// awaitTakenBack waits until the other is writable again. What it cannot see, it says.
func (s *Switchover) awaitTakenBack(ctx context.Context, nonce string) error {
	if s.before.closed() {
		return nil // it was read-only before
	}
	return s.await(ctx, DemotionPatience, func(seen *Sighting) (bool, error) {
		if seen.Peer == nil || seen.Peer.Record == nil {
			return false, nil
		}
		d := seen.Peer.Record.Demotion
		over := d == nil || d.Nonce != nonce
		if over && !seen.Peer.Writable && s.Mode == term.Cluster {
			return false, finding.New(finding.Peer, "not-taken-back", "on "+s.Peer+": gtunnel replication promote --cluster",
				"the request is withdrawn; its server is read-only, until the cluster manager promotes it")
		}
		return seen.Peer.Writable && over, nil
	}, func(seen *Sighting) error {
		if seen.Peer == nil {
			return &finding.Problem{
				On: finding.Peer, Code: "not-taken-back", Err: seen.PeerErr,
				Text: "the request is withdrawn, and it cannot be seen whether its guard has read that: until then it is read-only",
				Cure: "bring the network between the two up: it becomes writable by itself; gtunnel replication status there",
			}
		}
		return finding.New(finding.Peer, "not-taken-back",
			"on "+s.Peer+": systemctl enable --now gtunnel-guard, which makes it writable; gtunnel replication status there",
			"the request is withdrawn, and its server is still read-only")
	})
}

// openServer makes this server writable as its guard does, which may come first.
func (s *Switchover) openServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*term.Announce)
	defer cancel()
	err := s.eyes.Open(ctx)
	if err == nil {
		s.opened()
	}
	return err
}

// opened notes how long nobody could write.
func (s *Switchover) opened() {
	if !s.writable.IsZero() && s.outcome.Pause == 0 {
		s.outcome.Pause = time.Since(s.writable)
	}
}

// awaitSlave waits until the old master follows.
func (s *Switchover) awaitSlave(ctx context.Context) error {
	return s.await(ctx, FollowPatience, func(seen *Sighting) (bool, error) {
		s.outcome.Follows = seen.Peer != nil && seen.Peer.Record != nil && seen.Peer.Record.Term.Same(seen.Note.Term) &&
			seen.PeerState.Slave != nil && seen.PeerState.Slave.Running()
		return s.outcome.Follows, nil
	}, func(*Sighting) error { return nil }) // which the outcome says
}
