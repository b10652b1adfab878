package facts

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Event is an enabled event, with what belongs to it beside its schedule and
// body.
type Event struct {
	Database, Name, Definer string
	Completion              string // PRESERVE or NOT PRESERVE

	// Of the session that made it.
	SQLMode, TimeZone, CharacterSet, Collation string
}

// EnabledEvents gives those of databases that are not the system's, all if none is
// named, as far as the login sees events.
func EnabledEvents(ctx context.Context, s *server.Server, on server.Execer, databases []string) ([]Event, error) {
	where := isNoSystem("event_schema")
	if len(databases) > 0 {
		where += " AND event_schema IN (" + server.QuoteExactly(databases) + ")"
	}
	rows, err := s.Query(ctx, on,
		"SELECT event_schema, event_name, definer, sql_mode, time_zone, character_set_client,"+
			" collation_connection, on_completion FROM information_schema.events"+
			" WHERE status = 'ENABLED' AND "+where+" ORDER BY 1, 2")
	var events []Event
	for _, r := range rows {
		events = append(events, Event{
			Database: r["event_schema"], Name: r["event_name"], Definer: r["definer"], Completion: r["on_completion"],
			SQLMode: r["sql_mode"], TimeZone: r["time_zone"],
			CharacterSet: r["character_set_client"], Collation: r["collation_connection"],
		})
	}
	return events, err
}
