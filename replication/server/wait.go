package server

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// CloseTimeout bounds what must be done after a context has ended.
const CloseTimeout = time.Minute

func NoBinaryLog() *finding.Problem {
	return finding.New(finding.Master, "no-binary-log", "gtunnel replication setup-master says what to set", "the master writes no binary log")
}

// MustRun refuses a slave that does not run.
func MustRun(s *SlaveStatus) error {
	const cure = "gtunnel replication status says more"
	switch {
	case s == nil:
		return finding.New(finding.Slave, "no-slave", "gtunnel replication setup-slave", "this server is no slave")
	case s.SQLErrno != 0:
		return finding.New(finding.Slave, "slave-stopped", cure, "the slave has stopped with error %d: %s", s.SQLErrno, s.SQLError)
	case s.SQLRunning != "Yes":
		return finding.New(finding.Slave, "slave-stopped", "START SLAVE SQL_THREAD (START REPLICA SQL_THREAD on MySQL 8); "+cure, "the slave's SQL thread is stopped")
	case s.IORunning == "No":
		return finding.New(finding.Slave, "slave-stopped", cure, "the slave's I/O thread is stopped: %s", s.IOError)
	}
	return nil
}

// PollSlave is how often a slave is asked where it is.
const PollSlave = 50 * time.Millisecond

// WatchSlave looks at a slave until it is there. It gives up when the slave has
// not moved for the time of patience on its way to a position.
func (s *Server) WatchSlave(ctx context.Context, on Execer, to Position, patience time.Duration,
	moved func(Position), there func(*SlaveStatus) (bool, error),
) error {
	var last Position
	deadline := time.Now().Add(patience)
	for {
		status, err := s.SlaveStatus(ctx, on)
		if err != nil {
			return err
		}
		if status == nil {
			return finding.New(finding.Slave, "no-slave", "gtunnel replication setup-slave", "this server has ceased to be a slave")
		}
		if done, err := there(status); done || err != nil {
			return err
		}
		if status.Executed != last {
			last, deadline = status.Executed, time.Now().Add(patience)
			moved(last)
		}
		if time.Now().After(deadline) {
			return finding.New(finding.Slave, "slave-stands", "gtunnel replication status says why",
				"the slave has not moved from %s for %s, on its way to %s", last, patience, to)
		}
		if err := Pause(ctx, PollSlave); err != nil {
			return err
		}
	}
}

// WaitForSlave waits until a slave has what its master has now.
func WaitForSlave(ctx context.Context, master, slave *Server, patience time.Duration, moved func(to, at Position)) error {
	rows, err := master.Query(ctx, master.Db, master.Version.ShowMasterStatus())
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return NoBinaryLog()
	}
	to := NewPosition(rows[0])
	return slave.WatchSlave(ctx, slave.Db, to, patience, func(at Position) { moved(to, at) }, func(s *SlaveStatus) (bool, error) {
		return !s.Executed.Before(to), MustRun(s)
	})
}

// Arrived tells whether a slave that has stopped is where it should be.
func Arrived(s *SlaveStatus, to Position) error {
	if s.SQLErrno != 0 {
		return finding.New(finding.Slave, "slave-stopped", finding.ExplainSlaveError(s.SQLErrno, s.SQLError).Cure, "the slave has stopped at %s with error %d: %s", s.Executed, s.SQLErrno, s.SQLError)
	}
	if s.Executed.File != to.File || s.Executed.Offset != to.Offset {
		return finding.New(finding.Slave, "slave-elsewhere", "has somebody else stopped or started it? Run this again",
			"the slave has stopped at %s and not at %s", s.Executed, to)
	}
	return nil
}

// Pause waits for a time, or for the end of ctx, which is the error.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
