package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/tunnel"
)

// defaultStateDir is where setup-slave keeps what it has done.
const defaultStateDir = "/var/lib/gtunnel"

// setupSlave is the command line of setup-slave.
type setupSlave struct {
	login     loginFlags
	master    masterFlags
	plan      planFlags
	inner     config.Tunnel // of --connect
	databases []string
	replace   []string
	handOver  string
	configDir string
	stateDir  string
	monitor   string
	method    string
	start     string
	maxRate   byteCount

	lockTables, reseed, skipCompare, newPasswords bool
}

func (m *Main) setupSlaveCommand() *cobra.Command {
	s := &setupSlave{
		handOver: defaultHandOver, stateDir: defaultStateDir, monitor: defaultMasterFile,
		method: string(journal.SeedDump), inner: innerTunnelConfig(),
	}
	s.login.unsafePlaintext = &s.master.unsafePlaintext
	cmd := &cobra.Command{
		Use:   "setup-slave",
		Short: "Make this host's server the slave, through the tunnel",
		Long: `Makes the MySQL or MariaDB server of this host the slave of the master at the
other end of the tunnel: copies the databases, starts the replication, waits
until it has caught up, makes the server read-only and compares the data. Shows
its plan first. A run that was cut off is gone on with by the next one; a
second run changes nothing.

It logs in to the master with the hand-over file of setup-master, or, with
--master-user, as an administrator, and then sets the master up as well.`,
		Example: `  gtunnel replication setup-slave
  gtunnel replication setup-slave --connect server1.domain.one:3307 --dry-run
  gtunnel replication setup-slave --master-user root --databases voms`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.inner.TrustFlagsOnly(cmd.Flags())
			return m.setupSlave(cmd.Context(), s)
		},
	}
	settings := []config.Setting{
		{Name: "hand-over", Arg: "FILE", Target: &s.handOver, File: true, Usage: "of setup-master"},
		{Name: "databases", Arg: "NAME", Target: &s.databases, Preset: "all of it", Usage: "to replicate; separated by commas, or repeated"},
		{Name: "replace-databases", Arg: "NAME", Target: &s.replace, Preset: "none", Usage: "whose data on this host may be lost"},
		{Name: "reseed", Target: &s.reseed, Usage: "copy the databases anew"},
		{Name: "method", Arg: "METHOD", Target: &s.method, Values: []string{"dump", "mydumper", "clone", "none"}, Usage: "how: dump, mydumper, clone, none"},
		{Name: "start", Arg: "FILE:POSITION", Target: &s.start, Usage: "of --method none: the coordinates of the data"},
		{Name: "lock-tables", Target: &s.lockTables, Usage: "lock the master's tables during the copy"},
		{Name: "max-rate", Arg: "BYTES", Target: &s.maxRate, Preset: "none", Usage: "a second, of the copy, such as 10M"},
		{Name: "new-passwords", Target: &s.newPasswords, Usage: "with --master-user: replace those that other slaves use"},
		{Name: "skip-compare", Target: &s.skipCompare, Usage: "do not compare the data at the end"},
		{Name: "config-dir", Arg: "DIR", Target: &s.configDir, File: true, Preset: "found", Usage: "where the server reads option files"},
		{Name: "state-dir", Arg: "DIR", Target: &s.stateDir, File: true, Usage: "where to note what is done"},
		{Name: "monitor-file", Arg: "FILE", Target: &s.monitor, File: true, Usage: "where to keep the login for status"},
	}
	settings = append(settings, s.plan.settings()...)
	settings = append(settings, s.login.settings()...)
	settings = append(settings, s.master.settings()...)
	inner := config.Pick(s.inner.Settings(), "connect", "server-name", "cert", "key", "capath", "cafile", "crl", "crl-grace", "namespaces", "eku", "host-mode", "min-tls", "max-depth")
	inner[0].Usage = "dial the master's gtunnel from here, before the service is set up"
	for i := range inner {
		inner[i].Group = config.GroupTunnel
	}
	config.AddFlags(cmd, tunnel.Client, append(settings, inner...))
	return cmd
}

// byAdministrator reports whether the login on the master is an administrator's.
func (s *setupSlave) byAdministrator() bool {
	return s.master.user != "" || s.master.defaultsFile != ""
}

func (m *Main) setupSlave(ctx context.Context, s *setupSlave) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	want, err := s.want()
	if err != nil {
		return err
	}
	state, err := journal.OpenState(s.stateDir)
	if err != nil {
		return err
	}
	defer func() { _ = state.Close() }() // the lock ends with the process anyway

	end, err := s.address()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(end)
	if err == nil {
		want.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		return &usage.Error{Where: "--master", Message: "must be an address of 127.0.0.1 with a port, to which the slave can connect"}
	}
	if len(s.inner.Connect) > 0 {
		if s.inner.Accept, err = tunnel.ParseAddress(end); err != nil {
			return &usage.Error{Where: "--master", Err: err}
		}
		stopTunnel, err := m.startInnerTunnel(ctx, s.inner)
		if err != nil {
			return err
		}
		defer stopTunnel()
	}
	slave, err := m.openLocal(ctx, finding.Slave, &s.login)
	if err != nil {
		return err
	}
	defer func() { _ = slave.Close() }() // nothing is left to fail
	if err := state.Of(ctx, slave); err != nil {
		return err
	}
	master, err := m.openMasterForSetup(ctx, s, slave, &want, end, state)
	if err != nil {
		return err
	}
	defer func() { _ = master.Close() }() // nothing is left to fail
	if want.HandOver == nil {
		return nil // a dry run on a master that is not set up: all has been said
	}
	if len(want.Databases) == 0 {
		want.Databases = want.HandOver.Databases
	}
	if _, known := want.HandOver.Passwords[facts.MonitorUser]; known {
		want.MonitorFile = &optionfile.ClientFile{Path: s.monitor, Login: handOverLogin(want.HandOver, facts.MonitorUser, end)}
	}

	setup := &replication.Setup{Master: master, Slave: slave, Want: want, State: state}
	if err := setup.Read(ctx); err != nil {
		return err
	}
	if setup.Want.DropIn, err = findDropIn(setup.SlaveFacts, s.configDir); err != nil {
		return err
	}
	plan, applier, err := setup.Plan(ctx)
	if err != nil {
		return err
	}
	if done, err := m.agree(plan, s.plan); done || err != nil {
		return err
	}
	var compared *compare.Result
	applier.Compared = func(r *compare.Result) { compared = r }
	err = m.apply(ctx, applier, plan, s.plan)
	if compared != nil && !compared.Equal() {
		err = errors.Join(m.writeComparison(compared), err)
	}
	if err != nil {
		return usage.WithHint(err, strings.TrimPrefix(usage.HintOf(err)+"; "+goOnHint(err, state.Stage, want.Databases), "; "))
	}
	if compared != nil {
		fmt.Fprintf(m.Stdout, "\n%s", comparisonSum(compared))
	}
	fmt.Fprintf(m.Stdout, "\nThe slave replicates %s. Watch it with: gtunnel replication status\n", strings.Join(want.Databases, ", "))
	if len(s.inner.Connect) > 0 {
		fmt.Fprintf(m.Stdout, "The tunnel of this command ends now: start the service (systemctl enable --now gtunnel-client).\n")
	}
	return nil
}

// goOnHint says what an unfinished setup has left, and how it goes on.
func goOnHint(err error, stage journal.Stage, databases []string) string {
	switch {
	case finding.HasCode(err, "broken"):
		return "unless that mends it: the same command again with --reseed --replace-databases " + strings.Join(databases, ",")
	case stage == journal.StageSeeding:
		return "the slave has no replication and no whole copy; the same command again copies from the beginning"
	case stage == journal.StageSeeded:
		return "the copy is whole; the same command again goes on from there"
	default:
		return "the same command again goes on from here"
	}
}

// want is what the flags alone say.
func (s *setupSlave) want() (replication.SlaveWant, error) {
	want := replication.SlaveWant{
		Databases: splitNames(s.databases), Replace: splitNames(s.replace), Reseed: s.reseed, Method: journal.SeedMethod(s.method),
		LockTables: s.lockTables, MaxRate: uint64(s.maxRate), SkipCompare: s.skipCompare,
	}
	switch {
	case want.Method == journal.SeedNone && s.start == "":
		return want, &usage.Error{Where: "--start", Message: "is needed with --method none", Cure: "give the coordinates of the master that the data on this host has, as in mysql-bin.000007:4711"}
	case want.Method != journal.SeedNone && s.start != "":
		return want, &usage.Error{Where: "--start", Message: "is for --method none only", Cure: "a copy brings its own coordinates"}
	case s.start != "":
		file, offset, found := strings.Cut(s.start, ":")
		n, err := strconv.ParseUint(offset, 10, 64)
		if !found || file == "" || err != nil {
			return want, &usage.Error{Where: "--start", Message: fmt.Sprintf("%q is no FILE:POSITION", s.start), Cure: "write it as in mysql-bin.000007:4711"}
		}
		want.Start = server.Position{File: file, Offset: n}
	}
	if s.byAdministrator() {
		if len(want.Databases) == 0 {
			return want, &usage.Error{Where: "--databases", Message: "is needed with --master-user", Cure: "name the databases to replicate"}
		}
		return want, nil
	}
	var err error
	want.HandOver, err = replication.ReadHandOver(s.handOver)
	if errors.Is(err, fs.ErrNotExist) {
		return want, &usage.Error{
			Where: "--hand-over", Message: "there is no " + s.handOver,
			Cure: "on the master run gtunnel replication setup-master, and copy its hand-over file here; or log in there with --master-user",
		}
	}
	return want, err
}

// address is where the slave reaches its master.
func (s *setupSlave) address() (string, error) {
	network, address, err := s.master.plainEnd(nil)
	if err == nil && network != "tcp" {
		err = &usage.Error{Where: "--master", Message: "must be an address of 127.0.0.1 with a port: a slave connects by TCP only"}
	}
	return address, err
}

func handOverLogin(h *replication.HandOver, user, address string) server.Login {
	return server.Login{Network: "tcp", Address: address, User: user, Password: h.Passwords[user]}
}

// openMasterForSetup logs in to the master. By the hand-over file that is the
// seeding account, or the monitor account once that is gone; by an
// administrator's login the master is set up first, and what it then has to hand
// over is in want; nil in a dry run.
func (m *Main) openMasterForSetup(ctx context.Context, s *setupSlave, slave *server.Server, want *replication.SlaveWant, end string, state *journal.StateFile) (*server.Server, error) {
	if !s.byAdministrator() {
		target, err := server.Open(ctx, finding.Master, handOverLogin(want.HandOver, facts.SeedUser, end))
		if err == nil || !server.IsAccessDenied(err) {
			return target, err
		}
		target, err = server.Open(ctx, finding.Master, handOverLogin(want.HandOver, facts.MonitorUser, end))
		if server.IsAccessDenied(err) {
			err = usage.WithHint(err, "the hand-over file is older than the passwords of the accounts, or of another master: bring that master's file here again, after gtunnel replication setup-master there;"+
				" if the passwords are not known there any more, setup-master --new-passwords")
		}
		return target, err
	}
	server, err := m.openMaster(ctx, &s.master)
	if err != nil {
		return nil, err
	}
	if want.HandOver, err = m.setupMasterFromSlave(ctx, s, server, slave, want, state); err != nil {
		_ = server.Close() // the first error says more
		return nil, err
	}
	return server, nil
}

// setupMasterFromSlave does what setup-master does, through the tunnel. A slave
// that follows this master already keeps the accounts that it uses, unless a run
// that was cut off has made them: nobody knows their passwords then, and the
// login for status is still to be kept.
func (m *Main) setupMasterFromSlave(ctx context.Context, s *setupSlave, master, slave *server.Server, want *replication.SlaveWant, state *journal.StateFile) (*replication.HandOver, error) {
	facts, err := facts.Read(ctx, master)
	if err != nil {
		return nil, err
	}
	follows, err := replication.Follows(ctx, slave, want.Port)
	if err != nil {
		return nil, err
	}
	newPasswords := s.newPasswords || state.MadeAccounts(facts) // by a run that was cut off: no other slave has them
	want.NewPasswords = follows && !s.reseed && newPasswords
	keep := follows && !s.reseed && !newPasswords
	plan := replication.PlanMaster(facts, replication.MasterWant{Databases: want.Databases, KeepAccounts: keep, NewPasswords: newPasswords, SeedAgain: !keep})
	if len(plan.Steps) == 0 && len(plan.Problems) == 0 {
		return plan.HandOver, nil
	}
	if done, err := m.agree(plan, s.plan); done || err != nil {
		return nil, err
	}
	if err := m.apply(ctx, &replication.Applier{Master: master, MasterFacts: facts}, plan, s.plan); err != nil {
		return nil, err
	}
	return plan.HandOver, plan.HandOver.NoteAccounts(state)
}

// splitNames takes names from a flag that is repeated, or has several of them
// with commas between.
func splitNames(list []string) []string {
	var names []string
	for _, text := range list {
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// byteCount is a number of bytes, in text with k, M or G behind it if need be.
type byteCount uint64

// UnmarshalText reads such a number.
func (b *byteCount) UnmarshalText(text []byte) error {
	digits, factor := strings.ToUpper(string(text)), uint64(1)
	for unit, f := range map[string]uint64{"K": 1e3, "M": 1e6, "G": 1e9} {
		if rest, found := strings.CutSuffix(digits, unit); found {
			digits, factor = rest, f
		}
	}
	n, err := strconv.ParseUint(digits, 10, 40)
	if err != nil || n == 0 {
		return &usage.Error{Message: fmt.Sprintf("%q is no number of bytes", text), Cure: "write it as in 500k, 10M or 1G"}
	}
	*b = byteCount(n * factor)
	return nil
}
