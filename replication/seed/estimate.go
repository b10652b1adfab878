package seed

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// How long a copy takes, in parts. They are on the safe side of what was measured on
// small hosts: a dump is loaded at the rate that the disk of the slave allows; a table
// is made in 15 ms by MariaDB and in 50 ms by MySQL, however small it is, and a dump
// waits up to 18 times for the master's answer about each.
const (
	assumedRate   = 10 << 20 // bytes of tables a second
	tableTime     = 40 * time.Millisecond
	tripsPerTable = 18
)

// extent is how much is to be copied.
type extent struct {
	bytes   uint64 // by the server's estimate
	tables  int    // views, sequences and routines, too
	trip    time.Duration
	maxRate uint64 // bytes a second; 0: no limit
	several bool   // dumps go on at once
}

// estimate is how long the copy takes, roughly.
func (e extent) estimate() time.Duration {
	rate := uint64(assumedRate)
	if e.maxRate > 0 {
		rate = min(rate, e.maxRate)
	}
	rows := time.Duration(float64(e.bytes) / float64(rate) * float64(time.Second))
	return (rows + time.Duration(e.tables)*tableTime + e.waits()).Round(time.Second)
}

// waits is for how long the copy waits for answers of the master alone.
func (e extent) waits() time.Duration {
	waits := time.Duration(e.tables*tripsPerTable) * e.trip
	if e.several {
		waits /= time.Duration(dumpsAtOnce(e.trip))
	}
	return waits
}

// byDumps reports whether the tools of the servers' own dump, straight into the slave.
func (s *Seed) byDumps() bool {
	return s.Method == "" || s.Method == journal.SeedDump || s.Method == journal.SeedParallel
}

// extent is that of the copy, but for the round trip to the master.
func (s *Seed) extent() extent {
	e := extent{maxRate: s.MaxRate, several: s.Method == journal.SeedParallel}
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

// longWait is how long a copy may wait for the way to the master before another way to
// copy is said.
const longWait = 20 * time.Second

// longWay says of another way to copy where the tool that dumps would wait for answers
// most of the time.
func (c *seedCheck) longWay() {
	s := c.seed
	waits := c.waits().Round(time.Second)
	if waits < longWait || len(s.Tables) > 0 || !s.byDumps() {
		return
	}
	c.Warn(finding.Master, "long-way",
		"ssh root@MASTER gtunnel replication dump | gtunnel replication setup-slave --seed -",
		"the copy asks it about each of %s, and an answer takes %v: it waits for about %v alone;"+
			" a dump that is made there does not",
		finding.Count(c.tables, "table"), c.trip.Round(time.Millisecond), waits)
}
