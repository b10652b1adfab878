package replication_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// repairIn repairs tables, and notes its work in a directory.
func repairIn(t *testing.T, p *pairs.Couple, directory string, tables ...string) error {
	t.Helper()
	return (&replication.Repair{Master: p.Master, Slave: p.Slave, Tables: tables, StateDir: directory}).Run(t.Context())
}

// TestRepairRefuses refuses what a repair cannot copy.
func TestRepairRefuses(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "refuses")
		p.OnMaster(t, "CREATE TABLE refuses.`a,b` (id INT PRIMARY KEY)")
		p.Sync(t)
		replicateOnly(t, p, "refuses.%")
		for code, tables := range map[string][]string{
			"table-name":     {"refuses.a,b"},
			"not-replicated": {"elsewhere.t"},
			"one-database":   {"refuses.t", "marks.m"},
		} {
			if err := repairIn(t, p, "", tables...); !finding.HasCode(err, code) {
				t.Errorf("%s: not %s but %v", tables, code, err)
			}
		}
		master, _ := p.Servers(t)
		master.Exec(t, "SET GLOBAL binlog_format='MIXED'")
		defer master.Exec(t, "SET GLOBAL binlog_format='ROW'")
		if err := repairIn(t, p, "", "refuses.t"); !finding.HasCode(err, "binlog-format") {
			t.Errorf("of a master that logs statements: %v", err)
		}
		p.OnSlave(t, "SET sql_log_bin=0", "DROP DATABASE refuses", "CREATE DATABASE refuses")
	})
}

// TestRepairEndsEarlier: a repair ends what one that was killed has left, if it
// copies the same tables, and leaves the slave read-only.
func TestRepairEndsEarlier(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "earlier")
		p.OnMaster(t, "CREATE TABLE earlier.t (id INT PRIMARY KEY)", "CREATE TABLE earlier.u (id INT PRIMARY KEY)",
			"INSERT INTO earlier.t VALUES (1)")
		p.Sync(t)
		p.OnSlave(t, "SET sql_log_bin=0", "DELETE FROM earlier.t")
		_, slave := p.Servers(t)
		readOnly := "read_only"
		if slave.Kind.IsMySQL() {
			readOnly = "super_read_only"
		}
		slave.Exec(t, "SET GLOBAL "+readOnly+"=1")
		defer slave.Exec(t, "SET GLOBAL read_only=0")
		directory := t.TempDir()
		_, file := journal.NoteFiles(directory, 12)
		if err := file.Write(journal.RepairNote{Tables: []string{"earlier.t", "earlier.u"}}); err != nil {
			t.Fatal(err)
		}
		if err := repairIn(t, p, directory, "earlier.t"); !finding.HasCode(err, "repair-cut-off") {
			t.Errorf("a repair of one of the tables: %v", err)
		}
		if err := repairIn(t, p, directory, "earlier.t", "earlier.u"); err != nil {
			t.Fatal(err)
		}
		if note, err := journal.ReadNote[journal.RepairNote](file); note != nil || err != nil {
			t.Errorf("noted is still %+v, %v", note, err)
		}
		if got := slave.Values(t, "SELECT @@GLOBAL."+readOnly)[0]; got != "1" {
			t.Errorf("%s is %s afterwards", readOnly, got)
		}
		if result := compareOn(t, p, compare.Comparison{Databases: []string{"earlier"}}); !result.Equal() {
			t.Errorf("differs: %q", found(result, "earlier.t"))
		}
	})
}
