package main_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// eachFamily runs a test for both families, side by side.
func eachFamily(t *testing.T, test func(*testing.T, servertest.Kind)) {
	t.Helper()
	for _, kind := range bothFamilies {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// inWordsOf gives a statement about replication in the words of a kind.
func inWordsOf(kind servertest.Kind, statement string) string {
	if !kind.IsMySQL() {
		return statement
	}
	return strings.NewReplacer("RESET MASTER", "RESET BINARY LOGS AND GTIDS", "CHANGE MASTER", "CHANGE REPLICATION SOURCE", "MASTER", "SOURCE", "SLAVE", "REPLICA").Replace(statement)
}

// onSlave runs statements about replication on the slave.
func (p *pair) onSlave(statements ...string) {
	p.t.Helper()
	for _, statement := range statements {
		p.sql(p.slave, inWordsOf(p.slave.Kind, statement))
	}
}

// loginAgain has the slave log in to its master anew.
func (p *pair) loginAgain() {
	p.t.Helper()
	p.onSlave("STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD")
}

// restart restarts a server.
func (p *pair) restart(s *servertest.Server) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), databasePatience)
	defer cancel()
	if err := s.Restart(ctx); err != nil {
		p.t.Fatal(err)
	}
}

// waitStatus waits until gtunnel replication status says words.
func (p *pair) waitStatus(words string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), databasePatience)
	defer cancel()
	for {
		out, _ := p.status()
		if strings.Contains(out, words) {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("status does not come to say %q:\n%s", words, out)
		}
	}
}

// noChange runs a command that must find all as it should be.
func (p *pair) noChange(s *servertest.Server, args ...string) {
	p.t.Helper()
	if out := p.must(s, args...); !strings.Contains(out, "no change") {
		p.t.Errorf("gtunnel %s says:\n%s", strings.Join(args, " "), out)
	}
}

// replicates writes a row on the master, and waits until the slave has it.
func (p *pair) replicates() {
	p.t.Helper()
	p.sql(p.master, "INSERT INTO voms.t SELECT MAX(id) + 1, 'one more' FROM voms.t")
	p.waitSlave("SELECT MAX(id) FROM voms.t")
}

// dropOnSlave drops databases of the slave by hand.
func (p *pair) dropOnSlave(databases ...string) {
	p.t.Helper()
	p.sql(p.slave, "SET GLOBAL read_only=0")
	for _, database := range databases {
		p.sql(p.slave, "DROP DATABASE "+database)
	}
}
