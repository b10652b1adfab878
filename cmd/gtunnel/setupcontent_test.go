package main_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// contentWriters change the master side by side.
const contentWriters = 4

// newWriters are writers that leave the tables as they are.
func newWriters(content *servertest.Content) []*servertest.Writer {
	writers := make([]*servertest.Writer, contentWriters)
	for i := range writers {
		writers[i] = &servertest.Writer{
			Database: content.Databases[i%len(content.Databases)], Seed: uint64(i), SameSchema: true,
		}
	}
	return writers
}

// TestSetupContent sets up the replication of databases that have all that
// databases can have, while they are written to; then they are changed at
// random, and both servers must have the same.
func TestSetupContent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind       servertest.Kind
		lock       bool // the master's tables during the copy
		operations int
	}{
		{servertest.MariaDB, false, 10000},
		{servertest.MariaDB118, true, 2000},
		{servertest.MySQL97, false, 2000},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, test.kind, test.kind)
			content, err := servertest.Fill(t.Context(), p.master.DB, test.kind)
			if err != nil {
				t.Fatal(err)
			}
			names := strings.Join(content.Databases, ",")
			p.must(p.master, p.setupMasterArgs("--databases", names)...)

			// Writers at work must not be noticed, as long as they leave the
			// tables as they are.
			writers := newWriters(content)
			p.write(writers, 10)
			wait := p.keepWriting(writers)
			out := p.refused(p.slave, 1, "groups.across", p.setupSlaveArgs()...)
			p.paste(p.saysWhatToCreate(out, content))
			var more []string
			if test.lock {
				more = append(more, "--lock-tables")
			} else {
				p.sql(p.master, "ALTER TABLE content_1.my ENGINE=InnoDB")
			}
			out = p.must(p.slave, p.setupSlaveArgs(more...)...)
			wait()
			if strings.Contains(out, "latin1") {
				t.Errorf("no column is said to be latin1 and holds UTF-8:\n%s", out)
			}
			for _, server := range []*servertest.Server{p.master, p.slave} {
				p.sql(server, "SET GLOBAL sync_binlog=0", "SET GLOBAL innodb_flush_log_at_trx_commit=2") // fast, if not durable
			}
			for _, w := range writers {
				w.SameSchema = false
			}
			p.write(writers, test.operations/contentWriters)
			p.waitApplied()
			p.same(content.Databases)
			p.must(p.slave, p.compareArgs()...)

			for _, again := range []struct {
				on   *servertest.Server
				args []string
			}{{p.master, p.setupMasterArgs("--databases", names)}, {p.slave, p.setupSlaveArgs()}} {
				if out := p.must(again.on, again.args...); !strings.Contains(out, "no change") {
					t.Errorf("the second %s says:\n%s", again.args[1], out)
				}
			}
			p.noSecrets()
		})
	}
}

// saysWhatToCreate wants setup-slave to have said that a table of MyISAM is there, and how
// the accounts are made that the slave lacks. It gives the command that makes the owner.
func (p *pair) saysWhatToCreate(out string, content *servertest.Content) string {
	p.t.Helper()
	create := "CREATE USER `"
	if p.slave.Kind.IsMySQL() {
		create = "CREATE USER IF NOT EXISTS `"
	}
	_, app := p.accountFile(out, content.App+"@127.0.0.1")
	command, owner := p.accountFile(out, content.Owner+"@localhost")
	out += owner + app
	for _, want := range []string{
		"content_1.my", create + content.Owner + "`", "GRANT ALL PRIVILEGES ON `content\\_1`.* TO `" + content.Owner + "`",
		create + content.App + "`",
	} {
		if !strings.Contains(out, want) {
			p.t.Errorf("%q is missing in what setup-slave says:\n%s", want, out)
		}
	}
	return command
}

// write has each writer do n operations, all at once.
func (p *pair) write(writers []*servertest.Writer, n int) {
	p.t.Helper()
	var all sync.WaitGroup
	failed := make(chan error, len(writers))
	for _, w := range writers {
		all.Go(func() { failed <- w.Run(p.t.Context(), p.master.DB, n) })
	}
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// keepWriting has the writers go on until the end of the wait that it gives.
func (p *pair) keepWriting(writers []*servertest.Writer) (wait func()) {
	ctx, cancel := context.WithCancel(p.t.Context())
	var all sync.WaitGroup
	for _, w := range writers {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := w.Run(context.WithoutCancel(ctx), p.master.DB, 1); err != nil {
					p.t.Errorf("while the slave was set up: %v", err)
					return
				}
			}
		})
	}
	wait = func() { cancel(); all.Wait() }
	p.t.Cleanup(wait)
	return wait
}

// waitApplied waits until the slave has applied all that the master has done.
// What tells that is a table that is written last.
func (p *pair) waitApplied() {
	p.t.Helper()
	p.sql(p.master, "CREATE TABLE content_1.the_end (id INT PRIMARY KEY)")
	p.waitSlave("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'content_1' AND table_name = " +
		"'the_end'")
}

// same compares all that databases have on both servers.
func (p *pair) same(databases []string) {
	p.t.Helper()
	var both [2]map[string]string
	for i, server := range []*servertest.Server{p.master, p.slave} {
		found, err := servertest.Snapshot(p.t.Context(), server.DB, databases)
		if err != nil {
			p.t.Fatal(err)
		}
		both[i] = found
	}
	objects := map[string]bool{}
	for _, found := range both {
		for object := range found {
			objects[object] = true
		}
	}
	for _, object := range slices.Sorted(maps.Keys(objects)) {
		if both[0][object] != both[1][object] {
			p.t.Errorf("%s: on the master\n%s\non the slave\n%s", object, both[0][object], both[1][object])
		}
	}
}
