package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// host is a host of its own on this machine: namespaces for the network, the processes, the
// mounts and the name, with folders of its own in place of /etc, /var, /run, /home, /tmp and
// /usr/local/bin. So each program is run as on any host, with the files in their usual places.
type host struct {
	name    string // the full one
	address string // on the network between the hosts
	dir     string // its folders
	prompt  string // of its root, in the report

	init *exec.Cmd     // its first process: with it all others end
	done chan struct{} // closed when that has ended
}

// folders are those that each host has of its own, in the order in which they are mounted: what
// is below /tmp here is not seen any more after that.
var folders = []string{"etc", "var", "run", "root", "home", "usr/local/bin", "tmp"}

// systemctl is the stand-in for it.
//
//go:embed systemctl
var systemctl []byte

// grace is how long anything may take; on an idle machine it is seconds.
const grace = 3 * time.Minute

// newHost makes the folders of a host: /etc as on this machine, without what is the grid's.
func newHost(ctx context.Context, parent, name, address string) (*host, error) {
	short, _, _ := strings.Cut(name, ".")
	h := &host{name: name, address: address, dir: filepath.Join(parent, short), prompt: short + "#"}
	for _, folder := range append([]string{
		"var/lib/mysql", "var/log/voms", "var/tmp", "run/lock", "etc/gtunnel",
	}, folders...) {
		if err := os.MkdirAll(h.path(folder), 0o755); err != nil {
			return nil, err
		}
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", "/etc/.", h.path("etc")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy /etc: %w: %s", err, out)
	}
	for _, folder := range []string{"etc/grid-security", "etc/vomses", "etc/voms", "etc/mysql"} {
		if err := os.RemoveAll(h.path(folder)); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(h.path("etc/grid-security/certificates"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(h.path("usr/local/bin/systemctl"), systemctl, 0o755); err != nil {
		return nil, err
	}
	return h, os.Chmod(h.path("tmp"), 0o777|os.ModeSticky)
}

// path is a file of the host, from outside.
func (h *host) path(file string) string { return filepath.Join(h.dir, file) }

// boot starts the host, without any service. The kernel kills it when we are killed.
func (h *host) boot(ctx context.Context) error {
	// Nothing of /run outlives a boot.
	if err := os.RemoveAll(h.path("run")); err != nil {
		return err
	}
	if err := os.MkdirAll(h.path("run/lock"), 0o755); err != nil {
		return err
	}
	script := []string{"mount --make-rprivate /"}
	for _, folder := range folders {
		script = append(script, fmt.Sprintf("mount --bind %s /%s", h.path(folder), folder))
	}
	// The shell reaps what has lost its parent, as an init does.
	script = append(script, "mount -t proc proc /proc", "hostname "+h.name, "ip link set lo up", "touch /run/up",
		"{ sleep infinity & wait; }")
	cmd := exec.Command("sh", "-c", strings.Join(script, " && ")) //nolint:noctx // ended by kill
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		Setpgid:    true, Pdeathsig: syscall.SIGKILL,
	}
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("make a host: %w", err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed, or its output says why
		close(done)
	}()
	h.init, h.done = cmd, done
	return until(ctx, h.name+" boots", func(context.Context) error {
		select {
		case <-done:
			return &finalError{fmt.Errorf("its first process ended: %s", printed.String())}
		default:
		}
		_, err := os.Stat(h.path("run/up"))
		return err
	})
}

// kill ends all that runs on the host at once, as a power cut does.
func (h *host) kill() {
	if h.init != nil {
		_ = h.init.Process.Kill() // it may have ended
		<-h.done
		h.init = nil
	}
}

// pid is the first process of the host, from outside.
func (h *host) pid() string { return strconv.Itoa(h.init.Process.Pid) }

// account is a user of a host; nil is root.
type account struct {
	uid, gid int
	home     string
}

// command is a line of a shell on the host, of which nothing is reported.
func (h *host) command(ctx context.Context, who *account, line string) *exec.Cmd {
	args, home := []string{"--target", h.pid(), "--all"}, "/root"
	if who != nil {
		args, home = append(args, "--setuid", strconv.Itoa(who.uid), "--setgid", strconv.Itoa(who.gid)), who.home
	}
	args = append(args, "env", "-i", "HOME="+home, "TERM=dumb", "LC_ALL=C.UTF-8",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", line)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.WaitDelay = 10 * time.Second // what the line has started ends with the host
	return cmd
}

// try runs a line as root and gives what it prints.
func (h *host) try(ctx context.Context, line string) (string, error) {
	out, err := h.command(ctx, nil, line).CombinedOutput()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return string(out), err
}

// must is try of a line that has to succeed.
func (h *host) must(ctx context.Context, line string) (string, error) {
	out, err := h.try(ctx, line)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%s: %s: %w\n%s", h.name, line, err, out)
	}
	return out, err
}

// connect joins the host to the network, which is a bridge on the machine of the user.
func (h *host) connect(ctx context.Context, network *host) error {
	port := strings.TrimSuffix(h.prompt, "#")
	for _, line := range [][]string{
		{network.pid(), "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", h.pid()},
		{network.pid(), "link", "set", port, "master", "network", "up"},
		{h.pid(), "address", "add", h.address + "/24", "dev", "eth0"},
		{h.pid(), "link", "set", "eth0", "up"},
	} {
		if err := ip(ctx, line[0], line[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// makeNetwork makes the bridge.
func (h *host) makeNetwork(ctx context.Context) error {
	for _, args := range [][]string{
		{"link", "add", "network", "type", "bridge"},
		{"address", "add", h.address + "/24", "dev", "network"},
		{"link", "set", "network", "up"},
	} {
		if err := ip(ctx, h.pid(), args...); err != nil {
			return err
		}
	}
	return nil
}

// ip runs the command of that name in the network of a process.
func ip(ctx context.Context, pid string, args ...string) error {
	args = append([]string{"--target", pid, "--net", "ip"}, args...)
	if out, err := exec.CommandContext(ctx, "nsenter", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args[4:], " "), err, out)
	}
	return nil
}

// finalError is an error after which it is of no use to wait any longer.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// until waits for check to succeed, trying again and again. It gives up when ctx ends, at a
// finalError, or after a while, and then says why check failed last.
func until(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if _, final := errors.AsType[*finalError](err); final {
			return fmt.Errorf("%s: %w", what, err)
		}
		if last == nil || ctx.Err() == nil {
			last = err // and not that the last attempt was cut short
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("%s: it took too long: %w", what, last)
		}
	}
}
