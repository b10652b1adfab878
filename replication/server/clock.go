package server

import (
	"context"
	"strconv"
	"time"
)

// ParseTime reads a time of a server's, in a session of ours, whose time zone
// is UTC; zero if it is none.
func ParseTime(text string) time.Time {
	t, _ := time.Parse(time.DateTime, text) // a fraction is read as well
	return t
}

// Now is the server's time, in whole seconds as its tables have theirs.
func (s *Server) Now(ctx context.Context) (time.Time, error) {
	text, err := s.Value(ctx, s.Db, "SELECT NOW() AS now")
	return ParseTime(text), err
}

// Uptime is how long the server has been running, in whole seconds.
func (s *Server) Uptime(ctx context.Context, on Execer) (time.Duration, error) {
	status, err := s.Query(ctx, on, "SHOW GLOBAL STATUS LIKE 'Uptime'")
	if err != nil || len(status) == 0 {
		return 0, err
	}
	seconds, _ := strconv.ParseInt(status[0]["value"], 10, 64) // a number on every server
	return time.Duration(seconds) * time.Second, nil
}

// Clock gives by how much a server's clock is ahead of this host's, give or take
// half of the time that the question takes.
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
