package compare_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// views are of the kinds that a server writes in other words than somebody did.
var views = []string{
	"AS SELECT a.id FROM a, b WHERE a.id = b.id",
	"AS SELECT a.id FROM a, b, c WHERE a.id = b.id AND b.id = c.id",
	"AS SELECT a.id FROM a LEFT JOIN (b JOIN c ON b.id = c.id) ON a.id = b.id WHERE a.n LIKE 'x\\_%'",
	"AS SELECT t.id, 'it''s \"ü\"' AS w FROM (SELECT id FROM a WHERE id > 1) AS t, b WHERE t.id = b.id",
	"AS SELECT view0.id FROM view0, view1 WHERE view0.id = view1.id",
	"AS WITH x AS (SELECT id FROM a) SELECT x.id FROM x, b WHERE x.id = b.id UNION SELECT id FROM c",
	"(one, two) AS SELECT a.id AS `odd ``name`, COUNT(*) FROM a, b GROUP BY 1 HAVING COUNT(*) > 1",
	"AS SELECT id FROM a WHERE id > 3 WITH LOCAL CHECK OPTION",
	"AS SELECT gone.id FROM gone, b WHERE gone.id = b.id",
}

// asDumped makes the views of a database anew on the slave, from what a dump of the
// master has.
func asDumped(t *testing.T, p *pairs.Couple, database string) {
	t.Helper()
	session, err := p.Master.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	statements := []string{"SET sql_log_bin=0", "USE " + database}
	names, err := p.Master.Query(t.Context(), session, "SELECT table_name AS n FROM information_schema.tables"+
		" WHERE table_type = 'VIEW' AND table_schema = '"+database+"' ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range names {
		shown, err := p.Master.Query(t.Context(), session, "SHOW CREATE VIEW "+server.QuoteTable(database, r["n"]))
		if err != nil {
			t.Fatal(err)
		}
		statements = append(statements, "DROP VIEW "+r["n"], shown[0]["create view"])
	}
	p.OnSlave(t, statements...)
}

// TestCompareViews compares views that were dumped and loaded, and finds those that
// are others.
func TestCompareViews(t *testing.T) {
	pairs.OnCouples(t, pairs.All, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "seen")
		p.OnMaster(t, "CREATE TABLE seen.a (id INT PRIMARY KEY, n VARCHAR(20))", "CREATE TABLE seen.b (id INT PRIMARY KEY)",
			"CREATE TABLE seen.c (id INT PRIMARY KEY)", "CREATE TABLE seen.gone (id INT PRIMARY KEY)")
		for i, view := range views {
			p.OnMaster(t, "USE seen", "CREATE VIEW view"+string(rune('0'+i))+" "+view)
		}
		p.Sync(t)
		asDumped(t, p, "seen")
		p.OnMaster(t, "DROP TABLE seen.gone") // a view of nothing
		p.Sync(t)
		result := compareOn(t, p, compare.Comparison{Databases: []string{"seen"}})
		if p.Master.Version.Family != p.Slave.Version.Family {
			if !result.Equal() || len(result.Skipped) != 1 || !strings.Contains(result.Skipped[0],
				" views: MariaDB 10.11 and MySQL 9.7 write them in ways of their own: seen.view0, ") {
				t.Errorf("got %+v", result)
			}
			return
		}
		if !result.Equal() || len(result.Skipped) > 0 || result.ObjectsEqual != len(views) {
			t.Errorf("got %+v", result)
		}
		if p.Master.Version.Series() != p.Slave.Version.Series() {
			return
		}
		p.OnSlave(t, "SET sql_log_bin=0", "USE seen", "ALTER DEFINER=somebody@localhost VIEW view0 "+views[0],
			"ALTER ALGORITHM=TEMPTABLE VIEW view1 "+views[1], "ALTER VIEW view7 AS SELECT id FROM a WHERE id > 3")
		got := compareOn(t, p, compare.Comparison{Databases: []string{"seen"}})
		if want := []string{
			"view seen.view0 has the definer root@localhost on the master and somebody@localhost on the slave",
			"view seen.view1 is not the same on both ends", "view seen.view7 is not the same on both ends",
		}; !slices.Equal(got.Objects, want) {
			t.Errorf("got %q, want %q", got.Objects, want)
		}
		p.OnSlave(t, "DROP DATABASE seen", "CREATE DATABASE seen")
	})
}

// TestCompareSaysWhatItMayNotRead compares by a login on the master that may not read
// everything.
func TestCompareSaysWhatItMayNotRead(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "may")
		p.Fresh(t, "may_not")
		for _, database := range []string{"may", "may_not"} {
			p.OnMaster(t, "USE "+database, "CREATE TABLE t (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT 1 AS one",
				"CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1")
		}
		p.Sync(t)
		master, _ := p.Servers(t)
		monitor, replication := "SELECT", "BINLOG MONITOR, PROCESS"
		if p.Master.Version.Family == server.MySQL {
			replication = "REPLICATION CLIENT, FLUSH_TABLES, PROCESS"
		}
		master.Exec(t, "DROP USER IF EXISTS reader@'127.0.0.1'", "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reads'",
			"GRANT "+replication+" ON *.* TO reader@'127.0.0.1'", "GRANT "+monitor+", EXECUTE ON may.* TO reader@'127.0.0.1'",
			"GRANT SELECT ON may_not.t TO reader@'127.0.0.1'")
		reader := master.Login(t, finding.Master, server.Login{
			Network: "tcp", Address: master.Address(), User: "reader", Password: server.NewPassword("reads"),
		})
		c := compare.Comparison{Master: reader, Slave: p.Slave, Databases: []string{"may", "may_not"}}
		result, err := c.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		proc := "GRANT SELECT ON mysql.proc lets it"
		if p.Master.Version.Family == server.MySQL {
			proc = "GRANT SHOW_ROUTINE ON *.* lets it"
		}
		const completes = ", and gtunnel replication setup-master --keep-passwords completes the account of the monitor"
		want := []string{
			"tables of may_not: the login on the master may not see all of them; GRANT SELECT ON `may_not`.* lets it" +
				completes,
			"foreign keys and CHECKs of may, may_not: the login on the master may not see all of them;" +
				" GRANT TRIGGER ON DATABASE.* lets it" + completes,
			"views of may_not: the login on the master may not see all of them; GRANT SELECT, SHOW VIEW ON `may_not`.* lets it" +
				completes,
			"the definitions of 1 view: the login on the master may not read them; GRANT SELECT, SHOW VIEW ON DATABASE.* lets" +
				" it" + completes + ": may.v",
			"triggers of may, may_not: the login on the master may not see all of them;" +
				" GRANT TRIGGER ON DATABASE.* lets it" + completes,
			"routines of may_not: the login on the master may not see all of them; " + proc + completes,
			"the definitions of 1 routine: the login on the master may not read them; " + proc + completes + ": may.f",
			"events of may, may_not: the login on the master may not see all of them; GRANT EVENT ON DATABASE.* lets it" +
				completes,
		}
		if p.Master.Version.Family == server.MariaDB {
			want = slices.Insert(want, 3, "sequences of may_not: the login on the master may not see all of them;"+
				" GRANT SELECT ON `may_not`.* lets it"+completes)
			want[3], want[4] = want[4], want[3]
		}
		if !slices.Equal(result.Skipped, want) || !result.Equal() {
			t.Errorf("equal %t, objects %q, not compared:\n%s\nwant:\n%s", result.Equal(), result.Objects,
				strings.Join(result.Skipped, "\n"), strings.Join(want, "\n"))
		}
	})
}
