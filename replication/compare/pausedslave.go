package compare

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// pausedSlave is a slave whose SQL thread is stopped for a while. The I/O
// thread goes on.
type pausedSlave struct {
	server *server.Server
	note   journal.NoteFile
	status *server.SlaveStatus // before it was stopped
	paused bool
}

// pauseSlave stops the SQL thread of a slave that runs, and notes it. The caller
// must resume it.
func pauseSlave(
	ctx context.Context, slave *server.Server, note journal.NoteFile, patience time.Duration,
) (*pausedSlave, error) {
	p := &pausedSlave{server: slave, note: note}
	if err := p.pause(ctx, patience); err != nil {
		_ = p.resume(ctx) // the first error says more
		return nil, err
	}
	return p, nil
}

// pause stops the SQL thread.
func (p *pausedSlave) pause(ctx context.Context, patience time.Duration) (err error) {
	if p.status, err = p.server.SlaveStatus(ctx, p.server.DB); err != nil {
		return err
	}
	if err := p.status.MustRun(); err != nil {
		return err
	}
	if err := p.server.MustApply(ctx, min(patience, server.LockPatience)); err != nil {
		return err
	}
	p.stopsAt(server.Position{})
	p.paused = true // even if the answer is lost
	stopping, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return p.server.Change(stopping, p.server.Version.StopSlave(server.SQLThread))
}

// stopsAt notes where the slave is about to stop. Without the note, as where this
// user may not write one, all is the same but for what is said after a kill.
func (p *pausedSlave) stopsAt(at server.Position) {
	_ = p.note.Write(journal.ComparisonNote{Began: time.Now(), At: at})
}

// resume starts the SQL thread again, even when ctx has ended. Doing it twice
// is harmless.
func (p *pausedSlave) resume(ctx context.Context) error {
	ctx, cancel := server.CleanUp(ctx)
	defer cancel()
	var err error
	if p.paused {
		v := p.server.Version
		// Stopped first: a thread that runs until a position keeps that.
		if err = p.server.Change(ctx, v.StopSlave(server.SQLThread), v.StartSlave(server.SQLThread)); err == nil {
			p.paused = false
			_ = p.note.Remove() // one that is left is known by the slave's running
		} else {
			err = &finding.Problem{
				On: finding.Slave, Code: "slave-paused",
				Text: "the slave's SQL thread could not be started again", Err: err,
				Cure: "on the slave: " + journal.RestartSQL(v),
			}
		}
	}
	return err
}
