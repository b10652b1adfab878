package replication_test

import (
	"context"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// replicateOnly sets the slave's filter, as setup-slave does, and gives the test
// what it needs to follow.
func replicateOnly(t *testing.T, p *pairs.Couple, patterns string) {
	t.Helper()
	if p.Slave.Version.Family == server.MySQL {
		p.OnSlave(t, "STOP REPLICA", "CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=('"+patterns+"', 'marks.%')",
			"START REPLICA")
		return
	}
	p.OnSlave(t, "STOP SLAVE", "SET GLOBAL replicate_wild_do_table='"+patterns+",marks.%'", "START SLAVE")
}

// TestCompareDots compares and repairs a database that is called by the name of
// its VO.
func TestCompareDots(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "`vo`")
		p.Fresh(t, "`vo.example.org`")
		p.OnMaster(t, "CREATE TABLE vo.other (id int PRIMARY KEY)",
			"CREATE TABLE `vo.example.org`.t (id int PRIMARY KEY, v varchar(30))")
		p.OnMaster(t, pairs.Numbered("`vo.example.org`.t", 3)...)
		tables, want := []string{"vo.example.org.t"}, []string{"id 2: differs"}
		if p.Master.Version.Family == server.MariaDB {
			p.OnMaster(t, "CREATE SEQUENCE `vo.example.org`.s")
			tables = append(tables, "vo.example.org.s")
		}
		p.Sync(t)
		replicateOnly(t, p, "vo.example.org.%")
		t.Cleanup(func() { // the next tests drop databases on both ends
			pairs.Run(context.WithoutCancel(t.Context()), t, p.SlaveDB,
				[]string{"DROP DATABASE IF EXISTS vo", "DROP DATABASE IF EXISTS `vo.example.org`"})
		})
		p.Sync(t)
		p.OnSlave(t, "DROP TABLE vo.other", "UPDATE `vo.example.org`.t SET v = 'x' WHERE id = 2")

		result := compareOn(t, p, compare.Comparison{})
		if got := found(result, "vo.example.org.t"); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		skipped := []string{"database vo: the slave does not replicate it"}
		if len(result.Tables) != 2 || !slices.Equal(result.Skipped, skipped) { // with marks.m
			t.Errorf("got %+v", result)
		}
		result = compareOn(t, p, compare.Comparison{Tables: tables})
		if got := found(result, "vo.example.org.t"); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := repair(t.Context(), p, tables[0]); err != nil {
			t.Fatal(err)
		}
		if result := compareOn(t, p, compare.Comparison{}); !result.Equal() {
			t.Errorf("got %+v", result)
		}
	})
}
