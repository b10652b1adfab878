package server

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// VerifyCoordinates holds a dump's coordinates against the master's binary log,
// and completes them by MariaDB's GTIDs. What it refuses is a *finding.Problem:
// no-coordinates, bad-coordinates, log-purged.
func (s *Server) VerifyCoordinates(ctx context.Context, on Execer, p Position) (Position, error) {
	if p.IsZero() || p.Offset == 0 {
		return Position{}, finding.New(finding.Master, "no-coordinates",
			"is the binary log on (log_bin)? May the seeding account see it: REPLICATION CLIENT,"+
				" on MariaDB 10.5 and later BINLOG MONITOR?",
			"the dump does not say where the binary log stood: nothing has been loaded")
	}
	if err := s.VerifyLogged(ctx, on, p); err != nil {
		return Position{}, err
	}
	if s.Version.AtLeast(MariaDB, 10, 0, 2) {
		gtid, known, err := s.GTIDsBefore(ctx, on, p)
		switch {
		case err != nil:
			return Position{}, err
		case !known:
			return Position{}, finding.New(finding.Master, "bad-coordinates", "run this again",
				"its binary log does not tell which GTIDs come before %s", p)
		}
		p.GTID = gtid
	}
	return p, nil
}

// VerifyLogged refuses a position that the binary log no longer has: the Problem
// log-purged or bad-coordinates.
func (s *Server) VerifyLogged(ctx context.Context, on Execer, p Position) error {
	logs, err := s.BinaryLogs(ctx, on)
	if err != nil {
		return err
	}
	for _, log := range logs {
		switch {
		case log.File != p.File:
		case log.Bytes < p.Offset:
			return finding.New(finding.Master, "bad-coordinates",
				"do not reset the master's binary log while it is seeded from; run this again",
				"the dump begins at %s, but that binary log has %d bytes only", p, log.Bytes)
		default:
			return nil
		}
	}
	return finding.New(finding.Master, "log-purged",
		"keep binary logs for longer: "+s.Version.RetentionVariable()+"; then run this again",
		"the binary log %s, where replication would have to begin, is no longer there", p.File)
}

// StillHas reports whether the master's binary log has the position of a copy, as
// far as that can be known: a log that was begun anew has other GTIDs, or ends
// before it.
func (s *Server) StillHas(ctx context.Context, p Position) (bool, error) {
	now, err := s.VerifyCoordinates(ctx, s.DB, p)
	if IsDenied(err) || finding.HasCode(err, "no-coordinates") || finding.HasCode(err, "log-purged") ||
		finding.HasCode(err, "bad-coordinates") {
		return false, nil
	}
	if err != nil || s.Version.Family == MariaDB || p.GTID == "" {
		return now.GTID == p.GTID || s.Version.Family == MySQL, err
	}
	has, err := s.Value(ctx, s.DB, "SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed)", p.GTID)
	return has == "1", err
}

// VerifyStart refuses coordinates of the administrator's that the binary log does
// not have, as far as this login may see that: the Problem bad-start.
func (s *Server) VerifyStart(ctx context.Context, p Position) error {
	lacking, err := s.lacks(ctx, p)
	if lacking {
		return finding.New(finding.Master, "bad-start",
			"give the coordinates that the master had when the data of this host was copied from it,"+
				" if SHOW BINARY LOGS there still names them; or let gtunnel copy the data: leave --method none out",
			"its binary log does not have %s, which --start names", p)
	}
	return err
}

// VerifySlave refuses a position that a slave has come to if the master's binary
// log does not have it, as far as this login may see that: the Problem elsewhere.
func (s *Server) VerifySlave(ctx context.Context, p Position) error {
	lacking, err := s.lacks(ctx, p)
	if lacking {
		return finding.New(finding.Slave, "elsewhere",
			"was the master's binary log begun anew? Then "+finding.SeedAnew,
			"it stands at %s, which the master's binary log does not have", p).For(nil)
	}
	return err
}

// lacks reports whether the binary log is known not to have a position.
func (s *Server) lacks(ctx context.Context, p Position) (bool, error) {
	err := s.VerifyLogged(ctx, s.DB, p)
	switch {
	case finding.HasCode(err, "log-purged"), finding.HasCode(err, "bad-coordinates"):
		return true, nil
	case IsDenied(err):
		return false, nil
	}
	return false, err
}
