package finding_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// A Problem is an error with a hint.
func ExampleNew() {
	var err error = finding.New(finding.Slave, "stopped", "START SLAVE", "somebody has stopped %s", "both threads")
	if p, ok := errors.AsType[*finding.Problem](err); ok {
		fmt.Printf("%v\nhint: %s\n", err, p.Hint())
	}
	// Output:
	// slave: somebody has stopped both threads
	// hint: START SLAVE
}

// Findings are collected, and made one error at the end.
func ExampleFindings() {
	var found, others finding.Findings
	found.Problem(finding.Master, "no-tcp", "", "the server does not listen on TCP")
	others.Problem("", "seed-method", "", "there is no method %q", "x")
	others.Warn(finding.Slave, "writable", "", "it is not read-only")
	found.Add(others)
	fmt.Println(found.Err())
	fmt.Println(len(found.Warnings), finding.HasCode(found.Err(), "seed-method"), finding.HasCode(found.Err(), "writable"))
	// Output:
	// master: the server does not listen on TCP
	// there is no method "x"
	// 1 true false
}

// A Cause tells what an error of a server means.
func ExampleCause() {
	cause := finding.Causes[2003]
	fmt.Printf("%s: %s\nhint: %s\n", cause.Code, cause.Words, cause.Cure)
	// Output:
	// tunnel-down: nothing listens at the local end of the tunnel
	// hint: start it: systemctl status gtunnel-client; gtunnel status
}

func ExampleFormatBytes() {
	for _, n := range []uint64{0, 999, 1500, 999_949_999, 999_950_000, 5e12, 5e15, 5e18} {
		fmt.Println(finding.FormatBytes(n))
	}
	// Output:
	// 0 B
	// 999 B
	// 1.5 kB
	// 999.9 MB
	// 1.0 GB
	// 5.0 TB
	// 5.0 PB
	// 5000.0 PB
}

func ExampleFormatDuration() {
	for _, d := range []time.Duration{90 * time.Second, time.Hour, 90 * time.Minute, 1500 * time.Millisecond} {
		fmt.Println(finding.FormatDuration(d))
	}
	// Output:
	// 1m30s
	// 1h
	// 1h30m
	// 1.5s
}

// A Problem's text has some of many names, its JSON all of them, and whom it is about.
func TestProblemWithItems(t *testing.T) {
	names := strings.Split("a b c d e f g h i j k l", " ")
	p := finding.New("", "many", "rename them", "%d tables: %s", len(names), finding.Items(names))
	if want := "12 tables: a, b, c, d, e, f, g, h, i, j and 2 more (--json has all)"; p.Error() != want {
		t.Errorf("got %q, want %q", p.Error(), want)
	}
	got, err := json.Marshal(p)
	const want = `{"on":"both","code":"many","text":"12 tables: a, b, c, d, e, f, g, h, i, j, k, l","cure":"rename them"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if got, want := finding.New(finding.Slave, "few", "", "%s", finding.Items(names[:2])), "slave: a, b"; got.Error() !=
		want || got.Whole() != "a, b" {
		t.Errorf("got %q, want %q", got, want)
	}
}

func ExampleList() {
	fmt.Println(finding.List([]string{"voms", "iam"}))
	fmt.Println(finding.List(strings.Split("a b c d e f g h i j k l", " ")))
	fmt.Println(finding.Count(1, "table"), finding.Count(2, "table"))
	// Output:
	// voms, iam
	// a, b, c, d, e, f, g, h, i, j and 2 more
	// 1 table 2 tables
}

// TestProblemWraps: the cause of a problem is shown, in JSON too, and can be asked for.
func TestProblemWraps(t *testing.T) {
	p := &finding.Problem{Code: "state", Text: "the state cannot be read", Err: fs.ErrPermission}
	if p.Error() != "the state cannot be read: permission denied" || !errors.Is(p, fs.ErrPermission) {
		t.Errorf("%v wraps %v", p, p.Unwrap())
	}
	if got, err := json.Marshal(p); err != nil || !strings.Contains(string(got), "read: permission denied") {
		t.Errorf("the JSON is %s, %v", got, err)
	}
	if finding.HasCode(fs.ErrPermission, "state") || !finding.HasCode(fmt.Errorf("begin: %w", p), "state") {
		t.Error("the code is not that of the problem")
	}
	if finding.Join(nil) != nil {
		t.Error("no problem is an error")
	}
}

// TestCureOf: a number that is not known has a cure too.
func TestCureOf(t *testing.T) {
	for _, test := range []struct {
		number int
		on     finding.Role
		want   string
	}{
		{1146, finding.Slave, finding.Causes[1146].Cure},
		{1045, finding.Master, finding.Causes[1045].Cure},
		{1045, finding.Slave, "does this account exist on the server, and is its password right?"},
		{4711, finding.Slave, "look it up: error 4711; mend the cause, and run this again"},
	} {
		if got := finding.CureOf(test.number, test.on); got != test.want {
			t.Errorf("%d on the %s: %s", test.number, test.on, got)
		}
	}
}

// TestEveryCauseOnce: the list of causes has each once, also those that only the
// text of an error tells.
func TestEveryCauseOnce(t *testing.T) {
	seen, codes := map[finding.Cause]bool{}, map[string]bool{}
	for _, c := range finding.EveryCause() {
		if seen[c] || c.Code == "" || c.Words == "" || c.Cure == "" {
			t.Errorf("%+v is there twice, or not whole", c)
		}
		seen[c], codes[c.Code] = true, true
	}
	for _, code := range []string{"access-denied", "other-structure", "purged", "diverged", "gtid-mode"} {
		if !codes[code] {
			t.Errorf("the cause %s is missing", code)
		}
	}
	if !seen[finding.LogPurged] {
		t.Error("the purged log is missing")
	}
}
