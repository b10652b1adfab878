package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// nagios is what a status is held against as a plugin of Nagios, Icinga and their like.
type nagios struct {
	on         bool
	warn, most time.Duration // of the lag
	patience   time.Duration // for the whole look
}

// The states of a plugin, which are its exit codes (Nagios Plugins Development Guidelines,
// "Plugin Return Codes").
const (
	nagiosOK = iota
	nagiosWarning
	nagiosCritical
	nagiosUnknown
)

var nagiosWords = []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// nagiosFlag makes of a status a plugin.
const nagiosFlag = "--nagios"

// newNagios has the presets.
func newNagios() nagios {
	return nagios{warn: time.Minute, most: 10 * time.Minute, patience: 30 * time.Second}
}

// settings are the flags.
func (n *nagios) settings() []config.Setting {
	return []config.Setting{
		{Name: "nagios", Target: &n.on, Usage: "one line with perfdata; exit 0 to 3 for Nagios and Icinga"},
		{Name: "warn-lag", Arg: "TIME", Target: &n.warn, Usage: "of --nagios: more is WARNING"},
		{Name: "max-lag", Arg: "TIME", Target: &n.most, Usage: "of --nagios: more is CRITICAL"},
		{
			Name: "timeout", Arg: "TIME", Target: &n.patience, Least: time.Second,
			Usage: "of --nagios: no answer by then is CRITICAL",
		},
	}
}

// nagiosError is how a plugin ends: what it has to say is said.
type nagiosError struct{ code int }

// Error is the state.
func (e *nagiosError) Error() string { return nagiosWords[e.code] }

// asPlugin looks once and says in a line how the replication is, within a bound of time.
func (m *Main) asPlugin(ctx context.Context, q *statusQuestion) error {
	n := &q.nagios
	switch {
	case q.asJSON || q.watch || q.forget != 0:
		return &usage.Error{Where: nagiosFlag, Message: "goes with no other output", Cure: "leave --json and --watch out"}
	case n.most < n.warn:
		return &usage.Error{
			Where: "--max-lag", Message: fmt.Sprintf("%s is less than --warn-lag %s", n.most, n.warn), Cure: "give it more",
		}
	}
	m.Stdin = strings.NewReader("") // nobody is there to be asked
	within, cancel := context.WithTimeout(ctx, n.patience)
	defer cancel()
	status, err := m.readReplicationStatus(within, q)
	switch {
	case err != nil && within.Err() != nil && ctx.Err() == nil:
		// What is beyond the plugin, as a time-out is, is not UNKNOWN (Guidelines, the same).
		m.tellNagios(nagiosCritical, fmt.Sprintf("no answer within --timeout %s: %v", n.patience, err), "")
		return &nagiosError{code: nagiosCritical}
	case err != nil:
		return err // which pluginEnd tells
	}
	status.Problems, status.Warnings = m.inCommandsOf(status.Problems), m.inCommandsOf(status.Warnings)
	code, text := n.judge(status)
	m.tellNagios(code, text, n.performance(status))
	if code == nagiosOK {
		return nil
	}
	return &nagiosError{code: code}
}

// pluginEnd gives the exit code of a run as a plugin, and tells there why it could not look;
// false if it was none. Wrong usage is one too: 2 would be CRITICAL.
func (m *Main) pluginEnd(err error) (code int, ended bool) {
	if end, ok := errors.AsType[*nagiosError](err); ok {
		return end.code, true
	}
	if !slices.Contains(m.Args, nagiosFlag) && !slices.Contains(m.Args, nagiosFlag+"=true") {
		return 0, false
	}
	text := inFlags(err.Error())
	if hint := usage.HintOf(err); hint != "" {
		text += "; hint: " + m.inCommands(inFlags(hint))
	}
	m.tellNagios(nagiosUnknown, text, "")
	return nagiosUnknown, true
}

// tellNagios prints the line.
func (m *Main) tellNagios(code int, text, performance string) {
	line := fmt.Sprintf("REPLICATION %s - %s", nagiosWords[code], pluginText(text))
	if performance != "" {
		line += " | " + performance
	}
	fmt.Fprintln(m.Stdout, line)
}

// maxPluginText bounds the text of a line, in bytes: NRPE before version 3 cuts at 1 KiB, and the
// performance data must fit.
const maxPluginText = 700

// pluginText is a text that stays on one line, and left of the performance data.
func pluginText(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "|", "/")), " ")
	if len(text) <= maxPluginText {
		return text
	}
	return strings.ToValidUTF8(text[:maxPluginText], "") + " ..."
}

// judge is the state of a plugin, and why. What status calls a problem is never OK.
func (n *nagios) judge(s *watch.Status) (code int, text string) {
	text = s.String()
	add := func(format string, args ...any) { text += "; " + fmt.Sprintf(format, args...) }
	lag := s.LagSeconds()
	switch {
	case !s.Healthy:
		code = nagiosCritical
		if len(s.Problems) > 0 {
			if first := s.Problems[0]; !strings.Contains(text, first.Text) {
				add("%s", first.Error())
			}
		}
	case lag != nil && *lag > n.most.Seconds():
		code = nagiosCritical
		add("the lag of %s s is more than --max-lag %s", number(*lag), finding.FormatDuration(n.most))
	case lag != nil && *lag > n.warn.Seconds():
		code = nagiosWarning
		add("the lag of %s s is more than --warn-lag %s", number(*lag), finding.FormatDuration(n.warn))
	case lag == nil && s.State == watch.HealthLagging:
		code = nagiosWarning
		add("how long is not known")
	case len(s.Warnings) > 0:
		code = nagiosWarning
		add("%s", s.Warnings[0].Error())
	}
	for _, found := range append(slices.Clone(s.Problems), s.Warnings...) {
		if found.Cure != "" && code != nagiosOK {
			add("hint: %s", found.Cure)
			break
		}
	}
	return code, text
}

// number is a number as every reader of performance data takes it: without an exponent.
func number(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

// performance is what is measured, by the Guidelines' "Performance data": what is not known is
// not there.
func (n *nagios) performance(s *watch.Status) string {
	var data []string
	if lag := s.LagSeconds(); lag != nil {
		data = append(data, fmt.Sprintf("lag=%ss;%s;%s;0", number(*lag),
			number(n.warn.Seconds()), number(n.most.Seconds())))
	}
	for _, bytes := range []struct {
		label string
		n     *uint64
	}{{"bytes", s.Lag.Bytes}, {"unread", s.Lag.Unread}} {
		if bytes.n != nil {
			data = append(data, fmt.Sprintf("%s=%dB;;;0", bytes.label, *bytes.n))
		}
	}
	if s.Lag.Silence != nil {
		data = append(data, fmt.Sprintf("silence=%ss;;;0", number(*s.Lag.Silence)))
	}
	return strings.Join(append(data,
		fmt.Sprintf("problems=%d;;;0", len(s.Problems)), fmt.Sprintf("warnings=%d;;;0", len(s.Warnings))), " ")
}
