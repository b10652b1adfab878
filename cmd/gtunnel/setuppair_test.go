package main_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// eachFamily runs a test for both families, side by side, and beside others:
// MySQL's takes longer.
func eachFamily(t *testing.T, test func(*testing.T, servertest.Kind)) {
	t.Helper()
	t.Parallel()
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
	return strings.NewReplacer("RESET MASTER", "RESET BINARY LOGS AND GTIDS", "CHANGE MASTER", "CHANGE REPLICATION SOURCE",
		"MASTER", "SOURCE", "SLAVE", "REPLICA").Replace(statement)
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
	pairs.WaitFor(p.t, databasePatience, "status with "+words, func() (string, bool) {
		out, _ := p.status()
		return out, strings.Contains(out, words)
	})
}

// wordWait is output; seen is closed when text was written.
type wordWait struct {
	mu   sync.Mutex
	out  bytes.Buffer
	text string
	seen chan struct{}
}

func (w *wordWait) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := strings.Contains(w.out.String(), w.text)
	n, err := w.out.Write(p)
	if !before && strings.Contains(w.out.String(), w.text) {
		close(w.seen)
	}
	return n, err
}

func (w *wordWait) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.String()
}

// startUntil starts gtunnel on the host of a server, and waits until it says
// words.
func (p *pair) startUntil(words string, s *servertest.Server, args ...string) (cmd *exec.Cmd, said *wordWait) {
	p.t.Helper()
	said = &wordWait{text: words, seen: make(chan struct{})}
	cmd = p.command(s, args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-said.seen:
	case <-time.After(databasePatience):
		p.t.Fatalf("it does not come to say %q:\n%s", words, said)
	}
	return cmd, said
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
