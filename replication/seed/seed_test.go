package seed_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

func TestMain(m *testing.M) { os.Exit(pairs.Main(m)) }

// newSeed makes a seed between two servers.
func newSeed(t *testing.T, master, slave *pairs.Server, databases ...string) *seed.Seed {
	t.Helper()
	pairs.MarkTools(t)
	m, mf := master.AsSeeder(t, finding.Master)
	s, sf := slave.AsSeeder(t, finding.Slave)
	made := &seed.Seed{Master: m, Slave: s, MasterFacts: mf, SlaveFacts: sf, Databases: databases}
	made.SetLockPatience(pairs.Patience)
	made.SetDumps(3) // though the way is short
	return made
}

// TestSeedCopiesEverything seeds databases with all that databases have, while
// they are written to, and compares the copies.
func TestSeedCopiesEverything(t *testing.T) {
	for _, pair := range pairs.All {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			databases := fillServer(t, master, pair.Crosses())
			slave.Exec(t, "DROP DATABASE IF EXISTS seed_all")
			s := newSeed(t, master, slave, databases...)
			s.Method = journal.SeedParallel
			var phases []seed.Phase
			s.Progress = func(p seed.Progress) { phases = append(phases, p.Phase) }
			var started server.Position
			s.Started = func(_ context.Context, p server.Position) error {
				started = p
				if slave.Count(t, "information_schema.schemata", "schema_name = 'seed_all'") != 0 {
					t.Error("something had been loaded before the coordinates were told")
				}
				return nil
			}
			position, err := s.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if position.IsZero() || position != started {
				t.Errorf("the seed began at %v and says %v", started, position)
			}
			if position.GTID == "" {
				t.Error("no GTID")
			}
			if len(phases) == 0 || phases[len(phases)-1] != seed.PhaseEnd {
				t.Errorf("the phases told were %v", phases)
			}
			compareCopies(t, master, slave, databases)
			if n := slave.Count(t, "information_schema.events", "status = 'ENABLED' AND event_schema = 'seed_all'"); n != 0 {
				t.Errorf("%d events are enabled on the slave", n)
			}
		})
	}
}

// TestSeedWhileWriting seeds a database that is written to, follows from the
// coordinates and compares.
func TestSeedWhileWriting(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_busy", "CREATE DATABASE seed_busy CHARACTER SET utf8mb4",
				"CREATE TABLE seed_busy.t (id INT PRIMARY KEY AUTO_INCREMENT, n INT NOT NULL, pad VARCHAR(1000), twice INT AS (n "+
					"* 2) VIRTUAL)",
				"CREATE TABLE seed_busy.`ü` (id INT PRIMARY KEY AUTO_INCREMENT, n INT NOT NULL)")
			for range 50 {
				master.Exec(t, "INSERT INTO seed_busy.t (n, pad) SELECT seq.n, REPEAT('x', 1000) FROM ("+numbers(100)+") seq")
			}
			for _, method := range []journal.SeedMethod{journal.SeedDump, journal.SeedParallel} {
				stop := write(t, master,
					"INSERT INTO seed_busy.t (n) VALUES (%[1]d)", "INSERT INTO seed_busy.`ü` (n) VALUES (%[1]d)",
					"UPDATE seed_busy.t SET n = n + 1 WHERE id = 1 + %[1]d %% 5000", "DELETE FROM seed_busy.`ü` WHERE id = %[1]d / 2")
				seed := newSeed(t, master, slave, "seed_busy")
				seed.Method = method
				seed.Waiting = func(text string) { t.Errorf("%s: %s", method, text) }
				position, err := seed.Run(t.Context())
				stop()
				if err != nil {
					t.Fatal(err)
				}
				follow(t, master, slave, position)
				compareCopies(t, master, slave, []string{"seed_busy"})
			}
		})
	}
}

// TestSeedForeignDump seeds MySQL from MariaDB by MySQL's own tool, which takes
// the generated column, while rows are inserted. The copy must have as many as
// there are transactions before the coordinates, which only the GTIDs can tell:
// MySQL 9 cannot follow MariaDB.
func TestSeedForeignDump(t *testing.T) {
	master, slave := pairs.Crossed.Start(t)
	master.Exec(t, "DROP DATABASE IF EXISTS `seed_ü`", "CREATE DATABASE `seed_ü` CHARACTER SET utf8mb4",
		"CREATE TABLE `seed_ü`.`tä` (id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(1000) NOT NULL DEFAULT 'ö😀', wide INT "+
			"AS (CHAR_LENGTH(pad)) VIRTUAL)",
		"INSERT INTO `seed_ü`.`tä` (pad) SELECT REPEAT('x', 1000) FROM ("+numbers(4999)+") seq")
	transactions := func(gtid string) int {
		n, err := strconv.Atoi(gtid[strings.LastIndexByte(gtid, '-')+1:])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	seed := newSeed(t, master, slave, "seed_ü") // makes accounts, too
	before := transactions(master.Values(t, "SELECT @@gtid_binlog_pos")[0])
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for ctx.Err() == nil {
			if _, err := master.DB.ExecContext(t.Context(), "INSERT INTO `seed_ü`.`tä` () VALUES ()"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	position, err := seed.Run(t.Context())
	stop()
	writing.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slave.Count(t, "`seed_ü`.`tä`", "wide = CHAR_LENGTH(pad)"), 5000+transactions(position.GTID)-
		before; got != want {
		t.Errorf("the copy has %d rows, and %d were there at %v", got, want, position)
	}
	if got := slave.Count(t, "`seed_ü`.`tä`", "pad = 'ö😀'"); got != slave.Count(t, "`seed_ü`.`tä`", "id > 5000") {
		t.Errorf("%d rows have the text", got)
	}
}

// write has a server execute statements one after the other, with a number in them that
// grows, until stop.
func write(t *testing.T, s *pairs.Server, statements ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			for _, statement := range statements {
				if _, err := s.DB.ExecContext(t.Context(), fmt.Sprintf(statement, n)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	return func() { cancel(); writing.Wait() }
}

// follow makes a slave apply all that its master has done since a position, by
// GTID.
func follow(t *testing.T, master, slave *pairs.Server, p server.Position) {
	t.Helper()
	master.MakeReplicationAccount(t)
	wait := "SELECT MASTER_POS_WAIT('%s', %s, 120)"
	statements := []string{
		"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL gtid_slave_pos='" + p.GTID + "'",
		"SET GLOBAL replicate_wild_do_table='seed\\_busy.%'",
		fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='repl', MASTER_PASSWORD='repl', "+
			"MASTER_USE_GTID=slave_pos", master.Port),
		"START SLAVE",
	}
	if slave.Kind.IsMySQL() {
		wait = "SELECT SOURCE_POS_WAIT('%s', %s, 120)"
		statements = []string{
			"STOP REPLICA", "RESET REPLICA ALL", "RESET BINARY LOGS AND GTIDS", "SET GLOBAL gtid_purged='" + p.GTID + "'",
			"CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=('seed\\_busy.%')",
			fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='repl', "+
				"SOURCE_PASSWORD='repl', SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1, SOURCE_AUTO_POSITION=1", master.Port),
			"START REPLICA",
		}
	}
	slave.Exec(t, statements...)
	show := "SHOW MASTER STATUS"
	if master.Kind.IsMySQL() {
		show = "SHOW BINARY LOG STATUS"
	}
	end := master.Rows(t, show)[0]
	if reached := slave.Values(t, fmt.Sprintf(wait, end[0], end[1]))[0]; reached == "NULL" || reached == "-1" {
		t.Fatalf("the slave does not follow: %s", slave.Log())
	}
	slave.Exec(t, statements[:2]...)
}

// TestSeedHoldsChangesOff tries to change a table of MySQL during a dump.
func TestSeedHoldsChangesOff(t *testing.T) {
	master, slave := pairs.MySQL.Start(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_ddl", "CREATE DATABASE seed_ddl",
		"CREATE TABLE seed_ddl.t (id INT PRIMARY KEY)")
	seed := newSeed(t, master, slave, "seed_ddl")
	seed.Started = func(ctx context.Context, _ server.Position) error {
		if master.Lets(ctx, t, "ALTER TABLE seed_ddl.t ADD n INT") {
			t.Error("a table could be changed")
		}
		return nil
	}
	if _, err := seed.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	master.Exec(t, "ALTER TABLE seed_ddl.t ADD n INT")
}

// TestSeedUnderLock copies a table without transactions, which nobody can write
// to meanwhile, and logs in to the slave by its socket.
func TestSeedUnderLock(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_lock", "CREATE DATABASE seed_lock",
				"CREATE TABLE seed_lock.t (id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(1000)) ENGINE=MyISAM",
				"INSERT INTO seed_lock.t (pad) SELECT REPEAT('x', 1000) FROM ("+numbers(9000)+") seq")
			seed := newSeed(t, master, slave, "seed_lock")
			seed.LockTables = true
			var err error
			seed.Slave, err = server.Open(t.Context(), finding.Slave,
				server.Login{Network: "unix", Address: slave.Socket, User: slave.User})
			if err != nil {
				t.Fatal(err)
			}
			defer seed.Slave.Close()
			seed.Started = func(ctx context.Context, _ server.Position) error {
				if master.Lets(ctx, t, "INSERT INTO seed_lock.t VALUES ()") {
					t.Error("the table could be written to")
				}
				return nil
			}
			if _, err := seed.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			compareCopies(t, master, slave, []string{"seed_lock"})
			master.Exec(t, "DROP DATABASE seed_lock")
		})
	}
}

// TestSeedKeepsCollations copies a table of a server that leaves the default
// collation unsaid to one that has another.
func TestSeedKeepsCollations(t *testing.T) {
	for _, pair := range []pairs.Pair{
		{Master: servertest.MariaDB105, Slave: servertest.MariaDB118},
		{Master: servertest.MariaDB105, Slave: servertest.MySQL97},
	} {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_collations", "CREATE DATABASE seed_collations CHARACTER SET utf8mb4",
				"CREATE TABLE seed_collations.t (id INT PRIMARY KEY, a VARCHAR(5), b VARCHAR(5) CHARACTER SET utf8mb4, c "+
					"VARCHAR(5) COLLATE utf8mb4_bin)")
			seed := newSeed(t, master, slave, "seed_collations")
			if _, err := seed.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			const query = "SELECT column_name, collation_name FROM information_schema.columns WHERE table_schema = " +
				"'seed_collations' ORDER BY 1"
			if m, s := master.Rows(t, query), slave.Rows(t, query); fmt.Sprint(m) != fmt.Sprint(s) {
				t.Errorf("the collations are %v on the master and %v on the slave", m, s)
			}
		})
	}
}

// TestSeedOfMariaDBOnly copies what only MariaDB has.
func TestSeedOfMariaDBOnly(t *testing.T) {
	for _, pair := range []pairs.Pair{pairs.MariaDB, pairs.MariaDB118} {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_maria", "CREATE DATABASE seed_maria",
				"CREATE SEQUENCE seed_maria.s START WITH 10 INCREMENT BY 5", "DO NEXTVAL(seed_maria.s)",
				"CREATE TABLE seed_maria.t (id UUID PRIMARY KEY DEFAULT uuid(), a INET6, b INET4, c VARCHAR(5) INVISIBLE, d INT "+
					"CHECK (d > 0))",
				"INSERT INTO seed_maria.t (a, b, c, d) VALUES ('2001:db8::1', '192.0.2.1', 'x', 1), (NULL, NULL, NULL, NULL)",
				"CREATE TABLE seed_maria.v (id INT PRIMARY KEY, n INT) WITH SYSTEM VERSIONING",
				"INSERT INTO seed_maria.v VALUES (1, 1), (2, 2)", "UPDATE seed_maria.v SET n = 3 WHERE id = 1",
				"DELETE FROM seed_maria.v WHERE id = 2")
			seed := newSeed(t, master, slave, "seed_maria")
			if _, err := seed.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			compareCopies(t, master, slave, []string{"seed_maria"})
			const history = "SELECT id, n, ROW_START, ROW_END FROM seed_maria.v FOR SYSTEM_TIME ALL ORDER BY 1, 2"
			if m, s := master.Rows(t, history), slave.Rows(t, history); len(m) != 3 || fmt.Sprint(m) != fmt.Sprint(s) {
				t.Errorf("the history is %v on the master and %v on the slave", m, s)
			}
		})
	}
}

// TestSeedTables copies one table of a database and leaves the others alone.
func TestSeedTables(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	for _, s := range []*pairs.Server{master, slave} {
		s.Exec(t, "DROP DATABASE IF EXISTS seed_tables", "CREATE DATABASE seed_tables",
			"CREATE TABLE seed_tables.`a.b` (id INT PRIMARY KEY)",
			"CREATE TABLE seed_tables.c (id INT PRIMARY KEY)", "CREATE TRIGGER seed_tables.tr BEFORE INSERT ON "+
				"seed_tables.`a.b` FOR EACH ROW SET NEW.id = NEW.id + 1")
	}
	master.Exec(t, "INSERT INTO seed_tables.`a.b` VALUES (1), (2)", "INSERT INTO seed_tables.c VALUES (1)")
	slave.Exec(t, "INSERT INTO seed_tables.c VALUES (5)")
	seed := newSeed(t, master, slave)
	seed.Tables = []string{"seed_tables.a.b"}
	if _, err := seed.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := slave.Values(t, "SELECT id FROM seed_tables.`a.b` ORDER BY id"); !slices.Equal(got, []string{"2", "3"}) {
		t.Errorf("the table has %v", got)
	}
	if got := slave.Values(t, "SELECT id FROM seed_tables.c"); !slices.Equal(got, []string{"5"}) {
		t.Errorf("the other table has %v", got)
	}
}

// TestSeedEndsWithContext ends a seed in its middle, which it must not survive.
func TestSeedEndsWithContext(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_ends", "CREATE DATABASE seed_ends",
				"CREATE TABLE seed_ends.t (id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(1000))",
				"INSERT INTO seed_ends.t (pad) SELECT REPEAT('x', 1000) FROM ("+numbers(5000)+") seq")
			s := newSeed(t, master, slave, "seed_ends")
			s.MaxRate = 1 << 20
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			enough := errors.New("enough")
			s.Progress = func(p seed.Progress) {
				if p.Phase != seed.PhaseCopy || p.Bytes == 0 {
					return
				}
				pairs.NoSecrets(t)
				cancel(enough)
			}
			if _, err := s.Run(ctx); !errors.Is(err, enough) {
				t.Errorf("the seed gave %v", err)
			}
			pairs.NoTools(t)
			if n := master.Count(t, "information_schema.processlist", "info LIKE '%seed_ends%' AND id <> "+
				"connection_id()"); n != 0 {
				t.Errorf("%d statements of the seed still run", n)
			}
		})
	}
}
