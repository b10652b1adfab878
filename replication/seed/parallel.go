package seed

import (
	"cmp"
	"context"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// The method parallel is the method dump with several dumps at one snapshot, each of a
// part of the tables, and each with a loader of its own: a tool asks a dozen questions
// about a table, one after the other, and over a long way waits for the answers most of
// the time. The databases and MariaDB's sequences are loaded before the tables; views,
// routines and events after them. These are in no snapshot: as in one dump, they are read
// once there are the coordinates, so that what is made until then is in the copy.

// parallel seeds by several dumps, or, where they are not to be had, by one.
func (s *Seed) parallel(ctx context.Context, c *copying) (server.Position, error) {
	// MariaDB tells where its binary log stood at a snapshot, and so whether several are
	// the same without a lock. It is asked for if they were not.
	locked := c.LockTables || c.foreign || c.Master.Version.Family != server.MariaDB
	position, err := c.retryBegin(ctx, func() (server.Position, error) {
		position, err := c.parallelOnce(ctx, locked)
		if finding.HasCode(err, snapshotsDiffer) {
			locked = true
		}
		return position, err
	})
	alone := finding.HasCode(err, snapshotsDiffer) || finding.HasCode(err, schemaChanged) ||
		finding.HasCode(err, "lock-wait") || server.IsDenied(err)
	if c.begun || !alone || c.LockTables {
		return position, err
	}
	if s.Waiting != nil {
		s.Waiting("several dumps could not begin at one moment (" + err.Error() + "): the copy goes on by one, method dump")
	}
	c.meter.parts.Store(nil)
	return c.dump(ctx, c)
}

// snapshotsDiffer is the code of dumps that did not begin at one moment.
const snapshotsDiffer = "snapshots-differ"

// parallelRun is one attempt of the method parallel.
type parallelRun struct {
	*copying
	objects     []object
	first, last *part
	parts       []*part
	inTurn      bool // tables are made one after the other

	gate   *gate
	dumps  []*partDump             // of parts
	asides [2]aside                // of first and last
	cancel context.CancelCauseFunc // ends the run
	ends   []func()                // of what has begun, to be called in reverse
}

// partDump is the dump of a part, while it is made.
type partDump struct {
	copying
	stream  *dumpStream
	process *process
	head    []byte
}

// parallelOnce copies, from the first question to the end of all tools.
func (c *copying) parallelOnce(ctx context.Context, locked bool) (server.Position, error) {
	if !c.LockTables { // whose lock holds them too
		if err := c.guard.holdTables(ctx); err != nil {
			return server.Position{}, err
		}
	}
	r := &parallelRun{copying: c}
	switch several, err := r.plan(ctx); {
	case err != nil:
		return server.Position{}, err
	case !several:
		c.meter.parts.Store(nil)
		return c.dumpOnce(ctx)
	}
	defer r.end()
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	position, unlock, err := r.begin(ctx, locked)
	if err != nil {
		return server.Position{}, cause(ctx, err)
	}
	defer unlock.discard()
	if err = r.unchanged(ctx); err == nil {
		position, err = r.readHeads(position)
	}
	if err == nil {
		position, err = c.started(ctx, position)
	}
	if err == nil {
		err = r.loadAll(ctx, unlock)
	}
	if err != nil {
		return server.Position{}, cause(ctx, err)
	}
	return position, nil
}

// cause is why a context has ended, or else an error.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// plan shares the tables out, and reports whether there is something to share.
func (r *parallelRun) plan(ctx context.Context) (several bool, err error) {
	free, err := r.ask(ctx)
	if err != nil {
		return false, err
	}
	kinds := map[string]bool{} // of what a tool may take for one another
	for _, o := range r.objects {
		kinds[o.fold] = kinds[o.fold] || o.isTable()
	}
	for _, o := range r.objects {
		if kinds[o.fold] && !o.isTable() { // a table would be passed over with it
			return false, nil
		}
	}
	if err := r.findKept(ctx); err != nil {
		return false, err
	}
	trip := r.Master.RoundTrip()
	most := min(cmp.Or(r.atOnce, dumpsAtOnce(trip)), free)
	tables := those(r.objects, func(o object) bool { return o.isTable() && !r.keeps(o) })
	if len(r.kept) == 0 && (most < 2 || len(tables) == 0) {
		return false, nil
	}
	most = max(most, 1)
	for _, tables := range partition(tables, most, trip) {
		r.parts = append(r.parts, newPart(tableArguments, nil, r.objects, tables))
	}
	first := firstArguments
	if len(r.kept) == 0 {
		first = append(slices.Clone(first), "--add-drop-database")
	}
	r.first = newPart(first, r.Databases, r.objects,
		those(r.objects, func(o object) bool { return o.kind == "SEQUENCE" }))
	r.last = newPart(lastArguments, r.Databases, r.objects,
		those(r.objects, func(o object) bool { return o.kind == "VIEW" }))
	return true, nil
}

// ask reads what a plan depends on, and gives how many connections may be made to either
// server.
func (r *parallelRun) ask(ctx context.Context) (free int, err error) {
	var onMaster, onSlave int
	asks := []func(context.Context) error{
		func(ctx context.Context) (err error) {
			r.objects, err = r.copying.objects(ctx)
			return err
		},
		func(ctx context.Context) (err error) {
			onMaster, err = freeConnections(ctx, r.Master)
			return err
		},
		func(ctx context.Context) (err error) {
			r.inTurn, err = r.hasForeignKeys(ctx)
			return err
		},
	}
	if r.copying.begin == "" {
		asks = append(asks, func(ctx context.Context) (err error) {
			r.copying.begin, err = r.prelude(ctx)
			return err
		})
	}
	if err := r.Master.Together(ctx, r.Master.DB, asks...); err != nil {
		return 0, err
	}
	onSlave, err = freeConnections(ctx, r.Slave)
	return min(onMaster, onSlave), err
}

// hasForeignKeys reports whether tables of the databases have any: making such tables at
// once, each in a session of its own, would have the sessions wait for one another.
func (r *parallelRun) hasForeignKeys(ctx context.Context) (bool, error) {
	n, err := r.Master.Value(ctx, r.Master.DB, "SELECT COUNT(*) FROM information_schema.referential_constraints"+
		" WHERE constraint_schema IN ("+server.QuoteExactly(r.Databases)+")")
	return n != "0", err
}

// end ends all that was begun.
func (r *parallelRun) end() {
	for _, end := range slices.Backward(r.ends) {
		end()
	}
	r.ends = nil
}

// start starts the dump of a part, by the gate. Its process ends with ctx, or by end.
func (r *parallelRun) start(ctx context.Context, p *part, position bool, to *os.File) (*process, error) {
	unlocked := *r.Seed // whose lock is held here
	unlocked.LockTables = false
	plain := append(unlocked.plainArguments(r.dumper), "--skip-add-locks")
	if position {
		plain = append(plain, "--"+r.dumper.knows("source-data=2", "master-data=2"))
	}
	dump, err := startTool(p.tool(r.dumper, r.objects), r.gate.login(), p.dumpArguments(plain), nil, to)
	if err != nil {
		return nil, err
	}
	ended := context.AfterFunc(ctx, dump.stop)
	r.ends = append(r.ends, dump.stop, func() { ended() })
	return dump, nil
}

// begin starts the dumps of the tables, and gives their coordinates once each has its
// snapshot; none if the dumps tell them. The lock, if it is wanted, is over unless it is
// to be held for the whole copy.
func (r *parallelRun) begin(ctx context.Context, locked bool) (p server.Position, unlock *readLock, err error) {
	if r.gate, err = newGate(ctx, r.login(r.Master), len(r.parts)+len(r.asides)); err != nil {
		return p, nil, err
	}
	r.ends = append(r.ends, r.gate.close)
	if err = r.startAsides(ctx); err != nil {
		return p, nil, err
	}
	meters := make([]*meter, len(r.parts))
	for i, part := range r.parts {
		read, write, err := widePipe()
		if err != nil {
			return p, nil, err
		}
		r.ends = append(r.ends, func() { closeFiles(read) })
		dump, err := r.start(ctx, part, !r.byLock(), write)
		if err != nil {
			return p, nil, err
		}
		d := &partDump{copying: *r.copying, process: dump}
		sizes := make(map[string]uint64, len(part.takes))
		for table := range part.takes {
			sizes[table] = r.meter.sizes[table]
		}
		d.meter = newMeter(sizes)
		meters[i] = d.meter
		d.stream = d.newStream(read)
		d.stream.takes, d.stream.inTurn = part.takes, r.inTurn
		r.watchHang(ctx, dump, r.Master, func() bool { return d.stream.waits.Load() == forDumper })
		r.dumps = append(r.dumps, d)
	}
	r.meter.parts.Store(&meters)
	return r.snapshots(ctx, locked)
}

// byLock reports whether the coordinates are read under a lock, because the tool does not
// tell them without one of its own.
func (r *parallelRun) byLock() bool { return r.foreign || r.Master.Version.Family != server.MariaDB }

// unchanged finds whether the tables are still those that were shared out, while nothing is
// loaded. What is made or dropped later, until the tools have come to it, ends the copy.
func (r *parallelRun) unchanged(ctx context.Context) error {
	now, err := r.copying.objects(ctx)
	if err != nil {
		return err
	}
	kinds := map[string]string{}
	for _, o := range r.objects {
		kinds[o.quoted()] = o.kind
	}
	for _, o := range now {
		if kinds[o.quoted()] != o.kind {
			return changedMeanwhile(o.String())
		}
		delete(kinds, o.quoted())
	}
	for name := range kinds {
		return changedMeanwhile(name)
	}
	return nil
}

// readHeads reads the heads of all dumps, and gives the coordinates, which are those that
// were read under the lock or are the same for all.
func (r *parallelRun) readHeads(p server.Position) (server.Position, error) {
	told := make([]server.Position, len(r.dumps))
	err := r.each(func(i int, d *partDump) (err error) {
		var ended bool
		if told[i], d.head, ended, err = d.stream.readHead(); err == nil && ended {
			err = d.process.failure(finding.Master)
		}
		return err
	})
	if err != nil {
		return p, err
	}
	for i := range told {
		switch {
		case r.byLock():
		case p.IsZero() || i == 0:
			if !p.IsZero() && !samePlace(p, told[i]) {
				return p, finding.New(finding.Master, snapshotsDiffer, "run this again",
					"a dump began at %s, and the lock was held at %s", told[i], p)
			}
			p = told[0]
		case !samePlace(told[i], p):
			return p, finding.New(finding.Master, snapshotsDiffer, "run this again",
				"one dump began at %s, and another at %s", p, told[i])
		}
	}
	return p, nil
}

// samePlace reports whether two positions are the same place of a binary log.
func samePlace(a, b server.Position) bool { return a.File == b.File && a.Offset == b.Offset }

// each runs a function for all dumps at once. The first error ends the run, and is given.
func (r *parallelRun) each(do func(i int, d *partDump) error) error {
	var all sync.WaitGroup
	errs := make([]error, len(r.dumps))
	for i, d := range r.dumps {
		all.Go(func() {
			if errs[i] = do(i, d); errs[i] != nil {
				r.cancel(errs[i])
			}
		})
	}
	all.Wait()
	return cmp.Or(errs...)
}

// loadAll loads all: what the tables are put into, the tables, and what needs them.
func (r *parallelRun) loadAll(ctx context.Context, unlock *readLock) error {
	r.meter.enter(PhaseCopy)
	if len(r.kept) > 0 {
		if err := r.clearSlave(ctx); err != nil {
			return err
		}
	}
	if err := r.loadAside(ctx, r.asides[0]); err != nil {
		return err
	}
	var dumping sync.WaitGroup
	for _, d := range r.dumps {
		dumping.Go(func() { <-d.process.ended })
	}
	unlocked := make(chan error, 1)
	go func() { // ends with the dumps, which end before this run does
		dumping.Wait()
		unlocked <- unlock.release(ctx)
	}()
	err := r.each(func(_ int, d *partDump) error {
		err := d.load(ctx, d.stream, d.head, d.process)
		if err == nil {
			err = d.stream.missed()
		}
		return err
	})
	if e := <-unlocked; err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return r.loadAside(ctx, r.asides[1])
}

// snapshotPatience is how long the tools may take to come to their snapshots.
const snapshotPatience = 2 * time.Minute
