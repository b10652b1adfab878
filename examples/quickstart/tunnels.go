package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

// gtunnel is the tunnel's end on a host.
type gtunnel struct {
	*process

	admin string   // address of its admin socket
	args  []string // its command line without the program
}

// makeCertificates gives both hosts what a grid host has in
// /etc/grid-security: its certificate and key, and the CApath.
func (d *demo) makeCertificates(context.Context) error {
	ca, err := certstest.NewCA("Quickstart CA", certstest.Options{})
	if err != nil {
		return err
	}
	if err := certstest.WriteCApath(d.capath(), ca); err != nil {
		return err
	}
	for _, h := range []*host{d.master, d.slave} {
		certificate, err := ca.NewHost(h.name, certstest.Options{})
		if err != nil {
			return err
		}
		if h.certFile, h.keyFile, err = certificate.Write(h.dir); err != nil {
			return err
		}
		d.report.note("%-8s /DC=test/DC=gtunnel/O=hosts/CN=%s", h.role, h.name)
	}
	return nil
}

// startTunnels starts gtunnel on both hosts. The hosts are loopback addresses
// here, so the slave is told which name the master must prove.
func (d *demo) startTunnels(ctx context.Context) error {
	d.master.gtunnel.args = append([]string{
		"server", "--accept", d.master.accept, "--connect", address(d.master.port),
		"--allow-host", d.slave.name,
	}, d.commonFlags(d.master)...)
	d.slave.gtunnel.args = append([]string{
		"client", "--accept", d.slave.accept, "--connect", d.master.accept,
		"--server-name", d.master.name,
	}, d.commonFlags(d.slave)...)
	for _, h := range []*host{d.master, d.slave} {
		if err := d.startTunnel(ctx, h); err != nil {
			return err
		}
	}
	d.report.note("The master's lets %s in, and nobody else;", d.slave.name)
	d.report.note("the slave's talks to %s, and to nobody else.", d.master.name)
	return nil
}

func (d *demo) commonFlags(h *host) []string {
	return []string{
		"--cert", h.certFile, "--key", h.keyFile, "--capath", d.capath(),
		"--admin", h.gtunnel.admin, "--drain-timeout", "1s", "--log-format", "console",
	}
}

// startTunnel starts the host's gtunnel and waits until it answers.
func (d *demo) startTunnel(ctx context.Context, h *host) (err error) {
	name := "the " + h.role + "'s gtunnel"
	argv := append([]string{d.binary}, h.gtunnel.args...)
	if h.gtunnel.process, err = d.start(name, h.dir, filepath.Join(h.dir, "gtunnel.log"), argv...); err != nil {
		return err
	}
	return until(ctx, "wait for "+name, func(ctx context.Context) error {
		_, err := d.admin(ctx, h)
		return err
	}, h.gtunnel.process)
}

// counters asks the host's gtunnel what it has carried since it started.
func (d *demo) counters(ctx context.Context, h *host) (tunnel.Status, error) {
	answer, err := d.admin(ctx, h)
	if err != nil {
		return tunnel.Status{}, err
	}
	if len(answer.Tunnels) != 1 {
		return tunnel.Status{}, fmt.Errorf("gtunnel status: not one tunnel: %+v", answer)
	}
	return answer.Tunnels[0], nil
}

// admin asks the host's gtunnel how it is.
func (d *demo) admin(ctx context.Context, h *host) (tunnel.AdminStatus, error) {
	cmd := exec.CommandContext(ctx, d.binary, "status", "--admin", h.gtunnel.admin, "--json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return tunnel.AdminStatus{}, fmt.Errorf("gtunnel status: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var answer tunnel.AdminStatus
	if err := json.Unmarshal(out, &answer); err != nil {
		return tunnel.AdminStatus{}, fmt.Errorf("gtunnel status: %w", err)
	}
	return answer, nil
}
