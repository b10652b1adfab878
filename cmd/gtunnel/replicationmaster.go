package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// defaultHandOver is where setup-master leaves what setup-slave needs, and
// where setup-slave looks for it.
const defaultHandOver = "/var/lib/gtunnel/hand-over.json"

// trustUsage is that of --trust-function-creators, of both setups.
const trustUsage = "set log_bin_trust_function_creators"

// mostSlaves is how many slaves one hand-over makes.
const mostSlaves = 64

// setupMaster is the command line of setup-master.
type setupMaster struct {
	login     loginFlags
	plan      planFlags
	databases []string
	handOver  string
	configDir string
	stateDir  string
	monitor   string
	pair      pairSetupFlags
	slaves    int

	keepPasswords, newPasswords, seedAgain, logStatements, trustCreators, wait bool
}

func (m *Main) setupMasterCommand() *cobra.Command {
	s := &setupMaster{
		handOver: defaultHandOver, stateDir: defaultStateDir, monitor: defaultMasterFile,
		login: loginFlags{unsafePlaintext: new(bool)},
	}
	cmd := &cobra.Command{
		Use:   "setup-master",
		Short: "Make this host's server the master of databases",
		Long: `Makes the MySQL or MariaDB server of this host the master of databases: its
binary log, the accounts of the slave, and a hand-over file with their
passwords, to be taken to the slave for setup-slave. Shows its plan first; a
second run changes nothing.`,
		Example: `  gtunnel replication setup-master --databases voms --dry-run
  gtunnel replication setup-master --databases DB_1,DB_2`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.setupMaster(cmd.Context(), s) },
	}
	settings := []config.Setting{
		{
			Name: "databases", Arg: "NAME", Target: &s.databases, Preset: "none",
			Usage: "to replicate; separated by commas, or repeated",
		},
		{Name: "hand-over", Arg: "FILE", Target: &s.handOver, File: true, Usage: "the file for the slave"},
		{
			Name: "config-dir", Arg: "DIR", Target: &s.configDir, File: true, Preset: "found",
			Usage: "where the server reads option files",
		},
		{Name: "keep-passwords", Target: &s.keepPasswords, Usage: "complete accounts of unknown password, and leave that"},
		{Name: "new-passwords", Target: &s.newPasswords, Usage: "replace those of accounts of unknown password"},
		{Name: "seed-again", Target: &s.seedAgain, Usage: "make the seeding account again"},
		{
			Name: "slaves", Arg: "NUMBER", Target: &s.slaves, Preset: "as before, or 1",
			Usage: "how many it is to have, all made by this hand-over",
		},
		{Name: "log-statements", Target: &s.logStatements, Usage: "not rows: for a slave of MySQL 9 of a MariaDB master"},
		{Name: "trust-function-creators", Target: &s.trustCreators, Usage: trustUsage},
		{Name: "wait", Target: &s.wait, Usage: "wait for what you must do, such as a restart"},
	}
	settings = append(settings, s.pair.settings()...)
	settings = append(settings,
		config.Setting{
			Name: "state-dir", Group: config.GroupPair, Arg: "DIR", Target: &s.stateDir, File: true,
			Usage: "where to note who is the master",
		},
		config.Setting{
			Name: "monitor-file", Group: config.GroupPair, Arg: "FILE", Target: &s.monitor, File: true,
			Usage: "the login for status",
		})
	settings = append(settings, s.plan.settings()...)
	settings = append(settings, s.login.settings()...)
	config.AddFlags(cmd, "",
		append(settings,
			config.Setting{
				Name: "unsafe-plaintext", Group: config.GroupLogin, Target: s.login.unsafePlaintext,
				Usage: "let --host be another host, unencrypted",
			}))
	return cmd
}

func (m *Main) setupMaster(ctx context.Context, s *setupMaster) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if s.keepPasswords && s.newPasswords {
		return &usage.Error{
			Where: "--keep-passwords", Message: "and --new-passwords exclude each other", Cure: "give one or the other",
		}
	}
	if s.slaves < 0 || s.slaves > mostSlaves {
		return &usage.Error{
			Where: "--slaves", Message: fmt.Sprintf("must be from 1 to %d", mostSlaves),
			Cure: "give the number of all slaves that this master is to have",
		}
	}
	if err := checkConfigDir(s.configDir); err != nil {
		return err
	}
	pair, err := s.pair.pair(s.stateDir, s.monitor)
	if err != nil {
		return err
	}
	master, err := m.openLocal(ctx, finding.Master, &s.login)
	if err != nil {
		return err
	}
	defer func() { _ = master.Close() }() // nothing is left to fail
	talk, end := m.dialogue(ctx, s.plan)
	setup := &replication.MasterSetup{
		Master: master, ConfigDir: s.configDir, DryRun: s.plan.dryRun, Wait: s.wait, Pair: pair, Dialogue: talk,
		Want: replication.MasterWant{
			Databases: splitNames(s.databases), HandOverPath: s.handOver, LogStatements: s.logStatements,
			TrustCreators: s.trustCreators, NewPasswords: s.newPasswords, SeedAgain: s.seedAgain, KeepAccounts: s.keepPasswords,
			Slaves: s.slaves,
		},
	}
	handOver, err := setup.Run(ctx)
	end()
	if err != nil || handOver == nil { // or a plan that was only shown
		return err
	}
	m.tellPair(pair, finding.Master)
	if len(handOver.Passwords) == 0 {
		fmt.Fprintln(m.Stdout, "\nThe master is ready, and its slaves go on with the passwords that they have.")
		return nil
	}
	if handOver.Slaves > 1 {
		fmt.Fprintf(m.Stdout, "\nThe hand-over is for %d slaves, which may be set up at the same time; the last of them "+
			"drops the account\nby which they copy.", handOver.Slaves)
	}
	fmt.Fprintf(m.Stdout, "\nThe master is ready. Take %s to the slave, to the same place, with its mode 0600:\n"+
		"  ssh root@SLAVE install -d -m 0700 %s\n  scp -p %s root@SLAVE:%s\nand run there: gtunnel replication setup-slave\n",
		s.handOver, filepath.Dir(defaultHandOver), s.handOver, defaultHandOver)
	if setup.Objects >= manyObjects {
		fmt.Fprintf(m.Stdout, "Over a long way its %d tables and views are there sooner by a dump that is made here:\n"+
			"  ssh root@%s gtunnel replication dump | gtunnel replication setup-slave --seed -\n", setup.Objects, handOver.Host)
	}
	return nil
}

// manyObjects are so many tables and views that a copy which asks about each of them takes
// long over a long way.
const manyObjects = 30

// checkConfigDir refuses what is no directory; empty: one is looked for.
func checkConfigDir(directory string) error {
	if info, err := os.Stat(directory); directory != "" && (err != nil || !info.IsDir()) {
		return &usage.Error{
			Where: "--config-dir", Message: directory + " is no directory",
			Cure: "give one from which the server reads option files: see !includedir in its my.cnf",
		}
	}
	return nil
}
