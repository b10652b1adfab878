package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// space is a network namespace.
type space struct {
	t          testing.TB
	name, host string
	peer       string // the address of the other
}

// spaces counts those of this process.
var spaces atomic.Int64

// newSpaces makes two namespaces with a link between them. They go with the test.
func newSpaces(t testing.TB) [2]*space {
	t.Helper()
	t.Attr("needs", "ip")
	if testing.Short() {
		t.Skip("left out by -short: needs network namespaces")
	}
	if err := exec.CommandContext(t.Context(), "ip", "netns").Run(); err != nil || os.Geteuid() != 0 {
		const hint = "run as root: .ci/install failover"
		if os.Getenv("CI") != "" {
			t.Fatalf("no network namespaces can be made (ip netns: %v): %s", err, hint)
		}
		t.Skipf("no network namespaces can be made (ip netns: %v): %s", err, hint)
	}
	removeOldSpaces()
	var made [2]*space
	var hosts strings.Builder
	hosts.WriteString("127.0.0.1 localhost\n")
	for i := range made {
		fmt.Fprintln(&hosts, pairAddresses[i], pairNames[i])
	}
	number := spaces.Add(1)
	for i := range made {
		s := &space{
			t: t, name: fmt.Sprintf("gtunnel-%d-%d-%d", os.Getpid(), number, i+1), host: pairNames[i], peer: pairAddresses[1-i],
		}
		made[i] = s
		folder := filepath.Join("/etc/netns", s.name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(folder) })
		if err := os.WriteFile(filepath.Join(folder, "hosts"), []byte(hosts.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		ip(t, "netns", "add", s.name)
		t.Cleanup(func() { ip(t, "netns", "delete", s.name) })
	}
	made[0].ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", made[1].name)
	for i, s := range made {
		s.ip("address", "add", pairAddresses[i]+"/24", "dev", "eth0")
		s.ip("link", "set", "lo", "up")
		s.ip("link", "set", "eth0", "up")
	}
	return made
}

// removeOldSpaces removes, once, what killed runs of these tests have left.
var removeOldSpaces = sync.OnceFunc(func() {
	left, _ := filepath.Glob("/etc/netns/gtunnel-*-*-*")
	for _, folder := range left {
		name := filepath.Base(folder)
		if _, err := os.Stat("/proc/" + strings.Split(name, "-")[1]); err == nil {
			continue // its process lives
		}
		_ = exec.CommandContext(context.Background(), "ip", "netns", "delete", name).Run() // it may not be there
		_ = os.RemoveAll(folder)
	}
})

// ip runs the command of that name, which must succeed.
func ip(t testing.TB, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "ip", args...).CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// ip is the same in the namespace.
func (s *space) ip(args ...string) {
	s.t.Helper()
	ip(s.t, append([]string{"-netns", s.name}, args...)...)
}

// enter is a command line that executes its arguments on the host.
func (s *space) enter() []string { return []string{"ip", "netns", "exec", s.name} }

// within calls start in the namespace, in this thread.
func (s *space) within(start func() error) error {
	before, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer before.Close()
	inside, err := os.Open("/var/run/netns/" + s.name)
	if err != nil {
		return err
	}
	defer inside.Close()
	if err := unix.Setns(int(inside.Fd()), syscall.CLONE_NEWNET); err != nil {
		return err
	}
	return errors.Join(start(), unix.Setns(int(before.Fd()), syscall.CLONE_NEWNET))
}
