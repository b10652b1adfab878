package main_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// bothFamilies are the kinds on which a check of a setup is tried.
var bothFamilies = []servertest.Kind{servertest.MariaDB, servertest.MySQL97}

// TestSetupMasterTriesPasswords: an account whose password is not the one of the
// hand-over file any more is noticed. A slave may use the other one, so nothing
// is changed unless new passwords are asked for.
func TestSetupMasterTriesPasswords(t *testing.T) {
	t.Parallel()
	for _, kind := range bothFamilies {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
			p.sql(p.master, "ALTER USER gtunnel_monitor@'127.0.0.1' IDENTIFIED BY 'another one'")
			status := map[bool]string{true: "performance_schema", false: "information_schema"}[kind.IsMySQL()] + ".global_status"
			count := func() string {
				return p.value(p.master, "SELECT variable_value FROM "+status+" WHERE variable_name = 'Aborted_connects'")
			}
			before := count()
			out := p.must(p.master, p.setupMasterArgs("--dry-run")...)
			if after := count(); after != before {
				t.Errorf("a dry run had logins refused: %s, and %s before", after, before)
			}
			if !strings.Contains(out,
				"the passwords of db_rep, gtunnel_monitor, gtunnel_seed in the hand-over file are not tried") {
				t.Errorf("the dry run does not say what it leaves out:\n%s", out)
			}
			if out = p.must(p.master, p.setupMasterArgs()...); !strings.Contains(out,
				"complete the account 'gtunnel_monitor'@'127.0.0.1'") || count() == before {
				t.Errorf("the wrong password is not mended, or was not tried:\n%s", out)
			}
			p.must(p.slave, p.setupSlaveArgs()...)
			p.sql(p.master, "ALTER USER db_rep@'127.0.0.1' IDENTIFIED BY 'another one'")
			p.restart(p.master) // its cache of passwords is cold then
			p.loginAgain()
			p.waitStatus("1045")

			p.refused(p.master, 1, "the server refuses the password that the hand-over file has",
				p.setupMasterArgs("--databases", "voms")...)
			out = p.must(p.master, p.setupMasterArgs("--databases", "voms", "--new-passwords")...)
			if strings.Contains(out, "gtunnel_monitor'@") {
				t.Errorf("another account is changed too:\n%s", out)
			}
			p.noChange(p.master, p.setupMasterArgs("--databases", "voms")...)
			p.must(p.slave, p.setupSlaveArgs()...)
			p.sql(p.master, "INSERT INTO voms.t VALUES (3, 'by the new password')")
			p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM voms.t")
			p.noSecrets()
		})
	}
}

// TestSetupSlaveNamesWriters: setup-slave and status name who can write on
// MariaDB's slave; MySQL's super_read_only keeps all out.
func TestSetupSlaveNamesWriters(t *testing.T) {
	t.Parallel()
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MariaDB105, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
			p.sql(p.slave, "CREATE USER admin@'10.%' IDENTIFIED BY 'x'", "GRANT ALL PRIVILEGES ON *.* TO admin@'10.%'",
				"CREATE USER reader@localhost IDENTIFIED BY 'x'", "GRANT SELECT ON *.* TO reader@localhost",
				"CREATE ROLE inner_role", "CREATE ROLE outer_role")
			want := "accounts can write in spite of read_only: admin@10.%"
			if !kind.IsMySQL() {
				p.sql(p.slave, "GRANT READ ONLY ADMIN ON *.* TO inner_role", "GRANT inner_role TO outer_role",
					"CREATE USER one@localhost IDENTIFIED BY 'x'", "GRANT READ ONLY ADMIN ON *.* TO one@localhost",
					"CREATE USER two@localhost IDENTIFIED BY 'x'", "GRANT outer_role TO two@localhost")
				want += ", one@localhost, two@localhost (role outer_role)"
			}
			for _, out := range []string{
				p.must(p.slave, p.setupSlaveArgs()...), func() string { out, _ := p.status(); return out }(),
			} {
				if strings.Contains(out, want) == kind.IsMySQL() || strings.Contains(out, "reader") {
					t.Errorf("no, or not just, %q in:\n%s", want, out)
				}
				if !kind.IsMySQL() && !strings.Contains(out, "take READ ONLY ADMIN") {
					t.Errorf("no cure in:\n%s", out)
				}
			}
		})
	}
}

// TestSetupPartialRevokes: with MySQL's partial_revokes the name of a database in
// a GRANT is no pattern, and the accounts may read it all the same.
func TestSetupPartialRevokes(t *testing.T) {
	p := newPair(t, servertest.MySQL97, servertest.MySQL97, "SET GLOBAL partial_revokes=ON", "CREATE DATABASE my_db",
		"CREATE TABLE my_db.t (id INT PRIMARY KEY)", "INSERT INTO my_db.t VALUES (1)")
	p.must(p.master, p.setupMasterArgs("--databases", "my_db")...)
	p.must(p.slave, p.setupSlaveArgs()...)
	p.must(p.slave, p.compareArgs()...)
	p.noChange(p.master, p.setupMasterArgs()...)
}

// position is where a server's binary log stands, as --start takes it.
func (p *pair) position(s *servertest.Server) string {
	p.t.Helper()
	query := "SHOW MASTER STATUS"
	if s.Kind.IsMySQL() {
		query = "SHOW BINARY LOG STATUS"
	}
	rows, err := s.DB.QueryContext(p.t.Context(), query)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		p.t.Fatalf("%s: %v, %v", query, err, rows.Err())
	}
	values, targets := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		p.t.Fatal(err)
	}
	return fmt.Sprintf("%s:%s", values[0], values[1])
}

// TestSetupOfDataThatIsThere: with --method none the events of the slave are
// disabled, and the plan shows what is run.
func TestSetupOfDataThatIsThere(t *testing.T) {
	t.Parallel()
	for _, kind := range bothFamilies {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			content := append([]string{"SET GLOBAL event_scheduler=OFF"}, twoDatabases...)
			content = append(content,
				"CREATE EVENT voms.e ON SCHEDULE EVERY 1 SECOND COMMENT 'all else stays' DO INSERT INTO voms.t SELECT 1 + "+
					"MAX(id), 'by the event' FROM voms.t", "CREATE EVENT iam.e ON SCHEDULE EVERY 1 DAY DO SELECT 1")
			p := newPair(t, kind, kind, content...)
			p.sql(p.slave, content...)
			p.sql(p.slave, "SET GLOBAL read_only=1")
			if kind.IsMySQL() {
				p.sql(p.slave, "SET GLOBAL super_read_only=1")
			}
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
			start := p.position(p.master)
			file, _, _ := strings.Cut(start, ":")
			for _, wrong := range []string{file + ":99999999", "mysql-bin.777777:4"} {
				p.unchanged(p.slave, 1, "its binary log does not have "+wrong,
					p.setupSlaveArgs("--method", "none", "--start", wrong, "--replace-databases", "iam")...)
			}
			p.unchanged(p.slave, 1, "not replicated, whose changes can reach them: iam",
				p.setupSlaveArgs("--method", "none", "--start", start)...)
			out := p.must(p.slave, p.setupSlaveArgs("--method", "none", "--start", start, "--replace-databases", "iam")...)
			begin := "MASTER_USE_GTID=slave_pos" // at that place, as the master's binary log tells
			if kind.IsMySQL() {
				begin = "_LOG_FILE='" + file + "'"
			}
			if !strings.Contains(out, begin) || strings.Contains(out, "GTIDS") || !strings.Contains(out, "ALTER DEFINER=") {
				t.Errorf("the plan does not show what is run:\n%s", out)
			}
			if got := p.value(p.slave,
				"SELECT GROUP_CONCAT(status, event_comment) FROM information_schema.events "+
					"WHERE event_schema = 'voms'"); !strings.Contains(got, "SIDE_DISABLED") ||
				!strings.Contains(got, "all else stays") {
				t.Errorf("the event of the slave is %q", got)
			}
			if got := p.value(p.slave, "SELECT status FROM information_schema.events WHERE event_schema = 'iam'"); got !=
				"ENABLED" {
				t.Errorf("the event of a database that is not replicated is %s", got)
			}
			p.noChange(p.slave, p.setupSlaveArgs("--method", "none", "--start", start)...)
			p.unchanged(p.slave, 1, "does not begin at "+file+":4",
				p.setupSlaveArgs("--method", "none", "--start", file+":4")...)
			p.sql(p.slave, "SET GLOBAL event_scheduler=ON")
			p.sql(p.master, "INSERT INTO voms.t VALUES (3, 'three')", "SET GLOBAL event_scheduler=ON")
			p.waitValue(p.master, "SELECT MAX(id) > 4 FROM voms.t", "1")
			p.sql(p.master, "SET GLOBAL event_scheduler=OFF")
			p.waitSlave("SELECT GROUP_CONCAT(id, words ORDER BY id) FROM voms.t")
			p.must(p.slave, "replication", "compare", "--socket", p.slave.Socket, "--user", p.slave.User,
				"--master-defaults-file", filepath.Join(p.folder, "master.cnf"))
			if out := p.must(p.slave, p.setupSlaveArgs()...); !strings.Contains(out, "no change") {
				t.Errorf("the second run says:\n%s", out)
			}
		})
	}
}

// session runs statements in one session.
func (p *pair) session(s *servertest.Server, statements ...string) {
	p.t.Helper()
	conn, err := s.DB.Conn(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	defer conn.Raw(func(any) error { return driver.ErrBadConn }) // what it has set ends with it
	for _, statement := range statements {
		if _, err := conn.ExecContext(p.t.Context(), statement); err != nil {
			p.t.Fatalf("%s: %s: %v", s.Name, statement, err)
		}
	}
}

// linesAfter gives the lines of SQL that a command has said to run on the slave.
func linesAfter(t *testing.T, out, hint string) []string {
	t.Helper()
	_, rest, found := strings.Cut(out, hint+"\n")
	if !found {
		t.Fatalf("no %q in:\n%s", hint, out)
	}
	var lines []string
	for line := range strings.Lines(rest) {
		if !strings.HasSuffix(line, ";\n") {
			break
		}
		lines = append(lines, line)
	}
	return lines
}

// TestSetupFloats: what breaks the replication of tables without a primary key
// is refused; tables with one replicate on with their rounded values.
func TestSetupFloats(t *testing.T) {
	t.Parallel()
	for _, kind := range bothFamilies {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			p.sql(p.master, "CREATE TABLE voms.bare (a INT, x FLOAT NOT NULL DEFAULT 0.5)",
				"CREATE TABLE voms.inside (x FLOAT PRIMARY KEY, a INT)",
				"CREATE TABLE voms.keyed (a INT PRIMARY KEY, x FLOAT)", "CREATE TABLE voms.uniq (a INT NOT NULL UNIQUE, x FLOAT)",
				"CREATE TABLE voms.short (a INT, x FLOAT)",
				"INSERT INTO voms.bare VALUES (1, 1234567), (2, 7654321), (3, 1)", "INSERT INTO voms.inside VALUES (1234567, 1), "+
					"(7654321, 2)",
				"INSERT INTO voms.keyed VALUES (1, 1234567), (2, "+
					"7654321)", "INSERT INTO voms.uniq VALUES (1, 1234567), (2, 7654321)", "INSERT INTO voms.short VALUES (1, 12.5)")
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
			out := p.unchanged(p.slave, 1, "(error 1032): voms.bare.x, voms.inside.x\n", p.setupSlaveArgs()...)
			if !strings.Contains(out, "the copy is rounded: voms.keyed.x, voms.uniq.x\n") {
				t.Errorf("the tables with keys are not warned of:\n%s", out)
			}
			lines := linesAfter(t, out, "copies them as they are:")
			if len(lines) != 3 || lines[0] != "SET SESSION sql_mode='';\n" ||
				!strings.HasPrefix(lines[1], "ALTER TABLE `voms`.`bare` MODIFY `x` double NOT NULL DEFAULT ") {
				t.Errorf("the cures are %q", lines)
			}
			p.sql(p.master, lines...)
			p.must(p.slave, p.setupSlaveArgs()...)
			for _, table := range []string{"bare", "inside", "keyed", "uniq", "short"} {
				p.sql(p.master, "UPDATE voms."+table+" SET a = 11 WHERE a = 1", "DELETE FROM voms."+table+" WHERE a = 2")
			}
			for _, table := range []string{"bare", "inside", "keyed", "uniq", "short"} {
				p.waitSlave("SELECT GROUP_CONCAT(a ORDER BY a) FROM voms." + table)
			}
			p.must(p.slave, p.compareArgs()...)
		})
	}
}

// TestSetupKeepsBytes: UTF-8 in columns that are said to be latin1 is agreed to,
// and neither the copy nor the replication changes a byte.
func TestSetupKeepsBytes(t *testing.T) {
	t.Parallel()
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MariaDB118, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			p.sql(p.master, "CREATE TABLE voms.l (id INT PRIMARY KEY, w VARCHAR(50)) CHARACTER SET latin1",
				"INSERT INTO voms.l VALUES (1, _latin1 x'c3bc62657220c3a4'), (2, _latin1 x'f09f9880'), (3, _latin1 "+
					"x'c281c28dc28fc290c29d')")
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)

			// Whoever is asked can say no.
			asked := newTerminal(t)
			cmd := p.command(p.slave, slices.DeleteFunc(p.setupSlaveArgs(), func(arg string) bool { return arg == "--yes" })...)
			cmd.Stdin = asked.slave
			if _, err := asked.master.WriteString("n\n"); err != nil {
				t.Fatal(err)
			}
			before := p.fingerprint(p.slave)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "hold UTF-8: voms.l.w? [y]es") ||
				!strings.Contains(string(out), "stopped before this step") || p.fingerprint(p.slave) != before {
				t.Errorf("asked and answered with no: %v, and it says:\n%s", err, out)
			}

			p.must(p.slave, p.setupSlaveArgs()...)
			formats := []string{"ROW", "STATEMENT"}
			for i, format := range formats {
				p.session(p.master, "SET NAMES latin1", "SET SESSION binlog_format="+format,
					fmt.Sprintf("INSERT INTO voms.l VALUES (%d, '\u00fc \U0001F512')", 10+i),
					fmt.Sprintf("UPDATE voms.l SET w = CONCAT(w, '\u00df') WHERE id = %d", 1+i))
			}
			p.waitSlave("SELECT GROUP_CONCAT(id, HEX(w) ORDER BY id) FROM voms.l")
			if got, want := p.value(p.slave, "SELECT HEX(w) FROM voms.l WHERE id = 3"), "C281C28DC28FC290C29D"; got != want {
				t.Errorf("the slave has %s, want %s", got, want)
			}
			if got, want := p.value(p.slave, "SELECT HEX(w) FROM voms.l WHERE id = 11"), "C3BC20F09F9492"; got != want {
				t.Errorf("the slave has %s, want %s", got, want)
			}
			p.must(p.slave, p.compareArgs()...)
		})
	}
}

// TestSetupPersisted: what MySQL has persisted beats option files, and may not
// make a slave writable at its next start.
func TestSetupPersisted(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MySQL97, servertest.MySQL97, twoDatabases...)
	p.sql(p.slave, "SET PERSIST read_only=OFF", "SET PERSIST super_read_only=OFF")
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.must(p.slave, p.setupSlaveArgs()...)
	p.restart(p.slave)
	if got := p.value(p.slave, "SELECT CONCAT(@@read_only, @@super_read_only)"); got != "11" {
		t.Errorf("after a restart read_only and super_read_only are %s", got)
	}
	p.noChange(p.slave, p.setupSlaveArgs()...)
	p.sql(p.slave, "SET PERSIST_ONLY super_read_only=OFF")
	if out, _ := p.status(); !strings.Contains(out, "a restart of the server loses super_read_only=1") {
		t.Errorf("status says:\n%s", out)
	}
	p.must(p.slave, p.setupSlaveArgs()...)
	if out, _ := p.status(); strings.Contains(out, "loses super_read_only") {
		t.Errorf("status says:\n%s", out)
	}
}
