package server

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// WaitForSlave waits until a slave that runs has applied all before a position of
// its master. It gives up when the slave stops, or has not moved for the time of
// patience. Moved is told whenever it has.
func (s *Server) WaitForSlave(ctx context.Context, to Position, patience time.Duration, moved func(at Position)) error {
	return s.WatchSlave(ctx, func(status *SlaveStatus, standing time.Duration) (bool, error) {
		if err := status.MustRun(); err != nil || !status.Executed.Before(to) {
			return true, err
		}
		return false, s.mustMove(ctx, status, to, standing, patience, moved)
	})
}

// AdvanceSlave lets a slave whose SQL thread is stopped apply all before a
// position of its master and nothing after it, and gives where it then stands: that is
// beyond it where no transaction is between. It gives up as WaitForSlave does;
// the thread may still run then.
func (s *Server) AdvanceSlave(
	ctx context.Context, master *Server, to Position, patience time.Duration, moved func(at Position),
) (Position, error) {
	to, err := s.whereSlaveStands(ctx, master, to)
	if err != nil {
		return to, err
	}
	if err := s.Change(ctx, s.Version.StartUntil(to)); err != nil {
		return to, err
	}
	err = s.WatchSlave(ctx, func(status *SlaveStatus, standing time.Duration) (bool, error) {
		switch {
		case status == nil:
			return true, status.MustRun()
		case status.SQLRunning == "No":
			if to, err = s.whereSlaveStands(ctx, master, to); err != nil {
				return true, err
			}
			return true, status.MustStandAt(to)
		case status.Executed.At(to):
			// MariaDB stops only when it sees the next event.
			if err := s.Change(ctx, s.Version.StopSlave(SQLThread)); err != nil {
				return false, err
			}
		}
		return false, s.mustMove(ctx, status, to, standing, patience, moved)
	})
	return to, err
}

// pollSlave is how often a slave is looked at, and firstPoll how soon after the first look:
// what it does is often done at once.
const (
	firstPoll = 5 * time.Millisecond
	pollSlave = 50 * time.Millisecond
)

// WatchSlave looks at a slave, many times a second, until done reports that it is
// as it should be, or gives an error. Done is told its status, nil if it is no
// slave any more, and for how long it has stood where it is: zero if it has moved
// since the last look.
func (s *Server) WatchSlave(
	ctx context.Context, done func(status *SlaveStatus, standing time.Duration) (bool, error),
) error {
	var last Position
	moved, pause := time.Now(), firstPoll
	for {
		status, err := s.SlaveStatus(ctx, s.DB)
		if err != nil {
			return err
		}
		standing := time.Since(moved)
		if status != nil && status.Executed != last {
			last, moved, standing = status.Executed, time.Now(), 0
		}
		if ended, err := done(status, standing); ended || err != nil {
			return err
		}
		if err := Pause(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, pollSlave)
	}
}

// mustMove refuses a slave that has stood still for longer than patience on its
// way to a position, or for less while it waits for a lock, and tells moved where
// it is if it has moved.
func (s *Server) mustMove(
	ctx context.Context, status *SlaveStatus, to Position, standing, patience time.Duration, moved func(at Position),
) error {
	if standing == 0 {
		moved(status.Executed)
	}
	// Looked for once in so many seconds, not at each look.
	if standing > min(patience, LockPatience) && standing%(5*time.Second) < 2*pollSlave || standing > patience {
		if wait, err := s.FindLockWait(ctx, s.DB); err == nil && wait != nil { // the rest says it without it
			return wait.Problem()
		}
	}
	if standing > patience {
		return finding.New(finding.Slave, "slave-stands", "gtunnel replication status says why",
			"the slave has not moved from %s for %s, on its way to %s", status.Executed, patience, to)
	}
	return nil
}

// MustApply refuses a slave that waits for a lock for longer than patience: to stop
// its SQL thread would wait for as long as that does.
func (s *Server) MustApply(ctx context.Context, patience time.Duration) error {
	for began := time.Now(); ; {
		wait, err := s.FindLockWait(ctx, s.DB)
		switch {
		case err != nil || wait == nil:
			return err
		case time.Since(began) > patience:
			return wait.Problem()
		}
		if err := Pause(ctx, 10*pollSlave); err != nil {
			return err
		}
	}
}

// NoSlaveCure is what to do about a server that is no slave: it may be the master.
const NoSlaveCure = "run this on the slave; a host that is to become one: gtunnel replication setup-slave"

// startOfSQL is how the SQL thread is started, while the other runs: else a start may
// delete what was received and not applied.
func (s *SlaveStatus) startOfSQL() string {
	if s.IORunning == "No" {
		return ""
	}
	return s.version.InWords("START SLAVE SQL_THREAD; ")
}

// MustRun refuses a slave that does not run; nil is a server that is no slave.
func (s *SlaveStatus) MustRun() error {
	const cure = "gtunnel replication status says more"
	switch {
	case s == nil:
		return finding.New(finding.Slave, "no-slave", NoSlaveCure, "this server is no slave")
	case s.SQLErrno != 0:
		return finding.New(finding.Slave, "slave-stopped", cure,
			"the slave has stopped with error %d: %s", s.SQLErrno, s.SQLError)
	case s.SQLRunning != "Yes":
		return finding.New(finding.Slave, "slave-stopped", s.startOfSQL()+cure, "the slave's SQL thread is stopped")
	case s.IORunning == "No":
		return finding.New(finding.Slave, "slave-stopped", cure, "the slave's I/O thread is stopped: %s", s.IOError)
	}
	return nil
}

// MustStandAt refuses a slave that has stopped elsewhere than at a position.
func (s *SlaveStatus) MustStandAt(to Position) error {
	if s.SQLErrno != 0 {
		cure := s.version.InWords(finding.ExplainSlaveError(s.SQLErrno, s.SQLError).For(s.Replicated()).Cure)
		return finding.New(finding.Slave, "slave-stopped", cure,
			"the slave has stopped at %s with error %d: %s", s.Executed, s.SQLErrno, s.SQLError)
	}
	if !s.Executed.At(to) {
		return finding.New(finding.Slave, "slave-elsewhere", "has somebody else stopped or started it? Run this again",
			"the slave has stopped at %s and not at %s", s.Executed, to)
	}
	return nil
}

// Pause waits for a time, or for the end of ctx, whose cause is the error.
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
