package seed_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

func TestSeedCheck(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_check", "CREATE DATABASE seed_check",
				"CREATE TABLE seed_check.fine (id INT PRIMARY KEY)")
			seed := newSeed(t, master, slave, "seed_check")
			found, err := seed.Check(t.Context())
			if err != nil || len(found.Problems) > 0 || len(found.Warnings) > 0 {
				t.Fatalf("an easy seed has problems: %v\n%s%s", err, pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
			}

			master.Exec(t, "CREATE TABLE seed_check.old (id INT PRIMARY KEY) ENGINE=MyISAM",
				"CREATE TABLE seed_check.wrong (id INT PRIMARY KEY, w VARCHAR(50), r VARCHAR(50), e TEXT) CHARACTER SET latin1",
				"INSERT INTO seed_check.wrong VALUES (1, _latin1 x'c3bc62657220c3a4', _latin1 x'fc626572', NULL), (2, 'plain', "+
					"_latin1 x'e4', ''), (3, _latin1 x'f09f9880', '', '')")
			seed = newSeed(t, master, slave, "seed_check", "seed_nowhere")
			found, err = seed.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p := pairs.ProblemOf(found.Problems, "not-transactional"); p == nil ||
				!strings.Contains(p.Text, "seed_check.old") || !strings.Contains(p.Cure, "--lock-tables") {
				t.Errorf("a MyISAM table was not found:\n%s", pairs.Texts(found.Problems))
			}
			if p := pairs.ProblemOf(found.Problems, "unknown-database"); p == nil || !strings.Contains(p.Text, "seed_nowhere") {
				t.Errorf("a missing database was not found:\n%s", pairs.Texts(found.Problems))
			}
			if p := pairs.ProblemOf(found.Warnings, "latin1-holds-utf8"); p == nil ||
				!strings.HasSuffix(p.Text, ": seed_check.wrong.w") {
				t.Errorf("the columns that hold UTF-8 were not found, or others were:\n%s", pairs.Texts(found.Warnings))
			}

			seed = newSeed(t, master, slave, "seed_check")
			seed.LockTables = true
			found, err = seed.Check(t.Context())
			if err != nil || len(found.Problems) > 0 || pairs.ProblemOf(found.Warnings, "lock-tables") == nil {
				t.Errorf("with a lock: %v\n%s%s", err, pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
			}
		})
	}
}

func TestSeedCheckFindsMissingTool(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	seed := newSeed(t, master, slave, "seed_check")
	t.Setenv("PATH", t.TempDir())
	found, err := seed.Check(t.Context())
	if p := pairs.ProblemOf(found.Problems, "tool-missing"); err != nil || p == nil ||
		!strings.Contains(p.Cure, "mariadb-client") {
		t.Errorf("%v\n%s", err, pairs.Texts(found.Problems))
	}
	if _, err := seed.Run(t.Context()); !finding.HasCode(err, "tool-missing") {
		t.Errorf("the seed gave %v", err)
	}
}

func TestSeedCheckRetention(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	seed := newSeed(t, master, slave, "big")
	seed.MasterFacts.Databases = []facts.Database{{Name: "big", Bytes: 100 << 30}}
	for expire, warned := range map[string]bool{"0": false, "3600": true, "864000": false} {
		seed.MasterFacts.Variables["binlog_expire_logs_seconds"] = expire
		seed.MasterFacts.Variables["expire_logs_days"] = "0"
		found, err := seed.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p := pairs.ProblemOf(found.Warnings, "short-retention"); (p != nil) != warned ||
			warned && !strings.Contains(p.Cure, "binlog_expire_logs_seconds") {
			t.Errorf("kept for %s s:\n%s", expire, pairs.Texts(found.Warnings))
		}
	}
}

// TestSeedBehindLongStatement seeds from MySQL while a statement holds its
// lock up: Check says so, and Run does not keep writers waiting for it.
func TestSeedBehindLongStatement(t *testing.T) {
	master, slave := pairs.MySQL.Start(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_long", "CREATE DATABASE seed_long",
		"CREATE TABLE seed_long.t (id INT PRIMARY KEY)", "INSERT INTO seed_long.t VALUES (1)")
	conn, err := master.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var id int
	if err := conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	long := make(chan error, 1)
	go func() {
		_, err := conn.ExecContext(t.Context(), "SELECT SLEEP(1000) FROM seed_long.t")
		long <- err
	}()
	defer func() { // the server would let it run on when its client has gone
		master.Exec(t, "KILL "+strconv.Itoa(id))
		<-long
		_ = conn.Close() // it was killed
	}()
	pairs.WaitUntil(t, "statement of six seconds", func() (string, bool) {
		return "", master.Count(t, "performance_schema.processlist", "info LIKE 'SELECT SLEEP%' AND time >= 6") > 0
	})
	seed := newSeed(t, master, slave, "seed_long")
	found, err := seed.Check(t.Context())
	if p := pairs.ProblemOf(found.Problems, "long-statement"); err != nil || p == nil ||
		!strings.Contains(p.Text, "SLEEP") {
		t.Errorf("%v\n%s", err, pairs.Texts(found.Problems))
	}
	seed.SetLockPatience(0) // what it is for
	if _, err := seed.Run(t.Context()); !finding.HasCode(err, "lock-wait") {
		t.Errorf("the seed gave %v", err)
	}
	if n := master.Count(t, "performance_schema.processlist", "info LIKE 'FLUSH%'"); n != 0 {
		t.Errorf("%d connections wait for the lock", n)
	}
	pairs.NoTools(t)
}

// makeAccounts makes accounts on the master, of which the slave has one, and a database
// that needs them. The statement roles drops the roles that were left by another test.
func makeAccounts(t *testing.T, master, slave *pairs.Server, accounts []string, roles string) {
	t.Helper()
	setDefault := "SET DEFAULT ROLE 'seed role' FOR 'seed app'@'10.0.0.%'"
	if master.Kind.IsMySQL() {
		setDefault = "ALTER USER 'seed app'@'10.0.0.%' DEFAULT ROLE 'seed role'"
	}
	master.Exec(t, roles)
	slave.Exec(t, roles)
	for _, account := range accounts {
		for _, s := range []*pairs.Server{master, slave} {
			s.Exec(t, "DROP USER IF EXISTS "+account)
		}
		master.Exec(t, "CREATE USER "+account+" IDENTIFIED BY 'secret word'")
	}
	slave.Exec(t, "CREATE USER 'seed both'@'localhost' IDENTIFIED BY 'x'")
	master.Exec(t, "DROP DATABASE IF EXISTS seed_accounts", "CREATE DATABASE seed_accounts",
		"CREATE TABLE seed_accounts.t (id INT)",
		"CREATE DEFINER='seed def'@'%' VIEW seed_accounts.v AS SELECT 1 AS a",
		"CREATE DEFINER='seed def'@'%' TRIGGER seed_accounts.tr BEFORE INSERT "+
			"ON seed_accounts.t FOR EACH ROW SET NEW.id = 1",
		"CREATE DEFINER='seed both'@'localhost' PROCEDURE seed_accounts.p() SELECT 1",
		"CREATE DEFINER='seed def'@'%' EVENT seed_accounts.e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
		"GRANT SELECT, INSERT ON `seed\\_accounts`.* TO 'seed app'@'10.0.0.%'",
		"CREATE ROLE 'seed role', 'seed inner'", "GRANT SELECT ON seed_accounts.* TO 'seed inner'", "GRANT 'seed inner' "+
			"TO 'seed role'",
		"GRANT 'seed role' TO 'seed app'@'10.0.0.%'", setDefault)
}

func TestMissingAccounts(t *testing.T) {
	for _, pair := range pairs.All {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			accounts := []string{"'seed def'@'%'", "'seed app'@'10.0.0.%'", "'seed both'@'localhost'"}
			roles := "DROP ROLE IF EXISTS 'seed role', 'seed inner'"
			makeAccounts(t, master, slave, accounts, roles)
			m, mf := master.AsSeeder(t, finding.Master)
			_, sf := slave.AsSeeder(t, finding.Slave)
			missing, err := seed.MissingAccounts(t.Context(), m, mf, sf, []string{"seed_accounts"})
			if err != nil {
				t.Fatal(err)
			}
			found, err := newSeed(t, master, slave, "seed_accounts").Check(t.Context())
			if p := pairs.ProblemOf(slices.Concat(found.Problems, found.Warnings), "account-missing"); err != nil || p == nil ||
				!strings.Contains(p.Text, "the account 'seed def'@'%' is on the master only") {
				t.Errorf("nothing is said of them: %v\n%s%s", err, pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
			}
			var got []string
			for _, a := range missing {
				got = append(got, a.User+" "+strings.Join(a.DefinerOf, ","))
				if strings.Contains(strings.Join(a.Create, ""), "secret word") {
					t.Errorf("a password is shown: %v", a.Create)
				}
				if a.Create[0] != "SET SESSION sql_log_bin=0;" {
					t.Errorf("the lines are logged: %v", a.Create)
				}
				if !pair.Crosses() {
					slave.Exec(t, a.Create[1:]...)
				}
			}
			want := "seed def view seed_accounts.v,trigger seed_accounts.tr,event seed_accounts.e; seed app "
			if pair.Master.IsMySQL() {
				want += "; seed inner " // roles are accounts
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("missing are %q, want %q", got, want)
			}
			if !pair.Crosses() {
				slave.Login(t, finding.Slave,
					server.Login{
						Network: "tcp", Address: slave.Address(), User: "seed def", Password: server.NewPassword("secret word"),
					})
			}
			for _, account := range accounts {
				master.Exec(t, "DROP USER "+account)
				slave.Exec(t, "DROP USER IF EXISTS "+account)
			}
			master.Exec(t, roles)
			slave.Exec(t, roles)
		})
	}
}
