package facts

import (
	"cmp"
	"context"
	"encoding/hex"
	"strings"
	"unicode"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Event is an event, with what belongs to it beside its schedule and
// body.
type Event struct {
	Database, Name, Definer string
	Completion              string // PRESERVE or NOT PRESERVE

	// Of the session that made it.
	SQLMode, TimeZone, CharacterSet, Collation string

	// Definer and name as that session says them, in quotes; empty: as they are.
	encodedDefiner, encodedName string
}

// Quoted is the full name of the event in a statement of a session like the one
// that made it.
func (e *Event) Quoted() server.Statement {
	name := server.QuoteTable(e.Database, e.Name)
	return server.Encoded(name, cmp.Or(e.encodedName, name))
}

// QuotedDefiner is its definer there.
func (e *Event) QuotedDefiner() server.Statement {
	definer := server.QuoteDefiner(e.Definer)
	return server.Encoded(definer, cmp.Or(e.encodedDefiner, definer))
}

// encode finds how the session says the names.
func (e *Event) encode(ctx context.Context, s *server.Server, on server.Execer) (err error) {
	for _, name := range []struct {
		quoted string
		to     *string
	}{
		{server.QuoteDefiner(e.Definer), &e.encodedDefiner}, {server.QuoteTable(e.Database, e.Name), &e.encodedName},
	} {
		if IsUTF8(e.CharacterSet) || !strings.ContainsFunc(name.quoted, func(r rune) bool { return r > unicode.MaxASCII }) {
			continue
		}
		if *name.to, err = Encode(ctx, s, on, name.quoted, e.CharacterSet); err != nil {
			return err
		}
	}
	return nil
}

// IsUTF8 reports whether a character set of clients is one that names are kept in.
func IsUTF8(charset string) bool {
	switch charset {
	case "utf8", "utf8mb3", "utf8mb4":
		return true
	}
	return false
}

// EnabledEvents gives those of databases that are not the system's, all if none is
// named, as far as the login sees events.
func EnabledEvents(ctx context.Context, s *server.Server, on server.Execer, databases []string) ([]Event, error) {
	return eventsOf(ctx, s, on, databases, "'ENABLED'")
}

// SlaveEvents gives likewise those that are disabled because their server is a slave, or
// was one.
func SlaveEvents(ctx context.Context, s *server.Server, on server.Execer, databases []string) ([]Event, error) {
	return eventsOf(ctx, s, on, databases, "'SLAVESIDE_DISABLED', 'REPLICA_SIDE_DISABLED'")
}

// eventsOf gives the events whose status is in a list.
func eventsOf(
	ctx context.Context, s *server.Server, on server.Execer, databases []string, status string,
) ([]Event, error) {
	where := isNoSystem("event_schema")
	if len(databases) > 0 {
		where += " AND event_schema IN (" + server.QuoteExactly(databases) + ")"
	}
	rows, err := s.Query(ctx, on,
		"SELECT event_schema, event_name, definer, sql_mode, time_zone, character_set_client,"+
			" collation_connection, on_completion FROM information_schema.events"+
			" WHERE status IN ("+status+") AND "+where+" ORDER BY 1, 2")
	var events []Event
	for _, r := range rows {
		events = append(events, Event{
			Database: r["event_schema"], Name: r["event_name"], Definer: r["definer"], Completion: r["on_completion"],
			SQLMode: r["sql_mode"], TimeZone: r["time_zone"],
			CharacterSet: r["character_set_client"], Collation: r["collation_connection"],
		})
	}
	if err != nil {
		return nil, err
	}
	err = server.Each(ctx, s, on, events, func(ctx context.Context, i int, _ Event) error {
		return events[i].encode(ctx, s, on)
	})
	return events, err
}

// Encode gives a text in a character set of a server, as bytes; empty if that
// does not have all of its characters.
func Encode(ctx context.Context, s *server.Server, on server.Execer, text, charset string) (string, error) {
	name := server.QuoteName(charset)
	encoded, err := s.Value(ctx, on, "SELECT HEX(CONVERT(_utf8mb4 "+server.QuoteString(text)+" USING "+name+"))"+
		" FROM (SELECT 1) one WHERE CAST(CONVERT(CONVERT(_utf8mb4 "+server.QuoteString(text)+" USING "+name+
		") USING utf8mb4) AS BINARY) = CAST(_utf8mb4 "+server.QuoteString(text)+" AS BINARY)")
	if err != nil {
		return "", err
	}
	bytes, err := hex.DecodeString(encoded)
	return string(bytes), err
}
