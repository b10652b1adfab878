package failover_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// TestPromoteObjects promotes a slave of a master that had an event, and a sequence which
// stands further on than the slave has seen; and runs the hook post-promote.
func TestPromoteObjects(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		const event, sequence = failovertest.Database + ".tick", failovertest.Database + ".numbers"
		p.A.Exec("CREATE EVENT " + event + " ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO SET @a = 1")
		if !p.Kind.IsMySQL() {
			p.A.Exec("CREATE SEQUENCE "+sequence, "SET SESSION sql_log_bin=0", "ALTER SEQUENCE "+sequence+" RESTART 5000")
		}
		p.Sync(p.A)
		p.A.StartGuard()
		p.B.StartGuard()
		for deadline := time.Now().Add(failovertest.Patience); ; time.Sleep(20 * time.Millisecond) {
			if seen := p.B.Note().Seen; seen != nil && len(seen.Events) == 1 &&
				(p.Kind.IsMySQL() || seen.Sequences[sequence] >= 5000) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the guard has not noted the event and the sequence: %+v", p.B.Note().Seen)
			}
		}
		p.A.PowerCut()
		command, told := promote(t, p.B), filepath.Join(t.TempDir(), "told")
		command.Hooks.PostPromote = script(t, "echo $GTUNNEL_TERM >"+told)
		if _, err := command.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.B.Wait("SELECT status FROM information_schema.events WHERE event_name = 'tick'", "ENABLED")
		if text, err := os.ReadFile(told); err != nil || string(text) != "2\n" {
			t.Errorf("the hook has written %q, %v", text, err)
		}
		if p.Kind.IsMySQL() {
			return
		}
		if next, err := strconv.Atoi(p.B.Value("SELECT NEXTVAL(" + sequence + ")")); err != nil || next < 5000 {
			t.Errorf("the sequence gives %d, %v: the old master may have given that", next, err)
		}
	})
}
