package monitor_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/monitor"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// status is one of a slave that works, of a host of a pair.
func status(at time.Time) *watch.Status {
	silence, runs := 1.5, true
	return &watch.Status{
		State: watch.HealthOK, Healthy: true, Summary: "all applied", Time: at, Role: finding.Slave,
		Connection: &server.SlaveStatus{
			MasterHost: "127.0.0.1", MasterPort: 3307, IORunning: "Yes", SQLRunning: "Yes", SecondsBehind: new(int64),
		},
		Lag:      watch.Lag{Bytes: new(uint64), Unread: new(uint64), Seconds: new(int64), Silence: &silence},
		Master:   watch.MasterSide{Reachable: true},
		Warnings: []*finding.Problem{{On: finding.Slave, Code: "clocks", Text: "they differ", Cure: "set them"}},
		Compared: &journal.ComparedNote{Ended: at.Add(-time.Hour), Tables: 3, NotCompared: 1},
		Pair: &watch.PairSide{
			Name: "b", Peer: "a", Term: term.Term{Number: 7, Master: "a"},
			PeerWritable: &runs, Guard: watch.GuardSide{Runs: &runs},
		},
	}
}

// scrape gives the metrics, which promlint takes.
func scrape(t *testing.T, m *monitor.Monitor) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	text := answer.Body.String()
	if problems, err := promlint.New(strings.NewReader(text)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
	return text
}

// TestUnknown: before the first look, and after one that has failed, there is nothing that would
// look like health.
func TestUnknown(t *testing.T) {
	m, now := monitor.New(time.Minute), time.Now()
	if text := scrape(t, m); strings.Contains(text, "mysql_") || strings.Contains(text, "_state{") {
		t.Errorf("before the first look:\n%s", text)
	}
	if line := m.See(status(now)); line == nil || line.Trouble || line.State != "ok" || line.Hint != "set them" {
		t.Errorf("%+v", line)
	}
	if line := m.See(status(now.Add(time.Second))); line != nil {
		t.Errorf("the same is said again: %+v", line)
	}
	text := scrape(t, m)
	for _, want := range []string{
		"mysql_up 1", `mysql_slave_status_seconds_behind_master{channel_name="",connection_name="",` +
			`master_host="127.0.0.1",master_uuid=""} 0`,
		"gtunnel_replication_lag_seconds 0", "gtunnel_replication_term 7", `gtunnel_replication_role{role="master"} 0`,
		`gtunnel_replication_findings{code="clocks",level="warning"} 1`, "gtunnel_replication_compared_equal 1",
		"gtunnel_replication_compared_left_out 1", "gtunnel_replication_master_silence_seconds 1.5",
		`gtunnel_replication_writable{host="peer"} 1`, `gtunnel_replication_guard_running{host="this"} 1`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	line := m.Fail(now.Add(2*time.Second), errors.New("no way"), "look there")
	if line == nil || !line.Trouble || line.Hint != "look there" {
		t.Errorf("%+v", line)
	}
	text = scrape(t, m)
	for _, absent := range []string{"mysql_", "_lag_", "_healthy", "_term", "_role", "_findings", "_guard", "_silence"} {
		if strings.Contains(text, "\n"+absent) || strings.Contains(text, "\ngtunnel_replication"+absent) {
			t.Errorf("not known, and there: %s in\n%s", absent, text)
		}
	}
	if !strings.Contains(text, `gtunnel_replication_state{state="unknown"} 1`) ||
		!strings.Contains(text, "gtunnel_replication_compared_equal 1") { // which is noted on this host
		t.Errorf("\n%s", text)
	}
	shown := m.Replication()
	if shown.State != page.ReplicationUnknown || shown.LagSeconds != nil || shown.Compared == nil ||
		shown.Master != "127.0.0.1:3307" || !shown.Since.Equal(now.Add(2*time.Second)) {
		t.Errorf("%+v", shown)
	}
}

// TestDeadLink: the slave's own word is not there while it means nothing.
func TestDeadLink(t *testing.T) {
	m, s := monitor.New(time.Minute), status(time.Now())
	s.State, s.Healthy, s.Lag.Bytes, s.Lag.Unread, s.Master.Reachable = watch.HealthStalled, false, nil, nil, false
	m.See(s)
	text := scrape(t, m)
	if strings.Contains(text, "seconds_behind_master{") || strings.Contains(text, "\ngtunnel_replication_lag") {
		t.Errorf("a dead link has no lag of 0:\n%s", text)
	}
	if got := m.Replication(); got.State != page.ReplicationBroken || got.LagSeconds != nil {
		t.Errorf("%+v", got)
	}
}

// TestHistory: an hour at most, and no more points than the page takes; what is empty is no null.
func TestHistory(t *testing.T) {
	m, begun := monitor.New(time.Minute), time.Now()
	for i := range 1000 {
		m.See(status(begun.Add(time.Duration(i) * 5 * time.Second)))
	}
	if n := len(m.Replication().History); n != page.HistoryLimit {
		t.Errorf("%d points", n)
	}
	m.See(status(begun.Add(3 * time.Hour)))
	if n := len(m.Replication().History); n != 1 {
		t.Errorf("%d points after hours", n)
	}
	text, err := json.Marshal(monitor.New(time.Minute).Replication())
	if err != nil || !strings.Contains(string(text), `"findings":[],"history":[],"compared":null`) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestHistoryOfFrequentLooks: looks each second are an hour too, thinned to what is worst of
// each ten seconds: a short peak is seen, and so is a look that came to nothing.
func TestHistoryOfFrequentLooks(t *testing.T) {
	m, begun := monitor.New(time.Minute), time.Now().Truncate(time.Hour)
	const looks, peak, failed = 2 * 3600, 5000, 6003
	for i := range looks {
		at := begun.Add(time.Duration(i) * time.Second)
		s := status(at)
		switch i {
		case failed:
			m.Fail(at, errors.New("no way"), "")
			continue
		case peak:
			s.Lag.Bytes, s.Lag.Seconds = new(uint64(1<<20)), new(int64(77))
		}
		m.See(s)
	}
	history := m.Replication().History
	first, last := history[0].At, history[len(history)-1].At
	if len(history) != page.HistoryLimit || last.Sub(first) < 59*time.Minute || last.Sub(first) > time.Hour {
		t.Errorf("%d points of %s", len(history), last.Sub(first))
	}
	seen := map[int]bool{}
	for i, point := range history {
		if i > 0 && !point.At.After(history[i-1].At) {
			t.Errorf("%s comes after %s", point.At, history[i-1].At)
		}
		seen[int(point.At.Sub(begun).Seconds())] = point.LagSeconds == nil || *point.LagSeconds > 0
	}
	if !seen[peak] || !seen[failed] {
		t.Errorf("the peak is there: %t; the look that failed: %t", seen[peak], seen[failed])
	}
}

// TestStuck: a process that does not look any more is not healthy, and says nothing of what it
// has seen before.
func TestStuck(t *testing.T) {
	for stale, want := range map[time.Duration]struct {
		code           int
		state          page.ReplicationState
		metric, absent string
	}{
		time.Hour:    {200, page.ReplicationRunning, `state{state="ok"} 1`, `state{state="unknown"} 1`},
		-time.Second: {503, page.ReplicationUnknown, `state{state="unknown"} 1`, "healthy 1"},
	} {
		m := monitor.New(stale)
		m.See(status(time.Now()))
		answer := httptest.NewRecorder()
		m.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/healthz", nil))
		if answer.Code != want.code {
			t.Errorf("%d, want %d: %s", answer.Code, want.code, answer.Body)
		}
		if shown := m.Replication(); shown.State != want.state || (shown.LagSeconds == nil) != (want.code == 503) {
			t.Errorf("the page is told %+v", shown)
		}
		text := scrape(t, m)
		if !strings.Contains(text, "gtunnel_replication_"+want.metric) ||
			strings.Contains(text, "gtunnel_replication_"+want.absent) {
			t.Errorf("want %s and not %s:\n%s", want.metric, want.absent, text)
		}
	}
}
