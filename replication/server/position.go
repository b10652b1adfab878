package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// Position is a place in a master's binary log: its coordinates, and the GTIDs
// of all that is before it.
type Position struct {
	File   string `json:"file"`
	Offset uint64 `json:"offset"`
	GTID   string `json:"gtid,omitempty"` // gtid_slave_pos of MariaDB, gtid_executed of MySQL
}

// String is file:offset.
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Offset) }

// IsZero reports whether the position is none.
func (p Position) IsZero() bool { return p.File == "" }

// At reports whether both are the same place.
func (p Position) At(other Position) bool { return p.File == other.File && p.Offset == other.Offset }

// Before reports whether the position comes before another of the same master.
func (p Position) Before(other Position) bool {
	if p.File != other.File {
		return p.BeforeFile(other.File)
	}
	return p.Offset < other.Offset
}

// BeforeFile reports whether the position is in an earlier file of the binary log
// than this one. The names of the files end in their number; that of a file which
// MariaDB 12.3 keeps in InnoDB is before its end ".ibb".
func (p Position) BeforeFile(file string) bool { return fileNumber(p.File) < fileNumber(file) }

func fileNumber(file string) uint64 {
	file = strings.TrimSuffix(file, ".ibb")
	n, _ := strconv.ParseUint(file[strings.LastIndexAny(file, ".-")+1:], 10, 64) // digits on every server
	return n
}

// Position reads where the binary log stands. There is none if the server writes
// no binary log: the Problem no-binary-log.
func (s *Server) Position(ctx context.Context, on Execer) (Position, error) {
	rows, err := s.Query(ctx, on, s.Version.ShowMasterStatus())
	if err != nil {
		return Position{}, err
	}
	if len(rows) == 0 {
		return Position{}, NoBinaryLog()
	}
	return rows[0].Position(), nil
}

// SnapshotPosition reads where MariaDB's binary log stood when the session's
// consistent snapshot began, of which it is a part (its manual, "START
// TRANSACTION"). MySQL knows nothing like that. The statements by which it begins go in the
// same round trip; none: it has begun.
func (s *Server) SnapshotPosition(ctx context.Context, on Execer, begin ...Statement) (Position, error) {
	query := "SHOW STATUS LIKE 'binlog_snapshot_%'"
	for _, statement := range slices.Backward(begin) {
		query = statement.Reveal() + "; " + query
	}
	rows, err := s.Query(ctx, on, query)
	if err != nil {
		return Position{}, err
	}
	var p Position
	for _, r := range rows {
		switch strings.ToLower(r["variable_name"]) {
		case "binlog_snapshot_file":
			p.File = r["value"]
		case "binlog_snapshot_position":
			p.Offset = r.Number("value")
		}
	}
	if p.IsZero() {
		return Position{}, NoBinaryLog()
	}
	p.GTID, _, err = s.GTIDsBefore(ctx, on, p)
	return p, err
}

// NoBinaryLog is the Problem no-binary-log of a master.
func NoBinaryLog() *finding.Problem {
	return finding.New(finding.Master, "no-binary-log",
		"gtunnel replication setup-master there", "its binary log is off")
}

// BinaryLog is one file of a binary log.
type BinaryLog struct {
	File  string
	Bytes uint64
}

// BinaryLogs gives the files of the server's binary log, in order.
func (s *Server) BinaryLogs(ctx context.Context, on Execer) ([]BinaryLog, error) {
	rows, err := s.Query(ctx, on, "SHOW BINARY LOGS")
	logs := make([]BinaryLog, len(rows))
	for i, r := range rows {
		logs[i] = BinaryLog{File: r["log_name"], Bytes: r.Number("file_size")}
	}
	return logs, err
}
