package watch

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// LagSeconds is how old the slave's data is, in seconds, as far as one look can tell; nil if
// it cannot. It is never 0 where that is not known, as while the master does not answer: of what
// the slave has not received yet its Seconds_Behind_Master tells nothing, and on a dead link
// that stays 0.
func (s *Status) LagSeconds() *float64 {
	said := s.Lag.Seconds
	switch {
	case s.Connection == nil:
		return nil
	case s.Lag.Bytes != nil && *s.Lag.Bytes == 0:
		return new(float64) // it has all, whether its threads run or not
	case said == nil:
		return nil
	case s.Lag.Unread != nil && *s.Lag.Unread == 0, *said > 0:
	default:
		return nil
	}
	seconds := float64(*said)
	return &seconds
}

// LagMeter measures over the looks of one process how old the data of a slave is: it notes
// where the master's binary log stood when, and which of these marks the slave has passed.
// Only the clock of this host counts, and nothing is written for it. The zero value is ready;
// one goroutine uses it.
type LagMeter struct {
	master   masterIdentity
	marks    []mark // the oldest first; the slave may have passed the first
	caughtUp time.Time
}

// masterIdentity is whose binary log the marks are of.
type masterIdentity struct {
	id   uint32
	uuid string
}

// mark is that all the master had at a time is before a position of its binary log.
type mark struct {
	at       time.Time
	position server.Position
}

// maxMarks bounds the marks of a slave that stands still: then every second is forgotten.
const maxMarks = 2000

// CaughtUp is a time of which is known that the slave has applied all that its master had
// then, the last one; zero if there is none. It stays while nothing is known, so that the time
// since then is the most that the slave can be behind.
func (l *LagMeter) CaughtUp() time.Time { return l.caughtUp }

// Measure takes a look into account, and gives the lag in seconds at its time; nil if that is
// not known. Where the slave has not received all, it is at most by the time between two
// looks too much.
func (l *LagMeter) Measure(s *Status) *float64 {
	if s.Connection == nil || !s.sameMaster || !s.Master.Reachable || s.Lag.Bytes == nil {
		return s.LagSeconds()
	}
	l.note(s)
	passed := l.pass(s.Connection.Executed)
	if *s.Lag.Bytes == 0 {
		passed = s.Time
	}
	if passed.After(l.caughtUp) {
		l.caughtUp = passed
	}
	received := s.Lag.Unread != nil && *s.Lag.Unread == 0
	if *s.Lag.Bytes == 0 || received && s.Lag.Seconds != nil || passed.IsZero() {
		return s.LagSeconds()
	}
	seconds := s.Time.Sub(passed).Seconds()
	return &seconds
}

// note adds the mark of a look. Of another master, or a log that was begun anew, the marks
// before tell nothing.
func (l *LagMeter) note(s *Status) {
	master, at := masterIdentity{id: s.Master.ServerID, uuid: s.Master.ServerUUID}, s.Master.Position
	last := len(l.marks) - 1
	if l.master != master || last >= 0 && at.Before(l.marks[last].position) {
		*l, last = LagMeter{master: master}, -1
	}
	if last >= 0 && l.marks[last].position.At(at) {
		l.marks[last].at = s.Time
		return
	}
	if len(l.marks) >= maxMarks {
		for i := range maxMarks / 2 {
			l.marks[i] = l.marks[2*i]
		}
		l.marks = l.marks[:maxMarks/2]
	}
	l.marks = append(l.marks, mark{at: s.Time, position: at})
}

// pass forgets the marks that the slave has passed but for the last, whose time it gives;
// zero if it has passed none.
func (l *LagMeter) pass(executed server.Position) (at time.Time) {
	n := 0
	for n < len(l.marks) && !executed.Before(l.marks[n].position) {
		n++
	}
	if n == 0 {
		return time.Time{}
	}
	l.marks = append(l.marks[:0], l.marks[n-1:]...)
	return l.marks[0].at
}
