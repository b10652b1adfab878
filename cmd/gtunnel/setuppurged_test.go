package main_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// purge has the master lose what the slave, which is stopped, does not have yet.
func (p *pair) purge() {
	p.t.Helper()
	p.onSlave("STOP SLAVE")
	p.sql(p.master, "REPLACE INTO voms.t VALUES (10, 'purged')", "FLUSH BINARY LOGS",
		"REPLACE INTO voms.t VALUES (11, 'kept')")
	p.purgeLogs()
}

// purgeLogs purges all binary logs of the master but the one that it writes.
func (p *pair) purgeLogs() {
	p.t.Helper()
	pairs.WaitFor(p.t, databasePatience, "one binary log of the master", func() (string, bool) { // no thread reads another
		logs := p.binaryLogs()
		if len(logs) > 1 {
			p.sql(p.master, "PURGE BINARY LOGS TO '"+logs[len(logs)-1]+"'")
		}
		return strings.Join(logs, ", "), len(logs) == 1
	})
}

// binaryLogs are the files of the master's binary log.
func (p *pair) binaryLogs() (files []string) {
	p.t.Helper()
	rows, err := p.master.DB.QueryContext(p.t.Context(), "SHOW BINARY LOGS")
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		p.t.Fatal(err)
	}
	file, row := "", make([]any, len(columns))
	for i := range row {
		row[i] = new(any)
	}
	row[0] = &file
	for rows.Next() {
		if err := rows.Scan(row...); err != nil {
			p.t.Fatal(err)
		}
		files = append(files, file)
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
	return files
}

// TestPurgedLog: a slave whose next changes the master has purged is told the whole way
// out, before it asks for them and after, and that way works.
func TestPurgedLog(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs()...)
		p.purge()
		cure := []string{"gtunnel replication setup-master --seed-again", "--reseed --replace-databases voms"}
		says := func(out string) {
			t.Helper()
			for _, words := range cure {
				if !strings.Contains(out, words) || strings.Contains(out, "goes on from here") {
					t.Errorf("no %q, or in a circle:\n%s", words, out)
				}
			}
		}
		says(p.unchanged(p.slave, 1, "it was purged, or reset", p.setupSlaveArgs()...))
		p.onSlave("START SLAVE")
		p.waitStatus("has purged transactions that the slave lacks")
		out, _ := p.status()
		says(out)
		says(p.unchanged(p.slave, 1, "has purged transactions that the slave lacks", p.setupSlaveArgs()...))

		p.must(p.master, p.setupMasterArgs("--seed-again")...)
		p.must(p.slave, p.setupSlaveArgs("--reseed", "--replace-databases", "voms", "--skip-compare")...)
		p.replicates()
		p.must(p.slave, p.compareArgs()...)

		// The same by file and position.
		by := "CHANGE MASTER TO MASTER_USE_GTID=no"
		if kind.IsMySQL() {
			by = "CHANGE MASTER TO MASTER_AUTO_POSITION=0"
		}
		p.onSlave("STOP SLAVE", by, "START SLAVE")
		p.waitStatus("ok: ")
		p.purge()
		says(p.unchanged(p.slave, 1, "it was purged, or reset", p.setupSlaveArgs()...))
		p.onSlave("START SLAVE")
		p.waitStatus("has to go on: it was purged, or reset (error 1236")
		out, _ = p.status()
		says(out)
		says(p.unchanged(p.slave, 1, "it was purged, or reset", p.setupSlaveArgs()...))
	})
}
