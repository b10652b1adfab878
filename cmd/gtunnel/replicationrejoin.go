package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// rejoin is the command line of rejoin.
type rejoin struct {
	pair      pairFlags
	plan      planFlags
	replace   []string
	giveUp    string
	configDir string
	method    string
	maxRate   byteCount

	newCopy, unsaved, skipCompare bool
}

func (m *Main) rejoinCommand() *cobra.Command {
	r := &rejoin{method: string(journal.SeedParallel)}
	cmd := &cobra.Command{
		Use:   "rejoin",
		Short: "Make this host, the old master, the slave of the new one",
		Long: `Run it on the old master when it is up again after the other host was promoted. It
compares the histories of both. What only this host has is listed with its tables,
and saved as SQL first. If nothing of it is of the pair's databases, this host is a
slave again in seconds; otherwise by a new copy, to which you must agree: by typing
the names of the databases, or by --replace-databases. --yes does not cover that.

At the end the data of both is compared. A run that was cut off is gone on with by
the same command. After a split-brain, run it on the host whose data is to go.`,
		Example: `  gtunnel replication rejoin --dry-run
  gtunnel replication rejoin
  gtunnel replication rejoin --replace-databases voms --yes`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.rejoin(cmd.Context(), r) },
	}
	config.AddFlags(cmd, "", r.settings())
	return cmd
}

// settings are the flags.
func (r *rejoin) settings() []config.Setting {
	settings := []config.Setting{
		{
			Name: "replace-databases", Arg: "NAME", Target: &r.replace, Preset: "none",
			Usage: "whose data on this host may be lost",
		},
		{Name: "new-copy", Target: &r.newCopy, Usage: "copy the databases anew though the history would do"},
		{Name: "give-up", Arg: "NAME", Target: &r.giveUp, Usage: "after a split-brain: this host, whose term is to go"},
		{Name: "unsaved", Target: &r.unsaved, Usage: "go on though what only this host has cannot be read and saved"},
		{
			Name: "method", Arg: "METHOD", Target: &r.method, Values: []string{"parallel", "dump", "mydumper", "clone"},
			Usage: "of a new copy: parallel, dump, mydumper, clone",
		},
		{Name: "max-rate", Arg: "BYTES", Target: &r.maxRate, Preset: "none", Usage: "a second, of a new copy, such as 10M"},
		{Name: "skip-compare", Target: &r.skipCompare, Usage: "do not compare the data at the end"},
		{
			Name: "config-dir", Arg: "DIR", Target: &r.configDir, File: true, Preset: "found",
			Usage: "where the server reads option files",
		},
	}
	return append(append(settings, r.plan.settings()...), r.pair.settings()...)
}

func (m *Main) rejoin(ctx context.Context, r *rejoin) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := checkConfigDir(r.configDir); err != nil {
		return err
	}
	host, err := m.openHost(ctx, &r.pair)
	if err != nil {
		return err
	}
	host.Tell = m.logEvents(r.pair.config)
	m.completeForRejoin(&host, r)
	command := &failover.Rejoin{
		Host: host, Nonce: newNonce(),
		Want: failover.RejoinWant{
			Replace: splitNames(r.replace), NewCopy: r.newCopy, GiveUp: r.giveUp, Unsaved: r.unsaved,
			SkipCompare: r.skipCompare,
		},
	}
	done, err := m.runRejoin(ctx, command, r)
	if finding.HasCode(err, failover.DataLost) && !r.plan.dryRun {
		if agreed, e := m.agreesToLoss(ctx, err, host.Databases); !agreed || e != nil {
			return errors.Join(err, e)
		}
		command.Want.Replace = host.Databases
		done, err = m.runRejoin(ctx, command, r)
	}
	if err != nil || !done {
		return err
	}
	fmt.Fprintf(m.Stdout, "\n%s follows %s. Watch it with: %s\n", host.Name, host.Peer,
		m.inCommands("gtunnel replication status"))
	return nil
}

// runRejoin runs it once.
func (m *Main) runRejoin(ctx context.Context, command *failover.Rejoin, r *rejoin) (done bool, err error) {
	talk, end := m.dialogue(ctx, r.plan)
	var compared *compare.Result
	talk.Compared = func(result *compare.Result) { compared = result }
	command.Dialogue = talk
	done, err = command.Run(ctx)
	end()
	if compared != nil {
		err = errors.Join(m.writeComparison(compared, false), err)
	}
	return done, err
}

// agreesToLoss has the names of the databases typed, whose data is to be lost. Where nobody
// can be asked, nobody has agreed.
func (m *Main) agreesToLoss(ctx context.Context, lost error, databases []string) (bool, error) {
	keyboard := terminal.OpenKeyboard(m.Stdin)
	if keyboard == nil {
		return false, nil
	}
	names := strings.Join(databases, ",")
	fmt.Fprintf(m.Stdout, "%s\n\n", terminal.Printable(lost.Error()))
	return m.typesWord(ctx, keyboard, fmt.Sprintf("To have it lost, type the names of the databases, %s: ", names), names)
}

// completeForRejoin gives the host what only a rejoin needs.
func (m *Main) completeForRejoin(host *failover.Host, r *rejoin) {
	own := host.Own
	host.Shelf = journal.Shelf{Directory: r.pair.stateDir}
	host.ReadBinaryLog = readBinaryLog(own)
	host.Compare = func(ctx context.Context, slave, master *server.Server, talk replication.Dialogue) (bool, error) {
		return compareIn(r.pair.stateDir)(ctx, slave, master, host.Databases, talk)
	}
	copied := *host
	host.Copy = func(ctx context.Context, want failover.CopyWant, talk replication.Dialogue) error {
		return m.copyForRejoin(ctx, &copied, r, want, talk)
	}
}

// openServer logs in to a server. The caller closes it.
type openServer func(context.Context) (*server.Server, error)

// readBinaryLog has a server's own program read its binary log: see seed.ReadBinaryLog.
func readBinaryLog(own openServer) func(context.Context, []string, uint64, string, io.Writer) error {
	return func(ctx context.Context, files []string, from uint64, gtids string, to io.Writer) error {
		s, err := own(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }() // nothing is left to fail
		return seed.ReadBinaryLog(ctx, s, files, from, gtids, to)
	}
}

// compareIn compares the databases of a slave with its master's, with its notes in a directory,
// and reports whether they are equal.
func compareIn(stateDir string) func(
	ctx context.Context, slave, master *server.Server, databases []string, talk replication.Dialogue,
) (bool, error) {
	return func(
		ctx context.Context, slave, master *server.Server, databases []string, talk replication.Dialogue,
	) (bool, error) {
		comparison := &compare.Comparison{
			Master: master, Slave: slave, Databases: databases, StateDir: stateDir, Progress: talk.Comparing,
		}
		result, err := comparison.Compare(ctx)
		if err != nil {
			return false, err
		}
		if talk.Compared != nil {
			talk.Compared(result)
		}
		return result.Equal(), nil
	}
}

// runCopy makes the slave by a setup whose servers and notes it opens; unlock gives the lock
// of the slave back, which the setup takes.
func runCopy(ctx context.Context, setup *replication.Setup, stateDir string, own, master openServer, unlock func(),
) (err error) {
	if setup.State, err = journal.OpenState(ctx, stateDir); err != nil {
		return err
	}
	defer func() { _ = setup.State.Close() }() // the lock ends with the process anyway
	if setup.Slave, err = own(ctx); err != nil {
		return err
	}
	defer func() { _ = setup.Slave.Close() }() // nothing is left to fail
	if setup.Master, err = master(ctx); err != nil {
		return err
	}
	defer func() { _ = setup.Master.Close() }() // nothing is left to fail
	unlock()
	applied, err := setup.Run(ctx)
	if err == nil && !applied {
		err = errStopped
	}
	return err
}

// seedPatience is how long the guard of the master may take to make the account of a copy.
const seedPatience = 30 * time.Second

// copyForRejoin makes the slave by a new copy, as setup-slave does.
func (m *Main) copyForRejoin(
	ctx context.Context, host *failover.Host, r *rejoin, want failover.CopyWant, talk replication.Dialogue,
) error {
	handOver, err := handOverOf(ctx, host, want)
	if err != nil {
		return err
	}
	setup := &replication.Setup{
		ConfigDir: r.configDir, Address: want.Master.Login.Address, Dialogue: talk,
		Want: replication.SlaveWant{
			HandOver: handOver, Databases: want.Databases, Port: host.Port, Method: journal.SeedMethod(r.method),
			Compress: replication.CompressAuto, MaxRate: uint64(r.maxRate), Replace: want.Replace,
			Reseed: true, SkipCompare: r.skipCompare,
		},
		Pair: &replication.Pair{
			Name: host.Name, Peer: host.Peer, Store: host.Store, Port: host.Port,
			MonitorPath: r.pair.monitor, ReplicationPath: r.pair.replicationLogin,
		},
	}
	return runCopy(ctx, setup, r.pair.stateDir, host.Own, func(ctx context.Context) (*server.Server, error) {
		return openSeeder(ctx, host, handOver, setup.Address, talk)
	}, want.Unlock)
}

// handOverOf is what a setup must know of the master.
func handOverOf(ctx context.Context, host *failover.Host, want failover.CopyWant) (*replication.HandOver, error) {
	known, err := want.Master.Variables(ctx, want.Master.DB, "server_id", "server_uuid")
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseUint(known["server_id"], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the server_id of %s: %w", host.Peer, err)
	}
	return &replication.HandOver{
		Made: time.Now(), Host: host.Peer, Version: want.Master.Version, ServerID: uint32(id), UUID: known["server_uuid"],
		Databases: want.Databases,
		Passwords: map[string]server.Password{
			facts.ReplicationUser: host.ReplicationPassword, facts.MonitorUser: want.Master.Login.Password,
			facts.SeedUser: want.Password,
		},
	}, nil
}

// openSeeder logs in as the account of copies, once the guard of the master has made it.
func openSeeder(
	ctx context.Context, host *failover.Host, h *replication.HandOver, address string, talk replication.Dialogue,
) (*server.Server, error) {
	login := server.Login{
		Network: "tcp", Address: net.JoinHostPort(server.Loopback, strconv.Itoa(host.Port)),
		User: facts.SeedUser, Password: h.Passwords[facts.SeedUser],
	}
	if address != "" {
		login.Address = address
	}
	for began := time.Now(); ; {
		opened, err := server.Open(ctx, finding.Master, login)
		switch {
		case err == nil || !server.IsAccessDenied(err):
			return opened, err
		case time.Since(began) > seedPatience:
			return nil, &finding.Problem{
				On: finding.Peer, Code: "no-seed-account", Err: err,
				Text: fmt.Sprintf("the guard of %s has not let this host copy for %s", host.Peer, seedPatience),
				Cure: "on " + host.Peer + ": systemctl restart gtunnel-guard; then the same command again",
			}
		}
		if talk.Waiting != nil {
			talk.Waiting("wait for the guard of " + host.Peer)
		}
		if err := server.Pause(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}
