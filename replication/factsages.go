package replication

import (
	"context"
	"database/sql"
	"time"
)

// readAges reads when what is in a slave's databases was made. Some tables do not
// tell it.
func (f *Facts) readAges(ctx context.Context, s *Server, conn *sql.Conn) error {
	if s.Role != Slave || len(f.Databases) == 0 {
		return nil
	}
	for _, query := range []string{
		"SELECT table_schema AS d, MIN(create_time) AS oldest, MAX(create_time) AS newest FROM information_schema.tables WHERE table_schema NOT IN (" + quoteList(systemDatabases) + ") GROUP BY table_schema",
		"SELECT routine_schema AS d, MIN(created) AS oldest, MAX(created) AS newest FROM information_schema.routines GROUP BY routine_schema",
		"SELECT event_schema AS d, MIN(created) AS oldest, MAX(created) AS newest FROM information_schema.events GROUP BY event_schema",
	} {
		rows, err := s.query(ctx, conn, query)
		if err != nil {
			return err
		}
		for _, r := range rows {
			d, oldest, newest := f.database(r["d"]), serverTime(r["oldest"]), serverTime(r["newest"])
			if d == nil || oldest.IsZero() {
				continue
			}
			if d.Oldest.IsZero() || oldest.Before(d.Oldest) {
				d.Oldest = oldest
			}
			if newest.After(d.Newest) {
				d.Newest = newest
			}
		}
	}
	return nil
}

// serverTime reads a time of a server's, in a session of ours, whose time zone
// is UTC; zero if it is none.
func serverTime(text string) time.Time {
	t, _ := time.Parse(time.DateTime, text) // a fraction is read as well
	return t
}

// now is the server's time, in whole seconds as its tables have theirs.
func (s *Server) now(ctx context.Context) (time.Time, error) {
	text, err := s.value(ctx, s.db, "SELECT NOW() AS now")
	return serverTime(text), err
}
