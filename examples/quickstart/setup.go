package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gtunnel/gtunnel/replication/watch"
)

// setupMaster makes the master ready by the command, which leaves a file for
// the slave.
func (d *demo) setupMaster(ctx context.Context) error {
	out, err := d.replication(ctx, d.master, "setup-master", "--databases", "quickstart", "--hand-over",
		d.handOver(d.master), "--yes")
	if err != nil {
		return err
	}
	d.noteDone(out)
	return nil
}

// setupSlave takes the file to the slave, and makes it a slave by the command.
func (d *demo) setupSlave(ctx context.Context) error {
	if err := d.takeHandOver(); err != nil {
		return err
	}
	out, err := d.replication(ctx, d.slave, "setup-slave", "--hand-over", d.handOver(d.slave), "--master", d.slave.accept,
		"--state-dir", filepath.Join(d.slave.dir, "state"), "--monitor-file", d.monitorFile(), "--yes")
	if err != nil {
		return err
	}
	d.noteDone(out)
	return nil
}

// takeHandOver takes the file with the passwords to the slave.
func (d *demo) takeHandOver() error {
	secrets, err := os.ReadFile(d.handOver(d.master))
	if err != nil {
		return err
	}
	return os.WriteFile(d.handOver(d.slave), secrets, 0o600)
}

// showStatus asks the slave how the replication is.
func (d *demo) showStatus(ctx context.Context) error {
	out, err := d.replication(ctx, d.slave, "status", d.masterFlags()...)
	if err != nil {
		return err
	}
	d.noteText(out)
	return nil
}

// status asks the slave how the replication is, for us to look at.
func (d *demo) status(ctx context.Context) (*watch.Status, error) {
	args := append([]string{"replication", "status", "--json", "--socket", d.slave.server.Socket}, d.masterFlags()...)
	cmd := exec.CommandContext(ctx, d.binary, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	// It exits with 1 if the replication is not well, and says so in its JSON.
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1 || len(out) == 0) {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("gtunnel replication status: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	status := new(watch.Status)
	if err := json.Unmarshal(out, status); err != nil {
		return nil, fmt.Errorf("gtunnel replication status: %w", err)
	}
	return status, nil
}

// masterFlags are what status and compare need here; on a real slave they need
// none.
func (d *demo) masterFlags() []string {
	return []string{
		"--master", d.slave.accept, "--master-defaults-file", d.monitorFile(), "--state-dir",
		filepath.Join(d.slave.dir, "state"),
	}
}

// handOver is where the passwords of the slave are on a host.
func (d *demo) handOver(h *host) string { return filepath.Join(h.dir, "hand-over.json") }

// monitorFile is where the slave keeps its login on the master for status.
func (d *demo) monitorFile() string { return filepath.Join(d.slave.dir, "master.cnf") }

// replication runs a command of gtunnel replication on a host, by the socket of
// its server, and gives what it prints.
func (d *demo) replication(ctx context.Context, h *host, command string, args ...string) (string, error) {
	name := "gtunnel replication " + command
	log := filepath.Join(h.dir, command+".log")
	argv := append([]string{d.binary, "replication", command, "--socket", h.server.Socket}, args...)
	p, err := d.start(name, h.dir, log, argv...)
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.stop(context.WithoutCancel(ctx))
		return "", ctx.Err()
	}
	out, err := os.ReadFile(log)
	if err != nil {
		return "", err
	}
	if !p.cmd.ProcessState.Success() {
		return string(out), involving(fmt.Errorf("%s: %s", name, p.state()), append(d.all(), p)...)
	}
	return string(out), nil
}

// noteDone notes the steps that a command has done. Its plan, with all that
// there is to say about each step, is above them.
func (d *demo) noteDone(out string) {
	_, done, _ := strings.Cut(out, "\n\n")
	steps, _, _ := strings.Cut(done, "\n\n")
	d.noteText(steps)
}

// noteText notes what a command printed. It breaks long lines, which belong to
// a word at their left.
func (d *demo) noteText(text string) {
	const most, indent = width - 4, 12
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		for len(line) > most {
			end := strings.LastIndexByte(line[:most+1], ' ')
			if end <= indent {
				break
			}
			d.report.note("%s", line[:end])
			line = strings.Repeat(" ", indent) + line[end+1:]
		}
		if line != "" {
			d.report.note("%s", line)
		}
	}
}
