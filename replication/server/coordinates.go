package server

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// VerifyCoordinates holds a dump's coordinates against the master's binary log,
// and completes them by MariaDB's GTIDs. The error is a *Problem.
func (s *Server) VerifyCoordinates(ctx context.Context, on Execer, p Position) (Position, error) {
	if p.IsZero() || p.Offset == 0 {
		return Position{}, finding.New(finding.Master, "no-coordinates",
			"is the binary log on (log_bin)? May the seeding account see it: REPLICATION CLIENT, on MariaDB 10.5 and later BINLOG MONITOR?",
			"the dump does not say where the binary log stood: nothing has been loaded")
	}
	if err := s.VerifyLogged(ctx, on, p); err != nil {
		return Position{}, err
	}
	if s.Version.AtLeast(MariaDB, 10, 0, 2) {
		rows, err := s.Query(ctx, on, "SELECT BINLOG_GTID_POS(?, ?) AS gtid", p.File, p.Offset)
		if err != nil {
			return Position{}, err
		}
		gtid, known := rows[0]["gtid"] // empty before the first transaction
		if !known {
			return Position{}, finding.New(finding.Master, "bad-coordinates", "run this again", "its binary log does not tell which GTIDs come before %s", p)
		}
		p.GTID = gtid
	}
	return p, nil
}

// VerifyLogged tells whether the binary log still has a position.
func (s *Server) VerifyLogged(ctx context.Context, on Execer, p Position) error {
	logs, err := s.BinaryLogs(ctx, on)
	if err != nil {
		return err
	}
	for _, log := range logs {
		switch {
		case log.File != p.File:
		case log.Bytes < p.Offset:
			return finding.New(finding.Master, "bad-coordinates", "do not reset the master's binary log while it is seeded from; run this again",
				"the dump begins at %s, but that binary log has %d bytes only", p, log.Bytes)
		default:
			return nil
		}
	}
	return finding.New(finding.Master, "log-purged", "keep binary logs for longer: "+s.Version.RetentionVariable()+"; then run this again",
		"the binary log %s, where replication would have to begin, is no longer there", p.File)
}

// StillHas tells whether the master's binary log has the position of a copy, as
// far as that can be known: a log that was begun anew has other GTIDs, or ends
// before it.
func (s *Server) StillHas(ctx context.Context, p Position) (bool, error) {
	now, err := s.VerifyCoordinates(ctx, s.Db, p)
	if IsDenied(err) || finding.HasCode(err, "no-coordinates") || finding.HasCode(err, "log-purged") || finding.HasCode(err, "bad-coordinates") {
		return false, nil
	}
	if err != nil || s.Version.Family == MariaDB || p.GTID == "" {
		return now.GTID == p.GTID || s.Version.Family == MySQL, err
	}
	has, err := s.Value(ctx, s.Db, "SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed)", p.GTID)
	return has == "1", err
}

// VerifyStart holds the coordinates that the administrator gives against the
// binary log, as far as this login may see that.
func (s *Server) VerifyStart(ctx context.Context, p Position) error {
	lacking, err := s.lacks(ctx, p)
	if lacking {
		return finding.New(finding.Master, "bad-start", "give the coordinates that the master had when the data of this host was copied from it, if SHOW BINARY LOGS there still names them; or let gtunnel copy the data: leave --method none out",
			"its binary log does not have %s, which --start names", p)
	}
	return err
}

// Knows tells whether the binary log has a position that a slave has come to, as
// far as this login may see that.
func (s *Server) Knows(ctx context.Context, p Position) error {
	lacking, err := s.lacks(ctx, p)
	if lacking {
		return finding.New(finding.Slave, "elsewhere", "was the master's binary log begun anew? gtunnel replication setup-slave --reseed copies all anew",
			"it stands at %s, which the master's binary log does not have", p)
	}
	return err
}

// lacks tells whether the binary log is known not to have a position.
func (s *Server) lacks(ctx context.Context, p Position) (bool, error) {
	err := s.VerifyLogged(ctx, s.Db, p)
	switch {
	case finding.HasCode(err, "log-purged"), finding.HasCode(err, "bad-coordinates"):
		return true, nil
	case IsDenied(err):
		return false, nil
	}
	return false, err
}

// RetentionVariable is what sets how long binary logs are kept.
func (v Version) RetentionVariable() string {
	if v.AtLeast(MySQL, 8, 0, 1) || v.AtLeast(MariaDB, 10, 6, 1) {
		return "binlog_expire_logs_seconds"
	}
	return "expire_logs_days"
}
