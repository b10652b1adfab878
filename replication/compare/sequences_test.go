package compare_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// sequencePairs are pairs that have sequences.
var sequencePairs = []pairs.Pair{pairs.MariaDB, pairs.MariaDB118, pairs.Upgrade}

// sequences are those of the tests, which differ in how they count and are kept.
var sequences = []string{"plain", "five", "none", "down", "round", "myisam", "auto"}

// makeSequences makes a database of sequences.
func makeSequences(t *testing.T, p *pairs.Couple, database string) {
	t.Helper()
	p.Fresh(t, database)
	p.OnMaster(t, "USE "+database, "CREATE SEQUENCE plain", "CREATE SEQUENCE five CACHE 5", "CREATE SEQUENCE none NOCACHE",
		"CREATE SEQUENCE down INCREMENT -3 CACHE 2", "CREATE SEQUENCE round START WITH 1 MAXVALUE 7 CACHE 2 CYCLE",
		"CREATE SEQUENCE myisam NOCACHE ENGINE=MyISAM", "CREATE SEQUENCE auto INCREMENT BY 0 CACHE 3",
		"CREATE TABLE t (id bigint DEFAULT NEXTVAL(none), v int)", "CREATE TABLE taken (id bigint, v int)",
		"CREATE TABLE one (id bigint PRIMARY KEY)", "INSERT INTO one VALUES (1)")
	p.Sync(t)
}

// compareSequences compares a database and gives what was found of its sequences.
func compareSequences(t *testing.T, p *pairs.Couple, database string) (differ, skipped []string) {
	t.Helper()
	result := compareOn(t, p, compare.Comparison{Databases: []string{database}})
	return result.Objects, result.Skipped
}

// mustAgree fails if sequences are not said to be equal.
func mustAgree(t *testing.T, p *pairs.Couple, database, when string) {
	t.Helper()
	if differ, skipped := compareSequences(t, p, database); len(differ)+len(skipped) > 0 {
		t.Errorf("%s: differ %q, not compared %q", when, differ, skipped)
	}
}

// place is the first number of a sequence that is not reserved.
func place(t *testing.T, db *sql.DB, name string) (next string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT next_not_cached_value FROM "+name).Scan(&next); err != nil {
		t.Fatal(err)
	}
	return next
}

// ofEach gives a statement, or a part of one, of each sequence.
func ofEach(format string) (statements []string) {
	for _, s := range sequences {
		statements = append(statements, fmt.Sprintf(format, s))
	}
	return statements
}

// nextOfEach takes a number of each sequence.
var nextOfEach = strings.Join(ofEach("NEXTVAL(%s)"), ", ")

// sequenceUses move sequences, each in its way.
var sequenceUses = []struct {
	name       string
	statements []string
}{
	{"next", []string{"SELECT " + nextOfEach}},
	{
		"many",
		[]string{"CREATE TEMPORARY TABLE many AS SELECT " + nextOfEach + " FROM seq_1_to_13", "DROP TEMPORARY TABLE many"},
	},
	{
		"SETVAL",
		slices.Concat(ofEach("DO SETVAL(%s, 5)"),
			[]string{
				"DO SETVAL(plain, 5000)", "SELECT SETVAL(none, 6000, 0)", "DO SETVAL(down, -700)", "DO SETVAL(round, 3, 1, 9)",
			}),
	},
	{"DEFAULT", []string{"INSERT INTO t (v) VALUES (1), (2)"}},
	{
		"rolled back",
		[]string{
			"BEGIN", "INSERT INTO t (v) VALUES (1), (2)", "SELECT " + nextOfEach, "SAVEPOINT s", "SELECT " + nextOfEach,
			"ROLLBACK TO s", "SELECT " + nextOfEach, "ROLLBACK",
		},
	},
	{
		"a procedure",
		[]string{
			"CREATE PROCEDURE p() BEGIN DECLARE x bigint; SET x = NEXTVAL(five) + NEXTVAL(none); INSERT INTO t VALUES (x, " +
				"1); END", "CALL p()",
		},
	},
	{
		"a trigger",
		[]string{
			"CREATE TRIGGER tr BEFORE INSERT ON one FOR EACH ROW SET NEW.id = 100 + NEXTVAL(five) + NEXTVAL(none)",
			"INSERT INTO one VALUES (1)", "DROP TRIGGER tr",
		},
	},
	{"the cache is lost", []string{"FLUSH TABLES", "SELECT " + nextOfEach}},
}

// TestSequencesFollow holds the servers to what a comparison relies upon: a slave
// that has all of the binary log has its master's sequences, however they were
// moved.
func TestSequencesFollow(t *testing.T) {
	pairs.OnCouples(t, sequencePairs, func(t *testing.T, p *pairs.Couple) {
		for _, format := range []string{"ROW", "MIXED"} {
			t.Run(format, func(t *testing.T) {
				p.Settings = []string{"SET SESSION binlog_format=" + format}
				makeSequences(t, p, "follow")
				for _, use := range sequenceUses {
					p.OnMaster(t, append([]string{"USE follow"}, use.statements...)...)
					p.Sync(t)
					for _, s := range sequences {
						if m, s := place(t, p.MasterDB, "follow."+s), place(t, p.SlaveDB, "follow."+s); m != s {
							t.Errorf("%s: %s on the master, %s on the slave", use.name, m, s)
						}
					}
				}
				if _, err := p.MasterDB.ExecContext(
					t.Context(), "INSERT INTO follow.one SELECT IF(NEXTVAL(follow.none) < 0, 0, 1)",
				); err == nil {
					t.Error("a row is there twice")
				}
				mustAgree(t, p, "follow", "a statement has failed")
			})
		}
	})
}

func TestCompareSequences(t *testing.T) {
	pairs.OnCouples(t, sequencePairs, func(t *testing.T, p *pairs.Couple) {
		makeSequences(t, p, "places")
		p.OnMaster(t, "USE places", "SELECT NEXTVAL(plain), NEXTVAL(none), NEXTVAL(down), NEXTVAL(round), NEXTVAL(five)")
		p.Sync(t)
		p.OnSlave(t, "SET sql_log_bin=0", "USE places", "ALTER SEQUENCE plain RESTART 1", "DO SETVAL(none, 700)",
			"ALTER SEQUENCE down RESTART -1", "ALTER SEQUENCE round RESTART 1", "DO SETVAL(auto, 90)")
		behind := func(name, slave, master string) string {
			return fmt.Sprintf("sequence places.%s stands at %s on the slave and at %s on the master: it would give numbers "+
				"twice after a fail-over; on the slave: SET sql_log_bin=0; DO SETVAL(`places`.`%[1]s`, %[3]s, 0, 0)", name, slave,
				master)
		}
		ahead := func(name, slave, master string) string {
			return fmt.Sprintf("sequence places.%s stands at %s on the slave and at %s on the master: it would leave numbers "+
				"out after a fail-over; gtunnel replication compare --repair-table places.%[1]s", name, slave, master)
		}
		want := []string{
			ahead("auto", "91", "1"), behind("down", "-1", "-7"), ahead("none", "701", "2"), behind("plain", "1", "1001"),
			behind("round", "1", "3"),
		}
		if differ, skipped := compareSequences(t, p, "places"); !slices.Equal(differ, want) || len(skipped) > 0 {
			t.Errorf("not compared %q, differ\n%s\nwant\n%s", skipped, strings.Join(differ, "\n"), strings.Join(want, "\n"))
		}
		result := compareOn(t, p,
			compare.Comparison{Databases: []string{"places"}, Tables: []string{"places.plain", "places.t"}})
		if !slices.Equal(result.Objects, want[3:4]) || len(result.Tables) != 1 {
			t.Errorf("of one table and one sequence it says %q of %+v", result.Objects, result.Tables)
		}

		for _, line := range want {
			if _, cure, found := strings.Cut(line, "on the slave: "); found {
				p.OnSlave(t, strings.Split(cure, "; ")...)
			}
		}
		want = []string{want[0], want[2]} // the others are cured
		if differ, skipped := compareSequences(t, p, "places"); !slices.Equal(differ, want) || len(skipped) > 0 {
			t.Errorf("not compared %q, differ %q, want %q", skipped, differ, want)
		}

		p.OnSlave(t, "SET sql_log_bin=0", "DROP SEQUENCE places.plain")
		result = compareOn(t, p, compare.Comparison{Databases: []string{"places"}, Tables: []string{"places.plain"}})
		if want := []string{"sequence places.plain is missing on the slave"}; !slices.Equal(result.Objects, want) {
			t.Errorf("got %q, want %q", result.Objects, want)
		}
		p.OnSlave(t, "CREATE SEQUENCE places.plain")
	})
}

// useSequences uses the sequences of the database inuse on the master until it is
// stopped, which may be done twice.
func useSequences(t *testing.T, p *pairs.Couple) (stop func()) {
	t.Helper()
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if _, err := p.MasterDB.ExecContext(ctx,
				"INSERT INTO inuse.taken SELECT NEXTVAL(inuse.five), NEXTVAL(inuse.round) + NEXTVAL(inuse.down) FROM "+
					"inuse.seq_1_to_7"); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// TestCompareSequencesInUse compares while the master uses its sequences.
func TestCompareSequencesInUse(t *testing.T) {
	pairs.OnCouples(t, sequencePairs[:2], func(t *testing.T, p *pairs.Couple) {
		makeSequences(t, p, "inuse")
		stop := useSequences(t, p)
		defer stop()
		for range 5 {
			mustAgree(t, p, "inuse", "in use")
		}
		stop()

		// Statements that end while they are waited for. Each call of the function
		// is a statement of its own to the server.
		p.OnMaster(t,
			"CREATE FUNCTION inuse.f() RETURNS bigint READS SQL DATA BEGIN DECLARE x bigint; SET x = NEXTVAL(inuse.none); "+
				"RETURN x; END")
		ending := make(chan error, 1)
		begin := func(number string, rows int) {
			began := place(t, p.MasterDB, "inuse.none")
			go func() {
				_, err := p.MasterDB.ExecContext(t.Context(),
					fmt.Sprintf("INSERT INTO inuse.taken SELECT %s, SLEEP(0.1) FROM inuse.seq_1_to_%d", number, rows))
				ending <- err
			}()
			pairs.WaitUntil(t, "statement that has begun",
				func() (string, bool) { return began, place(t, p.MasterDB, "inuse.none") != began })
		}
		for _, number := range []string{"NEXTVAL(inuse.none)", "inuse.f()"} {
			begin(number, 40)
			mustAgree(t, p, "inuse", number)
			if err := <-ending; err != nil {
				t.Error(err)
			}
		}

		// One that does not end, and is killed.
		begin("NEXTVAL(inuse.none)", 6000)
		differ, skipped := compareSequences(t, p, "inuse")
		if len(differ) > 0 || len(skipped) != 1 ||
			!strings.Contains(skipped[0], "sequence inuse.none: a statement that runs on the master may be using it") {
			t.Errorf("differ %q, not compared %q", differ, skipped)
		}
		var id int
		if err := p.MasterDB.QueryRowContext(t.Context(),
			"SELECT id FROM information_schema.processlist WHERE info LIKE 'INSERT INTO inuse.taken SELECT "+
				"NEXTVAL%'").Scan(&id); err != nil {
			t.Fatal(err)
		}
		p.OnMaster(t, fmt.Sprintf("KILL QUERY %d", id))
		if err := <-ending; err == nil {
			t.Log("it was killed within SLEEP, which only ends that")
		}
		p.Sync(t)
		mustAgree(t, p, "inuse", "a statement was killed")
	})
}
