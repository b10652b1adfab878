package seed

import (
	"io"
	"strings"
	"testing"
)

// cutDumpText is a dump of two databases, with a routine that looks like a part of a dump.
const cutDumpText = `-- MariaDB dump
/*!40014 SET FOREIGN_KEY_CHECKS=0 */;

--
-- Current Database: ` + "`a`" + `
--

DROP DATABASE IF EXISTS a;
USE a;

--
-- Table structure for table ` + "`one`" + `
--

CREATE one;
INSERT one;
DELIMITER ;;
CREATE TRIGGER one
-- Table structure for table ` + "`fake`" + `
END ;;
DELIMITER ;

--
-- Table structure for table ` + "`t``wo`" + `
--

INSERT two;
-- Current Database: ` + "`b`" + `
USE b;
-- Table structure for table ` + "`three`" + `
INSERT three;
CREATE VIEW v;
-- Dump completed
`

func newTestCuts(skip int, has ...string) (c *cuts, left *int) {
	c, left = newCuts(strings.NewReader(cutDumpText)), new(int)
	c.word, c.skip, c.has = "W", skip, map[string]bool{}
	c.left = func(n int) { *left += n }
	for _, name := range has {
		c.has[name] = true
	}
	return c, left
}

// TestCuts reads a dump with its marks: before each table but the first, and not in a routine.
func TestCuts(t *testing.T) {
	c, _ := newTestCuts(0)
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	want := cutDumpText
	for i, at := range []string{"-- Table structure for table `t``wo`", "-- Table structure for table `three`"} {
		want = strings.Replace(want, at, "SELECT 'W "+string(rune('1'+i))+"';\n"+at, 1)
	}
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
	for said, is := range map[string]struct {
		whole int
		next  string
	}{"W 1": {1, "a.t`wo"}, "W 2\n": {2, "b.three"}, "W 3": {}, "W -1": {}, "V 1": {}, "W x": {}, "": {}} {
		if whole, next := c.confirmed(said); whole != is.whole || next != is.next {
			t.Errorf("%q: %d, %s", said, whole, next)
		}
	}
}

// TestCutsSkip goes on at each table: with the settings of the head, in its database, and with
// all that comes after.
func TestCutsSkip(t *testing.T) {
	all := []string{"a.one", "a.t`wo", "b.three"}
	for skip, is := range map[int]struct{ database, from string }{
		1: {"a", "-- Table structure for table `t``wo`"}, 2: {"b", "-- Table structure for table `three`"},
	} {
		c, left := newTestCuts(skip, all[:skip]...)
		got, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		rest := cutDumpText[strings.Index(cutDumpText, is.from):]
		head := cutDumpText[:strings.Index(cutDumpText, "-- Current Database")]
		middle := strings.TrimSuffix(strings.TrimPrefix(string(got), head), rest)
		if skip == 1 { // the mark of the next one
			rest = strings.Replace(rest, "-- Table structure for table `three`",
				"SELECT 'W 2';\n-- Table structure for table `three`", 1)
			middle = strings.TrimSuffix(strings.TrimPrefix(string(got), head), rest)
		}
		if middle != "-- Current Database: `"+is.database+"`\n--\n\nUSE `"+is.database+"`;\n\n--\n" {
			t.Errorf("%d: got\n%s", skip, got)
		}
		if want := strings.Index(cutDumpText, is.from) - len(head); *left != want {
			t.Errorf("%d: %d bytes are left out, and %d are", skip, *left, want)
		}
	}
	c, _ := newTestCuts(2, "a.one")                 // somebody has dropped the other one
	if _, err := io.ReadAll(c); err != errNotLeft { //nolint:errorlint // nothing wraps it
		t.Errorf("it goes on without a table: %v", err)
	}
	c, _ = newTestCuts(9, all...) // which no dump of this checksum can have
	if got, _ := io.ReadAll(c); strings.Contains(string(got), "completed") {
		t.Error("a dump without the table to begin at looks whole")
	}
}
