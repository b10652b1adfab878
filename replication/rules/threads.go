package rules

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// threadRules are about the two threads of a slave. What its setup puts right by
// itself, such as threads that somebody has stopped, is none of a setup's rules.
var threadRules = []Rule{
	{
		Code: "same-server", On: finding.Slave, Problem: Status, Last: true, judge: isMasterItself,
		Meaning: "the logins on master and slave reach one server: it is the master itself",
		Cure:    "run it on the host of the slave",
	},
	{
		Code: "not-set-up", On: finding.Slave, Problem: Status, Last: true, judge: isNotSetUp,
		Meaning: "replication is not set up on this server",
		Cure:    "gtunnel replication setup-slave",
	},
	{
		Code: "slave-error", On: finding.Slave, Needs: Connection, Problem: Status, judge: hasSQLError,
		Meaning: "the slave met an error that has no code of its own",
		Cure:    "look it up, mend the cause, and start the slave; never skip the error",
	},
	{
		Code: "slave-error", On: finding.Slave, Needs: Connection, Problem: Status, judge: hasIOError,
	},
	{
		Code: "connecting", On: finding.Slave, Needs: Connection, Problem: Status, judge: isConnecting,
		Meaning: "the slave is just connecting to its master",
		Cure:    "look again in a moment",
	},
	{
		Code: "busy", On: finding.Slave, Needs: Connection, Problem: Status, judge: isBusy,
		Meaning: "another gtunnel replication command works on the server, and has stopped the slave meanwhile",
		Cure:    "look again when it has ended",
	},
	{
		Code: "stopped-until", On: finding.Slave, Needs: Connection, Problem: Status, judge: standsWhereTold,
		Meaning: "the slave stands where somebody has told it to stop",
		Cure:    "if no gtunnel replication compare runs at this moment, one was cut off: START SLAVE",
	},
	{
		Code: "stopped", On: finding.Slave, Needs: Connection, Problem: Status, judge: isStopped,
		Meaning: "somebody has stopped the slave",
		Cure:    "START SLAVE",
	},
	{
		Code: "stalled", On: finding.Slave, Needs: Connection, Problem: Status, judge: isStalled,
		Meaning: "the slave says that it is connected, and nothing comes from the master: the link is dead",
		Cure: "gtunnel status on both hosts shows whether the tunnel carries anything; STOP SLAVE IO_THREAD; " +
			"START SLAVE IO_THREAD connects anew; slave_net_timeout=60 does that by itself",
	},
}

func isMasterItself(j *judgement) {
	if one, c := j.Seen.OneServer, j.Connection(); one != nil && (c == nil || c.MasterHost == "") {
		j.add(one)
	}
}

func isNotSetUp(j *judgement) {
	if j.Health() == HealthNotSetUp {
		j.say("replication is not set up on this server")
	}
}

// sqlStopped reports whether an error has stopped the SQL thread.
func sqlStopped(c *server.SlaveStatus) bool { return c.SQLErrno != 0 && c.SQLRunning != "Yes" }

func hasSQLError(j *judgement) {
	if c := j.Connection(); sqlStopped(c) {
		j.add(finding.ExplainSlaveError(c.SQLErrno, c.SQLError))
	}
}

func hasIOError(j *judgement) {
	if p := j.ioError(); p != nil {
		j.add(p)
	}
}

// ioError is the error that keeps the I/O thread from its master; nil if there is
// none.
func (s *Subject) ioError() *finding.Problem {
	if c := s.Connection(); c.IOErrno != 0 && c.IORunning != "Yes" {
		return finding.ExplainSlaveError(c.IOErrno, c.IOError)
	}
	return nil
}

func isConnecting(j *judgement) {
	if c := j.Connection(); j.Health() == HealthConnecting && c.IOErrno == 0 {
		j.say("it is just connecting to %s:%d", c.MasterHost, c.MasterPort)
	}
}

func isBusy(j *judgement) {
	if j.Seen.Busy && j.Health() == HealthStopped {
		j.say("a gtunnel replication command works on the slave, and has stopped %s meanwhile", j.idle())
	}
}

// idlesUnexplained reports whether threads do not run that no run of gtunnel has
// stopped.
func (s *Subject) idlesUnexplained() bool {
	return s.Health() == HealthStopped && !s.Seen.Busy && !s.wasCutOff()
}

func standsWhereTold(j *judgement) {
	if c := j.Connection(); j.idlesUnexplained() && stoppedUntil(c) {
		j.sayCure("if no gtunnel replication compare runs at this moment, one was cut off: "+j.startCure(),
			"the SQL thread was told to stop at %s, and did", c.Until)
	}
}

func isStopped(j *judgement) {
	if j.idlesUnexplained() && !stoppedUntil(j.Connection()) {
		j.sayCure(j.startCure(), "somebody has stopped %s", j.idle())
	}
}

// isStalled is about a link that only looks alive.
func isStalled(j *judgement) {
	if j.Health() != HealthStalled {
		return
	}
	v, period := j.Slave.Version, j.Connection().HeartbeatPeriod
	var text string
	switch seen := j.Seen; {
	case seen.Unread != nil && *seen.Unread > 0:
		text = fmt.Sprintf("the master is %s ahead of what the slave has received, and nothing came in %s: "+
			"the link is dead, or so slow that a large change is still on its way",
			finding.FormatBytes(*seen.Unread), seen.Watched.Round(time.Second))
	case seen.Silence != nil:
		text = fmt.Sprintf("the last sign of life from the master is %s old, and a heartbeat is due every %s",
			finding.FormatDuration(seen.Silence.Round(time.Second)), period)
	default:
		text = fmt.Sprintf("no heartbeat came in %s, and one is due every %s", seen.Watched.Round(time.Second), period)
	}
	restart := v.StopSlave(server.IOThread).String() + "; " + v.StartSlave(server.IOThread).String()
	j.sayCure("gtunnel status on both hosts shows whether the tunnel carries anything; "+restart+
		" connects anew; slave_net_timeout=60 does that by itself", "%s", text)
}
