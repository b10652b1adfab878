package watch_test

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

func (p *watchedPair) tunnelDown() {
	p.fresh()
	p.gate.shut()
	p.untilProblem(watch.HealthTunnelDown, "tunnel-down", "nothing listens at the local end of the tunnel", "error 2003",
		"systemctl status gtunnel-client")
	p.gate.open()
	p.until(func(s *watch.Status) bool { return s.Healthy })
	p.gate.refuse()
	p.untilProblem(watch.HealthTunnelDown, "far-end-closed", "its far end closes it", "error 2013",
		"is MySQL on the master running?")
	p.gate.open()
	p.until(func(s *watch.Status) bool { return s.Healthy })
}

func (p *watchedPair) wrongPassword() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE", "CHANGE MASTER TO MASTER_PASSWORD='wrong-Pw3'", "START SLAVE")
	s := p.untilProblem(watch.HealthAuthFailed, "access-denied",
		"the password is wrong, or there is no account for 127.0.0.1", "error 1045", "SELECT user, host FROM mysql.user")
	if strings.Contains(statusText(s), "wrong-Pw3") {
		p.Error("the password is shown")
	}
}

func (p *watchedPair) duplicateRow() {
	p.fresh()
	p.onSlave("INSERT INTO d.t VALUES (7, 'of the slave')")
	p.run(p.master.DB, "INSERT INTO d.t VALUES (7, 'of the master')")
	p.untilProblem(watch.HealthSQLError, "duplicate-row", "PRIMARY='7' is in d.t on the slave already", "error 1062",
		"--repair-table d.t", "never skip")
}

func (p *watchedPair) missingRow() {
	p.fresh()
	p.run(p.master.DB, "INSERT INTO d.t VALUES (8, 'eight')")
	file, offset := p.position()
	p.until(func(s *watch.Status) bool {
		return s.Connection.Executed.File == file && s.Connection.Executed.Offset == offset
	})
	p.onSlave("DELETE FROM d.t")
	p.run(p.master.DB, "DELETE FROM d.t WHERE a = 8")
	p.untilProblem(watch.HealthSQLError, "missing-row", "is not in d.t on the slave", "error 1032", "--repair-table d.t")
}

func (p *watchedPair) failedStatement() {
	p.fresh()
	p.setFilter("replicate_wild_do_table", "") // it is of no database
	p.onSlave("CREATE USER clerk@localhost IDENTIFIED BY 'a'")
	p.run(p.master.DB, "CREATE USER clerk@localhost IDENTIFIED BY '"+monitorSecret+"'")
	s := p.untilProblem(watch.HealthSQLError, "slave-error", "look it up: error 1396")
	if strings.Contains(statusText(s), "IDENTIFIED") {
		p.Errorf("the statement is shown:\n%s", statusText(s))
	}
	p.onSlave("DROP USER clerk@localhost")
	p.run(p.master.DB, "DROP USER clerk@localhost")
}

func (p *watchedPair) purged() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE")
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')", "FLUSH LOGS")
	file, _ := p.position()
	pairs.WaitUntil(p, "purge", func() (string, bool) {
		p.run(p.master.DB, "PURGE BINARY LOGS TO '"+file+"'")
		files, _ := p.logs()
		return "a thread of the master still reads " + files[0], files[0] == file
	})
	p.untilProblem(watch.HealthSeedNeeded, "purged", "no longer has the binary log", "setup-slave --reseed",
		p.m.Version.RetentionVariable())
	p.run(p.slave.DB, "START SLAVE")
	p.untilProblem(watch.HealthSeedNeeded, "purged", "no longer has the binary log", "error 1236")
}

func (p *watchedPair) lostLog() {
	p.fresh()
	file, offset := p.position()
	p.run(p.slave.DB, "STOP SLAVE",
		fmt.Sprintf("CHANGE MASTER TO MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d", file, offset+1000000), "START SLAVE")
	p.untilProblem(watch.HealthDiverged, "master-lost-log", "ends before the place", "error 1236", "sync_binlog=1")
}

func (p *watchedPair) sameServerID() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE", "SET GLOBAL server_id=1", "START SLAVE")
	p.untilProblem(watch.HealthIOStopped, "same-server-id", "the same server_id or UUID", "error 1593",
		"server_id of its own")
	p.run(p.slave.DB, "STOP SLAVE", "SET GLOBAL server_id=2")
}

func (p *watchedPair) stalled() {
	p.fresh()
	p.gate.freeze()
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')")
	s := p.untilProblem(watch.HealthStalled, "stalled", "ahead of what the slave has received, and nothing came in",
		"connects anew")
	if *s.Lag.Unread == 0 || s.Connection.IORunning != "Yes" || *s.Lag.Seconds != 0 {
		p.Errorf("it is no silent link:\n%s", statusText(s))
	}
	p.gate.open()
	p.until(func(s *watch.Status) bool { return s.State == watch.HealthOK && *s.Lag.Bytes == 0 })
}

func (p *watchedPair) stalledWithoutMaster() {
	p.fresh()
	p.gate.freeze()
	var s *watch.Status
	pairs.WaitUntil(p, "stall", func() (string, bool) {
		s = p.status(nil, watch.Options{Window: 2 * time.Second, Unreachable: errors.New("no answer")})
		return statusText(s), s.State == watch.HealthStalled
	})
	p.wantWords(s, pairs.ProblemOf(s.Problems, "stalled"), "is due every 1s")
	p.gate.open()
}

// passesFilter changes routines and events of a database that is not replicated,
// and does what the cures say.
func (p *watchedPair) passesFilter() {
	p.fresh()
	p.run(p.master.DB, "CREATE DATABASE elsewhere")
	const event = "CREATE EVENT elsewhere.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @a = 1"
	for _, c := range []struct {
		first, change string   // on the slave and on the master
		number        int      // of the slave's error
		words         []string // of its cure
		cure          string   // as they say
	}{
		{"", "CREATE PROCEDURE elsewhere.p() SELECT 1", 1049, []string{"CREATE DATABASE"}, "CREATE DATABASE elsewhere"},
		{
			"DROP PROCEDURE elsewhere.p", "DROP PROCEDURE elsewhere.p", 1305,
			[]string{"make one of that name"},
			"CREATE PROCEDURE elsewhere.p() SELECT 1",
		},
		{
			"CREATE PROCEDURE elsewhere.p() SELECT 2", "CREATE PROCEDURE elsewhere.p() SELECT 1", 1304,
			[]string{"sql_log_bin=0"},
			"DROP PROCEDURE elsewhere.p",
		},
		{event, event, 1537, []string{"sql_log_bin=0"}, "DROP EVENT elsewhere.e"},
		{
			"DROP EVENT elsewhere.e", "DROP EVENT elsewhere.e", 1539,
			[]string{"make one of that name"},
			"CREATE EVENT elsewhere.e ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1",
		},
	} {
		if c.first != "" {
			p.onSlave(c.first)
		}
		p.run(p.master.DB, c.change)
		s := p.until(func(s *watch.Status) bool {
			return s.State == watch.HealthSQLError && s.Connection.SQLErrno == c.number
		})
		p.wantWords(s, s.Problems[0], append(c.words, "on the slave")...)
		p.onSlave(c.cure)
		p.run(p.slave.DB, "START SLAVE")
		p.until(func(s *watch.Status) bool { return s.State == watch.HealthOK && *s.Lag.Bytes == 0 })
	}
	p.onSlave("DROP DATABASE elsewhere")
	p.run(p.master.DB, "DROP DATABASE elsewhere")
}

// wayThroughTunnel logs in through a tunnel in each of its states.
func (p *watchedPair) wayThroughTunnel() {
	p.fresh()
	end := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.gate.port))
	look := func(password string) *watch.Status {
		master, err := server.Open(p.Context(), finding.Master, server.Login{
			Network: "tcp", Address: end, User: "gtunnel_monitor", Password: server.NewPassword(password),
		})
		if master != nil {
			defer master.Close()
		}
		return p.status(master, watch.Options{Unreachable: err, Through: end})
	}
	for _, c := range []struct {
		change   func()
		password string
		want     server.Way
	}{
		{p.gate.open, monitorSecret, server.WayAnswered},
		{p.gate.open, "wrong-Pw4", server.WayRefused},
		{p.gate.refuse, monitorSecret, server.WayCut},
		{p.gate.shut, monitorSecret, server.WayClosed},
	} {
		c.change()
		if s := look(c.password); s.Master.Tunnel != c.want {
			p.Errorf("it is %q, not %q:\n%s", s.Master.Tunnel, c.want, statusText(s))
		}
	}
	// The slave goes on saying so when the tunnel is there again.
	p.run(p.slave.DB, "STOP SLAVE", "CHANGE MASTER TO MASTER_CONNECT_RETRY=600", "START SLAVE")
	p.untilProblem(watch.HealthTunnelDown, "tunnel-down", "error 2003")
	p.gate.open()
	s := look(monitorSecret)
	p.wantWords(s, pairs.ProblemOf(s.Problems, "tunnel-down"), "of the tunnel at this moment: it works", "IO_THREAD")
}

// errantTransactions writes on the slave as nobody should.
func (p *watchedPair) errantTransactions() {
	p.fresh()
	if s := p.status(p.m, watch.Options{}); pairs.ProblemOf(s.Warnings, "errant-transactions") != nil {
		p.Errorf("warned without cause:\n%s", statusText(s))
	}
	p.run(p.slave.DB, "SET GLOBAL read_only=0", "CREATE DATABASE own", "DROP DATABASE own")
	s := p.status(p.m, watch.Options{})
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "errant-transactions"), "that the master has not")
}
