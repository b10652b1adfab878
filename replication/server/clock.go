package server

import (
	"context"
	"strconv"
	"time"
)

// Now is the server's time, in whole seconds as its tables have theirs.
func (s *Server) Now(ctx context.Context) (time.Time, error) {
	rows, err := s.Query(ctx, s.DB, "SELECT NOW() AS now")
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0].Time("now"), nil
}

// Uptime is how long the server has been running, in whole seconds.
func (s *Server) Uptime(ctx context.Context, on Execer) (time.Duration, error) {
	rows, err := s.Query(ctx, on, "SHOW GLOBAL STATUS LIKE 'Uptime'")
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return time.Duration(rows[0].Number("value")) * time.Second, nil //nolint:gosec // no server runs for 292 years
}

// Started is when the server was started, by its own clock, give or take a second: the same
// also if that was set since.
func (s *Server) Started(ctx context.Context, on Execer) (time.Time, error) {
	table := "performance_schema.global_status"
	if s.Version.Family == MariaDB {
		table = "information_schema.global_status"
	}
	text, err := s.Value(ctx, on,
		"SELECT CAST(UNIX_TIMESTAMP(NOW()) - variable_value AS SIGNED) FROM "+table+" WHERE variable_name = 'Uptime'")
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// Clock gives by how much a server's clock is ahead of this host's, give or take
// half of the time that the question takes. It is not known after a question that
// took longer than a second.
func (s *Server) Clock(ctx context.Context, on Execer) (ahead time.Duration, known bool, err error) {
	before := time.Now()
	text, err := s.Value(ctx, on, "SELECT UNIX_TIMESTAMP(NOW(6)) AS now")
	if err != nil {
		return 0, false, err
	}
	took := time.Since(before)
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || took > time.Second {
		return 0, false, nil //nolint:nilerr // a clock that cannot be read is not known
	}
	own := float64(before.Add(took/2).UnixNano()) / 1e9
	return time.Duration((seconds - own) * float64(time.Second)), true, nil
}
