package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// beginRules are about a server that does not tell how it replicates, or is nobody's
// slave.
var beginRules = []Rule{
	{
		Code: server.RelayDiskFull, On: finding.Slave, Problem: Status, Last: true, judge: isSilentServer,
		Meaning: "the disk of the slave's relay log is full: the slave waits for room, and does not tell how it replicates",
		Cure:    "free space there; within a minute the slave goes on by itself",
	},
	{
		Code: "same-server", On: finding.Slave, Problem: Status, Last: true, judge: isMasterItself,
		Meaning: "the logins on master and slave reach one server: it is the master itself",
		Cure:    "run it on the host of the slave",
	},
	{
		Code: "copying", On: finding.Slave, Problem: Status, Last: true, judge: isBeingCopied,
		Meaning: "the databases are being copied from the master, and the slave does not replicate yet",
		Cure:    "look again when gtunnel replication setup-slave has ended",
	},
	{
		Code: "copy-cut-off", On: finding.Slave, Problem: Status, Last: true, judge: wasCopied,
		Meaning: "a copy of the databases was begun and not ended: the slave does not replicate",
		Cure:    "gtunnel replication setup-slave again: it goes on, or copies anew what was not copied whole",
	},
	{
		Code: "not-set-up", On: finding.Slave, Problem: Status, Last: true, judge: isNotSetUp,
		Meaning: "replication is not set up on this server",
		Cure: "if this host is to be the slave: gtunnel replication setup-slave; " +
			"if it has the databases, and is to be the master: gtunnel replication setup-master",
	},
}

// isSilentServer is about a server that has not told how it replicates.
func isSilentServer(j *judgement) {
	if j.Seen.Unanswered != nil {
		j.add(j.Seen.Unanswered)
	}
}

// threadRules are about the two threads of a slave. What its setup puts right by
// itself, such as threads that somebody has stopped, is none of a setup's rules.
var threadRules = []Rule{
	{
		Code: "slave-error", On: finding.Slave, Needs: Connection, Problem: CheckServer | Status, judge: hasSQLError,
		Meaning: "the slave met an error that has no code of its own",
		Cure:    "look it up, mend the cause, and start the slave; never skip the error",
	},
	{
		Code: "slave-error", On: finding.Slave, Needs: Connection, Problem: CheckServer | Status, judge: hasIOError,
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
		Code: server.BlockedApplier, On: finding.Slave, Needs: Connection, Problem: Status, judge: isBlocked,
		Meaning: "the slave does not come further: what it applies waits for a lock that another connection holds",
		Cure:    "end what holds the lock, on the slave: KILL with its id",
	},
	{
		Code: "stalled", On: finding.Slave, Needs: Connection, Problem: Status, judge: isStalled,
		Meaning: "the slave says that it is connected, and nothing comes from the master: the link is dead",
		Cure: "gtunnel status on both hosts shows whether the tunnel carries anything; STOP SLAVE IO_THREAD; " +
			"START SLAVE IO_THREAD connects anew; slave_net_timeout=60 does that by itself",
	},
}

func isBeingCopied(j *judgement) {
	if j.Health() == HealthCopying {
		j.say("%s: it does not replicate yet", j.Summary())
	}
}

func wasCopied(j *judgement) {
	if j.Seen.Unanswered != nil || j.Seen.Copying || !j.copyCutOff() {
		return
	}
	cure := j.rule.Cure
	if p := j.Seen.Pair; p != nil && p.Note.Copying != "" { // it is a rejoin's
		cure = finding.WithNames(finding.SeedAnewInPair, j.State.Databases) +
			"; it goes on, or copies anew what was not copied whole"
	}
	if j.State.Stage == journal.StageSeeded {
		j.sayCure(cure, "the copy of %s is whole, of %s, and the slave was not told to follow its master",
			finding.List(j.State.Databases), j.State.Start)
		return
	}
	j.sayCure(cure, "the copy of %s was cut off, some time after %s: what is there is no copy",
		finding.List(j.State.Databases), j.State.Changed.UTC().Format("2006-01-02 15:04:05 UTC"))
}

func isMasterItself(j *judgement) {
	if one, c := j.Seen.OneServer, j.Connection(); one != nil && (c == nil || c.MasterHost == "") {
		j.add(one)
	}
}

func isNotSetUp(j *judgement) {
	if j.Health() == HealthNotConfigured {
		j.say("replication is not set up on this server")
	}
}

// sqlStopped reports whether an error has stopped the SQL thread.
func sqlStopped(c *server.SlaveStatus) bool { return c.SQLErrno != 0 && c.SQLRunning != "Yes" }

func hasSQLError(j *judgement) {
	c := j.Connection()
	if !j.judgesThreads() || !sqlStopped(c) {
		return
	}
	p := finding.ExplainSlaveError(c.SQLErrno, c.SQLError)
	if len(c.WildDoTable) == 0 && c.MasterHost == server.Loopback {
		p.Cure = "once the filter is there again the slave goes on, " +
			"if what failed is of a database that is not replicated; else: " + p.Cure
	}
	j.add(p)
}

func hasIOError(j *judgement) {
	p := j.ioError()
	if !j.judgesThreads() || p == nil {
		return
	}
	stopped := j.Connection().IORunning == "No"
	if stopped && isOfTunnel(p) {
		p.Cure += "; then, since the slave does not try again by itself: " + j.startCure()
	}
	// What the slave says is of its last try; the tunnel was looked at just now.
	if way := j.Seen.Tunnel; j.Seen.ThroughEnd && way != server.WayUnknown && isOfTunnel(p) {
		p.Text += "; that was at its last try, and of the tunnel at this moment: " + way.String()
		if !stopped && (way == server.WayAnswered || way == server.WayRefused) {
			v := j.Slave.Version
			p.Cure = "it tries again by itself; at once: " + v.StopSlave(server.IOThread).String() + "; " +
				v.StartSlave(server.IOThread).String()
		}
	}
	j.add(p)
}

// isOfTunnel reports whether the cause of an error is on the way to the master.
func isOfTunnel(p *finding.Problem) bool {
	return slices.Contains([]string{"tunnel-down", "far-end-closed"}, p.Code)
}

// judgesThreads reports whether the threads of a slave are those of a replication
// that is set up: a check is also about slaves of other masters.
func (j *judgement) judgesThreads() bool { return j.Moment == Status || j.Established() }

// ioError is the error that keeps the I/O thread from its master; nil if there is
// none.
func (s *Subject) ioError() *finding.Problem {
	if c := s.Connection(); c.IOErrno != 0 && c.IORunning != "Yes" {
		return finding.ExplainSlaveError(c.IOErrno, c.IOError)
	}
	return nil
}

// isConnecting is about a slave that has no error yet of what it tries.
func isConnecting(j *judgement) {
	c := j.Connection()
	switch h := j.Health(); {
	case c == nil || c.IOErrno != 0:
	case h == HealthConnecting:
		j.say("it is just connecting to %s:%d", c.MasterHost, c.MasterPort)
	case h == HealthTunnelDown:
		j.sayCure("it goes on by itself when the tunnel works; gtunnel status on both hosts shows whether it does",
			"it is just connecting to %s:%d, and of the tunnel at this moment: %s", c.MasterHost, c.MasterPort, j.Seen.Tunnel)
	}
}

func isBusy(j *judgement) {
	if j.Seen.Busy && j.isStopped() {
		j.say("a gtunnel replication command works on the slave, and has stopped %s meanwhile", j.idle())
	}
}

// idlesUnexplained reports whether threads do not run that no run of gtunnel has
// stopped.
func (s *Subject) idlesUnexplained() bool {
	return s.isStopped() && !s.Seen.Busy && !s.wasCutOff()
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

func isBlocked(j *judgement) {
	if j.Health() == HealthApplierStuck && !j.isStopped() {
		j.add(j.Seen.Blocked.Problem())
	}
}

// isStalled is about a link that only looks alive.
func isStalled(j *judgement) {
	if j.Health() != HealthStalled || j.Seen.Unanswered != nil {
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
