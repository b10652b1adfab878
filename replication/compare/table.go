package compare

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// comparing is the work of one round.
type comparing struct {
	*Comparison

	ends      *snapshotEnds
	total     uint64 // bytes of all tables
	done      uint64 // bytes of the tables before this one
	differing int    // tables
}

// The rows of a chunk are so many that it takes about chunkTime: long enough
// for the trip to the servers not to matter, and short enough for a waiting
// ALTER TABLE and for whoever watches.
const (
	chunkTime  = 500 * time.Millisecond
	firstChunk = 4 << 20 // bytes
	leastRows  = 100
)

// tableWork is the work on one table.
type tableWork struct {
	*comparing
	*tablePair

	result *TableResult
	hash   string        // a row's number, as an expression
	exact  string        // the same, with floats exactly
	near   bool          // floats are the same only as far as they are shown
	size   atomic.Uint64 // rows of a chunk
	found  differences
	listed uint64 // rows that were looked at one by one
}

// table compares a table. What keeps the two from being compared is in the
// result; an error ends the whole comparison.
func (c *comparing) table(ctx context.Context, p *tablePair) (*TableResult, error) {
	w := &tableWork{comparing: c, tablePair: p}
	w.result = &TableResult{
		Table: p.String(), Bytes: p.bytes(), Differences: []Difference{}, Structure: append([]string{}, p.structure...),
		Problem: p.problem,
	}
	w.progress()
	if p.problem == "" {
		if err := w.rows(ctx); err != nil {
			if err := w.excuse(ctx, err); err != nil {
				return nil, err
			}
		}
		w.result.Differences, w.result.More = append(w.result.Differences, w.found.list...), w.found.more
	}
	if w.near {
		p.addNote("some FLOATs are the same only in the six digits that are shown, which is what a dump carries")
	}
	if !p.frozen && len(w.result.Differences) > 0 {
		w.result.again = true
		p.addNote("the table has no transactions: a difference may be a write that came in between")
	}
	w.result.Note = p.note
	if !w.result.Equal() {
		c.differing++
	}
	c.done += w.result.Bytes
	w.progress()
	return w.result, nil
}

// excuse makes a table's problem of an error that ends the work on this table
// only: of a server that cannot read it.
func (w *tableWork) excuse(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch number := server.ErrorNumber(err); number {
	case 0, 1053, 1213, 1317, 1927, 4031: // the server, the session or its snapshot has ended
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
	if w.problem != "" {
		return 0
	}
	return min(w.result.Rows*w.rowBytes(), w.result.Bytes)
}

// rows compares the rows, chunk by chunk.
func (w *tableWork) rows(ctx context.Context) error {
	w.found.key, w.found.most = w.masterKey, fewDifferences
	if w.All {
		w.found.most = mostDifferences
	}
	w.hash = rowHash(w.master.columns, w.across, false)
	w.exact = rowHash(w.master.columns, w.across, true)
	w.size.Store(max(w.chunkBytes()/w.rowBytes(), leastRows))
	splitting, cancel := context.WithCancel(ctx)
	chunks := make(chan chunkOrError, 1)
	go splitIntoChunks(splitting, w.ends.scout, w.master, w.masterKey, w.size.Load, chunks)
	defer func() {
		cancel()
		for range chunks { // until the splitter has ended
		}
	}()
	for chunk := range chunks {
		if chunk.err != nil {
			return chunk.err
		}
		if err := w.chunk(ctx, chunk.keyRange); err != nil {
			return err
		}
		w.progress()
	}
	w.found.end()
	return ctx.Err()
}

func (w *tableWork) rowBytes() uint64 { return max(w.master.rowBytes, 1) }

// progress reports how far the comparison is.
func (w *tableWork) progress() {
	// The server's estimate of a table's size and the rows that were counted
	// do not agree to the byte.
	w.report(Progress{
		Table: w.String(), Bytes: min(w.done+w.doneBytes(), w.total), Total: w.total, Differences: w.differing,
	})
}

// chunkBytes is about how much data one query reads.
func (w *tableWork) chunkBytes() uint64 {
	if w.chunkSize > 0 {
		return w.chunkSize
	}
	return firstChunk
}

// chunk compares a range and, if it differs, finds the rows.
func (w *tableWork) chunk(ctx context.Context, r keyRange) error {
	defer w.freeTables(ctx)
	if err := w.ends.inBoth(func(s *session) error { return s.exec(ctx, setSavepoint) }); err != nil {
		return err
	}
	started := time.Now()
	master, slave, err := w.checksums(ctx, r, w.exact)
	if err != nil {
		return err
	}
	w.resize(master.rows, time.Since(started))
	w.result.Rows += master.rows
	if master != slave && w.exact != w.hash {
		if master, slave, err = w.checksums(ctx, r, w.hash); err != nil {
			return err
		}
		w.near = w.near || master == slave
	}
	if master == slave {
		w.found.end()
		return nil
	}
	return w.locate(ctx, r, master, slave)
}

// freeTables lets those in who wait to alter a table.
func (w *tableWork) freeTables(ctx context.Context) {
	_ = w.ends.inBoth(func(s *session) error { return s.exec(ctx, freeTables) }) // the next query fails too
}

// resize makes the next chunks take the time they should.
func (w *tableWork) resize(rows uint64, took time.Duration) {
	if w.chunkSize > 0 || rows == 0 {
		return
	}
	factor := float64(chunkTime) / float64(max(took, time.Millisecond))
	w.size.Store(max(uint64(float64(rows)*min(factor, 4)), leastRows))
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
