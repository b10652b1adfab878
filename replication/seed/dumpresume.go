package seed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// loadNotes notes how far the load of a dump has come, by what the loader says.
type loadNotes struct {
	seed *Seed
	cuts *cuts
	file journal.NoteFile
	note journal.LoadNote

	said, says *os.File // the ends of the loader's standard output
	reading    sync.WaitGroup
}

// noteEvery is how often the load is noted at most.
const noteEvery = time.Second

// LeftOf gives what is left of the load of a dump that was cut off; nil if nothing is of which
// that is certain.
func LeftOf(
	ctx context.Context, slave *server.Server, note *journal.LoadNote, sha256 string, databases []string,
) (*journal.LoadNote, error) {
	if note == nil {
		return nil, nil //nolint:nilnil // nothing is left
	}
	uptime, err := slave.Uptime(ctx, slave.DB)
	if err != nil || !note.Holds(sha256, uptime) {
		return nil, err
	}
	if uptime > time.Since(note.Began) {
		return note, nil
	}
	frail, err := slave.Value(ctx, slave.DB, "SELECT COUNT(*) FROM information_schema.tables"+
		" WHERE engine IS NOT NULL AND engine <> 'InnoDB' AND table_schema IN ("+server.QuoteExactly(databases)+")")
	if err != nil || frail != "0" { // they may have lost rows with the server
		return nil, err
	}
	return note, nil
}

// noteLoad begins to note the load of a dump. The caller ends it.
func (c *copying) noteLoad(ctx context.Context, cuts *cuts) (*loadNotes, error) {
	f, err := facts.ReadVariables(ctx, c.Slave, c.Slave.DB, "server_id") // the setup may have changed it
	if err != nil {
		return nil, err
	}
	n := &loadNotes{
		seed: c.Seed, cuts: cuts, file: journal.LoadFile(c.StateDir, f.ServerID()),
		note: journal.LoadNote{Began: time.Now(), SHA256: c.File.Tail.SHA256, Durable: true},
	}
	if c.Left != nil {
		n.note = *c.Left
	}
	if err = n.keep(ctx); err == nil {
		n.said, n.says, err = os.Pipe()
	}
	if err != nil {
		return nil, err
	}
	n.reading.Go(func() { n.read(context.WithoutCancel(ctx)) }) // what was said must not be lost
	return n, nil
}

// end waits until all is noted that the loader has said, which has ended.
func (n *loadNotes) end() {
	closeFiles(n.says) // if no loader was started
	n.reading.Wait()
	closeFiles(n.said)
}

// read notes what the loader says, until it has ended.
func (n *loadNotes) read(ctx context.Context) {
	var noted time.Time
	later := false
	for lines := bufio.NewScanner(n.said); lines.Scan(); {
		whole, next := n.cuts.confirmed(lines.Text())
		if whole == 0 {
			continue
		}
		n.note.Whole, n.note.Next, later = whole, next, true
		if time.Since(noted) >= noteEvery {
			_, noted, later = n.keep(ctx), time.Now(), false // the next may succeed
		}
	}
	_, _ = io.Copy(io.Discard, n.said) // a line that is too long must not hold the loader up
	if later {
		_ = n.keep(ctx) // the load has its own error, or is whole
	}
}

// keep writes the note. What was loaded is as durable as the server has been all the time.
func (n *loadNotes) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s := n.seed.Slave
	if n.note.Durable {
		flush, err := s.Value(ctx, s.DB, "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit")
		if n.note.Durable = flush == "1"; err != nil {
			n.note.Durable = true // it has ended: what it was is noted
		}
	}
	if err := n.file.Write(&n.note); err != nil {
		return &finding.Problem{
			Code: "state", Text: "what is about to be done cannot be noted", Err: err,
			Cure: "name a directory that this user may write with --state-dir",
		}
	}
	return nil
}

// tablesThere are the tables of the databases on the slave, as "database.table".
func (s *Seed) tablesThere(ctx context.Context) (map[string]bool, error) {
	rows, err := s.Slave.Query(ctx, s.Slave.DB,
		"SELECT table_schema AS d, table_name AS t FROM information_schema.tables WHERE table_schema IN ("+
			server.QuoteExactly(s.databases())+")")
	there := make(map[string]bool, len(rows))
	for _, r := range rows {
		there[r["d"]+"."+r["t"]] = true
	}
	return there, err
}

// loadDump loads a dump from where the load before was cut off, or from its beginning if that
// has left nothing.
func (c *copying) loadDump(ctx context.Context) error {
	err := c.loadFrom(ctx)
	if errors.Is(err, errNotLeft) {
		c.Left = nil
		c.meter.bytes.Store(0)
		err = c.loadFrom(ctx)
	}
	return err
}

// loadFrom loads a dump from where it is said to begin.
func (c *copying) loadFrom(ctx context.Context) (err error) {
	sql, err := c.File.sql()
	if err != nil {
		return err
	}
	defer func() { _ = sql.Close() }() // it was only read
	cuts := newCuts(sql)
	cuts.left = func(n int) { c.meter.bytes.Add(uint64(n)) } //nolint:gosec // not negative
	if c.Left != nil {
		cuts.skip = c.Left.Whole
		if cuts.has, err = c.tablesThere(ctx); err != nil {
			return fmt.Errorf("read what is left of the load: %w", err)
		}
	}
	notes, err := c.noteLoad(ctx, cuts)
	if err != nil {
		return err
	}
	c.loaderSays = notes.says
	err = c.load(ctx, c.newStream(cuts), nil, nil)
	notes.end()
	if err != nil {
		return err
	}
	return notes.file.Remove()
}
