package compare_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

func TestCompareLeavesTheSlaveRunning(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "leaves")
		p.OnMaster(t, "CREATE TABLE leaves.t (id int PRIMARY KEY, v varchar(30))")
		p.OnMaster(t, pairs.Numbered("leaves.t", 5000)...)
		p.Sync(t)
		errEnough := errors.New("enough")
		cancelled := func(when func(compare.Progress) bool) error {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			c := compare.Comparison{Master: p.Master, Slave: p.Slave, Progress: func(now compare.Progress) {
				if when(now) {
					cancel(errEnough)
				}
			}}
			_, err := c.WithChunks(10 << 10).Run(ctx)
			return err
		}
		t.Run("cancelled while it compares", func(t *testing.T) {
			if err := cancelled(func(now compare.Progress) bool { return now.Bytes > 0 }); err == nil {
				t.Error("no error")
			}
			p.MustRun(t)
		})
		t.Run("cancelled while the slave is on its way", func(t *testing.T) {
			stop := p.Write(t, "UPDATE leaves.t SET v = ? WHERE id = 1 + ? MOD 5000")
			for after := range 5 {
				if err := cancelled(func(now compare.Progress) bool { after--; return after < 0 || now.Bytes > 0 }); err == nil {
					t.Error("no error")
				}
				p.MustRun(t)
			}
			stop()
			p.Sync(t)
		})
		t.Run("the slave stands", func(t *testing.T) {
			release := p.HoldSlave(t, "leaves.t")
			p.OnMaster(t, "UPDATE leaves.t SET v = 'y' WHERE id = 1")
			c := compare.Comparison{Master: p.Master, Slave: p.Slave}
			if _, err := c.WithPatience(200 * time.Millisecond).Run(t.Context()); !finding.HasCode(err, server.BlockedApplier) {
				t.Errorf("got %v", err)
			}
			release()
			p.MustRun(t)
			p.Sync(t)
		})
		t.Run("another run", func(t *testing.T) { refuseAnotherRun(t, p) })
		if result := compareOn(t, p, compare.Comparison{Databases: []string{"leaves"}}); !result.Equal() {
			t.Errorf("differs: %q", found(result, "leaves.t"))
		}
	})
}

// refuseAnotherRun compares while a comparison is at work.
func refuseAnotherRun(t *testing.T, p *pairs.Couple) {
	t.Helper()
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
	p.MustRun(t)
}

func TestCompareRefusesAStoppedSlave(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		stop, start := "STOP SLAVE SQL_THREAD", "START SLAVE SQL_THREAD"
		if p.Slave.Version.Family == server.MySQL {
			stop, start = "STOP REPLICA SQL_THREAD", "START REPLICA SQL_THREAD"
		}
		p.OnSlave(t, stop)
		c := compare.Comparison{Master: p.Master, Slave: p.Slave}
		if _, err := c.Run(t.Context()); !finding.HasCode(err, "slave-stopped") {
			t.Errorf("got %v", err)
		}
		slave, err := facts.Read(t.Context(), p.Slave)
		if err != nil {
			t.Fatal(err)
		}
		if slave.Masters[0].SQLRunning != "No" {
			t.Error("the slave was started")
		}
		p.OnSlave(t, start)
		c = compare.Comparison{Master: p.Slave, Slave: p.Master}
		if _, err := c.Run(t.Context()); !finding.HasCode(err, "no-slave") {
			t.Errorf("got %v", err)
		}
		p.Sync(t)
	})
}
