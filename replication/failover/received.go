package failover

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Received is what a slave has received of its master, and applied. Nothing of it is lost
// by a promotion.
type Received struct {
	// Read is in the master's binary log; its GTIDs are those received whole. Zero: it is not known.
	Read server.Position `json:"received"`

	Applied server.Position `json:"applied"` // with the GTIDs of all that is applied

	// Waiting is how many transactions are to be applied, as far as they can be counted.
	Waiting uint64 `json:"to_apply"`
	Bytes   uint64 `json:"to_apply_bytes"` // of the master's binary log; 0 where it is not known

	// Incomplete is the GTID of a last transaction, of which only a part was received.
	Incomplete string `json:"incomplete,omitempty"`

	Prepared []string `json:"prepared,omitempty"` // of two phases, for an administrator to end
}

// slaveState is what a promotion reads of the own server as a slave.
type slaveState struct {
	status   *server.SlaveStatus // nil: no slave
	tail     *server.RelayTail   // of a MariaDB slave that a start would rob of its relay log; else nil
	applied  string              // MariaDB: gtid_slave_pos; MySQL: gtid_executed
	idle     bool                // no worker of it applies anything
	received Received
}

// readSlave reads what the own server has received, and applied.
func readSlave(ctx context.Context, own *server.Server) (*slaveState, error) {
	s := &slaveState{}
	var err error
	if s.status, err = own.SlaveStatus(ctx, own.DB); err != nil {
		return nil, err
	}
	if s.applied, err = appliedGTIDs(ctx, own); err != nil {
		return nil, err
	}
	if s.received.Prepared, err = own.PreparedXA(ctx, own.DB); err != nil && !server.IsDenied(err) {
		return nil, err
	}
	if s.status == nil {
		return s, nil
	}
	if s.status.StartDeletes(own.Version) || s.status.AppliesAlone(own.Version) && !s.status.Active() {
		if s.tail, err = own.ReadRelayTail(ctx, own.DB, s.status, s.applied); err != nil {
			return nil, err
		}
	}
	if own.Version.Family == server.MySQL {
		if s.received.Incomplete, err = own.Incomplete(ctx, own.DB); err != nil && !server.IsDenied(err) {
			return nil, err
		}
	}
	s.count(own.Version)
	return s, nil
}

// appliedGTIDs are those of all that is applied.
func appliedGTIDs(ctx context.Context, own *server.Server) (string, error) {
	query := "SELECT @@GLOBAL.gtid_slave_pos"
	if own.Version.Family == server.MySQL {
		query = "SELECT @@GLOBAL.gtid_executed"
	}
	gtids, err := own.Value(ctx, own.DB, query)
	return strings.ReplaceAll(gtids, "\n", ""), err
}

// count fills what can be counted.
func (s *slaveState) count(v server.Version) {
	r, status := &s.received, s.status
	r.Applied = status.Executed
	r.Applied.GTID = s.applied
	if s.tail != nil {
		r.Read, r.Read.GTID = s.tail.Read, s.tail.GTIDs
		r.Waiting, r.Incomplete = uint64(s.tail.Transactions), s.tail.Incomplete //nolint:gosec // a count
		return
	}
	r.Read, r.Read.GTID = status.Read, strings.ReplaceAll(status.GTIDReceived, "\n", "")
	r.Waiting = v.CountBeyond(r.Read.GTID, s.applied)
	if r.Read.File == r.Applied.File && r.Read.Offset > r.Applied.Offset {
		r.Bytes = r.Read.Offset - r.Applied.Offset
	}
}

// whole reports whether all that was received whole is applied: what was received is
// known by its GTIDs, or by its position in the master's binary log. standing is for how
// long the slave has applied nothing.
func (s *slaveState) whole(v server.Version, want Received, standing time.Duration) bool {
	status := s.status
	if want.Read.GTID != "" {
		if v.Family == server.MySQL {
			return server.SubtractGTIDs(want.Read.GTID, s.applied) == ""
		}
		return server.CoversGTIDs(s.applied, want.Read.GTID)
	}
	if !want.Read.IsZero() && !status.Executed.IsZero() && !status.Executed.Before(want.Read) {
		return true
	}
	// The rest is no whole transaction, or events that change nothing.
	return status.HasReadAll() && standing > endsStanding && s.idle
}

// endsStanding is how long a slave must stand at the end of its relay log, until what is
// left there is taken for a part of a transaction: its workers may still apply.
const endsStanding = 2 * time.Second

// applyPatience is how long a slave may stand still while it applies what it has received.
const applyPatience = server.SlavePatience

// ApplyFailed is the code of a slave that cannot apply what it has received.
const ApplyFailed = "apply-failed"

// waitApplied waits until all is applied that was received, which is known by then.
func waitApplied(ctx context.Context, own *server.Server, want Received, waiting func(string)) error {
	return own.WatchSlave(ctx, func(status *server.SlaveStatus, standing time.Duration) (bool, error) {
		if status == nil {
			return true, noConnection()
		}
		s := &slaveState{status: status}
		var err error
		if s.applied, err = appliedGTIDs(ctx, own); err != nil {
			return true, err
		}
		if status.HasReadAll() && want.Read.GTID == "" {
			applies, err := own.Applies(ctx, own.DB)
			if err != nil {
				return true, err
			}
			s.idle = !applies
		}
		switch {
		case s.whole(own.Version, want, standing):
			return true, nil
		case status.SQLRunning != "Yes":
			return true, cannotApply(status)
		case standing > server.LockPatience && standing%(5*time.Second) < 200*time.Millisecond:
			if wait, err := own.FindLockWait(ctx, own.DB); err == nil && wait != nil { // the rest says it without it
				return true, wait.Problem()
			}
		case standing > applyPatience:
			return true, finding.New(finding.Own, "slave-stands",
				"SHOW PROCESSLIST on this server says what it does; then run this command again",
				"the slave has applied nothing for %s, on its way to %s", applyPatience, want.text())
		}
		if waiting != nil {
			waiting(fmt.Sprintf("apply what was received: at %s of %s", status.Executed, want.text()))
		}
		return false, nil
	})
}

// text is what was received, in a word.
func (r *Received) text() string {
	if r.Read.IsZero() {
		return cmp.Or(r.Read.GTID, "the end of the relay log")
	}
	return r.Read.String()
}

// cannotApply is that the SQL thread has stopped.
func cannotApply(status *server.SlaveStatus) *finding.Problem {
	text := "its SQL thread is stopped"
	if status.SQLErrno != 0 {
		text = finding.ExplainSlaveError(status.SQLErrno, status.SQLError).Text
	}
	return finding.New(finding.Own, ApplyFailed,
		"mend on this server what the error names (as an administrator, who may write here), and run this command again: "+
			"it tries the same transaction once more, and loses nothing; do not start the slave by hand, do not skip the "+
			"transaction, and do not reset the slave: that deletes what was received",
		"the slave cannot apply what it has received, from %s on: %s", status.Executed, text)
}

// noConnection is that nothing is known of a master.
func noConnection() *finding.Problem {
	return finding.New(finding.Own, "not-a-slave",
		"if the other host can be brought back: do that, its guard makes it the master again; if it is lost for good and "+
			"this host has a whole copy, of which you are sure: gtunnel help failover, \"without a slave\"",
		"this server is no slave: it has no connection to a master, and nothing says what it has of the master's data")
}
