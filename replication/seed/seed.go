package seed

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Seed copies databases from the master to the slave by the servers' own
// tools, which run on this host. Its fields are not changed while it is used.
//
// Whole databases are replaced: what the slave holds of them is dropped. A clone
// replaces everything, as Check says. That the administrator agrees is the
// caller's to know, and so is that the slave does not replicate meanwhile and that
// its event scheduler is off. A seed that has failed leaves a part behind, and no
// claim that it is the whole.
type Seed struct {
	// Master and Slave are as whom the tools log in, too. The master's login is
	// the seeding account's, by TCP through the tunnel.
	// A seed that only writes a dump has no slave.
	Master, Slave           *server.Server
	MasterFacts, SlaveFacts *facts.Facts

	Databases []string
	Tables    []string // "database.table": only these, of one of the Databases; empty: whole databases

	Method     journal.SeedMethod // empty: journal.SeedDump
	LockTables bool               // hold a read lock on the master for the whole copy, for tables without transactions
	MaxRate    uint64             // bytes a second, of what comes from the master; 0: no limit
	Compress   bool               // have that compressed
	File       *DumpFile          // of journal.SeedFile
	Left       *journal.LoadNote  // of the load of it that was cut off: see LeftOf; nil: begin at its beginning

	// GoOn is that the slave has what a copy of these databases has left that was cut
	// off: by journal.SeedParallel, tables that are the same on both ends are kept.
	GoOn bool

	// StateDir is where it is noted that max_allowed_packet of the slave is raised
	// for the load; empty: nowhere.
	StateDir string

	// PersistedEvents is what event_scheduler was persisted as before a clone
	// that was cut off, empty if it was not; nil: take what it is.
	PersistedEvents *string

	// Progress is told how far the seed is, twice a second, by one goroutine
	// that ends before Run returns. It may be nil.
	Progress func(Progress)

	// Started is told the coordinates before the first row is loaded; by
	// journal.SeedClone, when all has been. Its error stops the seed. It may be
	// nil.
	Started func(context.Context, server.Position) error

	// Waiting is told, now and then, what the administrator must do for the
	// seed to go on. It may be nil.
	Waiting func(text string)

	relay *relay // of Run with a MaxRate

	lockPatience time.Duration // of tests; 0: mostLockWait
	hangPatience time.Duration // of tests; 0: silentTime
	passed       uint64        // of tests: bytes from the master that the relay has let through
	atOnce       int           // of tests; 0: dumpsAtOnce
}

// Run copies, and gives the position at which replication has to begin. It
// ends with all that it has started when ctx ends.
func (s *Seed) Run(ctx context.Context) (server.Position, error) {
	end, err := s.hold(ctx)
	if err != nil {
		return server.Position{}, err
	}
	defer end()
	return s.run(ctx)
}

// run is Run by a way that is held to the rate.
func (s *Seed) run(ctx context.Context) (server.Position, error) {
	switch s.Method {
	case journal.SeedDump, "":
		return s.copy(ctx, s.dump)
	case journal.SeedParallel:
		return s.copy(ctx, s.parallel)
	case journal.SeedMydumper:
		position, err := s.copy(ctx, s.mydumper)
		if !finding.HasCode(err, toolHangs) {
			return position, err
		}
		if s.Waiting != nil {
			s.Waiting(err.Error() + "; the copy begins anew by the method dump")
		}
		byDump := *s
		byDump.Method = journal.SeedDump
		return byDump.run(ctx)
	case journal.SeedClone:
		return s.clone(ctx)
	case journal.SeedFile:
		return s.loadFile(ctx)
	case journal.SeedNone:
		return server.Position{}, finding.New("", "no-seed",
			"give the position of the master that the slave's data is of", "the method none copies nothing")
	default:
		return server.Position{}, finding.New("", "seed-method",
			"parallel, dump, mydumper, clone or none", "there is no method %q", s.Method)
	}
}

// copying is what the methods share that copy table by table.
type copying struct {
	*Seed
	dumper, loader *tool
	foreign        bool // the dumper does not tell coordinates
	recode         recodings
	start          server.Position // see started
	begun          bool            // something may have been loaded
	guard          *guard
	meter          *meter
	loaderSays     *os.File // takes what the loader says; nil: nobody does
	begin          string   // prelude, if it has been made
	kept           kept     // tables that the slave has already
	attempt        int      // of going on

	// deliver takes the dump that a tool makes, of which begin has been read.
	deliver func(ctx context.Context, stream *dumpStream, begin []byte, dump *process) error
}

// copy runs a method beside the guard on the master, and tells the progress.
func (s *Seed) copy(
	ctx context.Context, method func(context.Context, *copying) (server.Position, error),
) (server.Position, error) {
	c := &copying{Seed: s}
	c.deliver = c.load
	if err := c.readyDumper(ctx); err != nil {
		return server.Position{}, err
	}
	removeAbandonedFolders()
	return c.fill(ctx, func(ctx context.Context) (server.Position, error) { return method(ctx, c) })
}

// tableSizes gives the sizes of the tables to copy, by the server's estimate.
func (s *Seed) tableSizes(ctx context.Context) (map[string]uint64, error) {
	conn, err := s.Master.Session(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	if err := s.Master.FreshSizes(ctx, conn); err != nil {
		return nil, err
	}
	rows, err := s.Master.Query(ctx, conn,
		"SELECT table_schema AS d, table_name AS t, data_length AS bytes FROM information_schema.tables"+
			" WHERE data_length > 0 AND table_schema IN ("+server.QuoteExactly(s.databases())+")")
	if err != nil {
		return nil, err
	}
	only := make(map[string]bool, len(s.Tables))
	for _, table := range s.Tables {
		only[table] = true
	}
	sizes := make(map[string]uint64, len(rows))
	for _, r := range rows {
		name := r["d"] + "." + r["t"]
		if len(only) > 0 && !only[name] {
			continue
		}
		sizes[name] = r.Number("bytes")
	}
	return sizes, nil
}

// databases are those that are copied from.
func (s *Seed) databases() []string {
	if len(s.Tables) > 0 {
		database, _ := server.SplitTable(s.Tables[0], s.Databases)
		return []string{database}
	}
	return s.Databases
}

// dump seeds by a dump that is loaded while it is made.
func (s *Seed) dump(ctx context.Context, c *copying) (server.Position, error) {
	return c.retryBegin(ctx, func() (server.Position, error) { return c.dumpOnce(ctx) })
}

// lockAttempts is how often a copy is begun, because its short lock was not to
// be had at once.
const lockAttempts = 3

// retryBegin begins a copy anew, after a while, if its lock had to wait, the tool
// that dumps has hung, or the schema was changed, unless something was loaded.
func (c *copying) retryBegin(
	ctx context.Context, begin func() (server.Position, error),
) (server.Position, error) {
	for attempt := 1; ; attempt++ {
		position, err := begin()
		again := finding.HasCode(err, "lock-wait") || finding.HasCode(err, schemaChanged) ||
			finding.HasCode(err, snapshotsDiffer) || finding.HasCode(err, keptChanged) ||
			finding.HasCode(err, toolHangs) && attempt == 1
		if !again || c.begun || attempt == lockAttempts {
			return position, err
		}
		if err := server.Pause(ctx, time.Duration(attempt)*time.Second); err != nil {
			return server.Position{}, err
		}
	}
}

// dumpOnce runs both tools, from the first byte to the end of both.
func (c *copying) dumpOnce(ctx context.Context) (server.Position, error) {
	if !c.LockTables { // whose lock holds them too
		if err := c.guard.holdTables(ctx); err != nil {
			return server.Position{}, err
		}
	}
	read, write, err := widePipe()
	if err != nil {
		return server.Position{}, err
	}
	defer closeFiles(read)
	dump, position, watch, err := c.startDump(ctx, write)
	if err != nil {
		return server.Position{}, err
	}
	defer watch.stop()
	defer dump.stop()
	defer context.AfterFunc(ctx, dump.stop)()

	stream := c.newStream(read)
	c.watchHang(ctx, dump, c.Master, func() bool { return stream.waits.Load() == forDumper })
	told, head, ended, err := stream.readHead()
	waited := watch.stop()
	switch {
	case ctx.Err() != nil:
		return server.Position{}, context.Cause(ctx)
	case err != nil:
		return server.Position{}, err
	case waited:
		return server.Position{}, c.lockWaited()
	case ended:
		if err := dump.failure(finding.Master); err != nil {
			return server.Position{}, err
		}
	}
	if !c.foreign {
		position = told
	}
	if position, err = c.started(ctx, position); err != nil {
		return server.Position{}, err
	}
	c.meter.enter(PhaseCopy)
	return position, c.deliver(ctx, stream, head, dump)
}

// lockWaited is the problem of a lock that was given up.
func (s *Seed) lockWaited() error {
	return finding.New(finding.Master, "lock-wait",
		"wait until the long statements are done: SHOW PROCESSLIST; then run this again",
		"the short lock that a copy begins with was not over within %v", s.lockWait())
}

// started checks the coordinates and tells them, before anything is loaded.
func (c *copying) started(ctx context.Context, p server.Position) (server.Position, error) {
	p, err := c.guard.begin(ctx, p)
	c.start, c.begun = p, err == nil
	if err == nil && c.Started != nil {
		err = c.Started(ctx, p)
	}
	return p, err
}

// startDump starts a dump, with a watch over its lock. A foreign one comes with
// its coordinates, and its lock is over.
func (c *copying) startDump(ctx context.Context, stdout *os.File) (*process, server.Position, *lockWatch, error) {
	watch, err := c.guard.watchLock(ctx, c.Master.Version.Family == server.MySQL && !c.LockTables)
	if err != nil {
		closeFiles(stdout)
		return nil, server.Position{}, nil, err
	}
	var dump *process
	var position server.Position
	if c.foreign {
		dump, position, err = c.startForeign(ctx, stdout)
	} else {
		dump, err = startTool(c.dumper, c.login(c.Master), c.dumpArguments(), nil, stdout)
	}
	if err != nil {
		watch.stop()
	}
	return dump, position, watch, err
}

// newStream makes the way of a dump.
func (c *copying) newStream(from io.Reader) *dumpStream {
	stream := &dumpStream{from: from, meter: c.meter, recode: c.recode}
	if c.Slave != nil {
		stream.modes = unknownModes(c.Master.Version, c.Slave.Version)
	}
	if len(c.Tables) > 0 {
		stream.database = c.databases()[0]
	}
	return stream
}

// load starts the tool that loads, and hands the dump to it, which is made
// meanwhile, or, without a process, in a file already.
func (c *copying) load(ctx context.Context, stream *dumpStream, head []byte, dump *process) error {
	before := c.begin
	if before == "" {
		var err error
		if before, err = c.prelude(ctx); err != nil {
			return err
		}
	}
	read, write, err := widePipe()
	if err != nil {
		return err
	}
	defer closeFiles(write)
	load, err := startTool(c.loader, c.Slave.Login, loadArguments(c.loader), read, c.loaderSays)
	if err != nil {
		return err
	}
	defer load.stop()
	defer context.AfterFunc(ctx, load.stop)()
	c.watchHang(ctx, load, c.Slave, func() bool { return stream.waits.Load() == forLoader })
	if dump != nil { // a loader that has failed must not wait to be found out by a slow dump
		defer afterEnd(load, dump.stop)()
	}

	whole, err := stream.copy(ctx, append([]byte(before), head...), write)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if isEnded(load) || isBrokenPipe(err) { // it has broken first
		if failed := load.failure(finding.Slave); failed != nil {
			return failed
		}
		return finding.New(finding.Slave, "tool-failed",
			"the error log of the slave's server may say why; then run this again",
			"%s ended before the dump did", c.loader.name())
	}
	if err != nil {
		return err
	}
	if dump != nil {
		if err := dump.failure(finding.Master); err != nil {
			return err
		}
	}
	if !whole {
		return finding.New(finding.Master, "dump-cut", "run this again",
			"the dump ended in its middle, without its last line")
	}
	c.meter.enter(PhaseLoad)
	stream.waits.Store(forLoader)
	closeFiles(write)
	err = load.failure(finding.Slave)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// afterEnd calls a function when a process ends. What it returns ends that.
func afterEnd(p *process, do func()) (end func()) {
	stop := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-p.ended:
			if p.err != nil {
				do()
			}
		case <-stop:
		}
	})
	return func() { close(stop); waiting.Wait() }
}

// isEnded reports whether a process has ended.
func isEnded(p *process) bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}
