package simulation

import (
	"context"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestExplorer plays with a guard that is as simple as can be, on one host: it must find what is
// wrong with it, and no more.
func TestExplorer(t *testing.T) {
	t.Parallel()
	for _, family := range []server.Family{server.MariaDB, server.MySQL} {
		s := &scenario{name: "toy", script: []stage{{name: "wait", do: func(*world) {}}}, writes: 1, power: true, cuts: true}
		s.guard = func(ctx context.Context, p *process) error {
			h := p.hostOf()
			for ctx.Err() == nil {
				own, err := h.Own(ctx)
				if err == nil {
					n, _ := h.Store.Load(ctx)
					if n.IsMaster() {
						if v, e := own.Variables(ctx, own.DB, "read_only"); e == nil && v["read_only"] == "ON" {
							_, err = own.DB.ExecContext(ctx, "SET GLOBAL read_only=0")
						}
					} else if status, _ := own.SlaveStatus(ctx, own.DB); status != nil && !status.Running() {
						err = own.Run(ctx, []server.Statement{own.Version.StartSlave(server.BothThreads)})
					}
					_ = own.Close()
				}
				_ = err // the next look mends it
				_ = server.Pause(ctx, time.Second)
			}
			return ctx.Err()
		}
		x := &explorer{scenario: s, family: family, depth: 1}
		report(t, x.explore(t, 2))
		t.Log(x.result())
	}
}
