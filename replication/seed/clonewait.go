package seed

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

const (
	// startHint is what is said if a slave does not come back after its clone.
	startHint = "the slave has shut down after the clone; start it: systemctl start mysql (or mysqld)"

	// cloneReturn is how long the administrator has to start it.
	cloneReturn = 12 * time.Hour
	// cloneIdle is how long a server may run without a clone that has not ended: one
	// that was killed never does.
	cloneIdle = 30 * time.Second
)

// waitForClone waits until the slave is back, and gives the coordinates of what it has
// got. Before is when the clone before this one began, if there was one.
func (s *Seed) waitForClone(ctx context.Context, before string) (server.Position, error) {
	begun, told := time.Now(), time.Time{}
	var idle time.Time // since when no clone runs that should; zero: one does, or the server does not answer
	for {
		status, runs, err := s.lookAtClone(ctx)
		end := cloneUnknown
		if err == nil {
			end = cloneEndOf(status, before, runs)
		}
		switch {
		case ctx.Err() != nil:
			return server.Position{}, context.Cause(ctx)
		case end == cloneCompleted:
			return status.Position(), nil
		case end == cloneFailed, end == cloneIsIdle && !idle.IsZero() && time.Since(idle) > cloneIdle:
			return server.Position{}, cloneFailure(status)
		case server.IsAccessDenied(err) || server.IsDenied(err):
			return server.Position{}, finding.New(finding.Slave, "clone-login",
				"log in with an account of the master's",
				"the slave is a clone, with the accounts and passwords of the master: %s cannot log in any more",
				s.Slave.Login)
		case err != nil && time.Since(begun) > cloneReturn:
			return server.Position{}, finding.New(finding.Slave, "clone-failed",
				"start it: systemctl start mysql (or mysqld), and run this again",
				"the slave has not come back within %v after the clone", cloneReturn)
		case err != nil && s.Waiting != nil && time.Since(begun) > 15*time.Second && time.Since(told) > time.Minute:
			told = time.Now()
			s.Waiting(startHint)
		}
		if end != cloneIsIdle {
			idle = time.Time{}
		} else if idle.IsZero() {
			idle = time.Now()
		}
		if err := server.Pause(ctx, progressEvery); err != nil {
			return server.Position{}, err
		}
	}
}

// lookAtClone reads how a clone stands, and whether one runs.
func (s *Seed) lookAtClone(ctx context.Context) (status server.Record, runs bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	rows, err := server.ReadRecords(ctx, s.Slave.DB,
		"SELECT state, error_no, error_message, begin_time, binlog_file AS file, binlog_position AS position,"+
			" gtid_executed AS executed_gtid_set FROM performance_schema.clone_status")
	if err != nil {
		return nil, false, err
	}
	threads, err := s.Slave.Processes(ctx, s.Slave.DB)
	for _, t := range threads {
		runs = runs || strings.HasPrefix(strings.ToUpper(t.Statement), "CLONE INSTANCE")
	}
	if len(rows) > 0 {
		status = rows[0]
	}
	return status, runs, err
}

// cloneEnd is how a clone has ended.
type cloneEnd int

const (
	cloneUnknown   cloneEnd = iota // it goes on, as far as is known
	cloneIsIdle                    // it should go on, and does not run
	cloneCompleted                 // the slave is a clone
	cloneFailed
)

// cloneEndOf is what the state of a clone says of the one that was begun after another.
// One that was killed with its server is "In Progress" for ever, with an error.
func cloneEndOf(status server.Record, before string, runs bool) cloneEnd {
	switch number := status["error_no"]; {
	case runs:
		return cloneUnknown
	case status == nil || status["begin_time"] == before:
		return cloneIsIdle
	case status["state"] == "Completed":
		return cloneCompleted
	case status["state"] == "Failed" || number != "" && number != "0":
		return cloneFailed
	default:
		return cloneIsIdle
	}
}

// cloneFailure is the problem of a clone that has failed.
func cloneFailure(status server.Record) error {
	const cure = "run this again; what the slave had may be gone"
	number, _ := strconv.Atoi(status["error_no"]) // 0 if it has none
	if number == 0 {
		return finding.New(finding.Slave, "clone-failed", cure,
			"the clone was cut off: the server runs, and no clone does that has not ended")
	}
	return finding.New(finding.Slave, "clone-failed", cure, "the clone has failed: %s (%s)",
		status["error_message"], finding.ErrorText(number))
}
