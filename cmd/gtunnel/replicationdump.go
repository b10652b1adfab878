package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
)

// masterDump is the command line of dump.
type masterDump struct {
	login     loginFlags
	databases []string
	handOver  string
	output    string
	maxRate   byteCount

	force, lockTables bool
}

func (m *Main) replicationDumpCommand() *cobra.Command {
	d := &masterDump{handOver: defaultHandOver, login: loginFlags{unsafePlaintext: new(bool)}}
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Write a dump of this host's master, to make a slave of",
		Long: `Writes the databases of this host's master as one stream, to be loaded by
setup-slave --seed on the slave: much faster than a copy through the tunnel
where the way is long and the tables are many. The stream has its coordinates
in the binary log and a checksum, and is compressed (zstd). It goes to the
standard output, or to a file of mode 0600, which is there whole or not at all.`,
		Example: `  ssh root@server1 gtunnel replication dump |
    gtunnel replication setup-slave --seed -
  gtunnel replication dump --output /var/tmp/voms.dump`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.dump(cmd.Context(), d) },
	}
	settings := []config.Setting{
		{
			Name: "databases", Arg: "NAME", Target: &d.databases, Preset: "those of setup-master",
			Usage: "separated by commas, or repeated",
		},
		{Name: "hand-over", Arg: "FILE", Target: &d.handOver, File: true, Usage: "that setup-master wrote"},
		{
			Name: "output", Arg: "FILE", Target: &d.output, File: true, Preset: "the standard output",
			Usage: "where to write",
		},
		{Name: "force", Target: &d.force, Usage: "replace a file that is there"},
		{Name: "lock-tables", Target: &d.lockTables, Usage: "lock the tables meanwhile"},
		{Name: "max-rate", Arg: "BYTES", Target: &d.maxRate, Preset: "none", Usage: "a second, of what is written"},
	}
	settings = append(settings, d.login.settings()...)
	config.AddFlags(cmd, "",
		append(settings,
			config.Setting{
				Name: "unsafe-plaintext", Group: config.GroupLogin, Target: d.login.unsafePlaintext,
				Usage: "let --host be another host, unencrypted",
			}))
	return cmd
}

// check refuses an output that is none, before anything is asked.
func (d *masterDump) check(screen *terminal.Screen) error {
	if d.output == "" {
		if screen.IsTerminal() {
			return &usage.Error{
				Where: "--output", Message: "is needed: a dump is not for a terminal",
				Cure: "name a file, or pipe it to the slave: ssh root@SLAVE gtunnel replication setup-slave --seed - --yes",
			}
		}
		return nil
	}
	folder := filepath.Dir(d.output)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return &usage.Error{Where: "--output", Message: folder + " is no folder", Cure: "make it, or name a file elsewhere"}
	}
	info, err := os.Stat(d.output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &usage.Error{Where: "--output", Err: err}
	case !info.Mode().IsRegular():
		return &usage.Error{
			Where: "--output", Message: d.output + " is no file", Cure: "name a file; or leave it out, and pipe",
		}
	case !d.force:
		return &usage.Error{Where: "--output", Message: d.output + " is there already", Cure: "--force replaces it"}
	}
	return nil
}

// making is what the flags say of the dump.
func (d *masterDump) making() (*replication.MasterDump, error) {
	making := &replication.MasterDump{
		Databases: splitNames(d.databases), LockTables: d.lockTables, MaxRate: uint64(d.maxRate),
		Program: thisBuild().Version,
	}
	var err error
	making.HandOver, err = replication.ReadHandOver(d.handOver)
	if len(making.Databases) > 0 && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		return making, nil // it would have told them
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, &usage.Error{
			Where: "--databases", Message: "is needed: the hand-over file cannot be read that has them", Err: err,
			Cure: "name the databases that are replicated; or run gtunnel replication setup-master first",
		}
	}
	return making, err
}

func (m *Main) dump(ctx context.Context, d *masterDump) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := d.check(m.screen()); err != nil {
		return err
	}
	making, err := d.making()
	if err != nil {
		return err
	}
	if making.Master, err = m.openLocal(ctx, finding.Master, &d.login); err != nil {
		return err
	}
	defer func() { _ = making.Master.Close() }() // nothing is left to fail
	view := m.newProgressView()
	making.Progress = view.show
	found, err := making.Prepare(ctx)
	if err != nil {
		return err
	}
	m.writeWarnings(found.Warnings)
	if err := found.Err(); err != nil {
		return err
	}
	var done *seed.Dumped
	write := func(to io.Writer) (err error) {
		done, err = making.Write(ctx, to)
		view.End()
		return err
	}
	if d.output == "" {
		err = write(m.Stdout)
	} else {
		err = seed.DumpTo(d.output, write)
	}
	if err != nil {
		return err
	}
	m.tellDumped(d, done)
	return nil
}

// tellDumped says what was written, and how it goes on.
func (m *Main) tellDumped(d *masterDump, done *seed.Dumped) {
	fmt.Fprintf(m.Stderr, "dumped %s: %s, %s of SQL in %s, at %s\n", strings.Join(done.Head.Databases, ", "),
		finding.Count(done.Tail.Tables, "table"), finding.FormatBytes(done.Tail.Bytes), finding.FormatBytes(done.Written),
		done.Head.Start)
	if d.output == "" {
		return
	}
	there := filepath.Join(filepath.Dir(defaultHandOver), filepath.Base(d.output))
	fmt.Fprintf(m.Stdout, "\nTake it to the slave, with its mode 0600 (the same again goes on where it was cut off):\n"+
		"  rsync -p --partial --append-verify %s root@SLAVE:%s\nand run there: gtunnel replication setup-slave --seed %s\n",
		finding.ShellWord(d.output), finding.ShellWord(there), finding.ShellWord(there))
}
