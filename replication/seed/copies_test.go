package seed_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// numbers is a query that gives the column n with 0 and the numbers up to most.
func numbers(most int) string {
	digits := "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 " +
		"UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)"
	return fmt.Sprintf("SELECT a.d + 10*b.d + 100*c.d + 1000*e.d AS n FROM %[1]s a, %[1]s b, %[1]s c, %[1]s e WHERE a.d "+
		"+ 10*b.d + 100*c.d + 1000*e.d <= %[2]d", digits, most)
}

// compareCopies compares databases of two servers, object by object and row by
// row. Of objects it compares how they are made, if the servers are of one
// family, else their names.
func compareCopies(t *testing.T, master, slave *pairs.Server, databases []string) {
	t.Helper()
	crosses := pairs.Pair{Master: master.Kind, Slave: slave.Kind}.Crosses()
	if m, s := describe(t, master, databases, crosses), describe(t, slave, databases, crosses); !slices.Equal(m, s) {
		for _, line := range m {
			if !slices.Contains(s, line) {
				t.Errorf("only on the master: %.2000s", line)
			}
		}
		for _, line := range s {
			if !slices.Contains(m, line) {
				t.Errorf("only on the slave: %.2000s", line)
			}
		}
	}
}

// unsaid is what SHOW CREATE TABLE says sometimes: the next number, and, on
// MySQL, the character set that the collation implies.
var unsaid = regexp.MustCompile(` AUTO_INCREMENT=\d+| CHARACTER SET utf8mb4`)

// describe lists all that is in databases.
func describe(t *testing.T, s *pairs.Server, databases []string, namesOnly bool) []string {
	t.Helper()
	quote := func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
	var all []string
	create := func(kind, database, name string) {
		text := kind + " " + database + "." + name
		if !namesOnly {
			row := s.Rows(t, "SHOW CREATE "+kind+" "+quote(database)+"."+quote(name))[0]
			if kind == "TRIGGER" {
				row = row[:6] // without the time of its making
			}
			text += ": " + strings.Join(row, " | ")
			if kind == "EVENT" {
				text = regexp.MustCompile(` (ENABLE|DISABLE ON SLAVE|DISABLE ON REPLICA) `).ReplaceAllString(text, " ")
			}
		}
		all = append(all, unsaid.ReplaceAllString(text, ""))
	}
	for _, database := range databases {
		in := "'" + strings.ReplaceAll(database, "'", "''") + "'"
		if !namesOnly {
			all = append(all, s.Rows(t, "SHOW CREATE DATABASE "+quote(database))[0][1])
		}
		for _, row := range s.Rows(t, "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = "+
			in) {
			table := quote(database) + "." + quote(row[0])
			if row[1] == "VIEW" {
				continue
			}
			create("TABLE", database, row[0])
			for _, r := range s.Rows(t, "SELECT * FROM "+table) {
				all = append(all, fmt.Sprintf("%s: %q", table, r))
			}
		}
		// SHOW CREATE VIEW depends on the current database.
		columns := "table_name"
		if !namesOnly {
			columns += ", view_definition, check_option, definer, security_type, character_set_client, collation_connection"
		}
		for _, row := range s.Rows(t, "SELECT "+columns+" FROM information_schema.views WHERE table_schema = "+in) {
			all = append(all, fmt.Sprintf("VIEW %s.%q", database, row))
		}
		for _, name := range s.Values(t, "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = "+in) {
			create("TRIGGER", database, name)
		}
		for _, row := range s.Rows(t,
			"SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = "+in) {
			create(row[1], database, row[0])
		}
		for _, name := range s.Values(t, "SELECT event_name FROM information_schema.events WHERE event_schema = "+in) {
			create("EVENT", database, name)
		}
	}
	slices.Sort(all)
	return all
}
