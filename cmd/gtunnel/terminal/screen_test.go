package terminal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal/terminaltest"
)

// environment gives variables to look up.
func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// screens are lines as a terminal of so many columns shows them; of 0 columns, as
// what is no terminal gets them.
var screens = []struct {
	columns uint16
	head    terminal.Head
	text    string
	how     terminal.Wrapping
	want    string
}{
	{
		26,
		terminal.Head{Text: " 1. "},
		"copy the databases and one-very-long-name.that.is.not.broken now", terminal.Prose,
		" 1. copy the databases\r\n    and\r\n    one-very-long-name.that.is.not.broken\r\n    now\r\n",
	},
	{26, terminal.Head{Text: " 1. "}, "copy 数据库, 表数据库表数", terminal.Prose, " 1. copy 数据库,\r\n    表数据库表数\r\n"},
	{
		36,
		terminal.Head{Text: "  SQL   "},
		"GRANT SELECT ON `a b c`.* TO 'x y'@'%' IDENTIFIED BY 'it\\'s a b c d e'", terminal.SQL,
		"  SQL   GRANT SELECT ON `a b c`.*\r\n        TO 'x y'@'%' IDENTIFIED BY\r\n" +
			"        'it\\'s a b c d e'\r\n",
	},
	{30, terminal.Head{}, "SELECT 1 -- a comment that is long, and not broken", terminal.SQL, "" +
		"SELECT 1 -- a comment that is long, and not broken\r\n"},
	{30, terminal.Head{Text: "hint: "}, "systemctl   status gtunnel-client gtunnel-server", terminal.Verbatim, "" +
		"hint: systemctl   status gtunnel-client gtunnel-server\r\n"},
	{30, terminal.Head{Text: "file  "}, "a\n\n  b\x1b[2J", terminal.Verbatim, "file  a\r\n\r\n        b?[2J\r\n"},
	{
		22,
		terminal.Head{Text: "too narrow to wrap: "},
		"a b c d e f", terminal.Prose,
		"too narrow to wrap: a b c d e f\r\n",
	},
	{
		40,
		terminal.Head{Text: "problem  ", Colour: terminal.Bad},
		"slave: it is stopped", terminal.Prose,
		"\x1b[1;31mproblem\x1b[0m  slave: it is stopped\r\n",
	},
	{
		0,
		terminal.Head{Text: "problem  ", Colour: terminal.Bad},
		strings.Repeat("word ", 40) + "\nx  y", terminal.Prose,
		"problem  " + strings.TrimSpace(strings.Repeat("word ", 40)) + "\n         x  y\n",
	},
}

func TestScreen(t *testing.T) {
	for _, test := range screens {
		var plain bytes.Buffer
		screen := terminal.NewScreen(&plain, environment(map[string]string{"TERM": "xterm"}))
		if test.columns == 0 {
			screen.Write(test.head, test.text, test.how)
			if got := plain.String(); got != test.want || screen.IsTerminal() {
				t.Errorf("no terminal gets\n%q, want\n%q", got, test.want)
			}
			continue
		}
		far, near := terminaltest.Open(t, test.columns)
		screen = terminal.NewScreen(near, environment(map[string]string{"TERM": "xterm"}))
		screen.Write(test.head, test.text, test.how)
		screen.Write(terminal.Head{Text: "end."}, "", terminal.Prose)
		if got, want := terminaltest.Shown(t, far, "end.\r\n"), test.want+"end.\r\n"; got != want || !screen.IsTerminal() {
			t.Errorf("%d columns show\n%q, want\n%q", test.columns, got, want)
		}
	}
}

// TestNoColour: colours are for terminals that have them, and for people who want them.
func TestNoColour(t *testing.T) {
	_, near := terminaltest.Open(t, 80)
	for _, test := range []struct {
		variables map[string]string
		coloured  bool
	}{
		{map[string]string{"TERM": "xterm-256color"}, true},
		{map[string]string{"TERM": "xterm", "NO_COLOR": ""}, true},
		{map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{map[string]string{"TERM": "dumb"}, false},
		{map[string]string{}, false},
	} {
		screen := terminal.NewScreen(near, environment(test.variables))
		painted := screen.Paint(terminal.Head{Text: "ok  ", Colour: terminal.Good})
		if coloured := strings.Contains(painted, "\x1b["); coloured != test.coloured {
			t.Errorf("%v: %q", test.variables, painted)
		}
	}
}
