package main_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// databasePatience bounds the waits for MariaDB, which is slow to install and
// to start on a loaded machine.
const databasePatience = 3 * time.Minute

// mariadb is a running MariaDB server of this test.
type mariadb struct {
	*servertest.Server

	t *testing.T
}

// startMariaDB starts a server that can be master and slave until the test
// ends.
func startMariaDB(t *testing.T, name string, id int, flags ...string) *mariadb {
	t.Helper()
	return &mariadb{
		Server: startDatabase(t, servertest.MariaDB, servertest.Options{Name: name, ServerID: id, Flags: flags}), t: t,
	}
}

// wait waits until something of the server is so. state says how it is
// meanwhile.
func (m *mariadb) wait(what string, is func() (state string, ok bool)) {
	m.t.Helper()
	pairs.WaitFor(m.t, databasePatience, what+" of "+m.Name, is)
}

// do executes statements.
func (m *mariadb) do(statements ...string) {
	m.t.Helper()
	for _, statement := range statements {
		if _, err := m.DB.ExecContext(m.t.Context(), statement); err != nil {
			m.t.Fatalf("%s: %s: %v", m.Name, statement, err)
		}
	}
}

// text is the one value that a query gives.
func (m *mariadb) text(query string) string {
	m.t.Helper()
	var value sql.NullString
	if err := m.DB.QueryRowContext(m.t.Context(), query).Scan(&value); err != nil {
		m.t.Fatalf("%s: %s: %v", m.Name, query, err)
	}
	return value.String
}

// slaveStatus is SHOW SLAVE STATUS by column.
func (m *mariadb) slaveStatus() map[string]string {
	m.t.Helper()
	return queryRow(m.t, m.DB, "SHOW SLAVE STATUS")
}

// queryRow gives the first row of a query, of which there must be one, by column.
func queryRow(t testing.TB, db *sql.DB, query string) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatalf("%s: no row: %v", query, rows.Err())
	}
	values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		t.Fatal(err)
	}
	row := make(map[string]string)
	for i, column := range columns {
		row[column] = values[i].String
	}
	return row
}

// waitReplicating waits until both threads of the slave run.
func (m *mariadb) waitReplicating() {
	m.t.Helper()
	m.wait("running replication", func() (string, bool) {
		s := m.slaveStatus()
		state := s["Slave_IO_Running"] + ", " + s["Slave_SQL_Running"] + ": " + s["Last_IO_Error"] + s["Last_SQL_Error"]
		return state, s["Slave_IO_Running"] == "Yes" && s["Slave_SQL_Running"] == "Yes"
	})
}

// waitValue waits until a query gives a value.
func (m *mariadb) waitValue(query, want string) {
	m.t.Helper()
	m.wait(want+" from "+query, func() (string, bool) {
		got := m.text(query)
		return "it is " + got, got == want
	})
}
