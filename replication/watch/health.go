package watch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// From here on a slave that works is called catching up.
const (
	muchBytes   = 1 << 20
	muchSeconds = 10
)

// tolerableClock is by how much clocks may differ.
const tolerableClock = 2 * time.Second

// judge makes the state, the problems and the warnings of what was read.
func (s *Status) judge() {
	s.State, s.Summary = s.judgeState()
	s.judgeNotes()
	s.judgeFilter()
	if p := rules.SkipsErrors(s.variables); p != nil && s.State != HealthNotSetUp {
		s.problem(p)
	}
	s.warnAboutMaster()
	s.warnAboutWrites()
	if s.Connection != nil {
		s.warnAboutConnection()
		s.warnAboutFilters()
		s.warnAboutEvents()
	}
	s.Healthy = len(s.Problems) == 0
}

func (s *Status) problem(p *finding.Problem) { s.Problems = append(s.Problems, p) }

func (s *Status) warn(on finding.Role, code, cure, format string, args ...any) {
	s.Warnings = append(s.Warnings, finding.New(on, code, cure, format, args...))
}

// judgeState finds the state, and the problems that make it.
func (s *Status) judgeState() (Health, string) {
	c := s.Connection
	if c == nil || c.MasterHost == "" {
		s.problem(finding.New(finding.Slave, "not-set-up", "gtunnel replication setup-slave", "replication is not set up on this server"))
		return HealthNotSetUp, "this server is nobody's slave"
	}
	receives, applies := c.IORunning == "Yes", c.SQLRunning == "Yes"
	if c.SQLErrno != 0 && !applies {
		s.problem(finding.ExplainSlaveError(c.SQLErrno, c.SQLError))
	}
	if c.IOErrno != 0 && !receives {
		s.problem(finding.ExplainSlaveError(c.IOErrno, c.IOError))
	}
	switch {
	case c.SQLErrno != 0 && !applies, c.IOErrno != 0 && c.IORunning == "No":
		return HealthBroken, fmt.Sprintf("an error has stopped %s", s.idle())
	case c.IORunning == "No" || !applies:
		return s.stopped()
	case !receives:
		if c.IOErrno == 0 {
			s.problem(finding.New(finding.Slave, "connecting", "look again in a moment", "it is just connecting to %s:%d", c.MasterHost, c.MasterPort))
		}
		return HealthConnecting, "the slave has no connection to its master" + s.retries()
	case s.isSilent():
		return s.stalled()
	}
	if behind := s.behind(); behind != "" {
		return HealthCatchingUp, "the slave is " + behind
	}
	switch {
	case s.Lag.Bytes == nil:
		return HealthRunning, "both threads run; how far the slave is behind is not known"
	case *s.Lag.Bytes == 0:
		return HealthRunning, "the slave has applied all that the master has"
	}
	return HealthRunning, fmt.Sprintf("the slave is %s behind", finding.FormatBytes(*s.Lag.Bytes))
}

// idle names the threads that do not run.
func (s *Status) idle() string {
	switch {
	case s.Connection.IORunning != "No":
		return "the SQL thread, which applies changes"
	case s.Connection.SQLRunning == "Yes":
		return "the I/O thread, which receives changes"
	}
	return "both threads"
}

// judgeNotes is about runs of gtunnel that were cut off.
func (s *Status) judgeNotes() {
	c := s.Connection
	if s.busy || s.State == HealthNotSetUp {
		return
	}
	if s.repaired != nil {
		s.problem(s.repaired.CutOff(s.variables, c))
	}
	if s.compared.Holds(c) && s.repaired == nil {
		s.problem(s.compared.CutOff(s.version, c))
	} else if c.Until != "" && c.SQLRunning == "Yes" {
		s.warn(finding.Slave, "until", journal.RestartSQL(s.version), "the SQL thread was told to stop at %s, and will", c.Until)
	}
}

// judgeFilter is about a connection through the tunnel whose filter is lost.
func (s *Status) judgeFilter() {
	c := s.Connection
	if s.State == HealthNotSetUp || s.busy || c.MasterHost != server.Loopback || len(c.WildDoTable) > 0 {
		return
	}
	s.problem(finding.New(finding.Slave, "no-filter", "gtunnel replication setup-slave, which filters again and compares",
		"there is no replicate_wild_do_table: every database of the master is replicated, its accounts too"))
}

// stopped is about threads that do not run for no error.
func (s *Status) stopped() (Health, string) {
	c := s.Connection
	start := s.version.StartSlave(server.BothThreads).String()
	if s.busy {
		s.problem(finding.New(finding.Slave, "busy", "look again when it has ended", "a gtunnel replication command works on the slave, and has stopped %s meanwhile", s.idle()))
		return HealthStopped, "a gtunnel replication command has stopped " + s.idle() + " for a while"
	}
	if s.repaired != nil || s.compared.Holds(c) { // judgeNotes says more
		return HealthStopped, "a gtunnel replication command that was cut off has stopped " + s.idle()
	}
	if c.Until != "" && c.SQLRunning != "Yes" {
		s.problem(finding.New(finding.Slave, "stopped-until", "if no gtunnel replication compare runs at this moment, one was cut off: "+start,
			"the SQL thread was told to stop at %s, and did", c.Until))
		return HealthStopped, "the slave stands at " + c.Executed.String() + ", where it was told to stop"
	}
	s.problem(finding.New(finding.Slave, "stopped", start, "somebody has stopped %s", s.idle()))
	return HealthStopped, "somebody has stopped " + s.idle()
}

// isSilent tells whether nothing comes though it should.
func (s *Status) isSilent() bool {
	if s.silent {
		return true
	}
	period := s.Connection.HeartbeatPeriod
	return !s.moved && s.Lag.Unread == nil && s.Lag.Silence != nil && period > 0 && *s.Lag.Silence > (2*period+time.Second).Seconds()
}

// stalled is about a link that only looks alive.
func (s *Status) stalled() (Health, string) {
	c := s.Connection
	restart := s.version.StopSlave(server.IOThread).String() + "; " + s.version.StartSlave(server.IOThread).String()
	cure := "gtunnel status on both hosts shows whether the tunnel carries anything; " + restart + " connects anew; slave_net_timeout=60 does that by itself"
	var text string
	switch {
	case s.Lag.Unread != nil && *s.Lag.Unread > 0:
		text = fmt.Sprintf("the master is %s ahead of what the slave has received, and nothing came in %s: the link is dead, or so slow that a large change is still on its way",
			finding.FormatBytes(*s.Lag.Unread), s.watched.Round(time.Second))
	case s.Lag.Silence != nil:
		text = fmt.Sprintf("the last sign of life from the master is %s old, and a heartbeat is due every %s", seconds(*s.Lag.Silence), c.HeartbeatPeriod)
	default:
		text = fmt.Sprintf("no heartbeat came in %s, and one is due every %s", s.watched.Round(time.Second), c.HeartbeatPeriod)
	}
	s.problem(finding.New(finding.Slave, "stalled", cure, "%s", text))
	return HealthStalled, "the slave says that it is connected, and nothing comes from the master"
}

// behind tells how far the slave is behind, if it is much.
func (s *Status) behind() string {
	late := s.Lag.Seconds != nil && *s.Lag.Seconds >= muchSeconds
	if s.Lag.Bytes == nil {
		if late {
			return fmt.Sprintf("%d s behind", *s.Lag.Seconds)
		}
		return ""
	}
	if *s.Lag.Bytes < muchBytes && (!late || *s.Lag.Bytes == 0) {
		return ""
	}
	text := finding.FormatBytes(*s.Lag.Bytes) + " behind"
	if late {
		text += fmt.Sprintf(", which were written up to %d s ago", *s.Lag.Seconds)
	}
	return text
}

// retries says how often a slave tries again.
func (s *Status) retries() string {
	if s.Connection.ConnectRetry == 0 {
		return ""
	}
	return fmt.Sprintf(", and tries again every %s", s.Connection.ConnectRetry)
}

// warnAboutMaster is about the master, and whether it is the right one.
func (s *Status) warnAboutMaster() {
	c := s.Connection
	if !s.Master.Reachable {
		if s.State == HealthRunning || s.State == HealthCatchingUp || s.State == HealthStopped {
			s.warn(finding.Master, "master-unreachable", s.Master.cure,
				"how far the slave is behind cannot be said: %s", strings.TrimPrefix(s.Master.Reason, string(finding.Master)+": "))
		}
		return
	}
	if c == nil || c.MasterHost == "" {
		return
	}
	if !s.sameMaster {
		s.warn(finding.Master, "other-master", "is --master the end of the right tunnel?", "the server at --master has server_id %d, and the slave follows one with %d: how far it is behind cannot be said",
			s.Master.ServerID, c.MasterID)
		return
	}
	if s.Lag.Unread == nil && !c.Read.IsZero() && !c.ByGTID {
		cause := finding.Refusals[0].Cause
		if !slices.ContainsFunc(s.Problems, func(p *finding.Problem) bool { return p.Code == cause.Code }) {
			s.problem(finding.New(finding.Master, cause.Code, cause.Cure, "%s (%s is not among them)", cause.Words, c.Read.File))
		}
	}
	if s.hasClock && (s.clock > tolerableClock || s.clock < -tolerableClock) {
		s.warn("", "clocks", "run chronyd or ntpd on both hosts", "the clocks of the hosts differ by %s, and seconds of lag with them", s.clock.Abs().Round(time.Second))
	}
}

// warnAboutWrites is about who may write on the slave.
func (s *Status) warnAboutWrites() {
	if s.State == HealthNotSetUp {
		return
	}
	side := s.Slave
	switch {
	case !side.ReadOnly:
		s.warn(finding.Slave, "writable", "SET GLOBAL read_only=1; gtunnel replication setup-slave makes it last", "it is not read-only: whoever writes on a slave breaks it")
	case side.SuperReadOnly != nil && !*side.SuperReadOnly:
		s.warn(finding.Slave, "writable", "SET GLOBAL super_read_only=1; gtunnel replication setup-slave makes it last", "accounts with SUPER or CONNECTION_ADMIN can write: %s", finding.List(side.Writers))
	case side.SuperReadOnly == nil:
		if p := rules.WarnAboutWriters(side.Writers); p != nil {
			s.Warnings = append(s.Warnings, p)
		}
	}
	for _, name := range s.transient {
		if name == "replicate_wild_do_table" {
			s.warn(finding.Slave, "filter-not-kept", "gtunnel replication setup-slave writes it to an option file of the server", "a restart of the server loses the filter: it would then replicate every database")
		} else {
			s.warn(finding.Slave, "read-only-not-kept", "gtunnel replication setup-slave writes it to an option file of the server", "a restart of the server loses %s=1", name)
		}
	}
}

// warnAboutConnection is about what breaks the replication later.
func (s *Status) warnAboutConnection() {
	c := s.Connection
	const again = "gtunnel replication setup-slave states every option"
	if lasts := time.Duration(c.RetryCount) * c.ConnectRetry; c.RetryCount > 0 && lasts < 24*time.Hour {
		s.warn(finding.Slave, "gives-up", again, "once the master is away for %s (%d times %s) the slave gives up for good", shortTime(lasts), c.RetryCount, c.ConnectRetry)
	}
	if c.ConnectRetry > longRetry {
		s.warn(finding.Slave, "connect-retry", again, "once the connection is lost the slave waits %s before it tries again", shortTime(c.ConnectRetry))
	}
	if c.Delay > 0 {
		s.warn(finding.Slave, "delayed", "if nobody wants that: CHANGE MASTER TO MASTER_DELAY=0 (CHANGE REPLICATION SOURCE TO SOURCE_DELAY=0), the SQL thread stopped meanwhile", "the slave is told to stay %s behind its master (MASTER_DELAY)", shortTime(time.Duration(c.Delay)*time.Second))
	}
	if c.SSLAllowed == "Yes" && s.State != HealthNotSetUp {
		s.warn(finding.Slave, "tls-inside", again, "the slave is told to speak TLS inside the tunnel (MASTER_SSL=1)")
	}
	if c.GetsPublicKey != nil && !*c.GetsPublicKey && c.SSLAllowed != "Yes" {
		s.warn(finding.Slave, "public-key", again, "GET_SOURCE_PUBLIC_KEY is 0: an account with caching_sha2_password fails after the next restart of the master")
	}
	patience, _ := strconv.Atoi(s.variables.Variable("slave_net_timeout", "replica_net_timeout")) // a number on every server
	if timeout := time.Duration(patience) * time.Second; timeout > 5*time.Minute {
		s.warn(finding.Slave, "net-timeout", again, "a dead link is noticed only after %s (slave_net_timeout)", shortTime(timeout))
	}
}

// warnAboutFilters is about what is left out.
func (s *Status) warnAboutFilters() {
	c := s.Connection
	const cure = "use replicate_wild_do_table, as gtunnel replication setup-slave does"
	if len(c.IgnoreTable) > 0 && !s.busy && s.repaired == nil {
		s.warn(finding.Slave, "ignored-tables", "a repair that was cut off leaves such a filter: gtunnel replication compare --repair-table TABLE ends it",
			"changes of some tables are left out (replicate_ignore_table): %s", finding.List(c.IgnoreTable))
	}
	if len(c.WildIgnoreTable) > 0 {
		s.warn(finding.Slave, "ignored-tables", cure, "changes of some tables are left out (replicate_wild_ignore_table): %s", finding.List(c.WildIgnoreTable))
	}
	for _, filter := range c.OtherFilters {
		name, value, _ := strings.Cut(filter, "=")
		if name == "replicate_do_db" || name == "replicate_ignore_db" {
			s.warn(finding.Slave, "database-filter", cure, "%s=%s silently loses statements that name a table of another database than the current one", name, value)
		}
	}
}

// warnAboutEvents is about events of the master that run here too.
func (s *Status) warnAboutEvents() {
	if len(s.events) > 0 && s.State != HealthNotSetUp && !s.busy {
		s.warn(finding.Slave, "events-enabled", "gtunnel replication setup-slave disables them",
			"events are enabled which run on the master, and whose changes are replicated (event_scheduler is %s here): %s", s.variables.Variable("event_scheduler"), finding.List(s.events))
	}
}

// seconds writes a number of seconds.
func seconds(n float64) string {
	return shortTime(time.Duration(n * float64(time.Second)).Round(time.Second))
}

// shortTime is a duration without trailing zero units.
func shortTime(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// longRetry is from when on a slave waits too long before it tries to reach its
// master again.
const longRetry = 5 * time.Minute
