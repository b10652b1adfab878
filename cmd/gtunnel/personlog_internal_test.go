package main

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal/terminaltest"
)

// TestLogOnTerminal: on a terminal a log has local time, words and no JSON, unless that is
// asked for, and does nothing to the terminal.
func TestLogOnTerminal(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	local := at.Local().Format(time.DateTime)
	for _, test := range []struct {
		format, noColour, want string
	}{
		{"console", "", "\x1b[33mwarning\x1b[0m a peer?[2J  tunnel=x dn=\"/CN=a b\" hosts=a,b until=\"" + local +
			"\" took=1.5s open=0\r\n  hint: run it; again\r\n"},
		{"console", "1", "warning a peer?[2J  tunnel=x dn=\"/CN=a b\" hosts=a,b until=\"" + local +
			"\" took=1.5s open=0\r\n  hint: run it; again\r\n"},
		{"json", "", `,"message":"a peer\u001b[2J","tunnel":"x","dn":"/CN=a b","hosts":["a","b"],"empty":"",` +
			`"until":"2026-01-02T03:04:05.000Z","took":"1.5s","open":0,"cure":"run it; again"}` + "\r\n"},
	} {
		far, near := terminaltest.Open(t, 80)
		c := config.New("client")
		c.LogFormat = test.format
		queue := &logQueue{out: near}
		logger := newLogger(c, queue, func(name string) string {
			return map[string]string{"TERM": "xterm", "NO_COLOR": test.noColour}[name]
		})
		logger.Debug("not at this level")
		logger.With(zap.String("tunnel", "x")).Warn("a peer\x1b[2J", zap.String("dn", "/CN=a b"),
			zap.Strings("hosts", []string{"a", "b"}), zap.String("empty", ""), zap.Time("until", at),
			zap.Duration("took", 1500*time.Millisecond), zap.Int("open", 0), zap.String("cure", "run it; again"))
		if got := terminaltest.Shown(t, far, test.want); test.format != "json" {
			if _, err := time.ParseInLocation(time.DateTime, got[:len(time.DateTime)], time.Local); err != nil ||
				got[len(time.DateTime):] != " "+test.want {
				t.Errorf("it shows %q, want the local time and %q", got, test.want)
			}
		}
	}
	// Lines that are lost are owned up to in the same form.
	_, near := terminaltest.Open(t, 80)
	queue := &logQueue{out: near}
	newLogger(config.New("client"), queue, func(string) string { return "" })
	if got := string(queue.lostAs(2, "disk full")[len(time.DateTime):]); got !=
		" warning lines of this log were lost  lines=2 reason=\"disk full\"\n" {
		t.Errorf("lost lines: %q", got)
	}
}
