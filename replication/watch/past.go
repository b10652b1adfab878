package watch

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// masterPast is what the master has of the past that was noted of it, and what it publishes
// of its pair. What cannot be asked is not known.
type masterPast struct {
	note, now *journal.MasterNote
	lost      bool
	record    *term.Record
}

// readNote reads what was noted of the master.
func (p *masterPast) readNote(directory string, slaveID uint32) (err error) {
	p.note, err = journal.ReadNote[journal.MasterNote](journal.MasterFile(directory, slaveID))
	return err
}

// read asks the master.
func (p *masterPast) read(ctx context.Context, slave *facts.Facts, master *server.Server) error {
	return master.Together(ctx, master.DB, func(ctx context.Context) error {
		var err error
		if p.now, p.lost, err = p.note.Compare(ctx, master, slave); err != nil {
			p.now = nil
		}
		return nil
	}, func(ctx context.Context) error {
		if record, err := term.ReadRecord(ctx, master, master.DB); err == nil {
			p.record = record
		}
		return nil
	})
}

// notePast notes whether the slave's master has lost its past, else how it is now; and, where
// this slave is of no pair, whether it still is the master.
func (r *statusReader) notePast(p *masterPast, directory string) {
	if !r.sameMaster {
		return
	}
	switch {
	case p.now == nil:
	case p.lost:
		r.restored = p.note
	default:
		journal.MasterFile(directory, r.Slave.ServerID).Refresh(p.note, p.now)
	}
	if r.pair == nil && len(r.unseen) == 0 {
		r.ofPair = p.record
	}
}
