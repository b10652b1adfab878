package monitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// The names of mysqld_exporter, with its labels and values (its collector slave_status and
// its main program). Its types are untyped; these are gauges, as what they are.
var (
	upDesc = prometheus.NewDesc("mysql_up", "Whether the server of this host answers.", nil, nil)

	connectionLabels = []string{"master_host", "master_uuid", "channel_name", "connection_name"}

	ioRunningDesc  = ofConnection("slave_io_running", "Whether the slave receives: 0 also while it connects.")
	sqlRunningDesc = ofConnection("slave_sql_running", "Whether the slave applies.")
	secondsDesc    = ofConnection("seconds_behind_master",
		"Seconds_Behind_Master by the slave's own word. It is not there while that means nothing, as on a dead link.")
	lastErrnoDesc    = ofConnection("last_errno", "The error that has stopped the SQL thread; 0: none.")
	lastIOErrnoDesc  = ofConnection("last_io_errno", "The error that keeps the slave from its master; 0: none.")
	lastSQLErrnoDesc = ofConnection("last_sql_errno", "The error that has stopped the SQL thread; 0: none.")
	readDesc         = ofConnection("read_master_log_pos", "Where in its file of the master's binary log the slave reads.")
	executedDesc     = ofConnection("exec_master_log_pos", "How far in its file of the master's binary log it applies.")
	masterIDDesc     = ofConnection("master_server_id", "The server_id of the master, once the slave has known it.")
	delayDesc        = ofConnection("sql_delay", "By how many seconds the slave is told to stay behind.")
)

func ofConnection(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("mysql_slave_status_"+name, help, connectionLabels, nil)
}

// What mysqld_exporter does not know.
var (
	stateDesc = own("state", "1 for the state that gtunnel replication status has, 0 for each other; "+
		"unknown: it could not be looked at.", "state")
	healthyDesc  = own("healthy", "Whether the replication works without a problem.")
	findingsDesc = own("findings", "What status finds, by its level, problem or warning, and its code.", "level", "code")
	roleDesc     = own("role", "1 for the role of the server of this host, 0 for the other.", "role")
	lagDesc      = own("lag_seconds", "How old the data of the slave is. It is measured by where the master's binary log "+
		"stood when, not by the slave's own word.")
	caughtUpDesc = own("caught_up_timestamp_seconds", "The last time, in seconds since 1970, of which is known that the "+
		"slave has applied all that its master had then. It stays while nothing is known.")
	bytesDesc   = own("lag_bytes", "Bytes of the master's binary log that the slave has not applied.")
	unreadDesc  = own("unread_bytes", "Bytes of the master's binary log that the slave has not received.")
	silenceDesc = own("master_silence_seconds",
		"How long the slave has received nothing from its master, not even a heartbeat.")
	reachableDesc = own("master_reachable", "Whether the master answers through the tunnel, of a slave.")
	slavesDesc    = own("slaves_connected", "Slaves that are connected to the server of this host, of a master.")
	comparedDesc  = own("compared_timestamp_seconds", "When the last comparison ended, in seconds since 1970.")
	equalDesc     = own("compared_equal", "Whether it found all equal that it compared.")
	differingDesc = own("compared_differing", "Tables and other things that it found not equal.")
	leftOutDesc   = own("compared_left_out", "Tables and other things that it could not compare.")
	termDesc      = own("term", "The number of the term that this host of a pair knows.")
	writableDesc  = own("writable", "Whether the server can be written to without special rights, of this host of a "+
		"pair, or of the other.", "host")
	guardDesc         = own("guard_running", "Whether the guard runs, of this host of a pair, or of the other.", "host")
	guardReadOnlyDesc = own("guard_read_only", "Whether the guard keeps the server of this host read-only although it is "+
		"no slave that works.")
	looksDesc = own("looks_total", "Looks at the replication, by whether they have come to a result.", "result")
	lookDesc  = own("look_timestamp_seconds", "When the last look ended, in seconds since 1970.")
	tookDesc  = own("look_duration_seconds", "How long the last look took.")
)

func own(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("gtunnel_replication_"+name, help, labels, nil)
}

// healths are the values of the label state; unknown is one more.
var healths = []watch.Health{
	watch.HealthOK, watch.HealthLagging, watch.HealthConnecting, watch.HealthStalled, watch.HealthApplierStuck,
	watch.HealthIOStopped, watch.HealthTunnelDown, watch.HealthAuthFailed, watch.HealthSQLError, watch.HealthSeedNeeded,
	watch.HealthDiverged, watch.HealthCutOffWork, watch.HealthNotConfigured, watch.HealthCopying,
	watch.HealthWritableSlave, watch.HealthMaster, watch.HealthGuardReadOnly, watch.HealthSplitBrain,
	watch.HealthServerDown,
	watch.Health(page.ReplicationUnknown),
}

// collector tells what the last look has shown.
type collector struct{ monitor *Monitor }

// Describe sends nothing: what is there changes from look to look (prometheus.Collector has it
// that such a collector is unchecked).
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the present values.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	m := c.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	g := gauges{metrics: metrics}
	for result, n := range map[string]uint64{"done": m.done, "failed": m.failed} {
		metrics <- prometheus.MustNewConstMetric(looksDesc, prometheus.CounterValue, float64(n), result)
	}
	if m.done+m.failed == 0 {
		return
	}
	g.time(lookDesc, m.looked)
	g.set(tookDesc, m.took.Seconds())
	status, state := m.status, watch.Health(page.ReplicationUnknown)
	if m.stuck() != nil {
		status = nil // it was so before
	}
	if status != nil {
		state = status.State
	}
	for _, h := range healths {
		g.is(stateDesc, h == state, string(h))
	}
	if c := m.compared; c != nil {
		g.time(comparedDesc, c.Ended)
		g.is(equalDesc, c.Differing == 0)
		g.set(differingDesc, float64(c.Differing))
		g.set(leftOutDesc, float64(c.NotCompared))
	}
	if at := m.meter.CaughtUp(); !at.IsZero() {
		g.time(caughtUpDesc, at)
	}
	if status == nil {
		return
	}
	g.is(upDesc, state != watch.HealthServerDown)
	g.is(healthyDesc, status.Healthy)
	g.findings(status)
	g.slave(status, m.lag)
	g.pair(status)
}

// gauges sends gauges.
type gauges struct{ metrics chan<- prometheus.Metric }

func (g gauges) set(desc *prometheus.Desc, value float64, labels ...string) {
	g.metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

func (g gauges) is(desc *prometheus.Desc, is bool, labels ...string) {
	value := 0.0
	if is {
		value = 1
	}
	g.set(desc, value, labels...)
}

func (g gauges) time(desc *prometheus.Desc, at time.Time) {
	g.set(desc, float64(at.UnixMilli())/1000)
}

// known sends what is known.
func known[T int64 | uint64 | float64](g gauges, desc *prometheus.Desc, value *T, labels ...string) {
	if value != nil {
		g.set(desc, float64(*value), labels...)
	}
}

// findings counts what was found.
func (g gauges) findings(s *watch.Status) {
	for level, found := range map[string][]*finding.Problem{"problem": s.Problems, "warning": s.Warnings} {
		counts := map[string]int{}
		for _, p := range found {
			counts[p.Code]++
		}
		for code, n := range counts {
			g.set(findingsDesc, float64(n), level, code)
		}
	}
}

// slave sends what is known of the slave and its master.
func (g gauges) slave(s *watch.Status, lag *float64) {
	if s.Role == finding.Master && s.State != watch.HealthServerDown {
		g.set(slavesDesc, float64(len(s.Slaves)))
	}
	c := s.Connection
	if c == nil || c.MasterHost == "" {
		return
	}
	g.connection(c, s.State != watch.HealthStalled)
	known(g, lagDesc, lag)
	known(g, bytesDesc, s.Lag.Bytes)
	known(g, unreadDesc, s.Lag.Unread)
	known(g, silenceDesc, s.Lag.Silence)
	if s.Role != finding.Master {
		g.is(reachableDesc, s.Master.Reachable)
	}
}

// connection sends what the slave says of its connection; alive: its lag means something.
func (g gauges) connection(c *server.SlaveStatus, alive bool) {
	labels := []string{c.MasterHost, c.MasterUUID, c.Channel, ""}
	g.is(ioRunningDesc, c.IORunning == "Yes", labels...)
	g.is(sqlRunningDesc, c.SQLRunning == "Yes", labels...)
	if alive && c.IORunning == "Yes" {
		known(g, secondsDesc, c.SecondsBehind, labels...)
	}
	g.set(lastErrnoDesc, float64(c.SQLErrno), labels...)
	g.set(lastSQLErrnoDesc, float64(c.SQLErrno), labels...)
	g.set(lastIOErrnoDesc, float64(c.IOErrno), labels...)
	g.set(readDesc, float64(c.Read.Offset), labels...)
	g.set(executedDesc, float64(c.Executed.Offset), labels...)
	if c.MasterID != 0 {
		g.set(masterIDDesc, float64(c.MasterID), labels...)
	}
	g.set(delayDesc, float64(c.Delay), labels...)
}

// pair sends what is known of a pair, and of the role of its host.
func (g gauges) pair(s *watch.Status) {
	role, p := s.Role, s.Pair
	if p != nil && !p.Term.IsZero() {
		g.set(termDesc, float64(p.Term.Number))
		role = finding.Slave
		if p.Term.Master == p.Name {
			role = finding.Master
		}
	}
	for _, r := range []finding.Role{finding.Master, finding.Slave} {
		g.is(roleDesc, r == role, string(r))
	}
	if p == nil {
		return
	}
	if s.State != watch.HealthServerDown {
		g.is(guardReadOnlyDesc, s.State == watch.HealthGuardReadOnly)
		g.is(writableDesc, p.Writable, "this")
	}
	for _, seen := range []struct {
		desc *prometheus.Desc
		is   *bool
		host string
	}{{writableDesc, p.PeerWritable, "peer"}, {guardDesc, p.Guard.Runs, "this"}, {guardDesc, p.PeerGuard, "peer"}} {
		if seen.is != nil {
			g.is(seen.desc, *seen.is, seen.host)
		}
	}
}
