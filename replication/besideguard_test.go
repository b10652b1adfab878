package replication_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestBesideGuard: what a setup writes on a host of a pair is written though the guard closes
// the server between its statements.
func TestBesideGuard(t *testing.T) {
	s := pairs.OwnServer(t, servertest.MySQL97, "beside a guard", 14)
	s.Exec(t, "SET GLOBAL super_read_only=1")
	on := s.AsRoot(t, finding.Slave)
	closes := server.SQL("SET GLOBAL super_read_only=1") // as the guard does
	statements := []server.Statement{
		server.SQL("SET GLOBAL super_read_only=0"), server.SQL("SET SESSION sql_log_bin=0"), closes,
		server.SQL("CREATE USER beside"), closes, server.SQL("GRANT PROCESS ON *.* TO beside"), closes,
	}
	if err := replication.RunBesideGuard(t.Context(), on, statements); err != nil {
		t.Error(err)
	}
	n, err := on.Value(t.Context(), on.DB, "SELECT COUNT(*) FROM mysql.user WHERE user = 'beside'"+
		" AND process_priv = 'Y' AND @@GLOBAL.super_read_only")
	if err != nil || n != "1" {
		t.Errorf("%s, %v", n, err)
	}
}
