package compare

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// rangeSum is a range of a table, and what both ends say of it.
type rangeSum struct {
	*tableWork
	keyRange

	master, slave       checksum
	masterErr, slaveErr error // that the range could not be summed up
	near                bool  // they are the same only with floats as they are shown
}

// same reports whether both ends have the same rows.
func (r *rangeSum) same() bool { return r.master == r.slave }

// err is why there is no sum.
func (r *rangeSum) err() error {
	if r.masterErr != nil {
		return r.masterErr
	}
	return r.slaveErr
}

// sum sums ranges up on both ends at the same time, all of them in one round trip, and
// those again, without the rest of their floats, that only that may make differ.
func (c *comparing) sum(ctx context.Context, ranges []*rangeSum) error {
	if err := c.sumAll(ctx, ranges, true); err != nil {
		return err
	}
	var inexact []*rangeSum
	for _, r := range ranges {
		if r.err() == nil && !r.same() && r.exact != r.hash {
			inexact = append(inexact, r)
		}
	}
	if len(inexact) == 0 {
		return nil
	}
	err := c.sumAll(ctx, inexact, false)
	for _, r := range inexact {
		r.near = r.same()
	}
	return err
}

// sumAll asks both ends. What goes wrong with one range is noted there.
func (c *comparing) sumAll(ctx context.Context, ranges []*rangeSum, exactly bool) error {
	limit := c.limit()
	if len(ranges) == 0 {
		return nil
	}
	_ = c.ends.inBoth(func(s *session) error { // an error is noted with the ranges
		asks := make([]func(context.Context) error, len(ranges), len(ranges)+1)
		for i, r := range ranges {
			asks[i] = func(ctx context.Context) error {
				r.ask(ctx, s, limit, exactly)
				return nil
			}
		}
		return s.server.Together(ctx, s.conn, append(asks, s.free)...)
	})
	return context.Cause(ctx)
}

// leastLimit is the shortest time after which a query is given up.
const leastLimit = time.Second

// limit is how long a query may take: as long as the snapshot may be held.
func (c *comparing) limit() time.Duration {
	if c.queryLimit > 0 {
		return c.queryLimit
	}
	return max(c.maxSnapshot()-time.Since(c.ends.began), leastLimit)
}

// ask asks one end. A table that was read before is freed, for those who wait to alter it.
func (r *rangeSum) ask(ctx context.Context, s *session, limit time.Duration, exactly bool) {
	hash := r.hash
	if exactly {
		hash = r.exact
	}
	t, k := r.at(s)
	if k == nil || r.endless {
		limit = 0
	}
	sum, err := s.checksum(ctx, freeTables+s.within(limit, checksumQuery(t, k, r.keyRange, hash)))
	if s == r.ends.master {
		r.master, r.masterErr = sum, err
	} else {
		r.slave, r.slaveErr = sum, err
	}
}

// free frees the tables that the session has read.
func (s *session) free(ctx context.Context) error {
	_, err := s.query(ctx, freeTables+"SELECT 1")
	if server.ErrorNumber(err) != 0 {
		return nil // the next query says it
	}
	return err
}
