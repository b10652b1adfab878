package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// server is the MariaDB server of a host.
type server struct {
	*process
	*servertest.Server
}

// startServers makes and starts both servers at once.
func (d *demo) startServers(ctx context.Context) (err error) {
	if d.lab, err = servertest.NewLabIn(d.dir); err != nil {
		return err
	}
	var group sync.WaitGroup
	var errs [2]error
	for i, h := range []*host{d.master, d.slave} {
		group.Go(func() { errs[i] = d.startServer(ctx, h) })
	}
	group.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	var version string
	if err := d.master.server.DB.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return involving(fmt.Errorf("ask the master for its version: %w", err), d.master.server.process)
	}
	d.report.note("MariaDB %s; both listen on 127.0.0.1 only.", version)
	return nil
}

// startServer makes and starts the host's server, and waits until it answers.
func (d *demo) startServer(ctx context.Context, h *host) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errTooLong)
	defer cancel()
	s, err := d.lab.Start(ctx, servertest.MariaDB, servertest.Options{
		Name: "the " + h.role + "'s mariadbd", Dir: filepath.Join(h.dir, "mysql"), Port: h.port,
	})
	if err != nil {
		return err
	}
	h.server = server{process: &process{name: s.Name, log: s.LogFile(), done: s.Ended()}, Server: s}
	return d.noteCommand(s.Name, s.Command())
}
