package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/replication/failover"
)

// journalIdentifier is what the lines of commands have in the journal: journalctl -t gtunnel.
const journalIdentifier = "gtunnel"

// logEvents is where the events of a command that changes who is the master go: to the log,
// as those of the guard do, which is the standard error. Where that is a terminal the command
// itself says all of it; the lines then go to systemd's journal, if there is one, so that the
// log of what was done does not end with the terminal.
func (m *Main) logEvents(file string) func(failover.Event) {
	if terminal.NewScreen(m.Stderr, m.Getenv).IsTerminal() {
		if journal.Enabled() {
			return sendEvent
		}
		return nil
	}
	c, err := config.Read(file)
	if err != nil {
		return nil // the command has read it before, and says what is wrong with it
	}
	logger := newLogger(c, m.log, m.Getenv)
	return func(e failover.Event) { logEvent(logger, e) }
}

// sendEvent sends an event to the journal. What cannot be sent is lost: it was told at the
// terminal.
func sendEvent(e failover.Event) {
	priority := journal.PriInfo
	if e.Trouble {
		priority = journal.PriWarning
	}
	_ = journal.Send(eventText(e), priority, map[string]string{"SYSLOG_IDENTIFIER": journalIdentifier})
}

// eventText is an event in a line.
func eventText(e failover.Event) string {
	parts := []string{e.Name}
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, fmt.Sprint(e.Fields[name])))
	}
	return strings.Join(parts, " ")
}

// logEvent writes a line of what the guard or a command tells.
func logEvent(logger *zap.Logger, e failover.Event) {
	var fields []zap.Field
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		fields = append(fields, zap.Any(name, e.Fields[name]))
	}
	if e.Trouble {
		logger.Warn(e.Name, fields...)
		return
	}
	logger.Info(e.Name, fields...)
}
