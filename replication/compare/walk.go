package compare

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// walk is the way of one round through its tables: first all that are wanted, and then
// those that may turn out otherwise. It takes as many legs as there are snapshots.
type walk struct {
	*Comparison

	only   []string // the tables and sequences that are wanted; empty: all
	second bool     // round
	result *Result  // so far; nil: no leg has begun
	legs   int      // that have begun

	databaseNames []string          // to compare
	left          []string          // tables, after the first leg
	done          map[string]bool   // tables
	begun         map[string]*begun // tables of which pieces are compared

	doneBytes uint64 // of the tables that are compared
	total     uint64 // of all tables
	differing int    // tables

	checkpoint *checkpointFile // nil: none is kept
}

// newWalk is the way through tables and sequences; none: all that there are.
func (c *Comparison) newWalk(only []string) *walk {
	return &walk{Comparison: c, only: only, done: map[string]bool{}, begun: map[string]*begun{}}
}

// wanted are the tables that are still wanted; none: all.
func (w *walk) wanted() []string {
	if w.legs > 0 {
		return w.left
	}
	return w.only
}

// run goes the whole way.
func (w *walk) run(ctx context.Context) error {
	for more := true; more; {
		err := w.giveWay(ctx)
		if err == nil {
			more, err = w.leg(ctx)
			w.legs++
		}
		w.checkpoint.write(w)
		if err != nil {
			return err
		}
	}
	w.result.sort()
	return nil
}

// leg compares as much as it may at one position, and reports whether anything is left.
func (w *walk) leg(ctx context.Context) (more bool, err error) {
	p, err := w.ready(ctx)
	if err != nil {
		return false, err
	}
	ends, master := p.ends, p.master
	defer ends.close(ctx)
	before, err := w.readBefore(ctx, w.databaseNames, master.sequences(w.only), w.second)
	if err != nil {
		return false, err
	}
	slave, err := w.pauseSlave(ctx, p.to)
	if err != nil {
		return false, err
	}
	defer func() {
		if resumeErr := slave.resume(ctx); err == nil {
			err = resumeErr
		}
	}()
	err = ends.meet(ctx, w.Comparison, slave, master.locked(w.wanted()), func(ctx context.Context) (err error) {
		master, err = readSchema(ctx, ends.scout, w.databaseNames, w.left) // the one before may be old
		return err
	})
	if err != nil {
		return false, err
	}
	schema, err := readSchema(ctx, ends.slave, w.databaseNames, w.left)
	if err != nil {
		return false, err
	}
	w.meet(ends.at, p.others)
	pairs, err := w.pairTables(master, schema, slave.status)
	if err != nil {
		return false, err
	}
	if w.legs == 0 {
		w.compareRest(master, schema, pairs, slave.status)
		if err := w.compareSequences(ctx, w.result, before, slave.status, w.second); err != nil {
			return false, err
		}
	}
	return w.compareTables(ctx, ends, slave, pairs)
}

// meet notes a position, and which databases are left out.
func (w *walk) meet(at server.Position, others []string) {
	if w.result == nil {
		w.result = &Result{At: at, Tables: []TableResult{}, Objects: []string{}, Skipped: []string{}}
	}
	w.result.Until = at
	for _, name := range others {
		w.result.skip("database " + name + ": the slave does not replicate it")
	}
}

// compareRest compares what there is beside rows, and notes what is not compared.
func (w *walk) compareRest(master, slave *schema, pairs []*tablePair, status *server.SlaveStatus) {
	if w.second {
		return
	}
	skipHistory(w.result, pairs)
	skipForeign(w.result, master, slave, pairs)
	if len(w.only) == 0 {
		skipUnseen(w.result, master, slave)
		compareDatabases(w.result, master, slave, status)
	}
	compareObjects(w.result, master, slave, w.only)
}

// compareTables compares the rows of the pairs, those without transactions first,
// and lets the slave go on when these are done. It reports whether any are left.
func (w *walk) compareTables(
	ctx context.Context, ends *snapshotEnds, slave *pausedSlave, pairs []*tablePair,
) (more bool, err error) {
	work := &comparing{walk: w, ends: ends, queue: pairs, long: map[string]bool{}}
	work.sort()
	w.left, w.total = nil, w.doneBytes
	for _, p := range pairs {
		w.left = append(w.left, p.String())
		w.total += p.bytes()
	}
	for stopped := true; len(work.queue) > 0; {
		if stopped && work.queue[0].transactional() {
			stopped = false
			if err := ends.unlock(ctx, slave); err != nil {
				return true, err
			}
		}
		if work.over(ctx) {
			break
		}
		if err := work.next(ctx); err != nil {
			return true, err
		}
		w.checkpoint.writeNowAndThen(w)
	}
	w.left = slices.DeleteFunc(w.left, func(name string) bool { return w.done[name] })
	return len(w.left) > 0, nil
}

// comparing is the work of one leg.
type comparing struct {
	*walk

	ends  *snapshotEnds
	queue []*tablePair    // to compare, in this order
	long  map[string]bool // tables that take longer than one query may, however small they seem

	compared bool          // something
	ended    bool          // the rest is for the next leg
	took     time.Duration // the last batch
	looked   time.Time     // at the load
}

// Small tables are compared many at a time: so many, or so many bytes of them.
const mostTogether = 500

// isSmall reports whether a table is compared by one query, beside others.
func (c *comparing) isSmall(p *tablePair) bool {
	name := p.String()
	return p.problem != "" || p.bytes() <= c.chunkBytes() && c.begun[name] == nil && !c.long[name]
}

// sort puts the tables without transactions first, and of each kind the small ones before
// the others.
func (c *comparing) sort() {
	rank := func(p *tablePair) int {
		switch small := c.isSmall(p); {
		case !p.transactional() && small:
			return 0
		case !p.transactional():
			return 1
		case small:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(c.queue, func(a, b *tablePair) int { return cmp.Compare(rank(a), rank(b)) })
}

// next compares what is next: small tables together, or another one.
func (c *comparing) next(ctx context.Context) error {
	began := time.Now()
	defer func() { c.compared, c.took = true, time.Since(began) }()
	first := c.queue[0]
	if !c.isSmall(first) {
		if first.masterKey == nil && c.compared { // it cannot be cut: in a snapshot that is new
			c.ended = true
			return nil
		}
		c.queue = c.queue[1:]
		return c.table(ctx, first)
	}
	n, bytes := 0, uint64(0)
	for n < len(c.queue) && n < mostTogether {
		p := c.queue[n]
		bytes += p.bytes()
		if !c.isSmall(p) || p.transactional() != first.transactional() || n > 0 && bytes > c.chunkBytes() {
			break
		}
		n++
	}
	batch := c.queue[:n]
	c.queue = c.queue[n:]
	return c.tables(ctx, batch)
}
