package seed

import (
	"time"
)

// How long a copy takes, in parts. They are on the safe side of what was measured on
// small hosts: a dump is loaded at the rate that the disk of the slave allows; a table
// is made in 15 ms by MariaDB and in 50 ms by MySQL, however small it is, and a dump
// asks the master about ten times of each.
const (
	assumedRate   = 10 << 20 // bytes of tables a second
	tableTime     = 40 * time.Millisecond
	tripsPerTable = 10
)

// extent is how much is to be copied.
type extent struct {
	bytes   uint64 // by the server's estimate
	tables  int    // views, sequences and routines, too
	trip    time.Duration
	maxRate uint64 // bytes a second; 0: no limit
}

// estimate is how long the copy takes, roughly.
func (e extent) estimate() time.Duration {
	rate := uint64(assumedRate)
	if e.maxRate > 0 {
		rate = min(rate, e.maxRate)
	}
	rows := time.Duration(float64(e.bytes) / float64(rate) * float64(time.Second))
	return (rows + time.Duration(e.tables)*(tableTime+tripsPerTable*e.trip)).Round(time.Second)
}

// extent is that of the copy, but for the round trip to the master.
func (s *Seed) extent() extent {
	e := extent{maxRate: s.MaxRate}
	for _, name := range s.databases() {
		if d := s.MasterFacts.Database(name); d != nil {
			e.bytes += d.Bytes
			e.tables += d.Tables + d.Others + d.Routines
		}
	}
	if len(s.Tables) > 0 {
		e.tables = len(s.Tables)
	}
	return e
}
