package replication

import (
	"context"
	"time"
)

// pausedSlave is a slave whose SQL thread is stopped for a while. The I/O
// thread goes on.
type pausedSlave struct {
	server *Server
	note   noteFile
	status *SlaveStatus // before it was stopped
	paused bool
}

// pauseSlave stops the SQL thread of a slave that runs, and notes it. The caller
// must resume it.
func pauseSlave(ctx context.Context, server *Server, note noteFile, patience time.Duration) (*pausedSlave, error) {
	p := &pausedSlave{server: server, note: note}
	if err := p.pause(ctx, patience); err != nil {
		_ = p.resume(ctx) // the first error says more
		return nil, err
	}
	return p, nil
}

func (p *pausedSlave) pause(ctx context.Context, patience time.Duration) (err error) {
	if p.status, err = p.server.slaveStatus(ctx, p.server.db); err != nil {
		return err
	}
	if err := mustRun(p.status); err != nil {
		return err
	}
	p.stopsAt(Position{})
	p.paused = true // even if the answer is lost
	stopping, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return p.server.change(stopping, p.server.Version.stopSlave(sqlThread))
}

// stopsAt notes where the slave is about to stop. Without the note, as where this
// user may not write one, all is the same but for what is said after a kill.
func (p *pausedSlave) stopsAt(at Position) { _ = p.note.write(compareNote{Began: time.Now(), At: at}) }

// mustRun refuses a slave that does not run.
func mustRun(s *SlaveStatus) error {
	const cure = "gtunnel replication status says more"
	switch {
	case s == nil:
		return problem(Slave, "no-slave", "gtunnel replication setup-slave", "this server is no slave")
	case s.SQLErrno != 0:
		return problem(Slave, "slave-stopped", cure, "the slave has stopped with error %d: %s", s.SQLErrno, s.SQLError)
	case s.SQLRunning != "Yes":
		return problem(Slave, "slave-stopped", "START SLAVE SQL_THREAD (START REPLICA SQL_THREAD on MySQL 8); "+cure, "the slave's SQL thread is stopped")
	case s.IORunning == "No":
		return problem(Slave, "slave-stopped", cure, "the slave's I/O thread is stopped: %s", s.IOError)
	}
	return nil
}

// pollSlave is how often a slave is asked where it is.
const pollSlave = 50 * time.Millisecond

// advance lets a paused slave apply all before a position and nothing after
// it. It gives up when the slave has not moved for the time of patience.
func (p *pausedSlave) advance(ctx context.Context, to Position, patience time.Duration, moved func(Position)) error {
	if err := p.server.change(ctx, p.server.Version.startUntil(to)); err != nil {
		return err
	}
	return p.server.watchSlave(ctx, p.server.db, to, patience, moved, func(s *SlaveStatus) (bool, error) {
		switch {
		case s.SQLRunning == "No":
			return true, arrived(s, to)
		case s.Executed.File == to.File && s.Executed.Offset == to.Offset:
			// MariaDB stops only when it sees the next event.
			return false, p.server.change(ctx, p.server.Version.stopSlave(sqlThread))
		}
		return false, nil
	})
}

// watchSlave looks at a slave until it is there. It gives up when the slave has
// not moved for the time of patience on its way to a position.
func (s *Server) watchSlave(ctx context.Context, on execer, to Position, patience time.Duration,
	moved func(Position), there func(*SlaveStatus) (bool, error),
) error {
	var last Position
	deadline := time.Now().Add(patience)
	for {
		status, err := s.slaveStatus(ctx, on)
		if err != nil {
			return err
		}
		if status == nil {
			return problem(Slave, "no-slave", "gtunnel replication setup-slave", "this server has ceased to be a slave")
		}
		if done, err := there(status); done || err != nil {
			return err
		}
		if status.Executed != last {
			last, deadline = status.Executed, time.Now().Add(patience)
			moved(last)
		}
		if time.Now().After(deadline) {
			return problem(Slave, "slave-stands", "gtunnel replication status says why",
				"the slave has not moved from %s for %s, on its way to %s", last, patience, to)
		}
		if err := pause(ctx, pollSlave); err != nil {
			return err
		}
	}
}

// waitForSlave waits until a slave has what its master has now.
func waitForSlave(ctx context.Context, master, slave *Server, patience time.Duration, moved func(to, at Position)) error {
	rows, err := master.query(ctx, master.db, master.Version.showMasterStatus())
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return noBinaryLog()
	}
	to := newPosition(rows[0])
	return slave.watchSlave(ctx, slave.db, to, patience, func(at Position) { moved(to, at) }, func(s *SlaveStatus) (bool, error) {
		return !s.Executed.before(to), mustRun(s)
	})
}

// arrived tells whether a slave that has stopped is where it should be.
func arrived(s *SlaveStatus, to Position) error {
	if s.SQLErrno != 0 {
		return problem(Slave, "slave-stopped", explainSlaveError(s.SQLErrno, s.SQLError).Cure, "the slave has stopped at %s with error %d: %s", s.Executed, s.SQLErrno, s.SQLError)
	}
	if s.Executed.File != to.File || s.Executed.Offset != to.Offset {
		return problem(Slave, "slave-elsewhere", "has somebody else stopped or started it? Run this again",
			"the slave has stopped at %s and not at %s", s.Executed, to)
	}
	return nil
}

// resume starts the SQL thread again, even when ctx has ended. Doing it twice
// is harmless.
func (p *pausedSlave) resume(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var err error
	if p.paused {
		v := p.server.Version
		// Stopped first: a thread that runs until a position keeps that.
		if err = p.server.change(ctx, v.stopSlave(sqlThread), v.startSlave(sqlThread)); err == nil {
			p.paused = false
			_ = p.note.remove() // one that is left is known by the slave's running
		} else {
			err = &Problem{
				On: Slave, Code: "slave-paused", Text: "the slave's SQL thread could not be started again", Err: err,
				Cure: "on the slave: " + restartSQL(v),
			}
		}
	}
	return err
}
