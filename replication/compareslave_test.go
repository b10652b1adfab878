package replication_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// holdSlave keeps the slave from applying writes to a table until the test ends
// or release is called.
func (p *couple) holdSlave(t *testing.T, table string) (release func()) {
	t.Helper()
	conn, err := p.s.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "LOCK TABLES "+table+" WRITE"); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	released := false
	release = func() {
		if !released {
			released = true
			if _, err := conn.ExecContext(ctx, "UNLOCK TABLES"); err != nil {
				t.Error(err)
			}
			conn.Close()
		}
	}
	t.Cleanup(release)
	return release
}

func TestCompareLeavesTheSlaveRunning(t *testing.T) {
	onCouples(t, followers, func(t *testing.T, p *couple) {
		p.fresh(t, "leaves")
		p.onMaster(t, "CREATE TABLE leaves.t (id int PRIMARY KEY, v varchar(30))")
		p.onMaster(t, numbered("leaves.t", 5000)...)
		p.sync(t)
		errEnough := errors.New("enough")
		cancelled := func(when func(compare.Progress) bool) error {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			c := compare.Comparison{Master: p.Master, Slave: p.Slave, ChunkBytes: 10 << 10, Progress: func(now compare.Progress) {
				if when(now) {
					cancel(errEnough)
				}
			}}
			_, err := c.Run(ctx)
			return err
		}
		t.Run("cancelled while it compares", func(t *testing.T) {
			if err := cancelled(func(now compare.Progress) bool { return now.Bytes > 0 }); err == nil {
				t.Error("no error")
			}
			p.mustRun(t)
		})
		t.Run("cancelled while the slave is on its way", func(t *testing.T) {
			stop := p.write(t, "UPDATE leaves.t SET v = ? WHERE id = 1 + ? MOD 5000")
			for after := range 5 {
				if err := cancelled(func(now compare.Progress) bool { after--; return after < 0 || now.Bytes > 0 }); err == nil {
					t.Error("no error")
				}
				p.mustRun(t)
			}
			stop()
			p.sync(t)
		})
		t.Run("the slave stands", func(t *testing.T) {
			release := p.holdSlave(t, "leaves.t")
			p.onMaster(t, "UPDATE leaves.t SET v = 'y' WHERE id = 1")
			c := compare.Comparison{Master: p.Master, Slave: p.Slave, Patience: 200 * time.Millisecond}
			if _, err := c.Run(t.Context()); !finding.HasCode(err, "slave-stands") {
				t.Errorf("got %v", err)
			}
			release()
			p.mustRun(t)
			p.sync(t)
		})
		t.Run("another run", func(t *testing.T) {
			var second error
			c := compare.Comparison{Master: p.Master, Slave: p.Slave, Databases: []string{"leaves"}}
			inside := c
			c.Progress = func(now compare.Progress) {
				if now.Table != "" && second == nil {
					_, second = inside.Run(t.Context())
				}
			}
			if _, err := c.Run(t.Context()); err != nil {
				t.Error(err)
			}
			if !finding.HasCode(second, "busy") {
				t.Errorf("got %v", second)
			}
			p.mustRun(t)
		})
		if result := p.compare(t, compare.Comparison{Databases: []string{"leaves"}}); !result.Equal() {
			t.Errorf("differs: %q", found(result, "leaves.t"))
		}
	})
}

func TestCompareRefusesAStoppedSlave(t *testing.T) {
	onCouples(t, followers, func(t *testing.T, p *couple) {
		stop, start := "STOP SLAVE SQL_THREAD", "START SLAVE SQL_THREAD"
		if p.Slave.Version.Family == server.MySQL {
			stop, start = "STOP REPLICA SQL_THREAD", "START REPLICA SQL_THREAD"
		}
		p.onSlave(t, stop)
		c := compare.Comparison{Master: p.Master, Slave: p.Slave}
		if _, err := c.Run(t.Context()); !finding.HasCode(err, "slave-stopped") {
			t.Errorf("got %v", err)
		}
		facts, err := facts.Read(t.Context(), p.Slave)
		if err != nil {
			t.Fatal(err)
		}
		if facts.Masters[0].SQLRunning != "No" {
			t.Error("the slave was started")
		}
		p.onSlave(t, start)
		c = compare.Comparison{Master: p.Slave, Slave: p.Master}
		if _, err := c.Run(t.Context()); !finding.HasCode(err, "no-slave") {
			t.Errorf("got %v", err)
		}
		p.sync(t)
	})
}
