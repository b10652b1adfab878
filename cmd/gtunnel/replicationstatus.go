package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/watch"
	"github.com/gtunnel/gtunnel/tunnel"
)

// statusHelp is what the command says of itself.
const statusHelp = `Asks the slave, which is this host's server, and through the tunnel its master
how the replication is, and says what to do where it is not well. It begins with
the state in a word; gtunnel help states lists all. Exit 1: a problem. Where
this host's own server does not answer (server-down), it tells all the rest.

On a master it lists the slaves that are connected, and whether they were sent
all; how far they have come only the slaves know. On a host of a pair it tells
the terms of both, what the guard does and for what it waits, and, while the
master does not answer, what must not be done now.
--watch looks again every 2 s until ctrl-C: a screen with a plot of the lag, or,
piped, a line for each change. --nagios is a plugin of Nagios: a problem is
CRITICAL, a warning WARNING, and what could not be asked UNKNOWN.
--json prints schema (1), state, healthy, summary, role, slave, master, pair,
connection (the slave's own status), lag (bytes, unread_bytes, silence_seconds,
seconds_behind: null where it is not known), and problems and
warnings, each with on, code, text and cure.`

func (m *Main) replicationStatusCommand() *cobra.Command {
	q := statusQuestion{stateDir: defaultStateDir, config: config.DefaultFile, nagios: newNagios()}
	q.login.unsafePlaintext = &q.master.unsafePlaintext
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Does the replication work, how far is the slave behind",
		Long:  statusHelp,
		Example: `  gtunnel replication status
  gtunnel replication status --watch
  gtunnel replication status --json
  gtunnel replication status --nagios --warn-lag 1m --max-lag 10m
  gtunnel replication status --master-user watch --master-password-file pw`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.nagios.on {
				return m.asPlugin(cmd.Context(), &q)
			}
			if err := m.forgetSlave(cmd.Context(), &q); err != nil {
				return err
			}
			if q.watch {
				return m.watchReplication(cmd.Context(), &q)
			}
			return m.showReplication(cmd.Context(), &q)
		},
	}
	settings := []config.Setting{
		{Name: "json", Target: &q.asJSON, Usage: "print JSON"},
		{Name: "watch", Target: &q.watch, Usage: "look again every 2 s, until ctrl-C"},
		{
			Name: "forget", Arg: "ID", Target: &q.forget, Preset: "none",
			Usage: "on a master: a server_id that is no slave's any more",
		},
		{Name: "state-dir", Arg: "DIR", Target: &q.stateDir, File: true, Usage: "notes of runs that were cut off"},
		{Name: "config", Arg: "FILE", Target: &q.config, File: true, Usage: "the file with the section [pair]"},
	}
	settings = slices.Concat(settings[:2], q.nagios.settings(), settings[2:], q.login.settings())
	config.AddFlags(cmd, "", append(settings, q.master.settings()...))
	return cmd
}

// showReplication looks once.
func (m *Main) showReplication(ctx context.Context, q *statusQuestion) error {
	status, err := m.readReplicationStatus(ctx, q)
	if err != nil {
		return err
	}
	if q.asJSON {
		status.Problems, status.Warnings = m.inCommandsOf(status.Problems), m.inCommandsOf(status.Warnings)
		err = m.printJSON(status)
	} else {
		err = m.writeReplicationStatus(status)
	}
	if err == nil {
		err = notWell(status)
	}
	return err
}

// statusQuestion is whom a status asks, and how it is shown.
type statusQuestion struct {
	login            loginFlags
	master           masterFlags
	stateDir, config string
	asJSON, watch    bool
	nagios           nagios
	forget           int // the server_id of a slave; 0: of none
}

// notWell is the error of a replication that is not well; nil of one that is, or that was
// not looked at.
func notWell(status *watch.Status) error {
	if status == nil || status.Healthy {
		return nil
	}
	return fmt.Errorf("the replication is not well: %s", strings.TrimPrefix(status.String(), "not well: "))
}

// readReplicationStatus asks the slave, and the master if it can be reached.
func (m *Main) readReplicationStatus(ctx context.Context, q *statusQuestion) (*watch.Status, error) {
	var l lookout
	defer l.close()
	return m.look(ctx, q, &l)
}

// lookout is the logins by which a status is read, look after look. The zero value has none
// yet; close ends them, and leaves the zero value.
type lookout struct {
	slave, master *server.Server
	pair          *failover.Observer // of a host of a pair
}

func (l *lookout) close() {
	if l.pair != nil {
		l.pair.Close()
	}
	for _, s := range []*server.Server{l.master, l.slave} {
		if s != nil {
			_ = s.Close() // it was only asked
		}
	}
	*l = lookout{}
}

// look is readReplicationStatus by the logins of a lookout, which get those that they lack.
func (m *Main) look(ctx context.Context, q *statusQuestion, l *lookout) (_ *watch.Status, err error) {
	flags := &q.master
	if l.slave == nil {
		l.slave, err = m.openLocal(ctx, finding.Slave, &q.login)
	}
	if isDown(err) && ctx.Err() == nil {
		return m.readDown(ctx, q, err)
	}
	if err != nil {
		return nil, ofOwn(err)
	}
	if l.master == nil {
		l.master, err = m.openMaster(ctx, flags)
	}
	if err != nil && (ctx.Err() != nil || usage.Is(err) && *flags != (masterFlags{})) {
		return nil, err
	}
	through := ""
	if c, err := flags.credentials(); err == nil {
		through = c.Address
	}
	pair, pairErr := m.seePair(ctx, q, l, err)
	if pairErr != nil && (ctx.Err() != nil || isMistyped(q.config)) {
		return nil, pairErr
	}
	return watch.Read(ctx, l.slave, l.master, watch.Options{
		Unreachable: err, Through: through, StateDir: q.stateDir, HandedOver: handedOver, Pair: pair,
		PairUnseen: pairUnseen(pairErr, q.config),
	})
}

// handedOver gives the databases that setup-master has set up on the server of this
// host, if its file is here.
func handedOver(id uint32, uuid, mark string) []string {
	h, err := replication.ReadHandOver(defaultHandOver)
	if err != nil || h.ServerID != id || h.UUID != uuid || h.Mark != mark {
		return nil
	}
	return h.Databases
}

// writeReplicationStatus prints the state, the facts, and what to do.
func (m *Main) writeReplicationStatus(s *watch.Status) error {
	var facts strings.Builder
	if err := writeReplicationFacts(&facts, s); err != nil {
		return err
	}
	fmt.Fprintln(m.Stdout, s)
	if facts.Len() > 0 { // without a pair, a server that does not answer has none
		fmt.Fprintf(m.Stdout, "\n%s", &facts)
	}
	var found findings
	if s.State == watch.HealthConnecting || s.State == watch.HealthStalled || s.State == watch.HealthTunnelDown {
		if _, err := expand(tunnel.Address{}); err != nil {
			found.warn("tunnel", usage.HintOf(err), "%v", err)
		}
	}
	found.addReplication(finding.Findings{Problems: s.Problems, Warnings: s.Warnings})
	if len(found) > 0 {
		fmt.Fprintln(m.Stdout)
	}
	m.writeFindings(found)
	return nil
}

func writeReplicationFacts(out io.Writer, s *watch.Status) error {
	w := terminal.NewTable(out)
	fact := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	writePairFacts(fact, s)
	if s.State == watch.HealthServerDown { // it says nothing
		return w.Flush()
	}
	if s.Role == finding.Master {
		writeMasterFacts(fact, s)
		return w.Flush()
	}
	if s.Slave.ServerID == 0 { // it could not be asked
		fact("slave", "%s", s.Slave.Version)
	} else {
		fact("slave", "%s, server_id %d, %s", s.Slave.Version, s.Slave.ServerID, writable(s))
	}
	c := s.Connection
	if s.Master.Reachable {
		fact("master", "%s, server_id %d, its binary log stands at %s", s.Master.Version, s.Master.ServerID,
			s.Master.Position)
	} else {
		fact("master", "cannot be asked")
	}
	if way := s.Master.Tunnel; way != server.WayUnknown && way != server.WayAnswered {
		fact("tunnel", "%s", way)
	}
	if c != nil && c.MasterHost != "" {
		by := "file and position"
		if c.ByGTID {
			by = "GTID"
		}
		fact("connection", "to %s:%d as %s, by %s", c.MasterHost, c.MasterPort, c.MasterUser, by)
		fact("receives", "%s", thread(c.IORunning, c.IOState, c.Read, s.Lag.Unread))
		fact("applies", "%s", thread(c.SQLRunning, c.SQLState, c.Executed, s.Lag.Bytes))
		fact("lag", "%s", lag(s.Lag))
		fact("replicates", "%s", replicated(c))
		if s.Compared != nil {
			ago := max(s.Time.Sub(s.Compared.Ended), 0).Round(time.Minute)
			fact("compared", "%s ago: %s", finding.FormatDuration(ago), s.Compared)
		}
		if c.GTIDExecuted != "" {
			fact("GTID", "%s", strings.ReplaceAll(c.GTIDExecuted, "\n", ""))
		}
	}
	if len(s.Others) > 0 {
		fact("others", "%s: not gtunnel's", strings.Join(s.Others, ", "))
	}
	writeFollowers(fact, s)
	return w.Flush()
}

// writeMasterFacts prints what is known of a master.
func writeMasterFacts(fact func(name, format string, args ...any), s *watch.Status) {
	at := server.Position{File: s.BinaryLog.File, Offset: s.BinaryLog.Offset}
	stands := "its binary log is off, or may not be seen by this login"
	if !at.IsZero() {
		stands = "its binary log stands at " + at.String()
	}
	fact("master", "%s, server_id %d, %s", s.Slave.Version, s.Slave.ServerID, stands)
	if len(s.BinaryLog.Databases) > 0 {
		fact("set up", "%s", strings.Join(s.BinaryLog.Databases, ", "))
	}
	writeFollowers(fact, s)
}

// writeFollowers prints the slaves of this server.
func writeFollowers(fact func(name, format string, args ...any), s *watch.Status) {
	for _, f := range s.Slaves {
		id := ""
		if f.ServerID != nil {
			id = fmt.Sprintf("server_id %d, ", *f.ServerID)
		}
		sent := "was sent all"
		if !f.HasAll {
			sent = "is behind: " + f.State
		}
		if f.Name != "" {
			id += f.Name + ", "
		}
		fact("its slave", "%sfrom %s as %s, connected for %s, %s", id, f.Host, f.User,
			finding.FormatDuration(s.Time.Sub(f.Since).Round(time.Second)), sent)
	}
	writeKnownSlaves(fact, s)
}

// writable tells who may write on the slave.
func writable(s *watch.Status) string {
	switch {
	case !s.Slave.ReadOnly:
		return "not read-only"
	case s.Slave.SuperReadOnly != nil && *s.Slave.SuperReadOnly:
		return "read-only for all"
	case len(s.Slave.Writers) == 0:
		return "read-only"
	}
	return "read-only, but not for " + strings.Join(s.Slave.Writers, ", ")
}

// thread is how far a thread has come, and what it does if it has more to do.
func thread(running, state string, at server.Position, behind *uint64) string {
	text := running
	if !at.IsZero() {
		text += ", up to " + at.String()
	}
	if behind == nil || *behind > 0 {
		if behind != nil {
			text += ", " + finding.FormatBytes(*behind) + " behind"
		}
		if state != "" {
			text += ": " + state
		}
	}
	return text
}

// lag is what is known of the age of the slave's data.
func lag(l watch.Lag) string {
	var parts []string
	if l.Bytes != nil {
		parts = append(parts, finding.FormatBytes(*l.Bytes))
	}
	if l.Seconds != nil {
		parts = append(parts, fmt.Sprintf("%d s by the slave's own word", *l.Seconds))
	}
	if l.Silence != nil {
		parts = append(parts,
			fmt.Sprintf("last sign of the master %s ago",
				finding.FormatDuration(time.Duration(*l.Silence*float64(time.Second)).Round(time.Second))))
	}
	if len(parts) == 0 {
		return "not known"
	}
	return strings.Join(parts, "; ")
}

// replicated is what the filters let through.
func replicated(c *server.SlaveStatus) string {
	text := "everything"
	if len(c.WildDoTable) > 0 {
		text = strings.Join(c.WildDoTable, ", ")
	}
	if ignored := slices.Concat(c.IgnoreTable, c.WildIgnoreTable); len(ignored) > 0 {
		text += ", without " + strings.Join(ignored, ", ")
	}
	if len(c.OtherFilters) > 0 {
		text += "; " + strings.Join(c.OtherFilters, ", ")
	}
	return text
}
