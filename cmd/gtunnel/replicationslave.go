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

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
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
	inner     TunnelConfig // of --connect
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
			s.inner.trustOnly(cmd.Flags().Changed("capath"), cmd.Flags().Changed("cafile"))
			return m.setupSlave(cmd.Context(), s)
		},
	}
	addFlags(cmd, tunnel.Client, s.settings())
	return cmd
}

// settings are the flags.
func (s *setupSlave) settings() []setting {
	settings := []setting{
		{name: "hand-over", arg: "FILE", target: &s.handOver, file: true, usage: "of setup-master"},
		{
			name: "databases", arg: "NAME", target: &s.databases, preset: "all of it",
			usage: "to replicate; separated by commas, or repeated",
		},
		{
			name: "replace-databases", arg: "NAME", target: &s.replace, preset: "none",
			usage: "whose data on this host may be lost",
		},
		{name: "reseed", target: &s.reseed, usage: "copy the databases anew"},
		{
			name: "method", arg: "METHOD", target: &s.method, values: []string{"dump", "mydumper", "clone", "none"},
			usage: "how: dump, mydumper, clone, none",
		},
		{name: "start", arg: "FILE:POSITION", target: &s.start, usage: "of --method none: the coordinates of the data"},
		{name: "lock-tables", target: &s.lockTables, usage: "lock the master's tables during the copy"},
		{name: "max-rate", arg: "BYTES", target: &s.maxRate, preset: "none", usage: "a second, of the copy, such as 10M"},
		{name: "new-passwords", target: &s.newPasswords, usage: "with --master-user: replace those that other slaves use"},
		{name: "skip-compare", target: &s.skipCompare, usage: "do not compare the data at the end"},
		{
			name: "config-dir", arg: "DIR", target: &s.configDir, file: true, preset: "found",
			usage: "where the server reads option files",
		},
		{name: "state-dir", arg: "DIR", target: &s.stateDir, file: true, usage: "where to note what is done"},
		{name: "monitor-file", arg: "FILE", target: &s.monitor, file: true, usage: "where to keep the login for status"},
	}
	settings = append(settings, s.plan.settings()...)
	settings = append(settings, s.login.settings()...)
	settings = append(settings, s.master.settings()...)
	inner := pick(s.inner.settings(), "connect", "server-name", "cert", "key", "capath", "cafile", "crl", "crl-grace",
		"namespaces", "eku", "host-mode", "min-tls", "max-depth")
	inner[0].usage = "dial the master's gtunnel from here, before the service is set up"
	for i := range inner {
		inner[i].group = groupTunnel
	}
	return append(settings, inner...)
}

// byAdministrator reports whether the login on the master is an administrator's.
func (s *setupSlave) byAdministrator() bool {
	return s.master.user != "" || s.master.defaultsFile != ""
}

func (m *Main) setupSlave(ctx context.Context, s *setupSlave) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	setup := &replication.Setup{ConfigDir: s.configDir, MonitorPath: s.monitor, NewPasswords: s.newPasswords}
	var err error
	if setup.Want, err = s.want(); err != nil {
		return err
	}
	if err := checkConfigDir(s.configDir); err != nil {
		return err
	}
	if setup.State, err = journal.OpenState(s.stateDir); err != nil {
		return err
	}
	defer func() { _ = setup.State.Close() }() // the lock ends with the process anyway
	if setup.Address, setup.Want.Port, err = s.address(); err != nil {
		return err
	}
	if len(s.inner.Connect) > 0 {
		if s.inner.Accept, err = tunnel.ParseAddress(setup.Address); err != nil {
			return &usageError{where: "--master", err: err}
		}
		stopTunnel, err := m.startInnerTunnel(ctx, s.inner)
		if err != nil {
			return err
		}
		defer stopTunnel()
	}
	if setup.Slave, err = m.openLocal(ctx, finding.Slave, &s.login); err != nil {
		return err
	}
	defer func() { _ = setup.Slave.Close() }() // nothing is left to fail
	if setup.Master, err = m.openMasterForSetup(ctx, s, setup); err != nil {
		return err
	}
	defer func() { _ = setup.Master.Close() }() // nothing is left to fail
	return m.runSetup(ctx, s, setup)
}

// runSetup makes the slave, and says what has come of it.
func (m *Main) runSetup(ctx context.Context, s *setupSlave, setup *replication.Setup) error {
	dialogue, end := m.dialogue(ctx, s.plan)
	var compared *compare.Result
	dialogue.Compared = func(r *compare.Result) { compared = r }
	setup.Dialogue = dialogue
	applied, err := setup.Run(ctx)
	end()
	if compared != nil && !compared.Equal() {
		err = errors.Join(m.writeComparison(compared), err)
	}
	if err != nil || !applied { // or a plan that was only shown
		return err
	}
	if compared != nil {
		fmt.Fprintf(m.Stdout, "\n%s", comparisonSum(compared))
	}
	fmt.Fprintf(m.Stdout, "\nThe slave replicates %s. Watch it with: gtunnel replication status\n",
		strings.Join(setup.Want.Databases, ", "))
	if len(s.inner.Connect) > 0 {
		fmt.Fprintf(m.Stdout,
			"The tunnel of this command ends now: start the service (systemctl enable --now gtunnel-client).\n")
	}
	return nil
}

// want is what the flags alone say.
func (s *setupSlave) want() (replication.SlaveWant, error) {
	want := replication.SlaveWant{
		Databases: splitNames(s.databases), Replace: splitNames(s.replace), Reseed: s.reseed,
		Method:     journal.SeedMethod(s.method),
		LockTables: s.lockTables, MaxRate: uint64(s.maxRate), SkipCompare: s.skipCompare,
	}
	switch {
	case want.Method == journal.SeedNone && s.start == "":
		return want,
			&usageError{
				where: "--start", message: "is needed with --method none",
				hint: "give the coordinates of the master that the data on this host has, as in mysql-bin.000007:4711",
			}
	case want.Method != journal.SeedNone && s.start != "":
		return want,
			&usageError{where: "--start", message: "is for --method none only", hint: "a copy brings its own coordinates"}
	case s.start != "":
		file, offset, found := strings.Cut(s.start, ":")
		n, err := strconv.ParseUint(offset, 10, 64)
		if !found || file == "" || err != nil {
			return want,
				&usageError{
					where: "--start", message: fmt.Sprintf("%q is no FILE:POSITION", s.start),
					hint: "write it as in mysql-bin.000007:4711",
				}
		}
		want.Start = server.Position{File: file, Offset: n}
	}
	if s.byAdministrator() {
		if len(want.Databases) == 0 {
			return want,
				&usageError{where: "--databases", message: "is needed with --master-user", hint: "name the databases to replicate"}
		}
		return want, nil
	}
	var err error
	want.HandOver, err = replication.ReadHandOver(s.handOver)
	if errors.Is(err, fs.ErrNotExist) {
		return want, &usageError{
			where: "--hand-over", message: "there is no " + s.handOver,
			hint: "on the master run gtunnel replication setup-master, and copy its hand-over file here; or log in there with " +
				"--master-user",
		}
	}
	return want, err
}

// address is where the slave reaches its master, with the port.
func (s *setupSlave) address() (end string, port int, err error) {
	network, end, err := s.master.plainEnd(nil)
	if err != nil {
		return "", 0, err
	}
	if network != "tcp" {
		return "", 0, &usageError{
			where: "--master", message: "must be an address of 127.0.0.1 with a port: a slave connects by TCP only",
		}
	}
	_, text, err := net.SplitHostPort(end)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		return "", 0, &usageError{
			where: "--master", message: "must be an address of 127.0.0.1 with a port, to which the slave can connect",
		}
	}
	return end, port, nil
}

// openMasterForSetup logs in to the master: by the hand-over, or as the administrator whom
// the flags name. The caller closes it.
func (m *Main) openMasterForSetup(
	ctx context.Context, s *setupSlave, setup *replication.Setup,
) (*server.Server, error) {
	if s.byAdministrator() {
		return m.openMaster(ctx, &s.master)
	}
	return setup.Want.HandOver.OpenMaster(ctx, setup.Address)
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
		return &valueError{fmt.Sprintf("%q is no number of bytes", text), "write it as in 500k, 10M or 1G"}
	}
	*b = byteCount(n * factor)
	return nil
}
