package replication

import (
	"bytes"
	"context"
	"regexp"
	"strconv"
	"strings"
)

var (
	// dumpPosition are a dump's coordinates in the words of all its tools:
	// MASTER_LOG_FILE of old ones, SOURCE_LOG_FILE of MySQL 8.2 and later.
	dumpPosition = regexp.MustCompile(`(?m)^(?:-- )?CHANGE (?:MASTER|REPLICATION SOURCE) TO (?:MASTER|SOURCE)_LOG_FILE='([^']+)', (?:MASTER|SOURCE)_LOG_POS=(\d+);`)

	// dumpPurged is MySQL's set of the transactions that a dump holds. It is
	// within a comment if the tool knows how to say it in one.
	dumpPurged = regexp.MustCompile(`(?:/\* )?SET @@GLOBAL\.GTID_PURGED=(?:/\*!80000 '\+'\*/)?\s*'\+?([^']*)';(?:\*/)?`)

	// sandboxLine makes MariaDB's clients refuse commands to the client, and
	// other clients stumble.
	sandboxLine = []byte(`/*M!999999\- enable the sandbox mode */`)
)

// readHead takes a dump's coordinates from its head, and gives the head as it
// may be loaded: without what would set the slave's GTIDs, which is the
// caller's to do, and without the sandbox line.
func readHead(head []byte) (Position, []byte) {
	var p Position
	if found := dumpPosition.FindSubmatch(head); found != nil {
		p.File = string(found[1])
		p.Offset, _ = strconv.ParseUint(string(found[2]), 10, 64) // digits; 0 if they are too many, which no binary log has
	}
	if found := dumpPurged.FindSubmatch(head); found != nil {
		p.GTID = strings.NewReplacer("\n", "", " ", "").Replace(string(found[1]))
	}
	head = dumpPurged.ReplaceAll(head, nil)
	return p, bytes.Replace(head, sandboxLine, nil, 1)
}

// firstChange finds the first line of a dump that is no longer its head: what
// makes, uses or fills something.
var firstChange = regexp.MustCompile(`(?m)^(?:/\*!\d+ )?(?:CREATE|DROP|USE|INSERT|REPLACE|LOCK|ALTER|DELIMITER)\b`)

// headEnd gives where the head of a dump ends; -1 if it goes on.
func headEnd(dump []byte) int {
	if at := firstChange.FindIndex(dump); at != nil {
		return at[0]
	}
	return -1
}

// verifyCoordinates holds a dump's coordinates against the master's binary log,
// and completes them by MariaDB's GTIDs. The error is a *Problem.
func (s *Server) verifyCoordinates(ctx context.Context, on execer, p Position) (Position, error) {
	if p.IsZero() || p.Offset == 0 {
		return Position{}, problem(Master, "no-coordinates",
			"is the binary log on (log_bin)? May the seeding account see it: REPLICATION CLIENT, on MariaDB 10.5 and later BINLOG MONITOR?",
			"the dump does not say where the binary log stood: nothing has been loaded")
	}
	if err := s.verifyLogged(ctx, on, p); err != nil {
		return Position{}, err
	}
	if s.Version.atLeast(MariaDB, 10, 0, 2) {
		rows, err := s.query(ctx, on, "SELECT BINLOG_GTID_POS(?, ?) AS gtid", p.File, p.Offset)
		if err != nil {
			return Position{}, err
		}
		gtid, known := rows[0]["gtid"] // empty before the first transaction
		if !known {
			return Position{}, problem(Master, "bad-coordinates", "run this again", "its binary log does not tell which GTIDs come before %s", p)
		}
		p.GTID = gtid
	}
	return p, nil
}

// verifyLogged tells whether the binary log still has a position.
func (s *Server) verifyLogged(ctx context.Context, on execer, p Position) error {
	logs, err := s.binaryLogs(ctx, on)
	if err != nil {
		return err
	}
	for _, log := range logs {
		switch {
		case log.File != p.File:
		case log.Bytes < p.Offset:
			return problem(Master, "bad-coordinates", "do not reset the master's binary log while it is seeded from; run this again",
				"the dump begins at %s, but that binary log has %d bytes only", p, log.Bytes)
		default:
			return nil
		}
	}
	return problem(Master, "log-purged", "keep binary logs for longer: "+s.Version.retentionVariable()+"; then run this again",
		"the binary log %s, where replication would have to begin, is no longer there", p.File)
}

// stillHas tells whether the master's binary log has the position of a copy, as
// far as that can be known: a log that was begun anew has other GTIDs, or ends
// before it.
func (s *Server) stillHas(ctx context.Context, p Position) (bool, error) {
	now, err := s.verifyCoordinates(ctx, s.db, p)
	if isDenied(err) || HasCode(err, "no-coordinates") || HasCode(err, "log-purged") || HasCode(err, "bad-coordinates") {
		return false, nil
	}
	if err != nil || s.Version.Family == MariaDB || p.GTID == "" {
		return now.GTID == p.GTID || s.Version.Family == MySQL, err
	}
	has, err := s.value(ctx, s.db, "SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed)", p.GTID)
	return has == "1", err
}

// verifyStart holds the coordinates that the administrator gives against the
// binary log, as far as this login may see that.
func (s *Server) verifyStart(ctx context.Context, p Position) error {
	lacking, err := s.lacks(ctx, p)
	if lacking {
		return problem(Master, "bad-start", "give the coordinates that the master had when the data of this host was copied from it, if SHOW BINARY LOGS there still names them; or let gtunnel copy the data: leave --method none out",
			"its binary log does not have %s, which --start names", p)
	}
	return err
}

// knows tells whether the binary log has a position that a slave has come to, as
// far as this login may see that.
func (s *Server) knows(ctx context.Context, p Position) error {
	lacking, err := s.lacks(ctx, p)
	if lacking {
		return problem(Slave, "elsewhere", "was the master's binary log begun anew? gtunnel replication setup-slave --reseed copies all anew",
			"it stands at %s, which the master's binary log does not have", p)
	}
	return err
}

// lacks tells whether the binary log is known not to have a position.
func (s *Server) lacks(ctx context.Context, p Position) (bool, error) {
	err := s.verifyLogged(ctx, s.db, p)
	switch {
	case HasCode(err, "log-purged"), HasCode(err, "bad-coordinates"):
		return true, nil
	case isDenied(err):
		return false, nil
	}
	return false, err
}

// retentionVariable is what sets how long binary logs are kept.
func (v Version) retentionVariable() string {
	if v.atLeast(MySQL, 8, 0, 1) || v.atLeast(MariaDB, 10, 6, 1) {
		return "binlog_expire_logs_seconds"
	}
	return "expire_logs_days"
}
