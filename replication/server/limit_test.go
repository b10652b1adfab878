package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestEachWithin: a question that is not answered ends by itself, and it is said so.
func TestEachWithin(t *testing.T) {
	t.Parallel()
	s := pairs.SharedServer(t, servertest.MariaDB, "limits", 1).AsRoot(t, finding.Slave)
	ctx := server.EachWithin(server.EachWithin(t.Context(), 200*time.Millisecond), time.Hour)
	_, err := s.Value(ctx, s.DB, "SELECT SLEEP(60)")
	if !finding.HasCode(err, server.NoAnswer) || err.Error() != "slave: SELECT SLEEP(60): no answer within 200ms" {
		t.Errorf("got %v", err)
	}
	if one, err := s.Value(ctx, s.DB, "SELECT 1"); one != "1" || err != nil {
		t.Errorf("after it %s, %v", one, err)
	}
}

// TestSelectWithin: a query that nobody waits for any more is ended by the server itself,
// and a context without an end bounds none.
func TestSelectWithin(t *testing.T) {
	t.Parallel()
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := pairs.SharedServer(t, kind, "limits", 1).AsRoot(t, finding.Master)
			if text := s.Version.SelectWithin(t.Context()); text != "SELECT" {
				t.Errorf("without an end: %s", text)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := s.Value(ctx, s.DB, s.Version.SelectWithin(ctx)+" SLEEP(600)"); err == nil {
				t.Error("it has waited")
			}
			pairs.WaitUntil(t, "the end of the query", func() (string, bool) {
				n, err := s.Value(t.Context(), s.DB,
					"SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)' AND id <> CONNECTION_ID()")
				return fmt.Sprint(n, err), n == "0" && err == nil
			})
		})
	}
}
