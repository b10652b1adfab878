package seed_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// needMydumper gives the test mydumper, beside the tools of the slave's kind.
func needMydumper(t *testing.T) {
	t.Helper()
	t.Attr("needs", "mydumper")
	if _, err := exec.LookPath("mydumper"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("mydumper is missing: run .ci/install mydumper")
		}
		t.Skip("mydumper is missing: run .ci/install mydumper")
	}
}

func TestSeedByMydumper(t *testing.T) {
	for _, pair := range []pairs.Pair{pairs.MariaDB, pairs.Upgrade} {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			needMydumper(t)
			fillServer(t, master, false)
			slave.Exec(t, "DROP DATABASE IF EXISTS seed_all")
			t.Setenv("TMPDIR", t.TempDir())
			for _, folder := range []string{"gtunnel-seed-1/rows", "gtunnel-probe-2"} { // of runs that were killed
				if err := os.MkdirAll(filepath.Join(os.Getenv("TMPDIR"), folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			seed := newSeed(t, master, slave, "seed_all")
			seed.Method = journal.SeedMydumper
			if found, err := seed.Check(t.Context()); err != nil || len(found.Problems) > 0 ||
				pairs.ProblemOf(found.Warnings, "needs-room") == nil {
				t.Fatalf("%v\n%s%s", err, pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
			}
			position, err := seed.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if position.IsZero() || position.GTID == "" {
				t.Errorf("the position is %v %s", position, position.GTID)
			}
			compareCopies(t, master, slave, []string{"seed_all"})
			if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); len(left) > 0 {
				t.Errorf("left behind are %v", left)
			}
			pairs.NoTools(t)
		})
	}
}

// TestMydumperWithoutCoordinates looks at the version of Debian 12, which does
// not know how MySQL 9.7 is asked for its position, and says nothing.
func TestMydumperWithoutCoordinates(t *testing.T) {
	master, slave := pairs.MySQL.Start(t)
	needMydumper(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_md", "CREATE DATABASE seed_md",
		"CREATE TABLE seed_md.t (id INT PRIMARY KEY)")
	slave.Exec(t, "DROP DATABASE IF EXISTS seed_md")
	if out, err := exec.CommandContext(t.Context(), "mydumper", "--version").Output(); err != nil ||
		!strings.Contains(string(out), "mydumper 0.10") {
		t.Skipf("mydumper is another version: %s", out)
	}
	seed := newSeed(t, master, slave, "seed_md")
	seed.Method = journal.SeedMydumper
	found, err := seed.Check(t.Context())
	if err != nil || pairs.ProblemOf(found.Problems, "no-coordinates") == nil {
		t.Errorf("%v\n%s", err, pairs.Texts(found.Problems))
	}
	if _, err := seed.Run(t.Context()); !finding.HasCode(err, "no-coordinates") {
		t.Errorf("the seed gave %v", err)
	}
	if slave.Count(t, "information_schema.schemata", "schema_name = 'seed_md'") != 0 {
		t.Error("something has been loaded")
	}
}

func TestMydumperFails(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	needMydumper(t)
	master.Exec(t, "DROP DATABASE IF EXISTS seed_md", "CREATE DATABASE seed_md",
		"CREATE TABLE seed_md.t (id INT PRIMARY KEY)", "INSERT INTO seed_md.t VALUES (1), (2)")
	for name, test := range map[string]struct {
		tool, script string
		says         string
	}{
		"mydumper": {
			"mydumper", `case "$*" in *'regex=^$'*) exec $tool "$@" ;; esac; echo "** CRITICAL **: lost the master" >&2; exit 1`,
			"lost the master",
		},
		"myloader": {"myloader", `echo "** CRITICAL **: table full" >&2; exit 1`, "table full"},
	} {
		t.Run(name, func(t *testing.T) {
			slave.Exec(t, "DROP DATABASE IF EXISTS seed_md")
			t.Setenv("TMPDIR", t.TempDir())
			pairs.WrapTools(t, test.script, test.tool)
			seed := newSeed(t, master, slave, "seed_md")
			seed.Method = journal.SeedMydumper
			if _, err := seed.Run(t.Context()); !finding.HasCode(err, "tool-failed") ||
				!strings.Contains(err.Error(), test.says) {
				t.Errorf("the seed gave %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); len(left) > 0 {
				t.Errorf("left behind are %v", left)
			}
			pairs.NoTools(t)
		})
	}
}

// TestMydumperWhileSchemaChanges: what is changed between the dump of the schema and
// that of the rows is not lost; the rows are dumped anew, and in the end the copy is
// given up.
func TestMydumperWhileSchemaChanges(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	needMydumper(t)
	client, err := exec.LookPath("mariadb")
	if err != nil {
		t.Fatal(err)
	}
	once, change := filepath.Join(t.TempDir(), "once"), client+" --no-defaults -u "+master.User+" -S "+master.Socket+" -e "
	for name, test := range map[string]struct{ script, code string }{
		"once": {
			"test -e " + once + " || " + change + `"ALTER TABLE seed_ddl.t ADD COLUMN c INT DEFAULT 7;` +
				` CREATE TRIGGER seed_ddl.tr BEFORE INSERT ON seed_ddl.t FOR EACH ROW SET NEW.c = 8"; : > ` + once, "",
		},
		"always": {change + `"CREATE TABLE seed_ddl.t$$ (id INT)"`, "schema-changed"},
	} {
		t.Run(name, func(t *testing.T) {
			master.Exec(t, "DROP DATABASE IF EXISTS seed_ddl", "CREATE DATABASE seed_ddl",
				"CREATE TABLE seed_ddl.t (id INT PRIMARY KEY AUTO_INCREMENT)", "INSERT INTO seed_ddl.t VALUES (1), (2)")
			pairs.WrapTools(t, `case "$*" in *'regex=^$'*) exec $tool "$@" ;; esac; `+test.script+`; exec $tool "$@"`,
				"mydumper")
			seed := newSeed(t, master, slave, "seed_ddl")
			seed.Method = journal.SeedMydumper
			_, err := seed.Run(t.Context())
			if test.code != "" && !finding.HasCode(err, test.code) || test.code == "" && err != nil {
				t.Errorf("got %v", err)
			}
			if test.code == "" {
				compareCopies(t, master, slave, []string{"seed_ddl"})
			}
		})
	}
}
