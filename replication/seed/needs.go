package seed

import (
	"context"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// What a dump holds is not made without what it names. A load would find out at
// its end, when it comes to views and events.

// views finds those that use tables or functions of other databases, which the
// slave lacks (errors 1049, 1146 and 1305).
func (c *seedCheck) views(ctx context.Context) error {
	s := c.seed
	if len(s.Tables) > 0 {
		return nil
	}
	views, err := s.Master.Query(ctx, s.Master.DB,
		"SELECT table_schema AS d, table_name AS n, view_definition AS v FROM information_schema.views"+
			" WHERE table_schema IN ("+server.QuoteExactly(s.Databases)+") ORDER BY 1, 2")
	if err != nil {
		return err
	}
	var others []string
	for _, name := range s.MasterFacts.DatabaseNames() {
		uses := func(v server.Record) bool { return strings.Contains(v["v"], server.QuoteName(name)+".") }
		if !slices.Contains(s.Databases, name) && slices.ContainsFunc(views, uses) {
			others = append(others, name)
		}
	}
	if len(others) == 0 {
		return nil
	}
	onMaster, err := usedByViews(ctx, s.Master, others)
	if err != nil {
		return err
	}
	onSlave, err := usedByViews(ctx, s.Slave, others)
	if err != nil {
		return err
	}
	var found, lacking []string
	for _, v := range views {
		for _, used := range onMaster {
			// The server writes names in full, each in quotes.
			if slices.Contains(onSlave, used) ||
				!strings.Contains(v["v"], server.QuoteTable(used.database, used.name)) {
				continue
			}
			found = append(found, v["d"]+"."+v["n"]+" uses "+used.database+"."+used.name)
			if !slices.Contains(lacking, used.database) {
				lacking = append(lacking, used.database)
			}
		}
	}
	if len(found) > 0 {
		c.Problem(finding.Slave, "view-of-others",
			replicateToo(s.Databases, lacking)+
				"; or drop the views; or make on the slave what they use, empty tables of the same columns,"+
				" and give --replace-databases "+strings.Join(lacking, ","),
			"it lacks what views use of databases that are not replicated, and without which they cannot be made: %s",
			finding.Items(found))
	}
	return nil
}

// usedObject is a table, view or function.
type usedObject struct{ database, name string }

// usedByViews gives what views can use of databases.
func usedByViews(ctx context.Context, s *server.Server, databases []string) ([]usedObject, error) {
	in := " IN (" + server.QuoteExactly(databases) + ")"
	rows, err := s.Query(ctx, s.DB,
		"SELECT table_schema AS d, table_name AS n FROM information_schema.tables WHERE table_schema"+in+
			" UNION ALL SELECT routine_schema, routine_name FROM information_schema.routines"+
			" WHERE routine_type = 'FUNCTION' AND routine_schema"+in+" ORDER BY 1, 2")
	used := make([]usedObject, len(rows))
	for i, r := range rows {
		used[i] = usedObject{database: r["d"], name: r["n"]}
	}
	return used, err
}

// timeZones finds events with a time zone that the slave does not know (error
// 1298).
func (c *seedCheck) timeZones(ctx context.Context) error {
	s := c.seed
	if len(s.Tables) > 0 {
		return nil
	}
	events, err := s.Master.Query(ctx, s.Master.DB,
		"SELECT event_schema AS d, event_name AS n, time_zone AS z FROM information_schema.events"+
			" WHERE event_schema IN ("+server.QuoteExactly(s.Databases)+
			") AND time_zone <> 'SYSTEM' AND time_zone NOT REGEXP '^[-+]' ORDER BY 1, 2")
	if err != nil {
		return err
	}
	var found []string
	for _, e := range events {
		known, err := s.Slave.Value(ctx, s.Slave.DB, "SELECT CONVERT_TZ('2001-01-01 00:00:00', ?, '+00:00')", e["z"])
		if err != nil {
			return err
		}
		if known == "" {
			found = append(found, e["d"]+"."+e["n"]+" ("+e["z"]+")")
		}
	}
	if len(found) > 0 {
		tool, client := "mysql_tzinfo_to_sql", "mysql"
		if s.Slave.Version.AtLeast(server.MariaDB, 10, 5, 0) {
			tool, client = "mariadb-tzinfo-to-sql", "mariadb"
		}
		c.Problem(finding.Slave, "unknown-time-zone",
			"on the slave: "+tool+" /usr/share/zoneinfo | "+client+" --init-command='SET SESSION sql_log_bin=0' mysql",
			"it does not know the time zones of events: %s", finding.Items(found))
	}
	return nil
}

// tablespaces finds tables of MySQL's in general tablespaces that the slave lacks
// (error 3510).
func (c *seedCheck) tablespaces(ctx context.Context) error {
	s := c.seed
	if len(s.Tables) > 0 || s.Master.Version.Family != server.MySQL || s.Slave.Version.Family != server.MySQL {
		return nil
	}
	onMaster, err := generalTablespaces(ctx, s.Master)
	if err != nil || len(onMaster) == 0 {
		return err
	}
	onSlave, err := generalTablespaces(ctx, s.Slave)
	if err != nil {
		return err
	}
	tables, err := s.Master.Query(ctx, s.Master.DB,
		"SELECT table_schema AS d, table_name AS t FROM information_schema.tables"+
			" WHERE table_type IN ("+facts.TableTypes+") AND table_schema IN ("+server.QuoteExactly(s.Databases)+
			") ORDER BY 1, 2")
	if err != nil {
		return err
	}
	shown := make([][]server.Record, len(tables))
	err = server.Each(ctx, s.Master, s.Master.DB, tables, func(ctx context.Context, i int, t server.Record) (err error) {
		shown[i], err = s.Master.Query(ctx, s.Master.DB, "SHOW CREATE TABLE "+server.QuoteTable(t["d"], t["t"]))
		return err
	})
	if err != nil {
		return err
	}
	var found, create []string
	for i, t := range tables {
		for _, space := range onMaster {
			if slices.Contains(onSlave, space) || len(shown[i]) == 0 ||
				!strings.Contains(shown[i][0]["create table"], " TABLESPACE "+server.QuoteName(space)) {
				continue
			}
			found = append(found, t["d"]+"."+t["t"]+" ("+space+")")
			line := "CREATE TABLESPACE " + server.QuoteName(space) +
				" ADD DATAFILE " + server.QuoteString(space+".ibd") + ";"
			if !slices.Contains(create, line) {
				create = append(create, line)
			}
		}
	}
	if len(found) > 0 {
		c.Problem(finding.Slave, "unknown-tablespace",
			"on the slave: "+strings.Join(s.SlaveFacts.WhileWritable(append([]string{server.LogNothing}, create...)...), " ")+
				" Or on the master: ALTER TABLE ... TABLESPACE innodb_file_per_table",
			"it lacks general tablespaces in which tables are: %s", finding.Items(found))
	}
	return nil
}

// generalTablespaces gives the names of those of MySQL's that were made by hand.
func generalTablespaces(ctx context.Context, s *server.Server) ([]string, error) {
	list := "innodb_sys_tablespaces"
	if s.Version.AtLeast(server.MySQL, 8, 0, 0) {
		list = "innodb_tablespaces"
	}
	rows, err := s.Query(ctx, s.DB,
		"SELECT name FROM information_schema."+list+" WHERE space_type = 'General' AND name <> 'mysql' ORDER BY 1")
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r["name"]
	}
	return names, err
}
