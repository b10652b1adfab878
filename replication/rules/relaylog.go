package rules

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// RelayLog is the code of changes that a slave alone has.
const RelayLog = "relay-log"

// relayLogRules are about what a slave has received and not applied: it is data, if the
// master cannot give it once more.
var relayLogRules = []Rule{{
	Code: RelayLog, On: finding.Slave, Needs: BothFacts | Connection, Problem: SetupSlave, judge: losesReceived,
	Meaning: "the slave has received changes that it has not applied and that the master does not have any more",
	Cure:    "have the slave apply them first; gtunnel replication status says why it does not",
}}

// losesReceived finds a slave that nothing but its own relay log can bring on, where a
// start, too, deletes that. In other cases the setup has it applied.
func losesReceived(j *judgement) {
	c := j.Connection()
	if !j.goesOn() || !c.Unapplied() || !c.StartDeletes(j.Slave.Version) || j.Master.BinaryLogs == nil {
		return
	}
	if !slices.ContainsFunc(j.Master.BinaryLogs, func(l server.BinaryLog) bool { return l.File == c.Executed.File }) {
		j.add(LosesReceived(j.Slave.Version, c))
	}
}

// LosesReceived is the problem of a slave whose received changes would be lost.
func LosesReceived(v server.Version, c *server.SlaveStatus) *finding.Problem {
	cure := "it goes on to apply them: run this again when it has; gtunnel replication status says what keeps it from that"
	if c.StartDeletes(v) {
		cure = "keep copies of its relay log, and on the slave: " + c.ApplyReceived(v) + "; then run this again"
	}
	return finding.New(finding.Slave, RelayLog, cure,
		"it has received changes up to %s of its master, and applied those up to %s; the master does not have the others "+
			"any more, and they would be lost", c.Read, c.Executed)
}

// startCure is how an administrator starts a slave that was stopped, without the loss
// of what it has received.
func (s *Subject) startCure() string {
	c, v := s.Connection(), s.Slave.Version
	start := v.StartSlave(server.BothThreads).String()
	if !c.Unapplied() || !c.StartDeletes(v) || s.Seen.SameMaster && s.Seen.Bytes != nil {
		return start
	}
	return "a start deletes what it has received and not applied, and the master is not seen to have that still. " +
		"Keep copies of its relay log, and: " + c.ApplyReceived(v) + "; " + start
}
