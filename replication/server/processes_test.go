package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestProcessInWords: a connection is told in a line, and a password that its statement
// has is not.
func TestProcessInWords(t *testing.T) {
	t.Parallel()
	p := server.Process{ID: 7, User: "u", Host: "h:1", Time: 6 * time.Second, Statement: "SELECT 1\n FROM t"}
	if got := p.String(); got != "connection 7 (u@h:1, 6s: SELECT 1 FROM t)" {
		t.Errorf("it is %q", got)
	}
	p.Statement = "CREATE USER a IDENTIFIED BY 'secret'"
	if got := p.String(); strings.Contains(got, "secret") {
		t.Errorf("it tells a password: %q", got)
	}
}
