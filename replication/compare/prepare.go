package compare

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// prepared is what a leg needs before the slave stands. It is of no position.
type prepared struct {
	at     time.Time
	names  []string // of the databases to compare
	others []string // databases that are left out
	ends   *snapshotEnds
	master *schema
	to     server.Position // where the master was
}

// Prepare asks the master for what a comparison that is to come soon needs of it: over a
// long way that takes several round trips, for which whoever waits for the slave need not
// wait once more. The next Compare takes it, and asks anew for what is too old by then, or
// has not come. One that does not come to Compare calls Release.
func (c *Comparison) Prepare(ctx context.Context) {
	c.prepared, _ = c.newWalk(c.Tables).prepare(ctx) // Compare says what is wrong
}

// Release ends what Prepare has begun and no Compare has taken.
func (c *Comparison) Release(ctx context.Context) {
	if c.prepared != nil {
		c.prepared.ends.close(ctx)
		c.prepared = nil
	}
}

// freshTime is how long what is prepared may wait for the slave.
const freshTime = 10 * time.Second

// ready gives what the next leg needs. The caller closes its ends.
func (w *walk) ready(ctx context.Context) (*prepared, error) {
	p := w.prepared
	if w.legs > 0 || w.second || p == nil || time.Since(p.at) > freshTime {
		w.Release(ctx)
		var err error
		if p, err = w.prepare(ctx); err != nil {
			return nil, err
		}
	}
	w.prepared, w.databaseNames = nil, p.names
	return p, nil
}

// prepare asks for what the next leg needs.
func (w *walk) prepare(ctx context.Context) (*prepared, error) {
	p := &prepared{at: time.Now(), names: w.databaseNames}
	err := server.AtOnce(ctx,
		func(ctx context.Context) error {
			if w.legs > 0 {
				return nil
			}
			return w.Master.Together(ctx, w.Master.DB, func(ctx context.Context) (err error) {
				p.names, p.others, err = w.databases(ctx)
				return err
			}, func(ctx context.Context) error {
				if w.second {
					return nil
				}
				return w.look(ctx)
			})
		},
		func(ctx context.Context) (err error) {
			p.ends, err = w.openEnds(ctx)
			return err
		})
	if err == nil {
		p.master, p.to, err = w.readMaster(ctx, p.ends, p.names, w.left)
	}
	if err != nil {
		p.ends.close(ctx)
		return nil, err
	}
	return p, nil
}

// readMaster reads what the master has of some databases, or of some of their tables, and
// where its binary log stands.
func (c *Comparison) readMaster(
	ctx context.Context, ends *snapshotEnds, databases, only []string,
) (master *schema, at server.Position, err error) {
	err = server.AtOnce(ctx,
		func(ctx context.Context) (err error) {
			master, err = readSchema(ctx, ends.scout, databases, only)
			return err
		},
		func(ctx context.Context) (err error) {
			at, err = c.Master.Position(ctx, c.Master.DB)
			return err
		})
	return master, at, err
}
