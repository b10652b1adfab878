package failover

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// readSample reads what a program has written of a real binary log.
func readSample(t *testing.T, name string, wanted func(string) bool, pair ...string) (*Errant, string) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it was read
	var saved bytes.Buffer
	errant, err := readLog(file, wanted, pair, &saved)
	if err != nil {
		t.Fatal(err)
	}
	return errant, saved.String()
}

// Both samples are of the same statements.
func TestErrantTransactionsAreReadFromWhatTheProgramsWrite(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mariadb-binlog.txt", "mysqlbinlog.txt"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errant, _ := readSample(t, name, nil, "voms")
			if errant.Transactions != 18 || len(errant.GTIDs) != 18 {
				t.Errorf("%d transactions, GTIDs %q", errant.Transactions, errant.GTIDs)
			}
			var tables []string
			for _, table := range errant.Tables {
				tables = append(tables, table.Name+" "+strconv.Itoa(table.Rows)+" "+strconv.Itoa(table.Statements))
			}
			want := []string{
				"mysql 0 1", "other 0 1", "other.v 0 1", "other.x 2 2", "voms 0 2", "voms.t 5 4",
			}
			if !slices.Equal(tables, want) {
				t.Errorf("tables %q, want %q", tables, want)
			}
			if !slices.Equal(errant.Touched, []string{"voms"}) || len(errant.Unclear) > 0 {
				t.Errorf("touches %q, unclear %q", errant.Touched, errant.Unclear)
			}
			if errant.First.IsZero() || errant.Last.Before(errant.First) {
				t.Errorf("from %s to %s", errant.First, errant.Last)
			}
		})
	}
}

func TestSavedTransactionsHaveNoGTIDsOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mariadb-binlog.txt", "mysqlbinlog.txt"} {
		_, saved := readSample(t, name, nil, "voms")
		for line := range strings.Lines(saved) {
			if strings.Contains(line, "gtid_seq_no=") || strings.Contains(line, "session.server_id=") ||
				strings.HasPrefix(line, "SET @@SESSION.GTID_NEXT") && !strings.Contains(line, "AUTOMATIC") {
				t.Errorf("%s: %s", name, line)
			}
		}
		for _, part := range []string{"DROP TABLE `voms`.`t`", "BINLOG '", "DELIMITER ;\n", "### DELETE FROM `voms`.`t`"} {
			if !strings.Contains(saved, part) {
				t.Errorf("%s lacks %q", name, part)
			}
		}
	}
}

func TestOnlyWantedTransactionsAreSaved(t *testing.T) {
	t.Parallel()
	errant, saved := readSample(t, "mariadb-binlog.txt", func(gtid string) bool { return gtid == "0-11-8" }, "voms")
	if errant.Transactions != 1 || errant.OfPair() || len(errant.Tables) != 1 || errant.Tables[0].Name != "other.x" {
		t.Errorf("%+v", errant)
	}
	if strings.Contains(saved, "`voms`.`t`") || !strings.Contains(saved, "### INSERT INTO `other`.`x`") {
		t.Errorf("saved:\n%s", saved)
	}
	if !strings.Contains(saved, "SET @@session.sql_mode=") || !strings.Contains(saved, "DELIMITER ;\n") {
		t.Errorf("what later events rely on is missing:\n%s", saved)
	}
}

func TestStatementsAreJudgedByWhatTheyName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		database, statement string
		of                  bool
		table               string
	}{
		{"", "INSERT INTO voms.t VALUES (1)", true, "voms.t"},
		{"voms", "INSERT INTO t VALUES (1)", true, "voms"},
		{"voms", "INSERT INTO other.t SELECT * FROM u", true, "other.t"}, // as far as that can be told
		{"other", "INSERT INTO t VALUES ('voms')", false, "other"},
		{"other", "INSERT INTO t SELECT * FROM `VOMS`.t", true, "VOMS.t"},
		{"other", `UPDATE t SET v='it''s \' voms' WHERE id=1`, false, "other"},
		{"other", `DELETE FROM "voms".t`, true, "voms.t"},
		{"other", "INSERT INTO vomss.t VALUES (1)", false, "vomss.t"},
		{"", "DROP DATABASE voms", true, "voms"},
		{"voms", "CREATE DATABASE IF NOT EXISTS `vom`", false, "vom"},
		{"voms", "CREATE USER joe IDENTIFIED BY 'x'", false, "mysql"},
		{"voms", "GRANT SELECT ON voms.* TO joe", false, "mysql"},
		{"voms", "DROP TEMPORARY TABLE IF EXISTS `tmp`", false, "-"},
		{"voms", "FLUSH TABLES", false, "-"},
		{"voms", "ANALYZE TABLE t", false, "-"},
		{"voms", "BEGIN", false, "-"},
		{"voms", "TRUNCATE t", true, "voms"},
		{"other", "/* by hand */ DELETE FROM x", false, "other"},
	} {
		l := logReader{
			pair: []string{"voms"}, tables: map[string]*ErrantTable{}, touched: map[string]bool{},
			database: c.database,
		}
		l.judge(c.statement)
		if (len(l.touched) > 0) != c.of {
			t.Errorf("in %q, %s: touches %v", c.database, c.statement, l.touched)
		}
		if _, has := l.tables[c.table]; has != (c.table != "-") || len(l.tables) > 1 {
			t.Errorf("in %q, %s: tables %v, want %q", c.database, c.statement, l.tables, c.table)
		}
	}
}
