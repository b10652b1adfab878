package compare_test

import (
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestComparePrepared: what is made, changed and dropped after a comparison is prepared does
// not differ by that; and what was prepared is ended if no comparison comes.
func TestComparePrepared(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "prepared")
		p.OnMaster(t, "CREATE TABLE prepared.t (id int PRIMARY KEY)", "CREATE TABLE prepared.gone (id int PRIMARY KEY)",
			"CREATE TABLE prepared.changed (id int PRIMARY KEY)", "CREATE VIEW prepared.v AS SELECT 1 AS a")
		p.Sync(t)
		c := &compare.Comparison{Master: p.Master, Slave: p.Slave, Databases: []string{"prepared"}, StateDir: t.TempDir()}
		c.Prepare(t.Context())
		p.OnMaster(t, "CREATE TABLE prepared.new (id int PRIMARY KEY)", "INSERT INTO prepared.new VALUES (1)",
			"DROP TABLE prepared.gone", "ALTER TABLE prepared.changed ADD COLUMN b int",
			"CREATE OR REPLACE VIEW prepared.v AS SELECT 2 AS b", "CREATE VIEW prepared.w AS SELECT 1 AS a")
		result, err := c.Run(t.Context())
		if err != nil || !result.Equal() {
			t.Fatalf("%+v, %v", result, err)
		}
		names := make([]string, len(result.Tables))
		for i, table := range result.Tables {
			names[i] = table.Table
		}
		if !slices.Equal(names, []string{"prepared.changed", "prepared.new", "prepared.t"}) {
			t.Errorf("compared are %q", names)
		}
		before := p.Master.DB.Stats().InUse
		c.Prepare(t.Context())
		held := p.Master.DB.Stats().InUse - before
		c.Release(t.Context())
		if left := p.Master.DB.Stats().InUse - before; held == 0 || left != 0 {
			t.Errorf("it holds %d sessions, and then %d", held, left)
		}
		p.MustRun(t)
	})
}
