package server

import "context"

// whereSlaveStands gives, for a position of the master, where a slave stands that is beyond
// it by no transaction; otherwise the position. MariaDB writes events of its own into its
// binary log, such as the checkpoint of a new file, which a snapshot's position is before.
func (s *Server) whereSlaveStands(ctx context.Context, master *Server, at Position) (Position, error) {
	if master.Version.Family != MariaDB {
		return at, nil
	}
	status, err := s.SlaveStatus(ctx, s.DB)
	if err != nil || status == nil || !at.Before(status.Executed) {
		return at, err
	}
	rows, err := master.Query(ctx, master.DB, "SELECT BINLOG_GTID_POS(?, ?) AS gtid",
		status.Executed.File, status.Executed.Offset)
	if err != nil {
		return at, err
	}
	if gtid, known := rows[0]["gtid"]; known && gtid == at.GTID {
		return Position{File: status.Executed.File, Offset: status.Executed.Offset, GTID: gtid}, nil
	}
	return at, nil
}
