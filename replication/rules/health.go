package rules

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Health is the state of a replication in a word.
type Health string

// The states of a slave, from the best.
const (
	HealthOK            Health = "ok"             // the slave has what the master has, or nearly
	HealthLagging       Health = "lagging"        // it works and has much left to do
	HealthConnecting    Health = "connecting"     // it tries to reach the master, or waits to try again
	HealthStalled       Health = "stalled"        // it says that all is well, and nothing comes
	HealthApplierStuck  Health = "applier-stuck"  // it receives, and does not apply: it waits for a lock, or was stopped
	HealthIOStopped     Health = "io-stopped"     // it does not receive: somebody, or an error, has stopped that
	HealthTunnelDown    Health = "tunnel-down"    // the way to the master is not there
	HealthAuthFailed    Health = "auth-failed"    // the master refuses the slave's login
	HealthSQLError      Health = "sql-error"      // what it was to apply has failed
	HealthSeedNeeded    Health = "seed-needed"    // the master no longer has what the slave needs next
	HealthDiverged      Health = "diverged"       // the histories of both have parted
	HealthCutOffWork    Health = "cut-off-work"   // a copy, repair or comparison was begun and not ended
	HealthNotConfigured Health = "not-configured" // it is nobody's slave
	HealthCopying       Health = "copying"        // the databases are being copied from the master
	HealthWritableSlave Health = "writable-slave" // it works, and can be written to
)

// The states of a server that is no slave, or of a pair.
const (
	HealthMaster        Health = "master"          // it is no slave, and others are its; of no pair
	HealthGuardReadOnly Health = "guard-read-only" // the guard keeps it read-only, and it is no slave that works
	HealthSplitBrain    Health = "split-brain"     // both of a pair are the master, or can be written to
	HealthServerDown    Health = "server-down"     // the server of this host does not answer
)

// Health is the state of the replication that feeds the slave; of one of a pair, its part
// in that comes first.
func (s *Subject) Health() Health {
	if h := s.healthInPair(); h != "" {
		return h
	}
	c := s.Connection()
	switch {
	case s.Seen.Unanswered != nil:
		return HealthStalled
	case s.Seen.Copying:
		return HealthCopying
	case s.copyCutOff():
		return HealthCutOffWork
	case c == nil || c.MasterHost == "":
		return HealthNotConfigured
	}
	if h := s.healthOfThreads(); h != HealthOK {
		return h
	}
	switch {
	case s.isSilent():
		return HealthStalled
	case s.isBlocked():
		return HealthApplierStuck
	case s.Restored != nil:
		return HealthDiverged
	case s.lacksLog():
		return HealthSeedNeeded
	case s.isWritableSlave():
		return HealthWritableSlave
	case s.behind() != "":
		return HealthLagging
	default:
		return HealthOK
	}
}

// healthOfThreads is the state as far as the threads tell it, and what was cut off that
// has stopped them, or will.
func (s *Subject) healthOfThreads() Health {
	c := s.Connection()
	switch {
	case sqlStopped(c):
		return HealthSQLError
	case !s.Seen.Busy && s.wasCutOff():
		return HealthCutOffWork
	case c.IOErrno != 0 && c.IORunning != "Yes":
		return s.healthOfIOError()
	case c.IORunning == "No" && s.lacksLog():
		return HealthSeedNeeded
	case c.IORunning == "No":
		return HealthIOStopped
	case c.SQLRunning != "Yes":
		return HealthApplierStuck
	case c.IORunning != "Yes" && s.tunnelIsDown():
		return HealthTunnelDown
	case c.IORunning != "Yes":
		return HealthConnecting
	default:
		return HealthOK
	}
}

// healthOfErrors are the states by the codes of what keeps a slave from its master.
var healthOfErrors = map[string]Health{
	"tunnel-down": HealthTunnelDown, "far-end-closed": HealthTunnelDown, "nothing-listens": HealthTunnelDown,
	"access-denied": HealthAuthFailed, "auth-plugin": HealthAuthFailed, "public-key": HealthAuthFailed,
	"plugin-disabled": HealthAuthFailed, "old-password": HealthAuthFailed, "host-blocked": HealthAuthFailed,
	"host-not-allowed": HealthAuthFailed, "missing-privilege": HealthAuthFailed, "account-limit": HealthAuthFailed,
	"purged": HealthSeedNeeded, "diverged": HealthDiverged, "master-lost-log": HealthDiverged,
}

// healthOfIOError is the state of a slave that an error keeps from its master. What it says
// of the tunnel is of its last try; when that was seen to work since, it connects.
func (s *Subject) healthOfIOError() Health {
	h, ok := healthOfErrors[s.ioError().Code]
	way := s.Seen.Tunnel
	switch {
	case (!ok || h == HealthTunnelDown) && s.Connection().IORunning == "No": // it does not try again
		return HealthIOStopped
	case !ok:
		return HealthConnecting
	case h == HealthTunnelDown && s.Seen.ThroughEnd && (way == server.WayAnswered || way == server.WayRefused):
		return HealthConnecting
	default:
		return h
	}
}

// tunnelIsDown reports whether a login through the tunnel has just found it so.
func (s *Subject) tunnelIsDown() bool {
	return s.Seen.ThroughEnd && (s.Seen.Tunnel == server.WayClosed || s.Seen.Tunnel == server.WayCut)
}

// MasterIsSilent reports whether the master was just asked through the slave's end of the
// tunnel, and its server has not said a word. It may be lost.
func (s *Subject) MasterIsSilent() bool {
	return s.tunnelIsDown() || s.Seen.ThroughEnd && s.Seen.Tunnel == server.WaySilent
}

// isWritableSlave reports whether a slave that gtunnel has set up can be written to.
func (s *Subject) isWritableSlave() bool {
	return (s.State.Stage == journal.StageRunning || s.State.Stage == journal.StageDone) &&
		s.Slave.Variable("read_only") == "OFF"
}

// isStopped reports whether a thread of the slave was stopped, and by no error.
func (s *Subject) isStopped() bool {
	c := s.Connection()
	return c != nil && s.Seen.Unanswered == nil && !s.Seen.Copying && !s.copyCutOff() && c.MasterHost != "" &&
		!sqlStopped(c) && (c.IOErrno == 0 || c.IORunning != "No") && (c.IORunning == "No" || c.SQLRunning != "Yes")
}

// Summary is the state in a sentence.
func (s *Subject) Summary() string {
	if text := s.summaryInPair(); text != "" {
		return text
	}
	switch s.Health() {
	case HealthNotConfigured:
		return "this server is nobody's slave"
	case HealthCopying:
		return "a copy of " + finding.List(s.State.Databases) + " is being made" + s.byRunner()
	case HealthCutOffWork:
		return s.summaryOfCutOff()
	case HealthSQLError:
		return "an error has stopped " + s.idle()
	case HealthIOStopped, HealthAuthFailed, HealthSeedNeeded, HealthTunnelDown, HealthConnecting, HealthDiverged:
		return s.summaryOfReceiving()
	case HealthStalled:
		if s.Seen.Unanswered != nil {
			return "the slave does not tell how it replicates"
		}
		return "the slave says that it is connected, and nothing comes from the master"
	case HealthApplierStuck:
		if s.isStopped() {
			return s.summaryOfStop()
		}
		return "the slave waits for a lock that another connection holds: " + s.Seen.Blocked.What
	case HealthWritableSlave:
		return "the slave replicates, and is not read-only"
	case HealthLagging:
		return "the slave is " + s.behind()
	case HealthOK, HealthMaster, HealthGuardReadOnly, HealthSplitBrain, HealthServerDown:
	}
	switch bytes := s.Seen.Bytes; {
	case bytes == nil:
		return "both threads run; how far the slave is behind is not known"
	case *bytes == 0:
		return "the slave has applied all that the master has"
	default:
		return fmt.Sprintf("the slave is %s behind", finding.FormatBytes(*bytes))
	}
}

// summaryOfCutOff says what was cut off.
func (s *Subject) summaryOfCutOff() string {
	switch {
	case s.copyCutOff():
		return "a copy of " + finding.List(s.State.Databases) + " was cut off"
	case s.isStopped():
		return s.summaryOfStop()
	case s.Repaired != nil:
		return "a repair was cut off"
	default:
		return "a comparison was cut off, and the slave will stop where that has told it to"
	}
}

// summaryOfReceiving says why nothing is received, or may not be what the master has.
func (s *Subject) summaryOfReceiving() string {
	switch h := s.Health(); {
	case h == HealthDiverged && s.Restored != nil:
		return "the master does not have the past that the slave has"
	case h == HealthDiverged:
		return "the slave has what the master has not"
	case h == HealthSeedNeeded:
		return "the master no longer has what the slave needs next"
	case h == HealthAuthFailed:
		return "the master refuses the slave's login"
	case h == HealthTunnelDown:
		return "the slave does not reach its master through the tunnel" + s.retries()
	case h == HealthConnecting:
		return "the slave has no connection to its master" + s.retries()
	case s.Connection().IOErrno != 0:
		return "an error has stopped " + s.idle()
	default:
		return s.summaryOfStop()
	}
}

// copyCutOff reports whether a setup has ended before the slave was told to
// follow its master, and nobody has done so since.
func (s *Subject) copyCutOff() bool {
	if s.Moment != Status || s.Seen.Busy || s.Seen.Runner != 0 {
		return false
	}
	c := s.Connection()
	follows := c != nil && c.MasterHost != ""
	return s.State.Stage == journal.StageSeeding && (!follows || !c.Active()) ||
		s.State.Stage == journal.StageSeeded && !follows
}

// byRunner says by which process something is done, and since when.
func (s *Subject) byRunner() string {
	text := ""
	if s.Seen.Runner != 0 {
		text = fmt.Sprintf(" by process %d", s.Seen.Runner)
	}
	if begun := s.State.BegunFrom; !begun.IsZero() {
		text += ", since " + begun.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return text
}

// summaryOfStop says who has stopped the threads.
func (s *Subject) summaryOfStop() string {
	switch c := s.Connection(); {
	case s.Seen.Busy:
		return "a gtunnel replication command has stopped " + s.idle() + " for a while"
	case s.wasCutOff():
		return "a gtunnel replication command that was cut off has stopped " + s.idle()
	case stoppedUntil(c):
		return "the slave stands at " + c.Executed.String() + ", where it was told to stop"
	default:
		return "somebody has stopped " + s.idle()
	}
}

// idle names the threads that do not run.
func (s *Subject) idle() string {
	switch c := s.Connection(); {
	case c.IORunning != "No":
		return "the SQL thread, which applies changes"
	case c.SQLRunning == "Yes":
		return "the I/O thread, which receives changes"
	default:
		return "both threads"
	}
}

// isSilent reports whether nothing comes though it should.
func (s *Subject) isSilent() bool {
	if s.Seen.Silent {
		return true
	}
	period := s.Connection().HeartbeatPeriod
	return !s.Seen.Moved && s.Seen.Unread == nil && s.Seen.Silence != nil && period > 0 &&
		*s.Seen.Silence > 2*period+time.Second
}

// blockedAfter is for how long a slave may wait for a lock until that is a problem.
const blockedAfter = 10 * time.Second

// isBlocked reports whether the slave waits for a lock for long.
func (s *Subject) isBlocked() bool {
	return s.Seen.Blocked != nil && s.Seen.Blocked.Time >= blockedAfter
}

// From here on a slave that works is called lagging.
const (
	muchBytes   = 1 << 20
	muchSeconds = 10
)

// behind tells how far the slave is behind, if it is much.
func (s *Subject) behind() string {
	late := s.Seen.Seconds != nil && *s.Seen.Seconds >= muchSeconds
	if s.Seen.Bytes == nil {
		if late {
			return fmt.Sprintf("%d s behind", *s.Seen.Seconds)
		}
		return ""
	}
	if *s.Seen.Bytes < muchBytes && (!late || *s.Seen.Bytes == 0) {
		return ""
	}
	text := finding.FormatBytes(*s.Seen.Bytes) + " behind"
	if late {
		text += fmt.Sprintf(", which were written up to %d s ago", *s.Seen.Seconds)
	}
	return text
}

// retries says how often the slave tries again.
func (s *Subject) retries() string {
	retry := s.Connection().ConnectRetry
	if retry == 0 {
		return ""
	}
	return fmt.Sprintf(", and tries again every %s", retry)
}

// wasCutOff reports whether a run of gtunnel that was cut off holds the slave.
func (s *Subject) wasCutOff() bool { return s.Repaired != nil || s.Compared.Holds(s.Connection()) }

// stoppedUntil reports whether a slave stands where it was told to stop.
func stoppedUntil(c *server.SlaveStatus) bool { return c.Until != "" && c.SQLRunning != "Yes" }
