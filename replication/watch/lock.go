package watch

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// watchLock looks whether what the slave applies waits for a lock, and still does
// after a while.
func (r *statusReader) watchLock(ctx context.Context, window time.Duration) error {
	c := r.Connection
	if c == nil || c.SQLRunning != "Yes" || r.Lag.Bytes != nil && *r.Lag.Bytes == 0 {
		return nil
	}
	first, err := r.slave.FindLockWait(ctx, r.conn)
	if err != nil || first == nil {
		return err
	}
	at := c.Executed
	if err := server.Pause(ctx, window); err != nil {
		return err
	}
	second, err := r.slave.FindLockWait(ctx, r.conn)
	if err != nil || second == nil || second.Applier.ID != first.Applier.ID {
		return err
	}
	if err := r.readConnection(ctx); err != nil {
		return err
	}
	if r.Connection != nil && r.Connection.Executed == at {
		r.blocked = second
	}
	return nil
}
