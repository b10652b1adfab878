package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// twoDatabases is a small master.
var twoDatabases = []string{
	"CREATE DATABASE voms", "CREATE TABLE voms.t (id INT PRIMARY KEY, words VARCHAR(100))",
	"INSERT INTO voms.t VALUES (1, 'one'), (2, 'two')",
	"CREATE DATABASE iam", "CREATE TABLE iam.t (id INT PRIMARY KEY)",
}

// fingerprint is all of a server that a refused command might have changed.
func (p *pair) fingerprint(s *servertest.Server) string {
	p.t.Helper()
	var b strings.Builder
	for _, query := range []string{
		"SELECT GROUP_CONCAT(user, '@', host ORDER BY user, host) FROM mysql.user",
		"SELECT GROUP_CONCAT(table_schema, '.', table_name ORDER BY table_schema, table_name) FROM " +
			"information_schema.tables WHERE table_schema IN ('voms', 'iam', 'mine')",
		"SELECT CONCAT_WS(' ', @@server_id, @@read_only, @@max_allowed_packet, @@event_scheduler, @@binlog_format)",
		"SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = 'mysql' AND routine_name LIKE 'gtunnel%'",
	} {
		b.WriteString(p.value(s, query) + "\n")
	}
	files, err := os.ReadDir(s.ConfigDir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range files {
		b.WriteString(f.Name() + "\n")
	}
	status := "SHOW ALL SLAVES STATUS"
	if s.Kind.IsMySQL() {
		status = "SHOW REPLICA STATUS"
	}
	rows, err := s.DB.QueryContext(p.t.Context(), status)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		b.WriteString("a slave\n")
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
	return b.String()
}

// unchanged runs a command that must be refused, and looks whether either
// server, or the hand-over, has changed.
func (p *pair) unchanged(s *servertest.Server, code int, words string, args ...string) string {
	p.t.Helper()
	before := p.fingerprint(p.master) + p.fingerprint(p.slave)
	out := p.refused(s, code, words, args...)
	if after := p.fingerprint(p.master) + p.fingerprint(p.slave); after != before {
		p.t.Errorf("%q was said, and yet it has changed:\n%s\nto\n%s", words, before, after)
	}
	if !strings.Contains(out, "hint: ") {
		p.t.Errorf("no hint with %q:\n%s", words, out)
	}
	return out
}

// TestSetupRefusals: what a setup does not do, what it says then, and that
// nothing has changed.
func TestSetupRefusals(t *testing.T) {
	t.Parallel()
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			p.refusesMaster()
			p.onlyShowsPlan()
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)

			p.refusesMasterItself()
			p.refusesData()
			p.refusesHandOver()
			p.refusesState()
			p.replacesData()
			p.refusesBroken()
			p.noSecrets()
		})
	}
}

// refusesMaster has setup-master refuse what it cannot do, and no hand-over yet.
func (p *pair) refusesMaster() {
	p.t.Helper()
	master, slave := p.setupMasterArgs, p.setupSlaveArgs
	p.unchanged(p.master, 1, "no database to replicate was named", master()...)
	p.unchanged(p.master, 1, "there is no database vmos", master("--databases", "vmos")...)
	p.unchanged(p.master, 1, "a database of the server's own", master("--databases", "voms,mysql")...)
	p.unchanged(p.master, 2, "is no directory", master("--databases", "voms", "--config-dir", "/nowhere")...)
	p.unchanged(p.slave, 2, "there is no "+p.handOver(), slave()...)
	p.sql(p.master, "CREATE USER helper@localhost IDENTIFIED BY 'x'", "GRANT SELECT ON *.* TO helper@localhost")
	password := filepath.Join(p.folder, "password")
	if err := os.WriteFile(password, []byte("x\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.unchanged(p.master, 1, "lacks privileges",
		master("--databases", "voms", "--user", "helper", "--password-file", password)...)
	if err := os.Chmod(password, 0o644); err != nil {
		p.t.Fatal(err)
	}
	p.unchanged(p.master, 2, "can be used by others",
		master("--databases", "voms", "--user", "helper", "--password-file", password)...)
	p.unchanged(p.master, 2, "--password", master("--databases", "voms", "--password", "x")...)
}

// onlyShowsPlan looks at a dry run, which changes nothing either.
func (p *pair) onlyShowsPlan() {
	p.t.Helper()
	before := p.fingerprint(p.master)
	out := p.must(p.master, p.setupMasterArgs("--databases", "voms", "--dry-run")...)
	if !strings.Contains(out, "CREATE USER") || p.fingerprint(p.master) != before {
		p.t.Errorf("the dry run has changed something, or says too little:\n%s", out)
	}
	if _, err := os.Stat(p.handOver()); err == nil {
		p.t.Error("the dry run has written the hand-over file")
	}
}

// refusesData has setup-slave refuse to write over databases of the slave.
func (p *pair) refusesData() {
	p.t.Helper()
	slave := p.setupSlaveArgs
	// A database is empty only if nothing at all is in it.
	onlys := []string{"VIEW voms.only AS SELECT 1"}
	if !p.slave.Kind.IsMySQL() {
		onlys = append(onlys, "SEQUENCE voms.only", "TABLE voms.only (id INT) WITH SYSTEM VERSIONING")
	}
	for _, only := range onlys {
		p.sql(p.slave, "CREATE DATABASE voms", "CREATE "+only)
		out := p.unchanged(p.slave, 1, "there is a database voms already", slave()...)
		if strings.HasPrefix(only, "TABLE") != strings.Contains(out, "with 1 table ") {
			p.t.Errorf("of %s it says:\n%s", only, out)
		}
		p.sql(p.slave, "DROP DATABASE voms")
	}
	// Another database of the master's, and one whose name is nearly the same.
	p.sql(p.slave, "CREATE DATABASE iam", "CREATE TABLE iam.own (id INT PRIMARY KEY)")
	p.unchanged(p.slave, 1, "with names of databases of the master that are not replicated", slave()...)
	p.sql(p.slave, "DROP DATABASE iam", "CREATE DATABASE VOMS")
	if !p.slave.Kind.IsMySQL() {
		p.unchanged(p.slave, 1, "its database VOMS differs from that of voms in case only", slave()...)
	}
	p.sql(p.slave, "DROP DATABASE VOMS")
	p.sql(p.master, "CREATE TABLE voms.away (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES iam.t (id))")
	p.unchanged(p.slave, 1, "foreign keys go to tables that are not replicated", slave()...)
	p.sql(p.master, "DROP TABLE voms.away")
	p.sql(p.slave, "CREATE DATABASE voms", "CREATE TABLE voms.mine (id INT PRIMARY KEY)",
		"INSERT INTO voms.mine VALUES (1)")
	p.unchanged(p.slave, 1, "there is a database voms already, with 1 table ", slave()...)
	p.unchanged(p.slave, 1, "there is a database voms already", slave("--replace-databases", "iam")...)
	p.unchanged(p.slave, 1, "iam was not set up there for replication", slave("--databases", "iam")...)
	p.unchanged(p.slave, 2, "--start", slave("--method", "none")...)
}

// refusesHandOver has setup-slave refuse a hand-over, and a master that is not there.
func (p *pair) refusesHandOver() {
	p.t.Helper()
	slave := p.setupSlaveArgs
	if err := os.Chmod(p.handOver(), 0o644); err != nil {
		p.t.Fatal(err)
	}
	p.unchanged(p.slave, 1, "can be read by others", slave()...)
	content, err := os.ReadFile(p.handOver())
	if err != nil {
		p.t.Fatal(err)
	}
	wrong := filepath.Join(p.folder, "wrong.json")
	for _, secret := range handOverPasswords(p.t, content) {
		content = []byte(strings.ReplaceAll(string(content), secret, "wrong"))
	}
	if err := os.WriteFile(wrong, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chmod(p.handOver(), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.unchanged(p.slave, 1, "Access denied", slave("--hand-over", wrong)...)
	p.unchanged(p.slave, 1, "connection refused", slave("--master", closedPort(p.t))...)
}

// refusesState has setup-slave refuse a slave whose replication would go wrong.
func (p *pair) refusesState() {
	p.t.Helper()
	slave := p.setupSlaveArgs
	// The slave of another master.
	change, reset := "CHANGE MASTER TO MASTER_HOST='127.0.0.9', MASTER_USER='x', MASTER_PASSWORD='y'", "RESET SLAVE ALL"
	if p.slave.Kind.IsMySQL() {
		change, reset = "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.9', SOURCE_USER='x', SOURCE_PASSWORD='y'",
			"RESET REPLICA ALL"
	}
	p.sql(p.slave, "SET GLOBAL server_id=2", change)
	p.unchanged(p.slave, 1, "it follows another master already: 127.0.0.9", slave("--replace-databases", "voms")...)
	p.sql(p.slave, reset)

	// A slave that would refuse every transaction, or pass over what fails.
	if p.slave.Kind.IsMySQL() {
		p.sql(p.slave, "SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=OFF_PERMISSIVE",
			"SET GLOBAL gtid_mode=OFF")
		p.unchanged(p.slave, 1, "gtid_mode is OFF, and ON on the master", slave("--replace-databases", "voms")...)
		p.sql(p.slave, "SET GLOBAL gtid_mode=OFF_PERMISSIVE", "SET GLOBAL gtid_mode=ON_PERMISSIVE",
			"SET GLOBAL gtid_mode=ON")
	}
	p.onSlave("SET GLOBAL SLAVE_EXEC_MODE=IDEMPOTENT")
	p.unchanged(p.slave, 1, "is passed over in silence", slave("--replace-databases", "voms")...)
	p.onSlave("SET GLOBAL SLAVE_EXEC_MODE=STRICT")
}

// replacesData sets a slave up whose data was given up.
func (p *pair) replacesData() {
	p.t.Helper()
	slave := p.setupSlaveArgs
	// What was given up is replaced.
	out := p.must(p.slave, slave("--replace-databases", "voms")...)
	if !strings.Contains(out, "LOST") {
		p.t.Errorf("the plan does not say what is lost:\n%s", out)
	}
	p.waitSlave("SELECT GROUP_CONCAT(words) FROM voms.t")

	// What a copy that was killed has raised is the slave's own again.
	own := p.value(p.slave, "SELECT @@GLOBAL.max_allowed_packet")
	note := filepath.Join(p.stateDir(), "packet-2.json")
	if err := os.WriteFile(note,
		[]byte(`{"began": "`+time.Now().Format(time.RFC3339Nano)+`", "max_allowed_packet": `+own+`}`), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.sql(p.slave, "SET GLOBAL max_allowed_packet=1073741824")
	p.must(p.slave, slave()...)
	p.noChange(p.slave, slave()...)
	if got := p.value(p.slave, "SELECT @@GLOBAL.max_allowed_packet"); got != own {
		p.t.Errorf("max_allowed_packet is %s, not its own %s", got, own)
	}
	if n := p.value(p.slave, "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'mine'"); n != "0" {
		p.t.Error("the slave's own table is still there")
	}
}

// refusesBroken breaks the replication, which is not set up over, and copies anew.
func (p *pair) refusesBroken() {
	p.t.Helper()
	master, slave := p.setupMasterArgs, p.setupSlaveArgs
	p.sql(p.slave, "SET GLOBAL read_only=0", "INSERT INTO voms.t VALUES (3, 'mine')", "SET GLOBAL read_only=1")
	p.sql(p.master, "INSERT INTO voms.t VALUES (3, 'three')")
	p.waitStatus("1062")
	p.refused(p.slave, 1, "the replication has stopped", slave()...)
	p.refused(p.slave, 1, "an earlier copy has dropped it", slave("--reseed", "--replace-databases", "voms")...)
	p.must(p.master, master("--databases", "voms", "--seed-again")...)
	if !p.slave.Kind.IsMySQL() {
		p.sql(p.master, "RESET MASTER") // a binary log without a transaction
	}
	p.must(p.slave, slave("--reseed", "--replace-databases", "voms")...)
	p.waitSlave("SELECT GROUP_CONCAT(words) FROM voms.t")
	if using := p.slaveStatus()["Using_Gtid"]; !p.slave.Kind.IsMySQL() && using != "Slave_Pos" {
		p.t.Errorf("with an empty binary log the slave follows by GTID %s", using)
	}
	p.replicates()
}

// TestBinaryLogOff: a master without a binary log is told what to do, and goes
// on after the restart, by itself with --wait.
func TestBinaryLogOff(t *testing.T) {
	t.Parallel()
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := &pair{t: t, site: newSite(t), folder: t.TempDir()}
			p.master = startDatabase(t, kind, servertest.Options{Name: "master", ServerID: 1, NoLog: true})
			p.sql(p.master, twoDatabases...)
			args := p.setupMasterArgs("--databases", "voms")
			p.refused(p.master, 1, "the server must be restarted: its binary log is off", args...)
			if _, err := os.Stat(p.handOver()); err == nil {
				t.Error("there is a hand-over file of a master that is not ready")
			}
			p.refused(p.master, 1, "the server must be restarted", args...)
			// It waits from the step on that names the restart.
			waiting, said := p.startUntil("waiting: restart the server", p.master, append(args, "--wait")...)
			p.restart(p.master)
			if err := waiting.Wait(); err != nil || !strings.Contains(said.String(), "The master is ready") {
				t.Errorf("with --wait: %v, and it says:\n%s", err, said)
			}
			if out := p.must(p.master, args...); !strings.Contains(out, "no change") {
				t.Errorf("after all it says:\n%s", out)
			}
		})
	}
}
