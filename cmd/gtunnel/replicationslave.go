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
	inner     config.Tunnel // of --connect
	databases []string
	replace   []string
	handOver  string
	configDir string
	stateDir  string
	monitor   string
	method    string
	seed      string
	start     string
	compress  string
	maxRate   byteCount
	pair      pairSetupFlags
	semiSync  semiSyncFlag

	lockTables, reseed, skipCompare, newPasswords, trustCreators, removeHandOver bool
}

func (m *Main) setupSlaveCommand() *cobra.Command {
	s := &setupSlave{
		handOver: defaultHandOver, stateDir: defaultStateDir, monitor: defaultMasterFile,
		method: string(journal.SeedParallel), compress: string(replication.CompressAuto), inner: innerTunnelConfig(),
	}
	s.login.unsafePlaintext = &s.master.unsafePlaintext
	cmd := &cobra.Command{
		Use:   "setup-slave",
		Short: "Make this host's server the slave, through the tunnel",
		Long: `Makes the MySQL or MariaDB server of this host the slave of the master at the
other end of the tunnel: copies the databases, makes the server read-only,
starts the replication, waits until it has caught up and compares the data.
Shows its plan first. A run that was cut off is gone on with by the next one;
a second run changes nothing.

It logs in to the master with the hand-over file of setup-master, or, with
--master-user, as an administrator, and then sets the master up as well.`,
		Example: `  gtunnel replication setup-slave
  gtunnel replication setup-slave --connect server1.domain.one:3307 --dry-run
  gtunnel replication setup-slave --master-user dba --databases voms
  ssh root@server1 gtunnel replication dump |
    gtunnel replication setup-slave --seed -`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.inner.TrustFlagsOnly(cmd.Flags())
			return m.setupSlave(cmd.Context(), s)
		},
	}
	config.AddFlags(cmd, tunnel.Client, s.settings())
	return cmd
}

// settings are the flags.
func (s *setupSlave) settings() []config.Setting {
	settings := []config.Setting{
		{Name: "hand-over", Arg: "FILE", Target: &s.handOver, File: true, Usage: "of setup-master"},
		{
			Name: "databases", Arg: "NAME", Target: &s.databases, Preset: "all of it",
			Usage: "to replicate; separated by commas, or repeated",
		},
		{
			Name: "replace-databases", Arg: "NAME", Target: &s.replace, Preset: "none",
			Usage: "whose data on this host may be lost",
		},
		{Name: "reseed", Target: &s.reseed, Usage: "copy the databases anew"},
		{
			Name: "method", Arg: "METHOD", Target: &s.method,
			Values: []string{"parallel", "dump", "mydumper", "clone", "none"},
			Usage:  "how: parallel, dump, mydumper, clone, none",
		},
		{Name: "seed", Arg: "FILE", Target: &s.seed, Preset: "none", Usage: "a dump of the command dump; - for the input"},
		{Name: "start", Arg: "FILE:POSITION", Target: &s.start, Usage: "of --method none: the coordinates of the data"},
		{Name: "lock-tables", Target: &s.lockTables, Usage: "lock the master's tables during the copy"},
		{Name: "max-rate", Arg: "BYTES", Target: &s.maxRate, Preset: "none", Usage: "a second, of the copy, such as 10M"},
		{
			Name: "compress", Arg: "WHEN", Target: &s.compress, Values: []string{"auto", "on", "off"},
			Usage: "what comes from the master: auto, on, off",
		},
		{Name: "new-passwords", Target: &s.newPasswords, Usage: "with --master-user: replace those that other slaves use"},
		{Name: "trust-function-creators", Target: &s.trustCreators, Usage: trustUsage},
		{Name: "skip-compare", Target: &s.skipCompare, Usage: "do not compare the data at the end"},
		{Name: "remove-hand-over", Target: &s.removeHandOver, Usage: "at the end, on this host; --yes alone never does"},
		{
			Name: "config-dir", Arg: "DIR", Target: &s.configDir, File: true, Preset: "found",
			Usage: "where the server reads option files",
		},
		{Name: "state-dir", Arg: "DIR", Target: &s.stateDir, File: true, Usage: "where to note what is done"},
		{Name: "monitor-file", Arg: "FILE", Target: &s.monitor, File: true, Usage: "where to keep the login for status"},
	}
	settings = append(settings, s.plan.settings()...)
	settings = append(append(settings, s.pair.settings()...), s.semiSync.setting())
	settings = append(settings, s.login.settings()...)
	settings = append(settings, s.master.settings()...)
	inner := config.Pick(s.inner.Settings(), "connect", "server-name", "cert", "key", "capath", "cafile", "crl",
		"crl-grace", "namespaces", "eku", "host-mode", "min-tls", "max-depth")
	inner[0].Usage = "dial the master's gtunnel from here, before the service is set up"
	for i := range inner {
		inner[i].Group = config.GroupTunnel
	}
	return append(settings, inner...)
}

// ofPair is the pair that this host is of; nil if it is of none. Its master is set up on
// its own host, where the note of the term is.
func (s *setupSlave) ofPair() (*replication.Pair, error) {
	pair, err := s.pair.pair(s.stateDir, s.monitor)
	if pair == nil || err != nil {
		return nil, errors.Join(err, s.semiSync.mustBeOfPair())
	}
	pair.SemiSync = replication.SemiSyncWish(s.semiSync)
	if s.byAdministrator() {
		return nil, &usage.Error{
			Where: "--master-user", Message: "is not for a pair: the master notes on its own host that it is the master",
			Cure: "on " + pair.Peer + ": gtunnel replication setup-master; then here, with its hand-over file: " +
				"gtunnel replication setup-slave",
		}
	}
	if s.master.address == (tunnel.Address{}) {
		s.master.address = tunnel.Address{Network: "tcp", Host: server.Loopback, Port: strconv.Itoa(pair.Port)}
	}
	return pair, nil
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
	if setup.Pair, err = s.ofPair(); err != nil {
		return err
	}
	if setup.Want, err = s.want(); err != nil {
		return m.withoutHandOver(ctx, s, setup.Pair, err)
	}
	if err := checkConfigDir(s.configDir); err != nil {
		return err
	}
	source, end, err := m.openSeed(s)
	if err != nil {
		return err
	}
	defer end()
	setup.Dump = source
	if setup.State, err = journal.OpenState(ctx, s.stateDir); err != nil {
		return err
	}
	defer func() { _ = setup.State.Close() }() // the lock ends with the process anyway
	if setup.Address, setup.Want.Port, err = s.address(); err != nil {
		return err
	}
	if len(s.inner.Connect) > 0 {
		if s.inner.Accept, err = tunnel.ParseAddress(setup.Address); err != nil {
			return &usage.Error{Where: "--master", Err: err}
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
	talk, end := m.dialogue(ctx, s.plan)
	var compared *compare.Result
	talk.Compared = func(r *compare.Result) { compared = r }
	ended, changed := talk.End, false
	talk.End = func(step *replication.Step) { ended(step); changed = changed || step.Changes() }
	setup.Dialogue = talk
	applied, err := setup.Run(ctx)
	end()
	if compared != nil {
		err = errors.Join(m.writeComparison(compared, false), err)
	}
	if err != nil || s.plan.dryRun {
		return err
	}
	switch {
	case changed:
		m.tellReplicates(s, setup)
		m.tellPair(setup.Pair, finding.Slave)
	case applied:
		fmt.Fprintln(m.Stdout, "\nno change: all is as it should be, the data too")
	}
	if s.byAdministrator() { // it has used none
		return nil
	}
	return m.endHandOver(ctx, s, setup.Want.HandOver.Host)
}

// tellReplicates says that the slave is made.
func (m *Main) tellReplicates(s *setupSlave, setup *replication.Setup) {
	fmt.Fprintf(m.Stdout, "\nThe slave replicates %s. Watch it with: %s\n",
		strings.Join(setup.Want.Databases, ", "), m.inCommands("gtunnel replication status"))
	if len(s.inner.Connect) > 0 {
		fmt.Fprintf(m.Stdout,
			"The tunnel of this command ends now: start the service (systemctl enable --now gtunnel-client).\n")
	}
}

// want is what the flags alone say.
func (s *setupSlave) want() (replication.SlaveWant, error) {
	want := replication.SlaveWant{
		Databases: splitNames(s.databases), Replace: splitNames(s.replace), Reseed: s.reseed, SkipCompare: s.skipCompare,
		Method: journal.SeedMethod(s.method), LockTables: s.lockTables, MaxRate: uint64(s.maxRate),
		Compress:      replication.Compression(s.compress),
		TrustCreators: s.trustCreators,
	}
	if err := s.checkSeed(); err != nil {
		return want, err
	}
	if s.seed != "" {
		want.Method = journal.SeedFile
	}
	switch {
	case want.Method == journal.SeedNone && s.start == "":
		return want, &usage.Error{
			Where: "--start", Message: "is needed with --method none",
			Cure: "give the coordinates of the master that the data on this host has, as in mysql-bin.000007:4711",
		}
	case want.Method != journal.SeedNone && s.start != "":
		return want, &usage.Error{
			Where: "--start", Message: "is for --method none only", Cure: "a copy brings its own coordinates",
		}
	case want.Method == journal.SeedNone && s.maxRate > 0:
		return want, &usage.Error{
			Where: "--max-rate", Message: "is not for --method none, which copies nothing", Cure: "leave it out",
		}
	}
	if s.start != "" {
		file, offset, found := strings.Cut(s.start, ":")
		n, err := strconv.ParseUint(offset, 10, 64)
		if !found || file == "" || err != nil {
			return want, &usage.Error{
				Where: "--start", Message: fmt.Sprintf("%q is no FILE:POSITION", s.start),
				Cure: "write it as in mysql-bin.000007:4711",
			}
		}
		want.Start = server.Position{File: file, Offset: n}
	}
	if s.byAdministrator() {
		if len(want.Databases) == 0 {
			return want, &usage.Error{
				Where: "--databases", Message: "is needed with --master-user", Cure: "name the databases to replicate",
			}
		}
		return want, nil
	}
	var err error
	want.HandOver, err = replication.ReadHandOver(s.handOver)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return want, usage.WithHint(err, "run this as the owner of the file, mostly root")
	case errors.Is(err, fs.ErrNotExist):
		return want, &usage.Error{
			Where: "--hand-over", Message: "there is no " + s.handOver,
			Cure: "on the master run gtunnel replication setup-master, and copy its hand-over file here; " +
				"or log in there with --master-user; how a slave is that was set up: gtunnel replication status",
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
		return "", 0, &usage.Error{
			Where: "--master", Message: "must be an address of 127.0.0.1 with a port: a slave connects by TCP only",
		}
	}
	_, text, err := net.SplitHostPort(end)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		return "", 0, &usage.Error{
			Where: "--master", Message: "must be an address of 127.0.0.1 with a port, to which the slave can connect",
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
		return &usage.Error{Message: fmt.Sprintf("%q is no number of bytes", text), Cure: "write it as in 500k, 10M or 1G"}
	}
	*b = byteCount(n * factor)
	return nil
}
