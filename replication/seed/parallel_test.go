package seed_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestParallelGoesOn goes on with a copy: what is the same on both ends is kept, and all
// else is copied, however little differs; what is not on the master goes. The master is
// written to meanwhile.
func TestParallelGoesOn(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			const d = "seed_goon"
			master.Exec(t, "DROP DATABASE IF EXISTS "+d, "CREATE DATABASE "+d)
			tables := []string{"same", "half", "changed", "altered", "with_trigger", "new_trigger", "gone", "busy", "child"}
			for _, name := range tables {
				master.Exec(t, fmt.Sprintf("CREATE TABLE %s.%s (id INT PRIMARY KEY, v VARCHAR(40))", d, name),
					fmt.Sprintf("INSERT INTO %s.%s SELECT n, CONCAT('row ', n) FROM (%s) seq", d, name, numbers(300)))
			}
			master.Exec(t, "CREATE TABLE "+d+".shifted (id INT PRIMARY KEY, v VARCHAR(9), w VARCHAR(9))",
				"INSERT INTO "+d+".shifted VALUES (1, 'a', 'bc')")
			trigger := "CREATE TRIGGER " + d + ".%s BEFORE INSERT ON " + d + ".%s FOR EACH ROW SET NEW.v = 'x'"
			master.Exec(t, fmt.Sprintf(trigger, "tr1", "with_trigger"), "CREATE VIEW "+d+".w AS SELECT id FROM "+d+".same",
				"ALTER TABLE "+d+".child ADD FOREIGN KEY (id) REFERENCES "+d+".same (id)",
				"CREATE PROCEDURE "+d+".p() SELECT 1")
			s := newSeed(t, master, slave, d)
			s.Method, s.GoOn = journal.SeedParallel, true // with nothing there yet
			slave.Exec(t, "DROP DATABASE IF EXISTS "+d)
			if _, err := s.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := tableIDs(t, slave, d)
			if !pair.Slave.IsMySQL() {
				slave.Exec(t, "SET SESSION sql_mode=ORACLE",
					"CREATE PACKAGE "+d+".pkg AS FUNCTION f RETURN INT; END",
					"CREATE PACKAGE BODY "+d+".pkg AS FUNCTION f RETURN INT AS BEGIN RETURN 1; END; END",
					"SET SESSION sql_mode=DEFAULT")
			}
			// What CHECKSUM TABLE takes for the same.
			slave.Exec(t, "UPDATE "+d+".shifted SET v = 'ab', w = 'c'", "DELETE FROM "+d+".half WHERE id > 150",
				"CREATE TABLE "+d+".own (id INT PRIMARY KEY)",
				"CREATE PROCEDURE "+d+".own() SELECT 1", "CREATE VIEW "+d+".own_v AS SELECT 1")
			master.Exec(t, "UPDATE "+d+".changed SET v = 'other' WHERE id = 7", "ALTER TABLE "+d+".altered COMMENT 'new'",
				fmt.Sprintf(trigger, "tr2", "new_trigger"), "DROP TABLE "+d+".gone")
			stop := write(t, master, "INSERT INTO "+d+".busy (id) VALUES (1000 + %d)")
			position, err := s.Run(t.Context())
			stop()
			if err != nil {
				t.Fatal(err)
			}
			var kept []string
			for name, id := range tableIDs(t, slave, d) {
				if before[name] == id {
					kept = append(kept, name)
				}
			}
			slices.Sort(kept)
			if !slices.Equal(kept, []string{"child", "same", "with_trigger"}) {
				t.Errorf("kept are %q", kept)
			}
			if position.IsZero() {
				t.Error("no coordinates")
			}
			master.Exec(t, "DELETE FROM "+d+".busy WHERE id >= 1000")
			slave.Exec(t, "DELETE FROM "+d+".busy WHERE id >= 1000")
			compareCopies(t, master, slave, []string{d})
			master.Exec(t, "DROP DATABASE "+d)
		})
	}
}

// TestParallelGoesOnAnew keeps no table of a database that was changed on the master.
func TestParallelGoesOnAnew(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	const d = "seed_goon_d"
	master.Exec(t, "DROP DATABASE IF EXISTS "+d, "CREATE DATABASE "+d+" CHARACTER SET latin1",
		"CREATE TABLE "+d+".t (id INT PRIMARY KEY)", "CREATE TABLE "+d+".u (id INT PRIMARY KEY)")
	s := newSeed(t, master, slave, d)
	s.Method, s.GoOn = journal.SeedParallel, true
	for _, set := range []string{"latin1", "utf8mb4"} {
		master.Exec(t, "ALTER DATABASE "+d+" CHARACTER SET "+set)
		if _, err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		compareCopies(t, master, slave, []string{d})
	}
}

// TestParallelLate copies what is as it is at the coordinates, and not as it was before there
// were any: the dumps of tables are late.
func TestParallelLate(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	const d = "seed_late"
	for _, changes := range [][]string{
		{"CREATE FUNCTION " + d + ".f() RETURNS INT DETERMINISTIC RETURN 1", "SELECT SETVAL(" + d + ".s, 5000)"},
		{"CREATE TABLE " + d + ".new (id INT PRIMARY KEY)", "CREATE VIEW " + d + ".v AS SELECT 1", "DROP TABLE " + d + ".t"},
	} {
		master.Exec(t, "DROP DATABASE IF EXISTS "+d, "CREATE DATABASE "+d, "CREATE SEQUENCE "+d+".s",
			"CREATE TABLE "+d+".t (id INT PRIMARY KEY)", "CREATE TABLE "+d+".u (id INT PRIMARY KEY)")
		s := newSeed(t, master, slave, d)
		s.Method = journal.SeedParallel
		begun, changed := filepath.Join(t.TempDir(), "begun"), filepath.Join(t.TempDir(), "changed")
		pairs.WrapTools(t, "case \"$*\" in *--no-data*) ;; *) touch "+begun+"; while ! [ -e "+changed+
			" ]; do sleep 0.05; done ;; esac\nexec $tool \"$@\"", "mariadb-dump")
		var changing sync.WaitGroup
		changing.Go(func() {
			pairs.WaitFor(t, time.Minute, "dump of a part", func() (string, bool) {
				_, err := os.Stat(begun)
				return "", err == nil
			})
			time.Sleep(500 * time.Millisecond) // in which the dumps of the rest would be over
			master.Exec(t, changes...)
			if err := os.WriteFile(changed, nil, 0o600); err != nil {
				t.Error(err)
			}
		})
		_, err := s.Run(t.Context())
		changing.Wait()
		if err != nil {
			t.Fatal(err)
		}
		compareCopies(t, master, slave, []string{d})
	}
}

// TestParallelLooksLikeDump copies triggers whose text looks like a dump.
func TestParallelLooksLikeDump(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	const d = "seed_looks"
	trigger := "CREATE TRIGGER " + d + ".%[1]s_tr BEFORE INSERT ON " + d + ".%[1]s FOR EACH ROW BEGIN\n" +
		"-- Current Database: `x`\n-- Table structure for table `nothing`\n-- Table structure for table `b`\n" +
		"-- Dumping data for table `b`\nSET @a = 1;\nEND"
	master.Exec(t, "DROP DATABASE IF EXISTS "+d, "CREATE DATABASE "+d)
	for _, name := range []string{"a", "b", "c", "d"} {
		master.Exec(t, "CREATE TABLE "+d+"."+name+" (id INT PRIMARY KEY)", "INSERT INTO "+d+"."+name+" VALUES (1)",
			fmt.Sprintf(trigger, name))
	}
	master.Exec(t, "ALTER TABLE "+d+".b ADD FOREIGN KEY (id) REFERENCES "+d+".a (id)") // so tables are made in turn
	s := newSeed(t, master, slave, d)
	s.Method = journal.SeedParallel
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	compareCopies(t, master, slave, []string{d})
}

// tableIDs are InnoDB's numbers of a database's tables: a table that is made anew has
// another.
func tableIDs(t *testing.T, s *pairs.Server, database string) map[string]string {
	t.Helper()
	from := "innodb_sys_tables"
	if s.Kind.IsMySQL() {
		from = "innodb_tables"
	}
	ids := map[string]string{}
	for _, row := range s.Rows(t, "SELECT name, table_id FROM information_schema."+from+
		" WHERE name LIKE '"+database+"/%'") {
		ids[row[0][len(database)+1:]] = row[1]
	}
	return ids
}

// TestParallelFails ends all when one of the tools fails: the loader of a table that the
// slave cannot make.
func TestParallelFails(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_fails", "CREATE DATABASE seed_fails",
		"CREATE TABLE seed_fails.a (id INT PRIMARY KEY)", "CREATE TABLE seed_fails.b (id INT PRIMARY KEY)")
	pairs.WrapTools(t, "echo 'ERROR 1005: cannot' >&2; exit 1", "mariadb")
	s := newSeed(t, master, slave, "seed_fails")
	s.Method = journal.SeedParallel
	_, err := s.Run(t.Context())
	if !finding.HasCode(err, "tool-failed") {
		t.Errorf("the seed gave %v", err)
	}
	pairs.NoTools(t)
}
