package watch_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// leftOutBySlave sets filters that keep changes out, each of which is a problem of
// a check too, and lifts them as the cures say.
func (p *watchedPair) leftOutBySlave() {
	p.fresh()
	type filter struct{ set, words string }
	var filters []filter
	if !p.kind.IsMySQL() {
		var at string
		if err := p.master.DB.QueryRowContext(p.Context(), "SELECT @@gtid_binlog_pos").Scan(&at); err != nil {
			p.Fatal(err)
		}
		p.run(p.slave.DB, "STOP SLAVE", "SET GLOBAL gtid_slave_pos='"+at+"'", "CHANGE MASTER TO MASTER_USE_GTID=slave_pos",
			"START SLAVE")
		filters = []filter{
			{"CHANGE MASTER TO IGNORE_SERVER_IDS=(1)", "IGNORE_SERVER_IDS=(1)"},
			{"CHANGE MASTER TO DO_DOMAIN_IDS=(5)", "DO_DOMAIN_IDS=(5)"},
			{"SET GLOBAL replicate_ignore_db='d'", "replicate_ignore_db=d leaves out changes of d"},
		}
	} else {
		filters = []filter{ // with GTIDs it takes no IGNORE_SERVER_IDS
			{"CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB=(d)", "replicate_ignore_db=d leaves out changes of d"},
			{"CHANGE REPLICATION FILTER REPLICATE_REWRITE_DB=((d,x))", "replicate_rewrite_db=(d,x) makes changes"},
		}
	}
	for _, f := range filters {
		p.run(p.slave.DB, "STOP SLAVE", f.set, "START SLAVE")
		s := p.untilProblem(watch.HealthOK, "other-filters", f.words,
			"then see what differs: gtunnel replication compare")
		slave, err := facts.Read(p.Context(), p.s)
		if err != nil {
			p.Fatal(err)
		}
		found := rules.Judge(&rules.Subject{Moment: rules.CheckServer, Slave: slave, Port: p.gate.port})
		if pairs.ProblemOf(found.Problems, "other-filters") == nil {
			p.Errorf("a check does not see %s", f.set)
		}
		cure, _, _ := strings.Cut(pairs.ProblemOf(s.Problems, "other-filters").Cure, "; and remove")
		cure, _, _ = strings.Cut(cure, "; then see")
		for statement := range strings.SplitSeq(cure, "; ") {
			if _, err := p.slave.DB.ExecContext(p.Context(), statement); err != nil {
				p.Errorf("the cure %s: %v", statement, err)
			}
		}
		p.until(func(s *watch.Status) bool { return s.Healthy })
	}
}

// leftOutByMaster restarts the master with an option file by which it logs nothing
// of the database.
func (p *watchedPair) leftOutByMaster() {
	if p.kind != servertest.MariaDB && p.kind != servertest.MySQL97 {
		p.Skip("as on another version")
	}
	p.fresh()
	file := filepath.Join(p.master.ConfigDir, "zz-ignore.cnf")
	if err := os.WriteFile(file, []byte("[mysqld]\nbinlog-ignore-db=d\n"), 0o644); err != nil {
		p.Fatal(err)
	}
	restart := func() {
		if err := p.master.Restart(p.Context()); err != nil {
			p.Fatal(err)
		}
	}
	defer func() {
		os.Remove(file)
		restart()
	}()
	restart()
	s := p.until(func(s *watch.Status) bool {
		return s.State == watch.HealthOK && pairs.ProblemOf(s.Problems, "binlog-filter") != nil
	})
	p.wantWords(s, pairs.ProblemOf(s.Problems, "binlog-filter"), "binlog-ignore-db keeps d out", "replication compare")
}
