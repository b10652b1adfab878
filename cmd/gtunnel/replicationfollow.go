package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/tunnel"
)

// follow is the command line of follow.
type follow struct {
	login     loginFlags
	plan      planFlags
	config    string
	stateDir  string
	monitor   string
	handOver  string
	configDir string
	method    string
	replace   []string
	maxRate   byteCount

	newCopy, unsaved, skipCompare bool
}

func (m *Main) followCommand() *cobra.Command {
	f := &follow{
		config: config.DefaultFile, stateDir: defaultStateDir, monitor: defaultMasterFile, handOver: defaultHandOver,
		method: string(journal.SeedParallel), login: loginFlags{unsafePlaintext: new(bool)},
	}
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Make this slave, which is not of the pair, follow the pair's master",
		Long: `Run it on a slave at a further site after a promotion or a switchover of the pair
that it follows. gtunnel.toml there has a client to each of the pair's hosts. It asks
both who is the master, by the terms, and sees that this slave has received nothing
that the master lacks; then it points the slave there, waits until it has caught up,
and compares the data. A host with an older term is never followed, whatever it says
of itself. A second run changes nothing.

If this slave was ahead of the host that was promoted, what only it has is listed and
saved as SQL; a new copy needs your consent, by --replace-databases, and the hand-over
file of the new master: gtunnel replication setup-master --seed-again there.`,
		Example: `  gtunnel replication follow --dry-run
  gtunnel replication follow
  gtunnel replication follow --replace-databases voms --yes`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.follow(cmd.Context(), f) },
	}
	config.AddFlags(cmd, "", f.settings())
	return cmd
}

// settings are the flags.
func (f *follow) settings() []config.Setting {
	settings := []config.Setting{
		{
			Name: "replace-databases", Arg: "NAME", Target: &f.replace, Preset: "none",
			Usage: "whose data on this host may be lost",
		},
		{Name: "new-copy", Target: &f.newCopy, Usage: "copy the databases anew though the history would do"},
		{Name: "unsaved", Target: &f.unsaved, Usage: "go on though what only this host has cannot be read and saved"},
		{
			Name: "method", Arg: "METHOD", Target: &f.method, Values: []string{"parallel", "dump", "mydumper", "clone"},
			Usage: "of a new copy: parallel, dump, mydumper, clone",
		},
		{Name: "max-rate", Arg: "BYTES", Target: &f.maxRate, Preset: "none", Usage: "a second, of a new copy, such as 10M"},
		{Name: "hand-over", Arg: "FILE", Target: &f.handOver, File: true, Usage: "of the new master, for a new copy"},
		{Name: "skip-compare", Target: &f.skipCompare, Usage: "do not compare the data at the end"},
		{
			Name: "config-dir", Arg: "DIR", Target: &f.configDir, File: true, Preset: "found",
			Usage: "where the server reads option files",
		},
		{Name: "config", Arg: "FILE", Target: &f.config, File: true, Usage: "with a client to each host of the pair"},
		{Name: "state-dir", Arg: "DIR", Target: &f.stateDir, File: true, Usage: "where its notes are"},
		{Name: "monitor-file", Arg: "FILE", Target: &f.monitor, File: true, Usage: "the login at the master"},
	}
	return append(append(settings, f.plan.settings()...), f.login.settings()...)
}

func (m *Main) follow(ctx context.Context, f *follow) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := checkConfigDir(f.configDir); err != nil {
		return err
	}
	command, err := m.furtherSlave(ctx, f)
	if err != nil {
		return err
	}
	if command.State, err = journal.OpenState(ctx, f.stateDir); err != nil {
		return err
	}
	defer func() {
		if command.State != nil {
			_ = command.State.Close() // the lock ends with the process anyway
		}
	}()
	talk, end := m.dialogue(ctx, f.plan)
	var compared *compare.Result
	talk.Compared = func(r *compare.Result) { compared = r }
	command.Dialogue = talk
	followed, err := command.Run(ctx)
	end()
	if compared != nil {
		err = errors.Join(m.writeComparison(compared, false), err)
	}
	if err != nil || !followed.Changed {
		return err
	}
	fmt.Fprintf(m.Stdout, "\nThis slave follows %s. Watch it with: %s\n", followed.Master,
		m.inCommands("gtunnel replication status"))
	return nil
}

// furtherSlave is what the command needs of this host.
func (m *Main) furtherSlave(ctx context.Context, f *follow) (*failover.FurtherSlave, error) {
	ends, err := f.ends()
	if err != nil {
		return nil, err
	}
	monitor, err := pairLogin("--monitor-file", f.monitor, ends[0].Host, localEnd(ends[0]))
	if err != nil {
		return nil, err
	}
	own, err := m.openLocal(ctx, finding.Slave, &f.login)
	if err != nil {
		return nil, err
	}
	_ = own.Close()    // it was only tried
	login := own.Login // with the password that was typed
	open := func(ctx context.Context) (*server.Server, error) { return server.Open(ctx, finding.Slave, login) }
	command := &failover.FurtherSlave{
		Ends: ends, Own: open, Shelf: journal.Shelf{Directory: f.stateDir},
		Want: failover.FurtherWant{
			Replace: splitNames(f.replace), NewCopy: f.newCopy, Unsaved: f.unsaved, SkipCompare: f.skipCompare,
		},
		MonitorFile: &optionfile.ClientFile{Path: f.monitor, Login: monitor},
		Open: func(ctx context.Context, end failover.End) (*server.Server, error) {
			at := monitor
			at.Address = net.JoinHostPort(server.Loopback, strconv.Itoa(end.Port))
			return server.Open(ctx, finding.Master, at)
		},
		ReadBinaryLog: readBinaryLog(open), Compare: compareIn(f.stateDir),
		HandedOver: f.handedOver,
	}
	command.Copy = func(ctx context.Context, want failover.FurtherCopy, talk replication.Dialogue) error {
		_ = command.State.Close() // the copy takes it
		command.State = nil
		return f.copyAnew(ctx, open, want, talk)
	}
	return command, nil
}

// localEnd is an end as an address.
func localEnd(end failover.End) tunnel.Address {
	return tunnel.Address{Network: "tcp", Host: server.Loopback, Port: strconv.Itoa(end.Port)}
}

// ends are the clients of the configuration file: each leads to a host that may be the
// master, or to none of a pair.
func (f *follow) ends() ([]failover.End, error) {
	c, err := config.Read(f.config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usage.Error{Where: f.config, Message: "is not there", Cure: twoClients}
	}
	if err == nil {
		err = usage.Join(c.PairFaults())
	}
	if err != nil {
		return nil, err
	}
	if c.Pair != nil {
		return nil, &usage.Error{
			Where: f.config, Message: "has a section [pair]: this host is of the pair itself",
			Cure: "gtunnel replication rejoin makes an old master a slave; gtunnel-guard starts the pair's slave by itself",
		}
	}
	var ends []failover.End
	for i := range c.Tunnels {
		t := &c.Tunnels[i]
		if t.Role != tunnel.Client || t.Accept.Network != "tcp" || !t.Accept.IsLoopback() || len(t.Connect) == 0 {
			continue
		}
		port, err := strconv.Atoi(t.Accept.Port)
		if err != nil {
			continue
		}
		host := t.ServerName
		if host == "" {
			host = t.Connect[0].Host
		}
		if len(t.Connect) > 1 {
			return nil, &usage.Error{
				Where: f.config, Message: fmt.Sprintf("the client %s connects to several hosts, and a slave must know which "+
					"of them it follows", t.Name),
				Cure: twoClients,
			}
		}
		ends = append(ends, failover.End{Host: host, Port: port})
	}
	if len(ends) < 2 {
		return nil, &usage.Error{
			Where: f.config, Message: "has no client to each of the pair's two hosts: both must be asked who is the master",
			Cure: twoClients,
		}
	}
	return ends, nil
}

// twoClients is what the configuration file of a further slave has.
const twoClients = `write a client for each host of the pair, at a port of its own, and run them by gtunnel run: ` +
	`[tunnel.server1] with role = "client", accept = "127.0.0.1:3307", connect = ["server1.domain.one:3307"]; ` +
	`[tunnel.server2] with accept = "127.0.0.1:3308", connect = ["server2.domain.two:3307"]; see gtunnel help slaves`

// handedOver says what keeps a new copy from being made.
func (f *follow) handedOver(ctx context.Context, master *server.Server) error {
	h, err := replication.ReadHandOver(f.handOver)
	if err != nil {
		return err
	}
	known, err := master.Variables(ctx, master.DB, "server_id", "server_uuid")
	if err != nil {
		return err
	}
	if known["server_id"] != strconv.FormatUint(uint64(h.ServerID), 10) || known["server_uuid"] != h.UUID {
		return fmt.Errorf("%s is of another master, %s", f.handOver, h.Host)
	}
	address := master.Login.Address
	opened, err := h.OpenMaster(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }() // it was only tried
	if !h.MayCopy(opened) {
		return fmt.Errorf("the account of copies in %s is not on the master any more", f.handOver)
	}
	return nil
}

// copyAnew makes the slave by a new copy, as setup-slave does.
func (f *follow) copyAnew(
	ctx context.Context, own openServer, want failover.FurtherCopy,
	talk replication.Dialogue,
) error {
	h, err := replication.ReadHandOver(f.handOver)
	if err != nil {
		return err
	}
	setup := &replication.Setup{
		ConfigDir: f.configDir, MonitorPath: f.monitor, Dialogue: talk,
		Address: net.JoinHostPort(server.Loopback, strconv.Itoa(want.End.Port)),
		Want: replication.SlaveWant{
			HandOver: h, Databases: want.Databases, Port: want.End.Port, Method: journal.SeedMethod(f.method),
			Compress: replication.CompressAuto, MaxRate: uint64(f.maxRate), Replace: want.Replace,
			Reseed: true, SkipCompare: f.skipCompare,
		},
	}
	return runCopy(ctx, setup, f.stateDir, own, func(ctx context.Context) (*server.Server, error) {
		return h.OpenMaster(ctx, setup.Address)
	}, want.Unlock)
}
