package seed

import (
	"cmp"
	"context"

	"golang.org/x/time/rate"
)

// newLimiter holds a stream to a rate in bytes a second; 0: no limit. What was late
// may catch up for a tenth of a second at full speed.
func newLimiter(maxRate uint64) *rate.Limiter {
	if maxRate == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(maxRate), int(max(1, maxRate/10))) //nolint:gosec // a tenth is an int
}

// mayPass waits until n more bytes may pass a limiter; nil: at once.
func mayPass(ctx context.Context, limiter *rate.Limiter, n int) error {
	for limiter != nil && n > 0 {
		part := min(n, limiter.Burst())
		if err := limiter.WaitN(ctx, part); err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		n -= part
	}
	return nil
}
