package watch

import (
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// a look, in seconds and offsets; -1: not known.
type lagLook struct {
	at                       int
	master, received, done   int64
	said                     int64
	want                     float64
	caughtUp                 int
	otherMaster, unreachable bool
}

func (l lagLook) status(begun time.Time) *Status {
	at := func(offset int64) server.Position { return server.Position{File: "bin.000007", Offset: uint64(offset)} }
	s := &Status{
		Time: begun.Add(time.Duration(l.at) * time.Second), State: HealthLagging,
		Connection: &server.SlaveStatus{Executed: at(l.done)}, sameMaster: true,
		Master: MasterSide{Reachable: !l.unreachable, ServerID: 1, Position: at(l.master)},
	}
	if l.otherMaster {
		s.Master.ServerID = 2
	}
	if l.said >= 0 {
		s.Lag.Seconds = &l.said
	}
	if !l.unreachable {
		bytes, unread := uint64(l.master-l.done), uint64(l.master-l.received)
		s.Lag.Bytes, s.Lag.Unread = &bytes, &unread
	} else {
		s.State = HealthOK // until it is noticed
	}
	return s
}

// TestLagMeter: what is not known is not 0, and what is measured does not rest on the slave's word.
func TestLagMeter(t *testing.T) {
	for name, looks := range map[string][]lagLook{
		"at once": {{at: 0, master: 10, received: 10, done: 10, said: 0, want: 0, caughtUp: 0}},
		"first look at one that has not received all": {{at: 0, master: 10, said: 0, want: -1, caughtUp: -1}},
		"stopped with all": {
			{at: 0, master: 10, received: 10, done: 10, said: -1, want: 0, caughtUp: 0},
		},
		"a dead link, of which the slave says 0": {
			{at: 0, master: 10, received: 10, done: 10, want: 0, caughtUp: 0},
			{at: 10, master: 30, received: 10, done: 10, want: 10, caughtUp: 0},
			{at: 20, master: 30, received: 10, done: 10, want: 20, caughtUp: 0},
			{at: 30, master: 50, received: 10, done: 10, want: 30, caughtUp: 0},
			{at: 40, master: 50, received: 50, done: 30, said: 25, want: 25, caughtUp: 20}, // alive again
			{at: 50, master: 50, received: 50, done: 50, want: 0, caughtUp: 50},
		},
		"the master is gone": {
			{at: 0, master: 10, received: 10, done: 10, want: 0, caughtUp: 0},
			{at: 10, unreachable: true, said: 0, want: -1, caughtUp: 0},
		},
		"another master": {
			{at: 0, master: 10, received: 10, done: 10, want: 0, caughtUp: 0},
			{at: 10, master: 30, received: 10, done: 10, otherMaster: true, want: -1, caughtUp: -1},
		},
		"a log begun anew": {
			{at: 0, master: 100, received: 100, done: 100, want: 0, caughtUp: 0},
			{at: 10, master: 30, received: 10, done: 10, want: -1, caughtUp: -1},
		},
		"an applier that was stopped": {
			{at: 0, master: 10, received: 10, done: 10, said: -1, want: 0, caughtUp: 0},
			{at: 60, master: 30, received: 30, done: 10, said: -1, want: 60, caughtUp: 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			meter, begun := &LagMeter{}, time.Now()
			for _, l := range looks {
				got := -1.0
				if lag := meter.Measure(l.status(begun)); lag != nil {
					got = *lag
				}
				caughtUp := -1
				if !meter.CaughtUp().IsZero() {
					caughtUp = int(meter.CaughtUp().Sub(begun) / time.Second)
				}
				if got != l.want || caughtUp != l.caughtUp {
					t.Errorf("after %d s: %v, caught up at %d; want %v, %d", l.at, got, caughtUp, l.want, l.caughtUp)
				}
			}
		})
	}
}

// TestLagMeterBounded: a slave that stands still for days does not fill the memory, and its
// lag stays right.
func TestLagMeterBounded(t *testing.T) {
	meter, begun := &LagMeter{}, time.Now()
	var last *float64
	for i := range 20_000 {
		last = meter.Measure(lagLook{at: 10 * i, master: int64(10 + i), received: 10, done: 10}.status(begun))
	}
	if len(meter.marks) > maxMarks || last == nil || *last != 199_990 {
		t.Errorf("%d marks, lag %v", len(meter.marks), last)
	}
}
