package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestLonglink takes every step over lines that are neither long nor thin.
func TestLonglink(t *testing.T) {
	measures(t)
	t.Attr("needs", "mariadb")
	word := mark(t)
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{
		"longlink", "--rtt", "1ms", "--tables", "2", "--rows", "3", "--thin-rtt", "1ms", "--thin-rows", "20",
		"--method", "dump", "--json", "--gtunnel", buildGtunnel(t),
	}, &stdout, &stderr)
	_, noPair := errors.AsType[*missingError](err)
	_, noServer := errors.AsType[*servertest.MissingError](err)
	if (noPair || noServer) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var r longlinkResult
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range r.Steps {
		names = append(names, s.Name)
		if s.Seconds <= 0 || s.Met != "" {
			t.Errorf("%s: %g s, of a reach that is for another case: %q", s.Name, s.Seconds, s.Met)
		}
	}
	want := []string{
		stepDryRun, stepCopy, stepWhole, stepCompare, stepAgain, stepStatus, "copy by --method dump", stepWhole, stepSeed,
		stepWhole, stepThin,
	}
	if got := strings.Join(names, "; "); got != strings.Join(want, "; ") {
		t.Errorf("the steps are %s", got)
	}
	if last := r.Steps[len(r.Steps)-1]; len(last.Bare) != 2 || last.Line.Rate != thinMbit*1e6/8 {
		t.Errorf("the thin line: %+v", last)
	}
	waitNone(t, word)
}

// TestStepClock: the plan has the same lines before, and another step may come in between.
func TestStepClock(t *testing.T) {
	var c stepClock
	start := time.Now()
	for n, line := range []string{
		" 1. slave: set its server_id", " 2. slave: copy far, about 1 MB", "      why   it is a step", " 3. slave: follow",
		"10. slave: set its server_id", " 2. slave: copy far, about 1 MB", "copied, 1 MB", " 3. slave: follow", "done",
	} {
		c.hear(line, start.Add(time.Duration(n)*time.Second))
	}
	if took, err := c.copyTime(); err != nil || took != 2*time.Second {
		t.Errorf("the copy took %s, %v", took, err)
	}
	if _, err := new(stepClock).copyTime(); err == nil {
		t.Error("a copy of which nothing was heard has a time")
	}
}

// TestReach: it is for its own case alone, and says what was met.
func TestReach(t *testing.T) {
	l := longlink{kind: servertest.MariaDB, tables: reachTables, rows: reachRows, thinRows: reachThinRows}
	long, thin := lineShape{RoundTrip: reachTrip}, lineShape{RoundTrip: thinTrip, Rate: thinMbit * 1e6 / 8}
	for step, shape := range map[string]lineShape{stepSeed: long, stepThin: thin} {
		r := l.reachOf(step, shape)
		if got := r.met(r.aim) + r.met(r.most) + r.met(r.most+1); got != "aimyesNO" {
			t.Errorf("%s: %s", step, got)
		}
		mysql := l
		mysql.kind = servertest.MySQL97
		if of := mysql.reachOf(step, shape); of.most != mysqlShare*r.most || of.aim != mysqlShare*r.aim {
			t.Errorf("%s of MySQL: %v", step, of)
		}
	}
	for _, shape := range []lineShape{thin, {RoundTrip: time.Millisecond}} {
		if r := l.reachOf(stepSeed, shape); r.met(1) != "" {
			t.Errorf("%s: %v", shape, r)
		}
	}
	if r := l.reachOf(stepWhole, long); r.met(1) != "" {
		t.Errorf("the whole: %v", r)
	}
}

func TestLonglinkReports(t *testing.T) {
	l := longlink{kind: servertest.MariaDB, tables: 100, rows: 200}
	r := l.newResult()
	r.add(lineShape{RoundTrip: reachTrip}, timed{stepSeed, 2.5}, reaches[stepSeed], timed{"a | b", 1.25})
	var text, table strings.Builder
	if err := errors.Join(r.writeText(&text), r.writeMarkdown(&table)); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); !strings.Contains(got, "mariadb; 100 tables of 200 rows") ||
		!strings.Contains(got, "1.2 a | b\n") {
		t.Errorf("the text:\n%s", text.String())
	}
	row := "| round trip 60ms | copy by dump piped to --seed - | 2.5 | 3.0 | 2.0 | yes | 1.2 a \\| b |\n"
	if !strings.Contains(table.String(), row) {
		t.Errorf("the table:\n%s", table.String())
	}
}

func TestLineOptions(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"longlink", "--tables", "0"}, "--tables 0"},
		{[]string{"longlink", "--rows", "1000001"}, "--rows 1000001"},
		{[]string{"longlink", "--rtt", "6s"}, "a round trip of 6s"},
		{[]string{"longlink", "--server", "oracle"}, "--server oracle: there are mariadb, "},
		{[]string{"longlink", "--thin-mbit", "0"}, "--thin-mbit 0"},
		{[]string{"longlink", "--json", "--markdown"}, "only one of"},
		{[]string{"longlink", "far"}, `unexpected "far"`},
		{[]string{"line", "--mbit", "0"}, "--mbit 1 to 10000"},
		{[]string{"line", "--pairs", "spiped"}, `no pair is called "spiped"`},
		{[]string{"line", "long"}, `unexpected "long"`},
	} {
		err := run(t.Context(), c.args, io.Discard, io.Discard)
		if _, usage := errors.AsType[*usageError](err); !usage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want a usage error with %q", c.args, err, c.want)
		}
	}
	for _, name := range []string{"longlink", "line"} {
		if err := run(t.Context(), []string{name, "--help"}, io.Discard, io.Discard); err != nil {
			t.Errorf("%s --help: %v", name, err)
		}
	}
}
