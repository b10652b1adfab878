package compare

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// The rows of a chunk are so many that it takes about chunkTime: long enough
// for the trip to the servers not to matter, and short enough for a waiting
// ALTER TABLE and for whoever watches.
const (
	chunkTime  = 500 * time.Millisecond
	firstChunk = 16 << 20 // bytes
	leastRows  = 100
	chunkAhead = 4 // chunks whose bounds are known ahead, and that are asked for at once at most
)

// errLegOver ends the work on a table whose rest is for the next leg.
var errLegOver = errors.New("the rest is compared at a later position")

// tableWork is the work on one table.
type tableWork struct {
	*comparing
	*tablePair

	result  *TableResult
	hash    string        // a row's number, as an expression
	exact   string        // the same, with floats exactly
	near    bool          // floats are the same only as far as they are shown
	rest    keyRange      // what is left to compare
	size    atomic.Uint64 // rows of a chunk
	endless bool          // a chunk may take as long as it does: it cannot be smaller
	found   differences
	anew    bool   // it was begun anew, since it was altered
	listed  uint64 // rows that were looked at one by one
}

// newWork begins the work on a table, or goes on with it.
func (c *comparing) newWork(p *tablePair) *tableWork {
	w := &tableWork{comparing: c, tablePair: p}
	w.result = &TableResult{
		Table: p.String(), Bytes: p.bytes(), At: []string{c.ends.at.String()}, Differences: []Difference{},
		Structure: append([]string{}, p.structure...), Problem: p.problem,
	}
	w.found.key, w.found.most = p.masterKey, fewDifferences
	if w.All {
		w.found.most = mostDifferences
	}
	if p.problem == "" {
		w.hash = rowHash(p.master.columns, p.across, false)
		w.exact = rowHash(p.master.columns, p.across, true)
		w.size.Store(max(w.chunkBytes()/w.rowBytes(), leastRows))
		w.takeUp()
	}
	return w
}

// tables compares small tables, all of them in one round trip.
func (c *comparing) tables(ctx context.Context, pairs []*tablePair) error {
	works, ranges := make([]*tableWork, len(pairs)), []*rangeSum{}
	byWork := map[*tableWork]*rangeSum{}
	for i, p := range pairs {
		works[i] = c.newWork(p)
		if p.problem == "" {
			r := &rangeSum{tableWork: works[i]}
			ranges, byWork[works[i]] = append(ranges, r), r
		}
	}
	works[0].progress()
	if err := c.sum(ctx, ranges); err != nil {
		return err
	}
	for _, w := range works {
		var err error
		if r := byWork[w]; r != nil {
			err = w.judge(ctx, r)
		}
		switch {
		case errors.Is(err, errLegOver):
			c.ended = true
		case isLate(err) && ctx.Err() == nil: // it is not as small as the server believes
			c.long[w.String()] = true
			c.queue = append([]*tablePair{w.tablePair}, c.queue...)
		default:
			if err := w.finish(ctx, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// table compares a table by itself, from where it has come to.
func (c *comparing) table(ctx context.Context, p *tablePair) error {
	w := c.newWork(p)
	w.progress()
	began := time.Now()
	err := w.rows(ctx)
	if errors.Is(err, errLegOver) {
		c.ended = true
		return w.endAt(ctx)
	}
	if err == nil {
		err = w.noteGrown(ctx)
	}
	if took := time.Since(began); p.masterKey == nil && took > c.maxSnapshot() {
		p.addNote("no key cuts the table into pieces: the snapshot of the master was held for " +
			finding.FormatDuration(took.Round(time.Second)))
	}
	return w.finish(ctx, err)
}

// finish ends the work on a table. What keeps the two from being compared is in the
// result; an error ends the whole comparison.
func (w *tableWork) finish(ctx context.Context, err error) error {
	if err != nil {
		if err := w.excuse(ctx, err); err != nil {
			return err
		}
	}
	w.found.end()
	w.result.Differences, w.result.More = append(w.result.Differences, w.found.list...), w.found.more
	if w.near {
		w.addNote("some FLOATs are the same only in the six digits that are shown, which is what a dump carries")
	}
	if w.anew {
		w.addNote("its definition was changed while it was compared in pieces: it was begun anew")
	}
	if !w.frozen && len(w.result.Differences) > 0 {
		w.result.again = true
		w.addNote("the table has no transactions: a difference may be a write that came in between")
	}
	w.result.Note = w.note
	if !w.result.Equal() {
		w.differing++
	}
	w.walk.finish(w.result)
	w.progress()
	return nil
}

// finish notes a table that is compared.
func (w *walk) finish(t *TableResult) {
	w.result.Tables = append(w.result.Tables, *t)
	w.done[t.Table] = true
	delete(w.begun, t.Table)
	w.doneBytes += t.Bytes
}

// excuse makes a table's problem of an error that ends the work on this table
// only: of a server that cannot read it.
func (w *tableWork) excuse(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch number := server.ErrorNumber(err); number {
	case 0, 1053, 1213, 1305, 1317, 1927, 4031: // the server, the session or its snapshot has ended
		return err
	case 1412, 1146, 1054, 1176:
		w.result.again = true
		w.result.Problem = "the table was altered while it was compared"
	case 1205:
		w.result.Problem = "somebody keeps the table locked"
	default:
		w.result.Problem = err.Error()
	}
	return nil
}

// doneBytes estimates how much of the table has been compared.
func (w *tableWork) doneBytes() uint64 {
	if w.problem != "" || w.done[w.String()] {
		return 0
	}
	return min(w.result.Rows*w.rowBytes(), w.result.Bytes)
}

// rows compares the rows, chunk by chunk. A chunk that takes too long is made smaller.
func (w *tableWork) rows(ctx context.Context) error {
	for {
		err := w.chunks(ctx)
		if !isLate(err) || ctx.Err() != nil {
			return err
		}
		size := w.size.Load()
		w.endless = size <= leastRows
		w.size.Store(max(size/4, leastRows))
		if w.over(ctx) {
			return errLegOver
		}
	}
}

// chunks compares chunks, from where the table has come to.
func (w *tableWork) chunks(ctx context.Context) error {
	stop, chunks := make(chan struct{}), make(chan chunkOrError, chunkAhead)
	go splitIntoChunks(ctx, stop, w.ends.scout, w.master, w.masterKey, w.rest, w.size.Load, chunks)
	defer func() {
		close(stop)
		for range chunks { // until the splitter has ended
		}
	}()
	for chunk := range chunks {
		batch := []chunkOrError{chunk}
		for len(batch) < w.chunksTogether() && len(chunks) > 0 {
			batch = append(batch, <-chunks)
		}
		if err := w.batch(ctx, batch); err != nil {
			return err
		}
		w.progress()
		if !batch[len(batch)-1].last && w.over(ctx) {
			return errLegOver
		}
	}
	return ctx.Err()
}

// chunksTogether is how many chunks are asked for at once: more than one where the way
// to the master takes a good part of their time.
func (w *tableWork) chunksTogether() int {
	return min(2+int(10*w.Master.RoundTrip()/chunkTime), chunkAhead)
}

// batch compares chunks that follow each other, and finds the rows of those that differ.
func (w *tableWork) batch(ctx context.Context, chunks []chunkOrError) error {
	var ranges []*rangeSum
	for _, chunk := range chunks {
		if chunk.err != nil {
			return chunk.err
		}
		ranges = append(ranges, &rangeSum{tableWork: w, keyRange: chunk.keyRange})
	}
	began := time.Now()
	if err := w.sum(ctx, ranges); err != nil {
		return err
	}
	var rows uint64
	for _, r := range ranges {
		rows += r.master.rows
	}
	w.resize(rows, max(time.Since(began)-w.Master.RoundTrip(), 0), len(chunks))
	for _, r := range ranges {
		if err := w.judge(ctx, r); err != nil {
			return err
		}
		if w.rest.after = r.upto; r.upto != nil {
			w.putDown()
		}
		w.compared, w.took = true, time.Since(began)
	}
	return nil
}

// judge finds the rows that differ in a range that is summed up.
func (w *tableWork) judge(ctx context.Context, r *rangeSum) error {
	if err := r.err(); err != nil {
		return err
	}
	if r.same() {
		w.found.end()
	} else if err := w.locate(ctx, r.keyRange, r.master, r.slave); err != nil {
		return err
	}
	w.near = w.near || r.near
	w.result.Rows += r.master.rows
	return nil
}

func (w *tableWork) rowBytes() uint64 { return max(w.master.rowBytes, 1) }

// progress reports how far the comparison is.
func (w *tableWork) progress() {
	// The server's estimate of a table's size and the rows that were counted
	// do not agree to the byte.
	w.report(Progress{
		Table: w.String(), Bytes: min(w.walk.doneBytes+w.doneBytes(), w.total), Total: w.total, Differences: w.differing,
	})
}

// chunkBytes is about how much data one query reads.
func (c *comparing) chunkBytes() uint64 {
	if c.chunkSize > 0 {
		return c.chunkSize
	}
	return firstChunk
}

// resize makes the next chunks take the time they should, by the rows and the time of some.
func (w *tableWork) resize(rows uint64, took time.Duration, chunks int) {
	if w.chunkSize > 0 || rows == 0 {
		return
	}
	each, n := max(took/time.Duration(chunks), time.Millisecond), float64(rows)/float64(chunks)
	factor := min(float64(chunkTime)/float64(each), 4)
	w.size.Store(max(uint64(n*factor), leastRows))
}

// checksums sums the rows' numbers of a range on both ends at the same time.
func (w *tableWork) checksums(ctx context.Context, r keyRange, hash string) (master, slave checksum, err error) {
	err = w.ends.inBoth(func(s *session) error {
		sum := &slave
		if s == w.ends.master {
			sum = &master
		}
		t, k := w.at(s)
		var err error
		*sum, err = s.checksum(ctx, checksumQuery(t, k, r, hash))
		return err
	})
	return master, slave, err
}

// at gives the table and its key as the session's server has them.
func (p *tablePair) at(s *session) (*tableShape, *key) {
	if s.server.Role == finding.Master {
		return p.master, p.masterKey
	}
	return p.slave, p.slaveKey
}
