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

// The states, from the best.
const (
	HealthRunning    Health = "running"     // the slave has what the master has, or nearly
	HealthCatchingUp Health = "catching up" // it works and has much left to do
	HealthConnecting Health = "connecting"  // it tries to reach the master, or waits to try again
	HealthStalled    Health = "stalled"     // it says that all is well, and nothing comes
	HealthBlocked    Health = "blocked"     // what it applies waits for a lock
	HealthStopped    Health = "stopped"     // somebody has stopped it
	HealthBroken     Health = "broken"      // an error has stopped it
	HealthNotSetUp   Health = "not set up"
	HealthCopying    Health = "copying" // the databases are being copied from the master
	HealthCutOff     Health = "cut off" // a copy was begun and not ended
	HealthMaster     Health = "master"  // it is no slave, and others are its
)

// Health is the state of the replication that feeds the slave.
func (s *Subject) Health() Health {
	c := s.Connection()
	if s.Seen.Unanswered != nil {
		return HealthStalled
	}
	switch {
	case s.Seen.Copying:
		return HealthCopying
	case s.copyCutOff():
		return HealthCutOff
	case c == nil || c.MasterHost == "":
		return HealthNotSetUp
	}
	receives, applies := c.IORunning == "Yes", c.SQLRunning == "Yes"
	switch {
	case c.SQLErrno != 0 && !applies, c.IOErrno != 0 && c.IORunning == "No":
		return HealthBroken
	case c.IORunning == "No" || !applies:
		return HealthStopped
	case !receives:
		return HealthConnecting
	case s.isSilent():
		return HealthStalled
	case s.isBlocked():
		return HealthBlocked
	case s.behind() != "":
		return HealthCatchingUp
	default:
		return HealthRunning
	}
}

// Summary is the state in a sentence.
func (s *Subject) Summary() string {
	if s.Seen.Unanswered != nil {
		return "the slave does not tell how it replicates"
	}
	switch s.Health() {
	case HealthNotSetUp:
		return "this server is nobody's slave"
	case HealthCopying:
		return "a copy of " + finding.List(s.State.Databases) + " is being made" + s.byRunner()
	case HealthCutOff:
		return "a copy of " + finding.List(s.State.Databases) + " was cut off"
	case HealthBroken:
		return "an error has stopped " + s.idle()
	case HealthStopped:
		return s.summaryOfStop()
	case HealthConnecting:
		return "the slave has no connection to its master" + s.retries()
	case HealthStalled:
		return "the slave says that it is connected, and nothing comes from the master"
	case HealthBlocked:
		return "the slave waits for a lock that another connection holds: " + s.Seen.Blocked.What
	case HealthCatchingUp:
		return "the slave is " + s.behind()
	case HealthRunning, HealthMaster:
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

// From here on a slave that works is called catching up.
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
