package server_test

import (
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
