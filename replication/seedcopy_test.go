package replication_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// numbers is a query that gives the column n with 0 and the numbers up to most.
func numbers(most int) string {
	digits := "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)"
	return fmt.Sprintf("SELECT a.d + 10*b.d + 100*c.d + 1000*e.d AS n FROM %[1]s a, %[1]s b, %[1]s c, %[1]s e WHERE a.d + 10*b.d + 100*c.d + 1000*e.d <= %[2]d", digits, most)
}

// exec runs statements.
func (s *testServer) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %s: %v", s, statement, err)
		}
	}
}

// rows gives the rows of a query, each as one text.
func (s *testServer) rows(t *testing.T, query string) [][]string {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %s: %v", s, query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = "NULL"
			if v.Valid {
				row[i] = v.String
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %s: %v", s, query, err)
	}
	return all
}

// values gives the first column of a query.
func (s *testServer) values(t *testing.T, query string) []string {
	t.Helper()
	var first []string
	for _, row := range s.rows(t, query) {
		first = append(first, row[0])
	}
	return first
}

func (s *testServer) count(t *testing.T, table, where string) int {
	t.Helper()
	n, err := strconv.Atoi(s.values(t, "SELECT COUNT(*) FROM "+table+" WHERE "+where)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// lets tells whether a statement gets the locks that it needs within a second.
func (s *testServer) lets(ctx context.Context, t *testing.T, statement string) bool {
	t.Helper()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		t.Error(err)
		return true
	}
	defer conn.Close()
	for _, statement := range []string{"SET SESSION lock_wait_timeout=1", statement} {
		_, err = conn.ExecContext(ctx, statement)
	}
	return err == nil
}

// compareCopies compares databases of two servers, object by object and row by
// row. Of objects it compares how they are made, if the servers are of one
// family, else their names.
func compareCopies(t *testing.T, master, slave *testServer, databases []string) {
	t.Helper()
	crosses := pair{master: master.Kind, slave: slave.Kind}.crosses()
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
func describe(t *testing.T, s *testServer, databases []string, namesOnly bool) []string {
	t.Helper()
	quote := func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
	var all []string
	create := func(kind, database, name string) {
		text := kind + " " + database + "." + name
		if !namesOnly {
			row := s.rows(t, "SHOW CREATE "+kind+" "+quote(database)+"."+quote(name))[0]
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
			all = append(all, s.rows(t, "SHOW CREATE DATABASE "+quote(database))[0][1])
		}
		for _, row := range s.rows(t, "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = "+in) {
			table := quote(database) + "." + quote(row[0])
			if row[1] == "VIEW" {
				continue
			}
			create("TABLE", database, row[0])
			for _, r := range s.rows(t, "SELECT * FROM "+table) {
				all = append(all, fmt.Sprintf("%s: %q", table, r))
			}
		}
		// SHOW CREATE VIEW depends on the current database.
		columns := "table_name"
		if !namesOnly {
			columns += ", view_definition, check_option, definer, security_type, character_set_client, collation_connection"
		}
		for _, row := range s.rows(t, "SELECT "+columns+" FROM information_schema.views WHERE table_schema = "+in) {
			all = append(all, fmt.Sprintf("VIEW %s.%q", database, row))
		}
		for _, name := range s.values(t, "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = "+in) {
			create("TRIGGER", database, name)
		}
		for _, row := range s.rows(t, "SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = "+in) {
			create(row[1], database, row[0])
		}
		for _, name := range s.values(t, "SELECT event_name FROM information_schema.events WHERE event_schema = "+in) {
			create("EVENT", database, name)
		}
	}
	slices.Sort(all)
	return all
}

// toolMark is in the environment of the tools that a test starts.
const toolMark = "SEED_OF_TEST"

// markTools makes noTools know the tools that a test starts.
func markTools(t *testing.T) { t.Setenv(toolMark, t.Name()) }

// noTools fails if a tool of the test still runs.
func noTools(t *testing.T) {
	t.Helper()
	for pid, args := range processes(t) {
		environment, _ := os.ReadFile(filepath.Join("/proc", pid, "environ")) // it may have ended
		if slices.Contains(strings.Split(string(environment), "\x00"), toolMark+"="+os.Getenv(toolMark)) {
			t.Errorf("process %s is still there: %q", pid, args)
		}
	}
}

// noSecrets fails if any process shows the password among its arguments or in
// its environment.
func noSecrets(t *testing.T) {
	t.Helper()
	for pid, args := range processes(t) {
		environment, _ := os.ReadFile(filepath.Join("/proc", pid, "environ")) // it may have ended
		if strings.Contains(args+string(environment), oddPassword) {
			t.Errorf("process %s shows the password", pid)
		}
	}
}

// processes gives the arguments of all processes of this host by their ids.
func processes(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		args, err := os.ReadFile(file)
		if err == nil && len(args) > 0 { // else it has ended
			all[filepath.Base(filepath.Dir(file))] = string(args)
		}
	}
	return all
}

// lookTool gives the path of a tool.
func lookTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
