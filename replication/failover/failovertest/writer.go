package failovertest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Writer writes to both servers of a pair all the time, as the application's account: one
// row in a transaction each.
type Writer struct {
	pair   *Pair
	cancel context.CancelFunc
	tries  sync.WaitGroup

	mu      sync.Mutex
	acked   []Write
	refused []Write // by servers that are read-only
}

// Write is a row that a server has acknowledged, or refused.
type Write struct {
	ID         int64 // of the row
	On         *Host
	Begun, End time.Time // the commit, or the refusal, was between
}

// lastID makes the ids of rows differ, whoever writes them.
var lastID atomic.Int64

// How a Writer tries.
const (
	pace       = 5 * time.Millisecond // between two tries on a server
	writeLimit = 5 * time.Second      // of one

	isReadOnly = 1290 // the error of a server that is
)

// Write starts a Writer, which ends with the test, or by Stop.
func (p *Pair) Write() *Writer {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	w := &Writer{pair: p, cancel: cancel}
	for _, h := range p.hosts() {
		db := h.app()
		w.tries.Go(func() {
			defer func() { _ = db.Close() }() // it is broken, or not
			w.write(ctx, h, db)
		})
	}
	p.t.Cleanup(w.Stop)
	return w
}

// app is a pool of connections to the host's server by the application's account.
func (h *Host) app() *sql.DB {
	h.t.Helper()
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd = "unix", h.Server.Socket, AppUser, AppPassword
	config.Timeout, config.ReadTimeout, config.WriteTimeout = writeLimit, writeLimit, writeLimit
	config.Logger = &mysql.NopLogger{}
	config.InterpolateParams = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		h.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db
}

// write tries until ctx ends. A try is not cut off by that: what would become of its row?
func (w *Writer) write(ctx context.Context, h *Host, db *sql.DB) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for ctx.Err() == nil {
		id, begun := lastID.Add(1), time.Now()
		_, err := db.ExecContext(context.WithoutCancel(ctx),
			"INSERT INTO "+Table+" (id, host, at) VALUES (?, ?, NOW(6))", id, h.Name)
		w.mu.Lock()
		switch try := (Write{ID: id, On: h, Begun: begun, End: time.Now()}); {
		case err == nil:
			w.acked = append(w.acked, try)
		case server.ErrorNumber(err) == isReadOnly:
			w.refused = append(w.refused, try)
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// Stop ends it.
func (w *Writer) Stop() {
	w.cancel()
	w.tries.Wait()
}

// Acked are the rows that were acknowledged so far, in the order of their ends.
func (w *Writer) Acked() []Write {
	w.mu.Lock()
	defer w.mu.Unlock()
	acked := slices.Clone(w.acked)
	slices.SortFunc(acked, func(a, b Write) int { return a.End.Compare(b.End) })
	return acked
}

// WaitFor waits until the host's server has acknowledged a row that was begun after
// this call.
func (w *Writer) WaitFor(h *Host) {
	w.pair.t.Helper()
	now := time.Now()
	waitFor(w.pair.t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.acked, func(a Write) bool { return a.On == h && a.Begun.After(now) })
	}, func() (string, any) { return "no client can write on", h.Name })
}

// Turns is how often, at least, the right to write has gone from one server to the other.
// Writes whose times overlap may have been in either order.
func (w *Writer) Turns() int {
	acked, most := w.Acked(), 0
	for _, first := range w.pair.hosts() { // the longest chain of writes on either in turn
		turns, last := -1, Write{On: first.Peer}
		for _, a := range acked {
			if a.On != last.On && a.Begun.After(last.End) {
				turns, last = turns+1, a
			}
		}
		most = max(most, turns)
	}
	return most
}

// Pause is the longest time in which no row was acknowledged by either server.
func (w *Writer) Pause() time.Duration {
	var longest time.Duration
	acked := w.Acked()
	for i := range len(acked) - 1 {
		longest = max(longest, acked[i+1].End.Sub(acked[i].End))
	}
	return longest
}

// LastTurn is the pause in which the right to write last went from one server to the other:
// between rows that they have acknowledged; and the part of it that their refusals prove,
// since at some time in the first of the one, and in the last of the other, that was read-only.
func (w *Writer) LastTurn() (pause, proven time.Duration) {
	acked := w.Acked()
	last := len(acked) - 1
	for last > 0 && acked[last-1].On == acked[last].On {
		last--
	}
	if last < 1 {
		return 0, 0
	}
	to, from := acked[last], acked[last-1]
	closed, open := to.Begun, from.End
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.refused {
		switch {
		case r.On == from.On && r.Begun.After(from.End) && r.End.Before(closed):
			closed = r.End
		case r.On == to.On && r.Begun.Before(to.Begun) && r.Begun.After(open):
			open = r.Begun
		}
	}
	return to.End.Sub(from.End), max(0, open.Sub(closed))
}

// Lacking are the acknowledged rows that the host's server has not.
func (w *Writer) Lacking(h *Host) []Write {
	w.pair.t.Helper()
	acked := w.Acked() // first: a client may write on
	have := h.rows()
	return slices.DeleteFunc(acked, func(a Write) bool { return have[a.ID] })
}

// rows are the ids of the rows on the host's server.
func (h *Host) rows() map[int64]bool {
	h.t.Helper()
	rows, err := h.Server.DB.QueryContext(h.t.Context(), "SELECT id FROM "+Table)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	have := map[int64]bool{}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			h.t.Fatal(err)
		}
		have[id] = true
	}
	if err := rows.Err(); err != nil {
		h.t.Fatal(err)
	}
	return have
}

// String is how many rows were acknowledged by whom, in turn.
func (w *Writer) String() string {
	var parts []string
	n, acked := 0, w.Acked()
	for i, a := range acked {
		if n++; i+1 == len(acked) || acked[i+1].On != a.On {
			parts = append(parts, fmt.Sprintf("%d on %s until %s", n, a.On.Name, a.End.Format("15:04:05.000")))
			n = 0
		}
	}
	return strings.Join(parts, ", ")
}
