package monitor

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// Monitor is what is known of a replication. One goroutine calls See and Fail; the others may
// be called by any.
type Monitor struct {
	stale time.Duration

	mu       sync.Mutex
	begun    time.Time
	status   *watch.Status // of the last look; nil: it has failed, or there was none
	lag      *float64      // at its time
	meter    watch.LagMeter
	compared *journal.ComparedNote // also of a look before
	now      page.Replication
	said     string        // what the last line was about
	looked   time.Time     // when the last look ended
	took     time.Duration // the last look
	done     uint64        // looks
	failed   uint64
}

// New makes one that has not looked yet. A look that is older than stale is a fault of the
// process itself: see Handler.
func New(stale time.Duration) *Monitor {
	now := time.Now()
	return &Monitor{stale: stale, begun: now, looked: now, now: page.Replication{
		State: page.ReplicationUnknown, Summary: "the replication has not been looked at yet", Since: now,
		Findings: []page.ReplicationFinding{}, History: []page.LagPoint{},
	}}
}

// Line is what a look has shown that the one before it has not.
type Line struct {
	State   string // of status, in a word
	Summary string
	Codes   []string // of what was found
	Hint    string   // what to do; empty: nothing
	Trouble bool     // somebody must do it
}

// See takes the status of a look into account. It gives a line for the log where that is
// worth one, nil where all is as it was: lags and sizes change without.
func (m *Monitor) See(s *watch.Status) *Line {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status, m.lag = s, m.meter.Measure(s)
	if s.Compared != nil {
		m.compared = s.Compared
	}
	m.done++
	m.ended(s.Time)
	next := page.Replication{State: stateOf(s), Summary: s.String(), Hint: hintOf(s), LagSeconds: m.lag}
	if c := s.Connection; c != nil && c.MasterHost != "" {
		next.Master = net.JoinHostPort(c.MasterHost, strconv.Itoa(c.MasterPort))
	}
	for _, level := range []struct {
		name  string
		found []*finding.Problem
	}{{"problem", s.Problems}, {"warning", s.Warnings}} {
		for _, p := range level.found {
			next.Findings = append(next.Findings, page.ReplicationFinding{
				Level: level.name, Code: p.Code, Text: p.Error(), Cure: p.Cure,
			})
		}
	}
	m.show(next, s.Time)
	line := &Line{State: string(s.State), Summary: s.String(), Codes: codes(s), Hint: next.Hint, Trouble: !s.Healthy}
	return m.unlessSaid(line)
}

// Fail takes a look into account, begun at a time, that has come to nothing.
func (m *Monitor) Fail(at time.Time, err error, hint string) *Line {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status, m.lag = nil, nil
	m.failed++
	m.ended(at)
	text := "the replication could not be looked at: " + err.Error()
	m.show(page.Replication{State: page.ReplicationUnknown, Summary: text, Hint: hint, Master: m.now.Master}, at)
	return m.unlessSaid(&Line{State: string(page.ReplicationUnknown), Summary: text, Hint: hint, Trouble: true})
}

// ended notes the end of a look.
func (m *Monitor) ended(begun time.Time) {
	m.looked = time.Now()
	m.took = m.looked.Sub(begun)
}

// show makes next what is known, with what it has of the time before.
func (m *Monitor) show(next page.Replication, at time.Time) {
	next.Since = m.now.Since
	if next.State != m.now.State {
		next.Since = at
	}
	if next.Findings == nil {
		next.Findings = []page.ReplicationFinding{} // not null in JSON
	}
	next.History = withPoint(m.now.History, page.LagPoint{At: at, LagSeconds: next.LagSeconds})
	if c := m.compared; c != nil {
		next.Compared = &page.Comparison{At: c.Ended, Equal: c.Differing == 0, Summary: c.String()}
	}
	m.now = next
}

// unlessSaid gives the line if the last one was about something else.
func (m *Monitor) unlessSaid(line *Line) *Line {
	about := line.State + " " + strings.Join(line.Codes, " ")
	if line.State == string(page.ReplicationUnknown) {
		about = line.Summary
	}
	if about == m.said {
		return nil
	}
	m.said = about
	return line
}

// Replication is what the page shows. Nobody changes it any more. What was seen before the
// process got stuck is not said to be so now.
func (m *Monitor) Replication() page.Replication {
	m.mu.Lock()
	defer m.mu.Unlock()
	shown := m.now
	shown.History = slices.Clone(shown.History)
	if err := m.stuck(); err != nil {
		shown.State, shown.LagSeconds, shown.Findings = page.ReplicationUnknown, nil, []page.ReplicationFinding{}
		shown.Summary, shown.Hint, shown.Since = err.Error(), "systemctl restart gtunnel-monitor", m.looked
	}
	return shown
}

// Summary is the state in a line.
func (m *Monitor) Summary() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.Summary
}

// Stuck is why the process itself does not do its work; nil if it does.
func (m *Monitor) Stuck() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stuck()
}

// stuck is Stuck for who has locked.
func (m *Monitor) stuck() error {
	if ago := time.Since(m.looked); ago > m.stale {
		return fmt.Errorf("the last look at the replication ended %s ago", finding.FormatDuration(ago.Round(time.Second)))
	}
	return nil
}

// states are those of the page, by those of status.
var states = map[watch.Health]page.ReplicationState{
	watch.HealthOK: page.ReplicationRunning, watch.HealthLagging: page.ReplicationRunning,
	watch.HealthMaster: page.ReplicationRunning, watch.HealthWritableSlave: page.ReplicationRunning,

	watch.HealthIOStopped: page.ReplicationStopped, watch.HealthNotConfigured: page.ReplicationStopped,
	watch.HealthCopying: page.ReplicationStopped, watch.HealthCutOffWork: page.ReplicationStopped,
	watch.HealthGuardReadOnly: page.ReplicationStopped,

	watch.HealthServerDown: page.ReplicationUnknown,
}

// stateOf is the state for the page. What is not listed does not go on as it is.
func stateOf(s *watch.Status) page.ReplicationState {
	c := s.Connection
	if s.State == watch.HealthApplierStuck && c != nil && c.SQLRunning == "No" {
		return page.ReplicationStopped
	}
	if state, ok := states[s.State]; ok {
		return state
	}
	return page.ReplicationBroken
}

// hintOf is the cure of what matters most; empty if nothing is to be done.
func hintOf(s *watch.Status) string {
	for _, p := range slices.Concat(s.Problems, s.Warnings) {
		if p.Cure != "" {
			return p.Cure
		}
	}
	return ""
}

// codes are those of all that was found, each once, in order.
func codes(s *watch.Status) []string {
	var list []string
	for _, p := range slices.Concat(s.Problems, s.Warnings) {
		list = append(list, p.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
