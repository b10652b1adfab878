package watch

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Health is the state of a replication in a word.
type Health = rules.Health

// The states, from the best.
const (
	HealthRunning    = rules.HealthRunning
	HealthCatchingUp = rules.HealthCatchingUp
	HealthConnecting = rules.HealthConnecting
	HealthStalled    = rules.HealthStalled
	HealthStopped    = rules.HealthStopped
	HealthBroken     = rules.HealthBroken
	HealthNotSetUp   = rules.HealthNotSetUp
)

// judge makes the state, the problems and the warnings of what was read.
func (s *Status) judge() {
	judged := s.subject()
	s.State, s.Summary = judged.Health(), judged.Summary()
	found := rules.Judge(judged)
	s.Problems = append([]*finding.Problem{}, found.Problems...) // not null in JSON
	s.Warnings = append([]*finding.Problem{}, found.Warnings...)
	s.Healthy = len(s.Problems) == 0
}

// subject is the status as rules judge it.
func (s *Status) subject() *rules.Subject {
	slave := *s.variables
	slave.Role, slave.Version, slave.Writers = finding.Slave, s.version, s.Slave.Writers
	if slave.Masters = nil; s.Connection != nil {
		slave.Masters = []*server.SlaveStatus{s.Connection}
	}
	seen := rules.Seen{
		Asked: s.Master.Reachable, Reason: s.Master.Reason, Cure: s.Master.cure, LogsNothing: s.Master.logsNothing,
		MasterID: s.Master.ServerID, SameMaster: s.sameMaster, OneServer: s.same,
		Bytes: s.Lag.Bytes, Unread: s.Lag.Unread, Seconds: s.Lag.Seconds,
		Watched: s.watched, Silent: s.silent, Moved: s.moved,
		Busy: s.busy, Events: s.events,
	}
	if s.Lag.Silence != nil {
		silence := time.Duration(*s.Lag.Silence * float64(time.Second))
		seen.Silence = &silence
	}
	if s.hasClock {
		seen.Clock = &s.clock
	}
	return &rules.Subject{
		Moment: rules.Status, Slave: &slave, Repaired: s.repaired, Compared: s.compared, Restored: s.restored,
		Seen: seen,
	}
}
