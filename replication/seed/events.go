package seed

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

// disableEvents makes the slave's copies of events wait for the day when it is
// master: DISABLE ON SLAVE, as replication itself makes the events that it
// brings.
func (s *Seed) disableEvents(ctx context.Context) error {
	if len(s.Tables) > 0 {
		return nil
	}
	events, err := facts.EnabledEvents(ctx, s.Slave, s.Slave.DB, s.Databases)
	if err != nil {
		return err
	}
	return s.Slave.Run(ctx, DisableEvents(s.Slave.Version, events))
}

// DisableEvents gives the statements that make events a slave's; none if there
// are none. All else of an event stays as it is, which takes a session like the
// one that made it: ALTER EVENT stores the session's sql_mode, character sets and
// time zone. They log nothing.
func DisableEvents(v server.Version, events []facts.Event) []server.Statement {
	return alterEvents(events, v.DisableEvent)
}

// EnableEvents gives the statements that take DisableEvents back.
func EnableEvents(v server.Version, events []facts.Event) []server.Statement {
	return alterEvents(events, v.EnableEvent)
}

// alterEvents alters events by a statement of their definer, name and completion.
func alterEvents(
	events []facts.Event, alter func(definer, event server.Statement, completion string) server.Statement,
) []server.Statement {
	if len(events) == 0 {
		return nil
	}
	statements := []server.Statement{server.SQL("SET SESSION sql_log_bin=0")}
	for _, e := range events {
		statements = append(statements,
			server.SQL("SET SESSION character_set_client=%s, collation_connection=%s, time_zone=%s",
				server.QuoteName(e.CharacterSet), server.QuoteName(e.Collation), server.QuoteString(e.TimeZone)),
			server.SQL("SET SESSION sql_mode=%s", server.QuoteString(e.SQLMode)),
			alter(e.QuotedDefiner(), e.Quoted(), e.Completion),
			server.SQL("SET SESSION sql_mode=''"))
	}
	return statements
}
