// Package nspawn boots Debian hosts beside this one, for tests: a whole system with
// systemd as its init, in a container of systemd-nspawn, with a network of its own that
// has only the loopback interface.
//
//	host := nspawn.New(t, "debian-12")
//	host.Copy("/usr/bin/gtunnel", "bin/gtunnel", 0o755) // before it boots, or later
//	host.Boot()
//	host.Run("systemctl", "start", "gtunnel-server")
//
// The tree of a suite is made once by .ci/install debian12 (or debian13); what a host
// writes lies over it, and goes with the test.
package nspawn

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// landlockCalls are what a host can do and systemd-nspawn forbids a container.
const landlockCalls = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"

// bootTime is how long a busy machine may take to boot a host, or to end one.
const bootTime = 3 * time.Minute

// Host is a Debian of its own. Its methods fail the test that made it, and are for that
// test's goroutine, but for Command.
type Host struct {
	Root string // its file system, seen from here

	t      *testing.T
	init   int           // its first process, as this host numbers it; 0: it is not booted
	ended  chan struct{} // closed when it is off; nil: it was not booted
	output strings.Builder
}

// New makes a host of a suite, debian-12 or debian-13, which does not run yet. It skips
// the test where that needs more than this machine has, except in continuous integration.
func New(t *testing.T, suite string) *Host {
	t.Helper()
	t.Attr("needs", suite)
	if testing.Short() {
		t.Skip("left out by -short: needs " + suite)
	}
	tree := filepath.Join(folder(), suite)
	if missing := missing(tree); missing != "" {
		message := fmt.Sprintf("%s: run as root: .ci/install %s", missing, strings.ReplaceAll(suite, "-", ""))
		if os.Getenv("CI") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	base := t.TempDir()
	h := &Host{Root: filepath.Join(base, "root"), t: t}
	for _, name := range []string{"root", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(base, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", tree, base, base)
	if err := syscall.Mount("overlay", h.Root, "overlay", 0, layers); err != nil {
		t.Fatalf("mount overlay: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(h.Root, 0); err != nil {
			t.Errorf("umount: %v", err)
		}
	})
	return h
}

// folder is where .ci/servers puts the trees.
func folder() string {
	if own := os.Getenv("GTUNNEL_SERVERS"); own != "" {
		return own
	}
	return "/var/cache/gtunnel"
}

// missing says what a host needs that is not there; empty: nothing.
func missing(tree string) string {
	if os.Geteuid() != 0 {
		return "needs root"
	}
	for _, program := range []string{"systemd-nspawn", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			return program + " is missing"
		}
	}
	if _, err := os.Stat(tree); err != nil {
		return tree + " is missing"
	}
	return ""
}

// Path is a file of the host, seen from here. A link in it must not lead to its root.
func (h *Host) Path(name string) string { return filepath.Join(h.Root, name) }

// Write writes a file of the host in one step, as a person's editor does, and makes its
// folder.
func (h *Host) Write(name, text string, mode fs.FileMode) {
	h.t.Helper()
	path := h.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), mode); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(path+".new", mode); err != nil { // whatever the umask is
		h.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		h.t.Fatal(err)
	}
}

// Copy writes a file of the host that this one has.
func (h *Host) Copy(name, from string, mode fs.FileMode) {
	h.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Write(name, string(data), mode)
}

// Boot starts the host, and waits until all its units have started or failed. It is
// switched off at the end of the test, or by Stop.
func (h *Host) Boot() {
	h.t.Helper()
	// Stop ends it in order, after the test's context.
	cmd := exec.CommandContext(context.WithoutCancel(h.t.Context()), "systemd-nspawn",
		"--quiet", "--register=no", "--keep-unit", "--system-call-filter="+landlockCalls, "--private-network",
		"--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe", "--boot", "--directory="+h.Root)
	cmd.Stdout, cmd.Stderr = &h.output, &h.output
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan struct{})
	h.ended = ended
	go func() {
		_ = cmd.Wait() // how it ended is of no interest
		close(ended)
	}()
	h.t.Cleanup(h.Stop)
	deadline := time.Now().Add(bootTime)
	for state := ""; state != "running" && state != "degraded"; {
		select {
		case <-ended:
			h.t.Fatalf("the host has not booted:\n%s", h.output.String())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("the host is not up: it is %q", state)
		}
		h.init = child(cmd.Process.Pid)
		if h.init == 0 {
			continue
		}
		out, _ := h.Command(h.t.Context(), "systemctl", "is-system-running").Output() // fails until it runs
		state = strings.TrimSpace(string(out))
	}
}

// child is the only child of a process; 0: it has none yet.
func child(pid int) int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(list)), " ")
	found, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return found
}

// Stop switches the host off, in order, and waits. Boot starts it again.
func (h *Host) Stop() {
	if h.ended == nil {
		return
	}
	const poweroff = syscall.Signal(34 + 4) // SIGRTMIN+4 of systemd(1)
	if h.init != 0 {
		_ = syscall.Kill(h.init, poweroff) // fails if it is off
	}
	select {
	case <-h.ended:
	case <-time.After(bootTime):
		_ = syscall.Kill(h.init, syscall.SIGKILL)
		<-h.ended
		h.t.Errorf("the host did not switch off by itself")
	}
	h.init, h.ended = 0, nil
}

// Command is a program that runs on the booted host, as its root. It may be made
// concurrently.
func (h *Host) Command(ctx context.Context, args ...string) *exec.Cmd {
	namespaces := []string{
		"--target", strconv.Itoa(h.init), "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "--",
	}
	cmd := exec.CommandContext(ctx, "nsenter", append(namespaces, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	return cmd
}

// InNetwork is a program of this machine in the network of the booted host: for what its tree
// has no program for, such as ip.
func (h *Host) InNetwork(args ...string) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), "nsenter",
		append([]string{"--target", strconv.Itoa(h.init), "--net", "--"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Try runs a program on the host, and gives what it printed, both streams.
func (h *Host) Try(args ...string) (string, error) {
	out, err := h.Command(h.t.Context(), args...).CombinedOutput()
	return string(out), err
}

// Run is Try of a program that must not fail.
func (h *Host) Run(args ...string) string {
	h.t.Helper()
	out, err := h.Try(args...)
	if err != nil {
		h.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Wait asks again and again until done, or fails after a time that no healthy machine
// needs. It gives up at the end of the test's own time, too.
func (h *Host) Wait(what string, done func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(bootTime)
	for !done() {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
