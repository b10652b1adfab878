package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/corpus"
)

// longCorpus reports whether the corpus is to be gone through at length: make
// corpus.
func longCorpus() bool { return os.Getenv("GTUNNEL_CORPUS") == "long" }

// corpusKinds are the kinds of servers on which the cases of the corpus are tried: each on
// all of them by make corpus.
func corpusKinds() []servertest.Kind {
	if longCorpus() {
		return servertest.Kinds()
	}
	return bothFamilies
}

// TestCorpusCases sets up the replication of each case: it is done, or refused by
// a plan whose cure works when it is pasted. Then both ends have the same, and
// compare says so.
func TestCorpusCases(t *testing.T) {
	t.Parallel()
	for _, kind := range corpusKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			cases, err := corpus.Cases(kind)
			if err != nil {
				t.Fatal(err)
			}
			if !longCorpus() {
				cases = shared(kind, cases)
			}
			servers := newDirectPair(t, kind)
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					p := *servers
					p.t, p.folder = t, t.TempDir()
					p.beginAnew()
					p.pasteSQL(p.master, c.SQL)
					p.untilDone(p.master, p.setupMasterArgs("--databases", strings.Join(c.Databases, ",")))
					p.untilDone(p.slave, p.setupSlaveArgs())
					p.agree(c.Databases)
				})
			}
		})
	}
}

// beginAnew takes from both servers all that an earlier case has left.
func (p *pair) beginAnew() {
	p.t.Helper()
	p.onSlave("STOP SLAVE", "RESET SLAVE ALL")
	if p.slave.Kind.IsMySQL() {
		p.sql(p.slave, "CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=(), REPLICATE_IGNORE_TABLE=()",
			"SET GLOBAL super_read_only=0")
	} else {
		p.sql(p.slave, "SET GLOBAL replicate_wild_do_table='', GLOBAL replicate_ignore_table=''",
			"SET GLOBAL gtid_slave_pos=''")
	}
	p.sql(p.slave, "SET GLOBAL read_only=0")
	for _, s := range []*servertest.Server{p.master, p.slave} {
		for _, name := range p.values(s, "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN "+
			"('mysql', 'sys', 'information_schema', 'performance_schema')") {
			p.pasteSQL(s, "SET foreign_key_checks=0; DROP DATABASE `"+strings.ReplaceAll(name, "`", "``")+"`;")
		}
		for _, user := range p.values(s, "SELECT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.user WHERE host IN "+
			"('127.0.0.1', '%')") {
			p.sql(s, "DROP USER "+user)
		}
		files, err := filepath.Glob(filepath.Join(s.ConfigDir, "*"))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				p.t.Fatal(err)
			}
		}
		p.sql(s, inWordsOf(s.Kind, "RESET MASTER"))
	}
}

// values are the values of a query's one column.
func (p *pair) values(s *servertest.Server, query string) []string {
	p.t.Helper()
	rows, err := s.DB.QueryContext(p.t.Context(), query)
	if err != nil {
		p.t.Fatalf("%s: %s: %v", s.Name, query, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err says what is wrong
	var all []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			p.t.Fatal(err)
		}
		all = append(all, value)
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
	return all
}

// agree wants the dumps of both ends to be the same, and compare to say so.
func (p *pair) agree(databases []string) {
	p.t.Helper()
	master, slave := p.dumps(databases)
	for _, object := range corpus.Differences(master, slave) {
		p.t.Errorf("%s is not the same: %s", object, corpus.Unlike(master, slave, object))
	}
	if out, code := p.run(p.slave, p.compareArgs()...); code != 0 {
		p.t.Errorf("compare says, with exit code %d:\n%s", code, lastLines(out))
	}
}

// dumps are those of both ends.
func (p *pair) dumps(databases []string) (master, slave corpus.Dump) {
	p.t.Helper()
	both := make([]corpus.Dump, 2)
	for i, s := range []*servertest.Server{p.master, p.slave} {
		dump, err := corpus.TakeDump(p.t.Context(), s, databases)
		if err != nil {
			p.t.Fatal(err)
		}
		both[i] = dump
	}
	return both[0], both[1]
}
