package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// lab is where the database servers of all tests run.
var lab = sync.OnceValues(servertest.NewLab)

// closeLab ends them, if there are any.
func closeLab() {
	if l, err := lab(); err == nil {
		_ = l.Close() // only temporary files are left
	}
}

// startDatabase starts a server that ends with the tests. Where its programs
// are missing, the test fails in CI and is skipped elsewhere.
func startDatabase(t testing.TB, kind servertest.Kind, o servertest.Options) *servertest.Server {
	t.Helper()
	t.Attr("needs", string(kind))
	if testing.Short() {
		t.Skip("left out by -short: needs a database server")
	}
	l, err := lab()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), databasePatience)
	defer cancel()
	s, err := l.Start(ctx, kind, o)
	if missing, ok := errors.AsType[*servertest.MissingError](err); ok {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: %s", missing, missing.Hint())
		}
		t.Skipf("%v: %s", missing, missing.Hint())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s: %s", s.Name, s.Log())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// pair is two hosts: their servers, and the tunnel between them.
type pair struct {
	t             testing.TB
	site          *site
	master, slave *servertest.Server
	server        *program
	serverAddress string
	client        *program
	end           string // the tunnel's plain end on the slave
	folder        string // what both hosts write
	printed       bytes.Buffer
}

// newPair starts two servers, empty but for what the SQL makes on the master,
// and a tunnel between them.
func newPair(t testing.TB, masterKind, slaveKind servertest.Kind, content ...string) *pair {
	t.Helper()
	return newPairOf(t, startDatabase(t, masterKind, servertest.Options{Name: "master", ServerID: 1}), slaveKind,
		content...)
}

// newPairOf is newPair with a master that runs already.
func newPairOf(t testing.TB, master *servertest.Server, slaveKind servertest.Kind, content ...string) *pair {
	t.Helper()
	p := &pair{t: t, site: newSite(t), folder: t.TempDir(), master: master}
	p.slave = startDatabase(t, slaveKind, servertest.Options{Name: "slave", ServerID: 1})
	p.server, p.serverAddress = p.site.startServer(p.master.Address())
	p.client, p.end = p.site.startClient(p.serverAddress)
	p.sql(p.master, content...)
	return p
}

// sql runs statements as the administrator.
func (p *pair) sql(s *servertest.Server, statements ...string) {
	p.t.Helper()
	for _, statement := range statements {
		if _, err := s.DB.ExecContext(p.t.Context(), statement); err != nil {
			p.t.Fatalf("%s: %s: %v", s.Name, statement, err)
		}
	}
}

// value is the one value of a query.
func (p *pair) value(s *servertest.Server, query string) string {
	p.t.Helper()
	var v sql.NullString
	if err := s.DB.QueryRowContext(p.t.Context(), query).Scan(&v); err != nil {
		p.t.Fatalf("%s: %s: %v", s.Name, query, err)
	}
	return v.String
}

// run runs gtunnel on the host of a server and gives its output and exit code.
func (p *pair) run(s *servertest.Server, args ...string) (out string, code int) {
	p.t.Helper()
	cmd := p.command(s, args...)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	p.printed.Write(both.Bytes())
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		p.t.Fatal(err)
	}
	if ok {
		code = exit.ExitCode()
	}
	return both.String(), code
}

// command is gtunnel on the host of a server, which has only the clients of its
// own kind.
func (p *pair) command(s *servertest.Server, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), binary(p.t), args...)
	cmd.Env = []string{"PATH=" + s.Kind.Path(), "HOME=" + p.folder, "TMPDIR=" + p.folder}
	return cmd
}

func (p *pair) handOver() string { return filepath.Join(p.folder, "hand-over.json") }

func (p *pair) stateDir() string { return filepath.Join(p.folder, "state") }

// setupMasterArgs and setupSlaveArgs are the two commands of a site, with the
// places that differ in a test.
func (p *pair) setupMasterArgs(more ...string) []string {
	return append([]string{
		"replication", "setup-master", "--socket", p.master.Socket, "--user", p.master.User, "--hand-over", p.handOver(),
		"--yes",
	}, more...)
}

func (p *pair) setupSlaveArgs(more ...string) []string {
	return append([]string{
		"replication", "setup-slave", "--socket", p.slave.Socket, "--user", p.slave.User, "--hand-over", p.handOver(),
		"--master", p.end,
		"--state-dir", p.stateDir(), "--monitor-file", filepath.Join(p.folder, "master.cnf"), "--yes",
	}, more...)
}

// must runs a command that must succeed.
func (p *pair) must(s *servertest.Server, args ...string) string {
	p.t.Helper()
	out, code := p.run(s, args...)
	if code != 0 {
		p.t.Fatalf("exit code %d of gtunnel %s:\n%s", code, strings.Join(args, " "), out)
	}
	return out
}

// refused runs a command that must fail with words, and gives its output.
func (p *pair) refused(s *servertest.Server, code int, words string, args ...string) string {
	p.t.Helper()
	out, got := p.run(s, args...)
	if got != code || !strings.Contains(out, words) {
		p.t.Fatalf("exit code %d, want %d and %q, of gtunnel %s:\n%s", got, code, words, strings.Join(args, " "), out)
	}
	return out
}

// waitSlave waits until a query gives on the slave what it gives on the master.
func (p *pair) waitSlave(query string) {
	p.t.Helper()
	p.waitValue(p.slave, query, p.value(p.master, query))
}

// waitValue waits until a query gives a value.
func (p *pair) waitValue(s *servertest.Server, query, want string) {
	p.t.Helper()
	pairs.WaitFor(p.t, databasePatience, want+" on the "+s.Name+" from "+query, func() (string, bool) {
		got := p.value(s, query)
		return "it is " + got, got == want
	})
}

// kindsOfPairs are the kinds of servers that must replicate.
var kindsOfPairs = []struct{ master, slave servertest.Kind }{
	{servertest.MariaDB, servertest.MariaDB},
	{servertest.MariaDB118, servertest.MariaDB118},
	{servertest.MySQL97, servertest.MySQL97},
	{servertest.MariaDB105, servertest.MariaDB},
	{servertest.MariaDB, servertest.MariaDB118},
}

// TestSetup makes a master and a slave with two commands, through the real
// tunnel, and runs both once more.
func TestSetup(t *testing.T) {
	t.Parallel()
	for _, kinds := range kindsOfPairs {
		t.Run(string(kinds.master)+" to "+string(kinds.slave), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kinds.master, kinds.slave,
				"CREATE DATABASE `DB_1`", "CREATE DATABASE `DBx1`", "CREATE DATABASE voms",
				"CREATE TABLE `DB_1`.t (id INT PRIMARY KEY, words VARCHAR(100) CHARACTER SET utf8mb4)",
				"INSERT INTO `DB_1`.t VALUES (1, 'before'), (2, '\U0001F512')",
				"CREATE TABLE voms.u (id INT AUTO_INCREMENT PRIMARY KEY, t TIMESTAMP)",
				"CREATE TABLE `DBx1`.t (id INT PRIMARY KEY)")
			p.logStatements()
			out := p.must(p.master, p.setupMasterArgs("--databases", "DB_1,voms")...)
			if !strings.Contains(out, "The master is ready") ||
				!strings.Contains(out, "\n  ssh root@SLAVE install -d -m 0700 /var/lib/gtunnel\n  scp -p ") {
				t.Errorf("setup-master says:\n%s", out)
			}
			out = p.must(p.slave, p.setupSlaveArgs()...)
			if !strings.Contains(out, "2 of 2 tables equal at ") || !strings.Contains(out, "The slave replicates DB_1, voms") {
				t.Errorf("setup-slave says:\n%s", out)
			}
			p.sql(p.master, "INSERT INTO `DB_1`.t VALUES (3, 'after')", "INSERT INTO `DBx1`.t VALUES (1)",
				"INSERT INTO voms.u (id) VALUES (7)", "USE voms", "UPDATE `DB_1`.t SET words = 'crossed' WHERE id = 1")
			p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM `DB_1`.t")
			p.waitSlave("SELECT GROUP_CONCAT(id, t) FROM voms.u")
			if n := p.value(p.slave, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'DBx1'"); n != "0" {
				t.Error("a database that was not named has come too")
			}
			if p.value(p.slave, "SELECT @@read_only") != "1" {
				t.Error("the slave is writable")
			}
			if n := p.value(p.master, "SELECT COUNT(*) FROM mysql.user WHERE user = 'gtunnel_seed'"); n != "0" {
				t.Error("the seeding account is still there")
			}
			for _, again := range [][]string{p.setupMasterArgs("--databases", "DB_1,voms"), p.setupSlaveArgs()} {
				server := p.master
				if again[1] == "setup-slave" {
					server = p.slave
				}
				if out := p.must(server, again...); !strings.Contains(out, "no change") {
					t.Errorf("the second %s says:\n%s", again[1], out)
				}
			}
			// All of it lives through a restart of the slave.
			ctx, cancel := context.WithTimeout(t.Context(), databasePatience)
			defer cancel()
			if err := p.slave.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			if out := p.must(p.slave, p.setupSlaveArgs()...); !strings.Contains(out, "no change") {
				t.Errorf("after a restart of the slave, setup-slave says:\n%s", out)
			}
			p.sql(p.master, "INSERT INTO `DBx1`.t VALUES (2)", "INSERT INTO `DB_1`.t VALUES (4, 'after the restart')")
			p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM `DB_1`.t")
			p.noSecrets()
		})
	}
}

// TestSetupEmpty: two commands on two servers with nothing but the name of a
// database.
func TestSetupEmpty(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, "CREATE DATABASE voms", "SET GLOBAL binlog_format=STATEMENT")
		// What is connected already, as this test, keeps the format that it has.
		const old = "programs that are connected since before binlog_format was changed keep STATEMENT, by which the slave " +
			"can get other data: root@localhost"
		for _, out := range []string{
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...), p.must(p.slave, p.setupSlaveArgs()...),
		} {
			if !strings.Contains(out, old) {
				t.Errorf("it does not say that %s:\n%s", old, out)
			}
		}
		p.noChange(p.master, p.setupMasterArgs()...)
		p.noChange(p.slave, p.setupSlaveArgs()...)
		p.sql(p.master, "CREATE TABLE voms.t (id INT PRIMARY KEY, words VARCHAR(100))",
			"INSERT INTO voms.t VALUES (1, 'one')")
		p.waitSlave("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'voms'")
		p.replicates()
		p.must(p.slave, p.compareArgs()...)
	})
}

// statementLogs are the files in which logStatements has statements logged.
var statementLogs = []string{"general.log", "slow.log"}

// logStatements has both servers log every statement, in both of their logs.
func (p *pair) logStatements() {
	p.t.Helper()
	for _, s := range []*servertest.Server{p.master, p.slave} {
		p.sql(s, "SET GLOBAL general_log_file='general.log'", "SET GLOBAL slow_query_log_file='slow.log'",
			"SET GLOBAL long_query_time=0", "SET GLOBAL slow_query_log=1", "SET GLOBAL general_log=1")
	}
}

// noSecrets looks for passwords in all that was printed and logged.
func (p *pair) noSecrets() {
	p.t.Helper()
	content, err := os.ReadFile(p.handOver())
	if err != nil {
		p.t.Fatal(err)
	}
	passwords := handOverPasswords(p.t, content)
	if len(passwords) != 3 {
		p.t.Fatalf("%d passwords in the hand-over file, want 3", len(passwords))
	}
	places := map[string]string{"what was printed": p.printed.String()}
	for _, server := range []*servertest.Server{p.master, p.slave} {
		for _, name := range statementLogs {
			text, err := os.ReadFile(filepath.Join(server.DataDir(), name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				p.t.Fatal(err)
			}
			places["the "+name+" of the "+server.Name] = string(text)
		}
	}
	for _, program := range []*program{p.server, p.client} {
		for _, line := range program.logged() {
			places["the log of the tunnel"] += line.text
		}
	}
	for _, server := range []*servertest.Server{p.master, p.slave} {
		places["the log of the "+server.Name] = server.Log()
	}
	for where, text := range places {
		for _, password := range passwords {
			if strings.Contains(text, password) {
				p.t.Errorf("%s holds a password", where)
			}
		}
	}
}

// handOverPasswords are the passwords of a hand-over file, by account.
func handOverPasswords(t testing.TB, content []byte) map[string]string {
	t.Helper()
	var file struct{ Passwords map[string]string }
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	return file.Passwords
}

// administrator makes an account on the master that may do everything there,
// and gives the flags with which setup-slave logs in as it.
func (p *pair) administrator() []string {
	p.t.Helper()
	p.sql(p.master, "CREATE USER boss@'127.0.0.1' IDENTIFIED BY 'the boss'",
		"GRANT ALL PRIVILEGES ON *.* TO boss@'127.0.0.1' WITH GRANT OPTION")
	password := filepath.Join(p.folder, "password")
	if err := os.WriteFile(password, []byte("the boss\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return []string{"--master-user", "boss", "--master-password-file", password}
}
