package watch

import (
	"context"
	"time"
)

// watch looks at the slave again and again while it lacks something of the
// master, or nothing tells whether the link is alive.
func (r *statusReader) watch(ctx context.Context, window time.Duration) error {
	first := r.Connection
	if first == nil || first.IORunning != "Yes" {
		return nil
	}
	switch {
	case r.Lag.Unread != nil && *r.Lag.Unread > 0:
	case r.Lag.Unread != nil || r.Lag.Silence != nil || first.HeartbeatPeriod == 0:
		return nil
	case first.HeartbeatPeriod+window > maxWatch:
		return nil // it is not worth the wait: nothing is known of the link
	default: // a heartbeat must come
		window += first.HeartbeatPeriod
	}
	const pause = 50 * time.Millisecond
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for begun := time.Now(); r.watched < window; r.watched = time.Since(begun) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := r.readConnection(ctx); err != nil {
			return err
		}
		c := r.Connection
		if c == nil || c.IORunning != "Yes" || c.Read != first.Read ||
			c.Heartbeats != first.Heartbeats && r.Lag.Unread == nil {
			r.moved = true
			return nil
		}
		if r.Lag.Unread != nil && *r.Lag.Unread == 0 {
			return nil
		}
	}
	r.silent = true
	return nil
}

// maxWatch bounds the wait for a heartbeat.
const maxWatch = 15 * time.Second
