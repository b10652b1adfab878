package watch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// TestStatus puts a pair of each kind into every state.
func TestStatus(t *testing.T) {
	for _, kind := range []servertest.Kind{
		servertest.MariaDB105, servertest.MariaDB, servertest.MariaDB118, servertest.MySQL97,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newWatchedPair(t, kind)
			for _, scenario := range []struct {
				name string
				run  func(*watchedPair)
			}{
				{"not set up", (*watchedPair).notSetUp}, // first: nothing has been done to the slave
				{"healthy", (*watchedPair).healthy},
				{"lag in bytes", (*watchedPair).lagInBytes},
				{"catching up", (*watchedPair).catchingUp},
				{"blocked", (*watchedPair).blocked},
				{"tunnel down", (*watchedPair).tunnelDown},
				{"wrong password", (*watchedPair).wrongPassword},
				{"duplicate row", (*watchedPair).duplicateRow},
				{"missing row", (*watchedPair).missingRow},
				{"statement with a password", (*watchedPair).failedStatement},
				{"passes the filter", (*watchedPair).passesFilter},
				{"purged", (*watchedPair).purged},
				{"lost log", (*watchedPair).lostLog},
				{"same server id", (*watchedPair).sameServerID},
				{"stopped", (*watchedPair).stopped},
				{"until", (*watchedPair).stoppedAtUntil},
				{"stalled", (*watchedPair).stalled},
				{"stalled and no master", (*watchedPair).stalledWithoutMaster},
				{"writable", (*watchedPair).writable},
				{"filters", (*watchedPair).filters},
				{"left out by the slave", (*watchedPair).leftOutBySlave},
				{"left out by the master", (*watchedPair).leftOutByMaster},
				{"settings that a restart loses", (*watchedPair).transientSettings},
				{"patience", (*watchedPair).patience},
				{"errors passed over", (*watchedPair).skipsErrors},
				{"master not reachable", (*watchedPair).masterUnreachable},
				{"other master", (*watchedPair).otherMaster},
				{"other connections", (*watchedPair).otherConnections},
				{"way through the tunnel", (*watchedPair).wayThroughTunnel},
				{"errant transactions", (*watchedPair).errantTransactions}, // last: they stay
			} {
				t.Run(scenario.name, func(t *testing.T) {
					p := &watchedPair{T: t, kind: kind, master: p.master, slave: p.slave, gate: p.gate, m: p.m, s: p.s}
					scenario.run(p)
				})
			}
		})
	}
}

func (p *watchedPair) notSetUp() {
	s := p.untilProblem(watch.HealthNotConfigured, "not-set-up", "gtunnel replication setup-slave")
	if s.Connection != nil || len(s.Warnings) > 0 {
		p.Errorf("more than that:\n%s", statusText(s))
	}
}

func (p *watchedPair) healthy() {
	p.fresh()
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')", "FLUSH LOGS")
	// MariaDB goes on writing for a moment after a log has been begun.
	s := p.until(func(s *watch.Status) bool {
		file, offset := p.position()
		return s.Connection.Executed.File == file && s.Connection.Executed.Offset == offset
	})
	if s.State != watch.HealthOK || !s.Healthy || *s.Lag.Bytes != 0 || *s.Lag.Unread != 0 || *s.Lag.Seconds != 0 {
		p.Errorf("not healthy:\n%s", statusText(s))
	}
	if !s.Slave.ReadOnly || s.Slave.ServerID != 2 || s.Master.ServerID != 1 || !s.Master.Reachable ||
		s.Connection.MasterUser != "db_rep" {
		p.Errorf("wrong facts:\n%s", statusText(s))
	}
	if pairs.ProblemOf(s.Warnings, "writable") != nil || pairs.ProblemOf(s.Warnings, "gives-up") != nil ||
		pairs.ProblemOf(s.Warnings, "tls-inside") != nil || pairs.ProblemOf(s.Warnings, "public-key") != nil {
		p.Errorf("warned without cause:\n%s", statusText(s))
	}
	// Heartbeats tell as much when the master cannot be asked.
	s = p.status(nil, watch.Options{})
	if s.State != watch.HealthOK || s.Lag.Bytes != nil {
		p.Errorf("without its master:\n%s", statusText(s))
	}
}

func (p *watchedPair) lagInBytes() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE SQL_THREAD")
	for i := range 3 {
		p.run(p.master.DB, fmt.Sprintf("INSERT INTO d.t VALUES (%d, REPEAT('x', 100000))", i), "FLUSH LOGS")
	}
	p.run(p.master.DB, "INSERT INTO d.t VALUES (9, 'nine')")
	// MariaDB goes on writing for a moment after a log has been begun.
	var files []string
	var sizes []uint64
	s := p.until(func(s *watch.Status) bool {
		files, sizes = p.logs()
		last := server.Position{File: files[len(files)-1], Offset: sizes[len(sizes)-1]}
		at := server.Position{File: s.Master.Position.File, Offset: s.Master.Position.Offset}
		return at == last && s.Lag.Unread != nil && *s.Lag.Unread == 0
	})
	var want uint64
	for i := range files {
		if files[i] >= s.Connection.Executed.File {
			want += sizes[i]
		}
	}
	want -= s.Connection.Executed.Offset
	if s.Lag.Bytes == nil || *s.Lag.Bytes != want || want < 300000 {
		p.Errorf("the lag is not %d:\n%s", want, statusText(s))
	}
	p.wantWords(s, pairs.ProblemOf(s.Problems, "stopped"), "the SQL thread", "START ")
	p.run(p.slave.DB, "START SLAVE SQL_THREAD")
	p.until(func(s *watch.Status) bool { return s.Healthy && *s.Lag.Bytes == 0 })
}

func (p *watchedPair) catchingUp() {
	p.fresh()
	lock, unlock := p.session(p.slave.DB)
	if _, err := lock.ExecContext(p.Context(), "LOCK TABLES d.t READ"); err != nil {
		p.Fatal(err)
	}
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, REPEAT('x', 2000000))")
	s := p.until(func(s *watch.Status) bool { return s.State == watch.HealthLagging })
	if !s.Healthy || *s.Lag.Bytes < 2000000 || !strings.Contains(s.Summary, "2.0 MB behind") {
		p.Errorf("not as it is:\n%s", statusText(s))
	}
	unlock()
	p.until(func(s *watch.Status) bool { return s.State == watch.HealthOK && *s.Lag.Bytes == 0 })
}

func (p *watchedPair) stopped() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE IO_THREAD")
	p.untilProblem(watch.HealthIOStopped, "stopped", "the I/O thread")
	p.run(p.slave.DB, "STOP SLAVE")
	s := p.untilProblem(watch.HealthIOStopped, "stopped", "both threads", "START ")
	p.run(p.slave.DB, strings.TrimSuffix(s.Problems[0].Cure, " ")) // the cure is a statement
	p.until(func(s *watch.Status) bool { return s.Healthy })
}

func (p *watchedPair) stoppedAtUntil() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE SQL_THREAD")
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')")
	file, offset := p.position()
	p.run(p.master.DB, "INSERT INTO d.t VALUES (2, 'two')")
	p.run(p.slave.DB, fmt.Sprintf("START SLAVE SQL_THREAD UNTIL MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d", file, offset))
	s := p.untilProblem(watch.HealthApplierStuck, "stopped-until", fmt.Sprintf("told to stop at %s:%d", file, offset),
		"gtunnel replication compare")
	if s.Connection.Executed.Offset != offset || *s.Lag.Bytes == 0 {
		p.Errorf("it is not there:\n%s", statusText(s))
	}
}
