package replication

import (
	"context"
	"strings"
)

// disableEvents makes the slave's copies of events wait for the day when it is
// master: DISABLE ON SLAVE, as replication itself makes the events that it
// brings. All else of an event stays as it is, which takes a session like the
// one that made it: ALTER EVENT stores the session's sql_mode, character sets
// and time zone.
func (s *Seed) disableEvents(ctx context.Context) error {
	if len(s.Tables) > 0 {
		return nil
	}
	conn, err := s.Slave.session(ctx)
	if err != nil {
		return err
	}
	defer discard(conn) // it logs nothing
	events, err := s.Slave.query(ctx, conn,
		"SELECT event_schema, event_name, definer, sql_mode, time_zone, character_set_client, collation_connection, on_completion"+
			" FROM information_schema.events WHERE status = 'ENABLED' AND event_schema IN ("+quoteList(s.Databases)+")")
	if err != nil {
		return err
	}
	if err := s.Slave.exec(ctx, conn, statement("SET SESSION sql_log_bin=0")); err != nil {
		return err
	}
	for _, e := range events {
		err := s.Slave.exec(ctx, conn,
			statement("SET SESSION character_set_client=%s, collation_connection=%s, time_zone=%s",
				quoteName(e["character_set_client"]), quoteName(e["collation_connection"]), quoteString(e["time_zone"])),
			statement("SET SESSION sql_mode=%s", quoteString(e["sql_mode"])),
			s.Slave.Version.disableEvent(quoteDefiner(e["definer"]), quoteTable(e["event_schema"], e["event_name"]), e["on_completion"]),
			statement("SET SESSION sql_mode=''"))
		if err != nil {
			return err
		}
	}
	return nil
}

// disableEvent makes an event a slave's.
func (v Version) disableEvent(definer, event, completion string) Statement {
	return statement("ALTER DEFINER=%s EVENT %s ON COMPLETION %s DISABLE ON %s",
		definer, event, completion, v.word("SLAVE", "REPLICA"))
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
