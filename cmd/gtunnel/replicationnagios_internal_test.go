package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// nagiosCase is a status, and what the plugin makes of it.
type nagiosCase struct {
	status    watch.Status
	connected bool
	code      int
	line      string
}

var failed = &finding.Problem{On: finding.Slave, Code: "sql-error", Text: "it | broke\nbadly", Cure: "mend | it"}

var nagiosCases = map[string]nagiosCase{
	"well": {
		connected: true, code: nagiosOK,
		status: watch.Status{
			State: watch.HealthOK, Healthy: true, Summary: "all applied",
			Lag: watch.Lag{Bytes: new(uint64(0)), Unread: new(uint64(0)), Silence: new(2.5), Seconds: new(int64(0))},
		},
		line: "REPLICATION OK - ok: all applied | lag=0s;60;600;0 bytes=0B;;;0 unread=0B;;;0 silence=2.5s;;;0 " +
			"problems=0;;;0 warnings=0;;;0",
	},
	"lag": {
		connected: true, code: nagiosWarning,
		status: watch.Status{
			State: watch.HealthLagging, Healthy: true, Summary: "behind",
			Lag: watch.Lag{Bytes: new(uint64(5)), Unread: new(uint64(0)), Seconds: new(int64(61))},
		},
		line: "REPLICATION WARNING - lagging: behind; the lag of 61 s is more than --warn-lag 1m | " +
			"lag=61s;60;600;0 bytes=5B;;;0 unread=0B;;;0 problems=0;;;0 warnings=0;;;0",
	},
	"much lag": {
		connected: true, code: nagiosCritical,
		status: watch.Status{
			State: watch.HealthLagging, Healthy: true, Summary: "behind",
			Lag: watch.Lag{Bytes: new(uint64(5)), Unread: new(uint64(0)), Seconds: new(int64(601))},
		},
		line: "REPLICATION CRITICAL - lagging: behind; the lag of 601 s is more than --max-lag 10m | " +
			"lag=601s;60;600;0 bytes=5B;;;0 unread=0B;;;0 problems=0;;;0 warnings=0;;;0",
	},
	"lag that is not known": {
		connected: true, code: nagiosWarning,
		status: watch.Status{
			State: watch.HealthLagging, Healthy: true, Summary: "2 MB behind",
			Lag: watch.Lag{Bytes: new(uint64(2e6)), Unread: new(uint64(2e6)), Seconds: new(int64(0))},
		},
		line: "REPLICATION WARNING - lagging: 2 MB behind; how long is not known | " +
			"bytes=2000000B;;;0 unread=2000000B;;;0 problems=0;;;0 warnings=0;;;0",
	},
	"problem": {
		code: nagiosCritical,
		status: watch.Status{
			State: watch.HealthSQLError, Summary: "an error has stopped it", Problems: []*finding.Problem{failed},
		},
		line: "REPLICATION CRITICAL - sql-error: an error has stopped it; slave: it / broke badly; hint: mend / it | " +
			"problems=1;;;0 warnings=0;;;0",
	},
	"problem beside a state that is well": {
		connected: true, code: nagiosCritical,
		status: watch.Status{
			State: watch.HealthOK, Summary: "all applied", Problems: []*finding.Problem{failed},
			Lag: watch.Lag{Bytes: new(uint64(0))},
		},
		line: "REPLICATION CRITICAL - not well: it / broke badly (ok: all applied); hint: mend / it | " +
			"lag=0s;60;600;0 bytes=0B;;;0 problems=1;;;0 warnings=0;;;0",
	},
	"warning": {
		code: nagiosWarning,
		status: watch.Status{
			State: watch.HealthMaster, Healthy: true, Summary: "one slave", Warnings: []*finding.Problem{failed},
		},
		line: "REPLICATION WARNING - master: one slave; slave: it / broke badly; hint: mend / it | " +
			"problems=0;;;0 warnings=1;;;0",
	},
}

// TestNagiosJudge: what status calls a problem is never OK, what is not known is never 0, and
// the line is one that a program can read.
func TestNagiosJudge(t *testing.T) {
	n := newNagios()
	for name, c := range nagiosCases {
		t.Run(name, func(t *testing.T) {
			if c.connected {
				c.status.Connection = &server.SlaveStatus{}
			}
			var out bytes.Buffer
			m := &Main{Stdout: &out}
			code, text := n.judge(&c.status)
			m.tellNagios(code, text, n.performance(&c.status))
			if code != c.code || out.String() != c.line+"\n" {
				t.Errorf("exit %d, want %d:\n%s%s", code, c.code, &out, c.line)
			}
		})
	}
	if text := pluginText(strings.Repeat("é", 2000)); len(text) > maxPluginText+4 || strings.Contains(text, "\ufffd") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

// TestLagPlot: the plot fits its columns, its highest point is not lost where many looks share
// a column, and what is not known is a gap.
func TestLagPlot(t *testing.T) {
	var p lagPlot
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := begun
	for i := range 2000 {
		var lag *float64
		switch {
		case i == 1500:
			lag = new(float64)
			*lag = 77
		case i < 1200 || i > 1300:
			lag = new(float64)
		}
		at = begun.Add(time.Duration(i) * watchPause)
		p.add(at, lag)
		if i == 0 && p.draw(80, at) != "" {
			t.Error("one look is no plot")
		}
	}
	drawn := p.draw(80, at)
	lines := strings.Split(drawn, "\n")
	for _, line := range lines {
		if n := len([]rune(line)); n > 79 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if len(lines) != plotRows+2 || !strings.Contains(lines[0], "77.0 ") ||
		!strings.Contains(lines[len(lines)-1], "the last 1h") {
		t.Errorf("the plot:\n%s", drawn)
	}
	if p.draw(20, at) != "" {
		t.Error("there is a plot where there is no room")
	}
	unknown := lagPlot{}
	unknown.add(begun, nil)
	unknown.add(at, nil)
	if got := unknown.draw(80, at); !strings.HasSuffix(got, ": not known") {
		t.Errorf("%q", got)
	}
	if testing.Verbose() {
		t.Logf("\n%s", drawn)
	}
}
