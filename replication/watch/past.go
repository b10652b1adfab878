package watch

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// readPast holds what was noted of the master against what it has, and notes how it is
// now. What cannot be asked is not known.
func (r *statusReader) readPast(ctx context.Context, master *server.Server, directory string) error {
	if !r.sameMaster {
		return nil
	}
	file := journal.MasterFile(directory, r.Slave.ServerID)
	note, err := journal.ReadNote[journal.MasterNote](file)
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, server.ConnectTimeout)
	defer cancel()
	now, err := journal.LookAtMaster(asking, master, r.variables)
	if err != nil || now == nil {
		return ctx.Err()
	}
	if note.IsOf(now) {
		lost, err := note.LostBy(asking, master, now)
		if err != nil {
			return ctx.Err()
		}
		if lost {
			r.restored = note
			return nil
		}
	}
	file.Refresh(note, now)
	return nil
}

// readPairOfMaster reads what the master publishes of its pair, where this slave is of none:
// whether it still is the master. What cannot be read is not known.
func (r *statusReader) readPairOfMaster(ctx context.Context, master *server.Server) error {
	if !r.sameMaster || r.pair != nil || len(r.unseen) > 0 {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, server.ConnectTimeout)
	defer cancel()
	record, err := term.ReadRecord(asking, master, master.DB)
	if err == nil {
		r.ofPair = record
	}
	return ctx.Err()
}
