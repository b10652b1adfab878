package compare

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// PausedSlave is a slave whose SQL thread is stopped for a while. The I/O
// thread goes on.
type PausedSlave struct {
	Server *server.Server
	note   journal.NoteFile
	Status *server.SlaveStatus // before it was stopped
	paused bool
}

// pauseSlave stops the SQL thread of a slave that runs, and notes it. The caller
// must resume it.
func pauseSlave(ctx context.Context, server *server.Server, note journal.NoteFile, patience time.Duration) (*PausedSlave, error) {
	p := &PausedSlave{Server: server, note: note}
	if err := p.pause(ctx, patience); err != nil {
		_ = p.resume(ctx) // the first error says more
		return nil, err
	}
	return p, nil
}

func (p *PausedSlave) pause(ctx context.Context, patience time.Duration) (err error) {
	if p.Status, err = p.Server.SlaveStatus(ctx, p.Server.Db); err != nil {
		return err
	}
	if err := server.MustRun(p.Status); err != nil {
		return err
	}
	p.stopsAt(server.Position{})
	p.paused = true // even if the answer is lost
	stopping, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return p.Server.Change(stopping, p.Server.Version.StopSlave(server.SqlThread))
}

// stopsAt notes where the slave is about to stop. Without the note, as where this
// user may not write one, all is the same but for what is said after a kill.
func (p *PausedSlave) stopsAt(at server.Position) {
	_ = p.note.Write(journal.ComparisonNote{Began: time.Now(), At: at})
}

// Advance lets a paused slave apply all before a position and nothing after
// it. It gives up when the slave has not moved for the time of patience.
func (p *PausedSlave) Advance(ctx context.Context, to server.Position, patience time.Duration, moved func(server.Position)) error {
	if err := p.Server.Change(ctx, p.Server.Version.StartUntil(to)); err != nil {
		return err
	}
	return p.Server.WatchSlave(ctx, p.Server.Db, to, patience, moved, func(s *server.SlaveStatus) (bool, error) {
		switch {
		case s.SQLRunning == "No":
			return true, server.Arrived(s, to)
		case s.Executed.File == to.File && s.Executed.Offset == to.Offset:
			// MariaDB stops only when it sees the next event.
			return false, p.Server.Change(ctx, p.Server.Version.StopSlave(server.SqlThread))
		}
		return false, nil
	})
}

// resume starts the SQL thread again, even when ctx has ended. Doing it twice
// is harmless.
func (p *PausedSlave) resume(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), server.CloseTimeout)
	defer cancel()
	var err error
	if p.paused {
		v := p.Server.Version
		// Stopped first: a thread that runs until a position keeps that.
		if err = p.Server.Change(ctx, v.StopSlave(server.SqlThread), v.StartSlave(server.SqlThread)); err == nil {
			p.paused = false
			_ = p.note.Remove() // one that is left is known by the slave's running
		} else {
			err = &finding.Problem{
				On: finding.Slave, Code: "slave-paused", Text: "the slave's SQL thread could not be started again", Err: err,
				Cure: "on the slave: " + journal.RestartSQL(v),
			}
		}
	}
	return err
}
