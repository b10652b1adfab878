package watch

import (
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
)

// Health is the state of a replication in a word.
type Health = rules.Health

// The states: see package rules.
const (
	HealthOK            = rules.HealthOK
	HealthLagging       = rules.HealthLagging
	HealthConnecting    = rules.HealthConnecting
	HealthStalled       = rules.HealthStalled
	HealthApplierStuck  = rules.HealthApplierStuck
	HealthIOStopped     = rules.HealthIOStopped
	HealthTunnelDown    = rules.HealthTunnelDown
	HealthAuthFailed    = rules.HealthAuthFailed
	HealthSQLError      = rules.HealthSQLError
	HealthSeedNeeded    = rules.HealthSeedNeeded
	HealthDiverged      = rules.HealthDiverged
	HealthCutOffWork    = rules.HealthCutOffWork
	HealthNotConfigured = rules.HealthNotConfigured
	HealthCopying       = rules.HealthCopying
	HealthWritableSlave = rules.HealthWritableSlave
	HealthMaster        = rules.HealthMaster
	HealthGuardReadOnly = rules.HealthGuardReadOnly
	HealthSplitBrain    = rules.HealthSplitBrain
	HealthServerDown    = rules.HealthServerDown
)

// judge makes the state, the problems and the warnings of what was read.
func (s *Status) judge() {
	if s.isMaster {
		s.judgeMaster()
		return
	}
	judged := s.subject()
	s.State, s.Summary = judged.Health(), judged.Summary()
	s.found(rules.Judge(judged))
}

// found notes what was found.
func (s *Status) found(found finding.Findings) {
	s.Problems = append([]*finding.Problem{}, found.Problems...) // not null in JSON
	s.Warnings = append([]*finding.Problem{}, found.Warnings...)
	s.Healthy = len(s.Problems) == 0
}

// subject is the status as rules judge it.
func (s *Status) subject() *rules.Subject {
	slave := *s.variables
	slave.Role, slave.Version, slave.Writers = finding.Slave, s.version, s.Slave.Writers
	if slave.Masters = slices.Clone(s.others); s.Connection != nil {
		slave.Masters = append(slave.Masters, s.Connection)
	}
	seen := rules.Seen{
		Asked: s.Master.Reachable, Reason: s.Master.Reason, Cure: s.Master.cure, LogsNothing: s.Master.logsNothing,
		MasterID: s.Master.ServerID, SameMaster: s.sameMaster, OneServer: s.same,
		Bytes: s.Lag.Bytes, Unread: s.Lag.Unread, Seconds: s.Lag.Seconds,
		Watched: s.watched, Silent: s.silent, Moved: s.moved,
		Unanswered: s.unanswered, Blocked: s.blocked, Busy: s.busy,
		Copying: s.copying, Runner: s.runner, Events: s.events, Pair: s.pair, PairUnseen: s.unseen,
	}
	seen.Tunnel = s.Master.Tunnel
	if c := s.Connection; c != nil {
		seen.ThroughEnd = s.through == net.JoinHostPort(c.MasterHost, strconv.Itoa(c.MasterPort))
	}
	if s.Lag.Silence != nil {
		silence := time.Duration(*s.Lag.Silence * float64(time.Second))
		seen.Silence = &silence
	}
	if s.hasClock {
		seen.Clock = &s.clock
	}
	subject := &rules.Subject{
		Moment: rules.Status, Slave: &slave, State: s.state, Repaired: s.repaired, Compared: s.compared,
		LastCompared: s.Compared, Restored: s.restored, Seen: seen,
		Databases: s.setUp(), PairOfMaster: s.ofPair,
	}
	if s.sameMaster {
		subject.Master = s.Master.facts
	}
	return subject
}

// setUp are the databases that a setup has made the slave replicate, as far as that
// is noted here.
func (s *Status) setUp() []string {
	if stage := s.state.Stage; s.Connection == nil || stage != journal.StageRunning && stage != journal.StageDone ||
		s.Connection.MasterID != 0 && s.Connection.MasterID != s.state.MasterID {
		return nil
	}
	return s.state.Databases
}
