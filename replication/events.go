package replication

import (
	"context"
	"strings"
)

// disableEvents makes the slave's copies of events wait for the day when it is
// master: DISABLE ON SLAVE, as replication itself makes the events that it
// brings.
func (s *Seed) disableEvents(ctx context.Context) error {
	if len(s.Tables) > 0 {
		return nil
	}
	events, err := enabledEvents(ctx, s.Slave, s.Slave.db, s.Databases)
	if err != nil {
		return err
	}
	return s.Slave.run(ctx, disableEvents(s.Slave.Version, events))
}

// Event is an enabled event, with what belongs to it beside its schedule and
// body.
type Event struct {
	Database, Name, Definer string
	Completion              string // PRESERVE or NOT PRESERVE

	// Of the session that made it.
	SQLMode, TimeZone, CharacterSet, Collation string
}

// enabledEvents gives those of databases.
func enabledEvents(ctx context.Context, s *Server, on execer, databases []string) ([]Event, error) {
	rows, err := s.query(ctx, on,
		"SELECT event_schema, event_name, definer, sql_mode, time_zone, character_set_client, collation_connection, on_completion"+
			" FROM information_schema.events WHERE status = 'ENABLED' AND event_schema IN ("+quoteExactly(databases)+") ORDER BY 1, 2")
	var events []Event
	for _, r := range rows {
		events = append(events, Event{
			Database: r["event_schema"], Name: r["event_name"], Definer: r["definer"], Completion: r["on_completion"],
			SQLMode: r["sql_mode"], TimeZone: r["time_zone"], CharacterSet: r["character_set_client"], Collation: r["collation_connection"],
		})
	}
	return events, err
}

// disableEvents gives the statements that make events a slave's; none if there
// are none. All else of an event stays as it is, which takes a session like the
// one that made it: ALTER EVENT stores the session's sql_mode, character sets and
// time zone. They log nothing.
func disableEvents(v Version, events []Event) []Statement {
	if len(events) == 0 {
		return nil
	}
	statements := []Statement{statement("SET SESSION sql_log_bin=0")}
	for _, e := range events {
		statements = append(statements,
			statement("SET SESSION character_set_client=%s, collation_connection=%s, time_zone=%s", quoteName(e.CharacterSet), quoteName(e.Collation), quoteString(e.TimeZone)),
			statement("SET SESSION sql_mode=%s", quoteString(e.SQLMode)),
			v.disableEvent(quoteDefiner(e.Definer), quoteTable(e.Database, e.Name), e.Completion),
			statement("SET SESSION sql_mode=''"))
	}
	return statements
}

// disableEvent makes an event a slave's.
func (v Version) disableEvent(definer, event, completion string) Statement {
	side := "SLAVE"
	if v.atLeast(MySQL, 8, 2, 0) { // other statements have the new word since 8.0.23
		side = "REPLICA"
	}
	return statement("ALTER DEFINER=%s EVENT %s ON COMPLETION %s DISABLE ON %s", definer, event, completion, side)
}

// quoteDefiner makes the account of a DEFINER clause, whose quotes do not
// depend on the sql_mode.
func quoteDefiner(definer string) string {
	user, host, isUser := splitAccount(definer)
	if !isUser {
		return quoteName(user)
	}
	return quoteName(user) + "@" + quoteName(host)
}

// splitAccount splits user@host. A host has no @; a role of MariaDB is no user
// and has no host.
func splitAccount(account string) (user, host string, isUser bool) {
	if at := strings.LastIndexByte(account, '@'); at >= 0 {
		return account[:at], account[at+1:], true
	}
	return account, "", false
}
