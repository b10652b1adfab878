package watch_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

func (p *watchedPair) writable() {
	p.fresh()
	p.run(p.slave.DB, "SET GLOBAL read_only=0")
	s := p.status(p.m, watch.Options{})
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "writable"), "it is not read-only", "SET GLOBAL read_only=1")
	if !s.Healthy || s.Slave.ReadOnly {
		p.Errorf("not as it is:\n%s", statusText(s))
	}
	if p.kind.IsMySQL() {
		p.run(p.slave.DB, "SET GLOBAL read_only=1")
		s := p.status(p.m, watch.Options{})
		p.wantWords(s, pairs.ProblemOf(s.Warnings, "writable"), "root@localhost", "SET GLOBAL super_read_only=1")
		return
	}
	p.onSlave("CREATE USER app@localhost", "GRANT ALL PRIVILEGES ON *.* TO app@localhost", "CREATE USER reader@localhost",
		"GRANT SELECT ON *.* TO reader@localhost",
		"SET GLOBAL read_only=1")
	s = p.status(p.m, watch.Options{})
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "writers"), "in spite of read_only: app@localhost")
	p.onSlave("DROP USER app@localhost", "DROP USER reader@localhost", "SET GLOBAL read_only=1")
	if s = p.status(p.m, watch.Options{}); pairs.ProblemOf(s.Warnings, "writers") != nil {
		p.Errorf("warned of administrators:\n%s", statusText(s))
	}
}

func (p *watchedPair) filters() {
	p.fresh()
	p.setFilter("replicate_wild_do_table", "d.%,e.%")
	p.setFilter("replicate_wild_ignore_table", "d.t")
	s := p.until(func(s *watch.Status) bool { return s.Healthy })
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "ignored-tables"), "are left out (replicate_wild_ignore_table): d.t",
		"setup-slave")
	p.setFilter("replicate_wild_ignore_table", "")
	p.setFilter("replicate_ignore_table", "d.t")
	s = p.untilProblem(watch.HealthOK, "other-filters", "are left out (replicate_ignore_table): d.t",
		"--repair-table")
	if got := strings.Join(s.Connection.WildDoTable, " "); got != "d.% e.%" {
		p.Errorf("it replicates %q", got)
	}
	p.setFilter("replicate_ignore_table", "")
	if p.kind.IsMySQL() {
		p.run(p.slave.DB, "STOP SLAVE", "CHANGE REPLICATION FILTER replicate_do_db=(d,e)", "START SLAVE")
	} else {
		p.setFilter("replicate_do_db", "d,e")
	}
	s = p.until(func(s *watch.Status) bool { return s.Healthy })
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "database-filter"), "replicate_do_db=d,e silently loses statements")
	if p.kind.IsMySQL() {
		p.run(p.slave.DB, "STOP SLAVE", "CHANGE REPLICATION FILTER replicate_do_db=()", "START SLAVE")
	} else {
		p.setFilter("replicate_do_db", "")
	}
	if s = p.until(func(s *watch.Status) bool { return s.Healthy }); pairs.ProblemOf(s.Warnings, "database-filter") !=
		nil || pairs.ProblemOf(s.Warnings, "ignored-tables") != nil {
		p.Errorf("warned without cause:\n%s", statusText(s))
	}
	p.setFilter("replicate_wild_do_table", "")
	p.untilProblem(watch.HealthOK, "no-filter", "every database", "setup-slave")
}

func (p *watchedPair) transientSettings() {
	p.fresh()
	p.setFilter("replicate_wild_do_table", "d.%")
	s := p.until(func(s *watch.Status) bool { return s.Healthy })
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "filter-not-kept"), "replicate every database", "setup-slave writes it")
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "read-only-not-kept"), "a restart of the server loses read_only=1")
	file := filepath.Join(p.slave.ConfigDir, "zz-gtunnel.cnf")
	text := "# Made by gtunnel replication, which changes nothing outside this file.\n[mysqld]\nread_only = " +
		"ON\nreplicate_wild_do_table = \"d.%\"\n"
	if p.kind.IsMySQL() {
		text += "super_read_only = ON\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		p.Fatal(err)
	}
	defer os.Remove(file)
	if s = p.status(p.m, watch.Options{}); pairs.ProblemOf(s.Warnings, "filter-not-kept") != nil ||
		pairs.ProblemOf(s.Warnings, "read-only-not-kept") != nil {
		p.Errorf("warned in spite of the file:\n%s", statusText(s))
	}
}

func (p *watchedPair) patience() {
	p.fresh()
	p.run(p.slave.DB, "SET GLOBAL slave_net_timeout=3600")
	s := p.status(p.m, watch.Options{})
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "net-timeout"), "only after 1h")
	p.run(p.slave.DB, "SET GLOBAL slave_net_timeout=60")
	if !p.kind.IsMySQL() {
		return
	}
	p.run(p.slave.DB, "STOP SLAVE",
		"CHANGE MASTER TO MASTER_RETRY_COUNT=10, MASTER_CONNECT_RETRY=60, GET_MASTER_PUBLIC_KEY=0", "START SLAVE")
	s = p.until(func(s *watch.Status) bool { return s.State == watch.HealthOK })
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "gives-up"), "away for 10m (10 times 1m0s)", "setup-slave")
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "public-key"), "fails after the next restart of the master")
	p.run(p.slave.DB, "STOP SLAVE", "CHANGE MASTER TO MASTER_SSL=1", "START SLAVE")
	s = p.until(func(s *watch.Status) bool { return s.State == watch.HealthOK })
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "tls-inside"), "MASTER_SSL=1")
}

func (p *watchedPair) skipsErrors() {
	p.fresh()
	p.run(p.slave.DB, "SET GLOBAL slave_exec_mode=IDEMPOTENT")
	p.untilProblem(watch.HealthOK, "skips-errors", "passed over in silence", "_exec_mode=STRICT", "compare")
	slave, err := facts.Read(p.Context(), p.s)
	if err != nil {
		p.Fatal(err)
	}
	found := rules.Judge(&rules.Subject{Moment: rules.CheckServer, Slave: slave, Port: 3307})
	if pairs.ProblemOf(found.Problems, "skips-errors") == nil {
		p.Error("the setup does not see it")
	}
	p.run(p.slave.DB, "SET GLOBAL slave_exec_mode=STRICT")
	p.until(func(s *watch.Status) bool { return s.Healthy })
}

func (p *watchedPair) masterUnreachable() {
	p.fresh()
	_, err := server.Open(p.Context(), finding.Master, server.Login{
		Network: "tcp", Address: p.master.Address(), User: "gtunnel_monitor", Password: server.NewPassword("wrong-Pw4"),
	})
	if !server.IsAccessDenied(err) {
		p.Fatalf("the login was not refused: %v", err)
	}
	s := p.status(nil, watch.Options{Unreachable: err})
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "master-unreachable"), "how far the slave is behind cannot be said",
		"Access denied", "SELECT user, host")
	if s.State != watch.HealthOK || s.Master.Reachable || strings.Contains(statusText(s), "wrong-Pw4") {
		p.Errorf("not as it is:\n%s", statusText(s))
	}
}

func (p *watchedPair) otherMaster() {
	p.fresh()
	p.onSlave("CREATE USER watch@'127.0.0.1' IDENTIFIED BY 'w'", "GRANT REPLICATION CLIENT ON *.* TO watch@'127.0.0.1'")
	other := p.slave.Login(p.T, finding.Master,
		server.Login{Network: "tcp", Address: p.slave.Address(), User: "watch", Password: server.NewPassword("w")})
	s := p.status(other, watch.Options{})
	p.wantWords(s, pairs.ProblemOf(s.Warnings, "other-master"), "has server_id 2, and the slave follows one with 1",
		"--master")
	if s.Lag.Bytes != nil {
		p.Errorf("a lag from the wrong server:\n%s", statusText(s))
	}
}

func (p *watchedPair) otherConnections() {
	p.fresh()
	change := "CHANGE MASTER 'elsewhere' TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='other'"
	reset := "RESET SLAVE 'elsewhere' ALL"
	if p.kind.IsMySQL() {
		change, reset = "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='other' FOR CHANNEL "+
			"'elsewhere'", "RESET SLAVE ALL FOR CHANNEL 'elsewhere'"
	}
	p.run(p.slave.DB, change)
	s := p.status(p.m, watch.Options{})
	if len(s.Others) != 1 || s.Others[0] != "elsewhere" || s.Connection.MasterUser != "db_rep" {
		p.Errorf("not ours, or not the other:\n%s", statusText(s))
	}
	// MariaDB's filters and GTIDs hold for all connections.
	found := s.Problems
	if p.kind.IsMySQL() {
		found = s.Warnings
	}
	p.wantWords(s, pairs.ProblemOf(found, "other-channel"), "it also follows 127.0.0.1:1")
	if s.Healthy != p.kind.IsMySQL() {
		p.Errorf("not as a check has it:\n%s", statusText(s))
	}
	p.run(p.slave.DB, reset)
}
