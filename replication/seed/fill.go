package seed

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/server"
)

// readyDumper finds what a dump is made with, and what is to be known of it before. Both of
// its connections to the master are there then for the copy, which need not wait for others.
func (c *copying) readyDumper(ctx context.Context) error {
	var sizes map[string]uint64
	err := server.AtOnce(ctx,
		func(ctx context.Context) error {
			return c.Master.Together(ctx, c.Master.DB,
				func(ctx context.Context) (err error) {
					c.dumper, c.foreign, err = c.dumperOf(ctx)
					return err
				},
				func(ctx context.Context) (err error) {
					c.recode, _, err = c.recodings(ctx)
					return err
				})
		},
		func(ctx context.Context) (err error) {
			sizes, err = c.tableSizes(ctx)
			return err
		})
	if err != nil {
		return err
	}
	if p := c.mayEnd(c.dumper); p != nil && c.MaxRate > 0 {
		return p
	}
	c.meter = newMeter(sizes)
	return nil
}

// fill runs a method that loads, and ends what a copy has at its end.
func (c *copying) fill(
	ctx context.Context, method func(context.Context) (server.Position, error),
) (position server.Position, err error) {
	if c.loader, err = findTool(ctx, loadTool(c.Slave.Version.Family)); err != nil {
		return server.Position{}, err
	}
	restore, err := c.widenPackets(ctx)
	if err != nil {
		return server.Position{}, err
	}
	defer func() {
		if e := restore(); err == nil && e != nil {
			position, err = server.Position{}, e
		}
	}()
	return c.beside(ctx, func(ctx context.Context) (server.Position, error) {
		position, err := method(ctx)
		if err == nil {
			c.meter.enter(PhaseEnd)
			err = c.disableEvents(ctx)
		}
		if err != nil {
			return server.Position{}, err
		}
		return position, nil
	})
}

// beside runs a method beside the guard on the master, and tells the progress.
func (c *copying) beside(
	ctx context.Context, method func(context.Context) (server.Position, error),
) (position server.Position, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.guard, err = c.newGuard(ctx, cancel); err != nil {
		return server.Position{}, err
	}
	defer c.guard.close()
	defer c.meter.show(ctx, c.Progress)()
	return method(ctx)
}
