package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// makePair makes a pair of the two hosts: either can be the master from here on. Each has
// a configuration file, of which gtunnel run makes both tunnels.
func (d *demo) makePair(ctx context.Context) error {
	for _, h := range []*host{d.master, d.slave} {
		h.gtunnel.stop(ctx)
		if err := os.WriteFile(h.config(), []byte(d.configOf(h)), 0o644); err != nil {
			return err
		}
		h.gtunnel.args = []string{"run", "--config", h.config()}
		if err := d.startTunnel(ctx, h); err != nil {
			return err
		}
	}
	if _, err := d.onPair(ctx, d.master, "setup-master", "--hand-over", d.handOver(d.master), "--yes"); err != nil {
		return err
	}
	if err := d.takeHandOver(); err != nil {
		return err
	}
	if _, err := d.onPair(ctx, d.slave, "setup-slave", "--hand-over", d.handOver(d.slave), "--yes"); err != nil {
		return err
	}
	for _, h := range []*host{d.master, d.slave} {
		if err := d.startGuard(ctx, h); err != nil {
			return err
		}
	}
	d.report.note("Both hosts have the same [pair] in gtunnel.toml now, a tunnel each way, and")
	d.report.note("a guard: no other program makes a server writable, or read-only.")
	return nil
}

// config is the configuration file of a host.
func (h *host) config() string { return filepath.Join(h.dir, "gtunnel.toml") }

// configOf is what is in it. Hosts of their own have the section [pair] alike, with hosts
// alone.
func (d *demo) configOf(h *host) string {
	return fmt.Sprintf(`[tls]
cert = %q
key = %q
capath = %q

[admin]
address = %q

[pair]
hosts = [%q, %q]
accept = %q
connect = %q
local = %q
addresses = [%q, %q]
`, h.certFile, h.keyFile, d.capath(), h.gtunnel.admin, d.master.name, d.slave.name, h.tls, address(h.port),
		h.plain, d.master.tls, d.slave.tls)
}

// pairFlags say where a host has what is in /etc and /var on a host of its own.
func (h *host) pairFlags() []string {
	return []string{
		"--config", h.config(), "--state-dir", filepath.Join(h.dir, "state"), "--monitor-file",
		filepath.Join(h.dir, "master.cnf"), "--replication-file", filepath.Join(h.dir, "replication.cnf"),
	}
}

// onPair runs a command of gtunnel replication on a host of the pair.
func (d *demo) onPair(ctx context.Context, h *host, command string, args ...string) (string, error) {
	return d.replication(ctx, h, command, append(args, h.pairFlags()...)...)
}

// startGuard starts the guard of a host, and waits until it has said that this host can
// follow the other.
func (d *demo) startGuard(ctx context.Context, h *host) error {
	name := "the " + h.role + "'s guard"
	argv := append([]string{d.binary, "replication", "guard", "--socket", h.server.Socket}, h.pairFlags()...)
	guard, err := d.start(name, h.dir, filepath.Join(h.dir, "guard.log"), argv...)
	if err != nil {
		return err
	}
	return until(ctx, "wait for "+name, func(ctx context.Context) error {
		var ready bool
		err := h.server.DB.QueryRowContext(ctx, "SELECT record LIKE '%logged_in%' FROM gtunnel.pair").Scan(&ready)
		if err == nil && !ready {
			err = errors.New("it has not logged in to the other server")
		}
		return err
	}, guard)
}

// switchOver makes the slave the master.
func (d *demo) switchOver(ctx context.Context) error { return d.switchTo(ctx, d.slave, d.master) }

// switchBack makes the old master that again.
func (d *demo) switchBack(ctx context.Context) error { return d.switchTo(ctx, d.master, d.slave) }

// switchTo switches over to a host, and writes a row there, which the other gets.
func (d *demo) switchTo(ctx context.Context, to, from *host) error {
	out, err := d.onPair(ctx, to, "switchover", "--yes")
	if err != nil {
		return err
	}
	said := strings.Split(strings.TrimSpace(out), "\n\n")
	d.noteText(said[len(said)-1])
	words := "written on " + to.name
	if err := execute(ctx, to.server, "INSERT INTO quickstart.messages (words) VALUES ('"+words+"')"); err != nil {
		return err
	}
	return until(ctx, "wait for the row on "+from.name, func(ctx context.Context) error {
		var there bool
		err := from.server.DB.QueryRowContext(ctx, "SELECT COUNT(*) > 0 FROM quickstart.messages WHERE words = ?",
			words).Scan(&there)
		if err == nil && !there {
			err = errors.New("it has not come")
		}
		return err
	}, d.all()...)
}
