package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Position is a place in a master's binary log: its coordinates, and the GTIDs
// of all that is before it.
type Position struct {
	File   string `json:"file"`
	Offset uint64 `json:"offset"`
	GTID   string `json:"gtid,omitempty"` // gtid_slave_pos of MariaDB, gtid_executed of MySQL
}

// IsZero tells whether the position is none.
func (p Position) IsZero() bool { return p.File == "" }

// Before tells whether the position comes before another of the same master.
// The files of a binary log end in their number.
func (p Position) Before(other Position) bool {
	if p.File != other.File {
		return FileNumber(p.File) < FileNumber(other.File)
	}
	return p.Offset < other.Offset
}

// At tells whether both are the same place.
func (p Position) At(other Position) bool { return p.File == other.File && p.Offset == other.Offset }

func FileNumber(file string) uint64 {
	n, _ := strconv.ParseUint(file[strings.LastIndexByte(file, '.')+1:], 10, 64) // digits on every server
	return n
}

// String is file:offset.
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Offset) }

// BinaryLog is one file of a binary log.
type BinaryLog struct {
	File  string
	Bytes uint64
}

// BinaryLogs gives the files of the server's binary log.
func (s *Server) BinaryLogs(ctx context.Context, on Execer) ([]BinaryLog, error) {
	rows, err := s.Query(ctx, on, "SHOW BINARY LOGS")
	logs := make([]BinaryLog, len(rows))
	for i, r := range rows {
		bytes, _ := strconv.ParseUint(r["file_size"], 10, 64) // a number on every server
		logs[i] = BinaryLog{File: r["log_name"], Bytes: bytes}
	}
	return logs, err
}

// NewPosition reads a row of SHOW MASTER STATUS.
func NewPosition(r Record) Position {
	offset, _ := strconv.ParseUint(r["position"], 10, 64) // a number on every server
	return Position{File: r["file"], Offset: offset, GTID: strings.ReplaceAll(r["executed_gtid_set"], "\n", "")}
}

// Position reads where the binary log stands.
func (s *Server) Position(ctx context.Context, on Execer) (Position, error) {
	rows, err := s.Query(ctx, on, s.Version.ShowMasterStatus())
	if err != nil || len(rows) == 0 {
		return Position{}, err
	}
	return NewPosition(rows[0]), nil
}
