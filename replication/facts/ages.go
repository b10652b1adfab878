package facts

import (
	"context"
	"database/sql"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// readAges reads when what is in a slave's databases was made. Some tables do not
// tell it.
func (f *Facts) readAges(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	if s.Role != finding.Slave || len(f.Databases) == 0 {
		return nil
	}
	for _, query := range []string{
		"SELECT table_schema AS d, MIN(create_time) AS oldest, MAX(create_time) AS newest FROM information_schema.tables WHERE table_schema NOT IN (" + server.QuoteList(SystemDatabases) + ") GROUP BY table_schema",
		"SELECT routine_schema AS d, MIN(created) AS oldest, MAX(created) AS newest FROM information_schema.routines GROUP BY routine_schema",
		"SELECT event_schema AS d, MIN(created) AS oldest, MAX(created) AS newest FROM information_schema.events GROUP BY event_schema",
	} {
		rows, err := s.Query(ctx, conn, query)
		if err != nil {
			return err
		}
		for _, r := range rows {
			d, oldest, newest := f.Database(r["d"]), r.Time("oldest"), r.Time("newest")
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
