package server

import (
	"context"
	"strconv"
	"strings"
)

// GTIDsBefore gives MariaDB's GTIDs of all that is in the binary log before a position,
// which are none before the first transaction. They are not known if no event begins there.
func (s *Server) GTIDsBefore(ctx context.Context, on Execer, p Position) (gtids string, known bool, err error) {
	rows, err := s.Query(ctx, on, "SELECT BINLOG_GTID_POS(?, ?) AS gtid", p.File, p.Offset)
	if err != nil || len(rows) == 0 {
		return "", false, err
	}
	gtids, known = rows[0]["gtid"]
	return gtids, known, nil
}

// LacksGTIDs reports whether a server has written less than what GTIDs say.
func (s *Server) LacksGTIDs(ctx context.Context, gtids string) (bool, error) {
	if gtids == "" {
		return false, nil
	}
	if s.Version.Family == MySQL {
		has, err := s.Value(ctx, s.DB, "SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed)", gtids)
		return has == "0", err
	}
	written, err := s.Value(ctx, s.DB, "SELECT @@GLOBAL.gtid_binlog_pos")
	return err == nil && Behind(written, gtids), err
}

// Behind reports whether MariaDB's GTIDs of one list end before those of another
// in a domain that both have.
func Behind(list, other string) bool {
	own, others := sequenceNumbers(list), sequenceNumbers(other)
	for domain, number := range own {
		if number < others[domain] {
			return true
		}
	}
	return false
}

// sequenceNumbers are the last sequence numbers of MariaDB's GTIDs by their
// domains.
func sequenceNumbers(list string) map[string]uint64 {
	last := map[string]uint64{}
	for gtid := range strings.SplitSeq(list, ",") {
		parts := strings.Split(strings.TrimSpace(gtid), "-")
		if len(parts) != 3 {
			continue
		}
		number, _ := strconv.ParseUint(parts[2], 10, 64) // a number on every server
		last[parts[0]] = max(last[parts[0]], number)
	}
	return last
}
