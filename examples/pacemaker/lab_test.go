package pacemaker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

const (
	image = "gtunnel-example/pacemaker-host"
	base  = "gtunnel-example/pacemaker-base" // without this example's files
	label = "gtunnel-example=pacemaker"

	// How long a command may take, and something may be waited for, on a busy machine.
	patience = 90 * time.Second
)

// The hosts, and what they have in corosync.conf and cluster.crm.
var (
	server1 = &host{name: "server1.domain.one", ip: "198.51.100.11"}
	server2 = &host{name: "server2.domain.two", ip: "198.51.100.12"}
	quorum  = &host{name: "quorum", ip: "198.51.100.13"}
)

const (
	subnet  = "198.51.100.0/24"
	address = "198.51.100.100" // of the service
)

// host is a container.
type host struct {
	name, ip string
	id       string
}

// peer is the other one that has a database.
func (h *host) peer() *host {
	if h == server1 {
		return server2
	}
	return server1
}

// lab is the three hosts, and what switches them off.
type lab struct {
	ctx    context.Context // ends before the test does, so that there is time to remove everything
	docker string
	folder string // what the hosts see as /lab
	pdu    *pdu
	begun  time.Time
}

// newLab starts the hosts, with nothing but their programs, and arranges that nothing of
// them stays but the image.
func newLab(t *testing.T) *lab {
	t.Helper()
	t.Attr("needs", "docker")
	if testing.Short() {
		t.Skip("left out by -short: needs Docker")
	}
	l := &lab{docker: "docker", folder: t.TempDir(), begun: time.Now()}
	if _, err := os.Stat("/usr/bin/docker"); err == nil {
		l.docker = "/usr/bin/docker" // Debian's, which fits its engine
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	t.Cleanup(cancel)
	l.ctx = ctx
	if _, err := l.run("version"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Docker engine answers: %v", err)
		}
		t.Skipf("no Docker engine answers: %v", err)
	}
	l.alone(t)
	l.build(t)
	l.fill(t)
	t.Cleanup(func() {
		l.ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if t.Failed() {
			l.log(t)
		}
		l.remove(t)
	})
	l.remove(t) // what a test that was killed has left
	l.mustRun(t, "network", "create", "--label", label, "--internal", "--subnet", subnet, "gtunnel-pacemaker")
	l.pdu = newPDU(t, l)
	for _, h := range []*host{server1, server2, quorum} {
		l.start(t, h)
	}
	return l
}

// alone waits for other tests of this example: the addresses of its hosts are fixed.
func (l *lab) alone(t *testing.T) {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "gtunnel-pacemaker.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			t.Fatal(err)
		}
		select {
		case <-l.ctx.Done():
			t.Fatal("another test of this example runs on this machine")
		case <-time.After(time.Second):
		}
	}
}

// build makes the image and the program.
func (l *lab) build(t *testing.T) {
	t.Helper()
	packages, err := os.ReadFile("host/packages")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{
		{"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(l.folder, "gtunnel"), "../../cmd/gtunnel"},
		append([]string{"../replication/base-image", base}, strings.Fields(string(packages))...),
		{l.docker, "build", "--tag", image, "host"},
	} {
		cmd := exec.CommandContext(l.ctx, line[0], line[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "DOCKER="+l.docker, "DOCKER_BUILDKIT=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", line, err, out)
		}
	}
}

// fill puts into the folder what an administrator brings to the hosts: the files of this
// example as they stand, host certificates of one CA, and corosync's key.
func (l *lab) fill(t *testing.T) {
	t.Helper()
	for _, file := range []string{"gtunnel.toml", "corosync.conf", "cluster.crm"} {
		copyFile(t, file, filepath.Join(l.folder, file), 0o644)
	}
	copyFile(t, "gtunnel", filepath.Join(l.folder, "agent"), 0o755)
	ca, err := certstest.NewCA("Example Grid CA", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*host{server1, server2} {
		certificate, err := ca.NewHost(h.name, certstest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(l.folder, h.name)
		if _, _, err := certificate.Write(folder); err != nil {
			t.Fatal(err)
		}
		if err := certstest.WriteCApath(filepath.Join(folder, "certificates"), ca); err != nil {
			t.Fatal(err)
		}
	}
	key := make([]byte, 256)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.folder, "authkey"), key, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(l.folder, "pdu"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start starts a host for the first time.
func (l *lab) start(t *testing.T, h *host) {
	t.Helper()
	args := []string{
		"run", "--detach", "--label", label, "--hostname", h.name, "--network", "gtunnel-pacemaker", "--ip", h.ip,
		// What a host of a cluster does to itself: its addresses, and corosync before others.
		"--cap-add", "NET_ADMIN", "--cap-add", "SYS_NICE", "--shm-size", "256m", "--tmpfs", "/run:mode=0755",
		"--volume", l.folder + ":/lab:ro", "--volume", filepath.Join(l.folder, "pdu") + ":/run/pdu",
	}
	// A host of a cluster that is starved of processors is fenced, and rightly so: those of the
	// lab come before other tests, where Docker can do that.
	if driver, err := l.run("info", "--format", "{{.CgroupDriver}}"); err == nil && driver == "cgroupfs" {
		args = append(args, "--cgroup-parent", "/", "--cpu-shares", "16384")
	}
	for _, other := range []*host{server1, server2, quorum} {
		args = append(args, "--add-host", other.name+":"+other.ip)
	}
	h.id = l.mustRun(t, append(args, image)...)
}

// run runs a docker command and gives what it printed, without the last line end. The error
// holds all that it said.
func (l *lab) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.docker, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("docker %s: %w: %s%s", strings.Join(args, " "), err, &stderr, &stdout)
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// mustRun is run for what has to work.
func (l *lab) mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := l.run(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// on runs a script on a host.
func (l *lab) on(h *host, script string) (string, error) {
	return l.run("exec", h.id, "bash", "-euo", "pipefail", "-c", script)
}

// mustOn is on for what has to work.
func (l *lab) mustOn(t *testing.T, h *host, script string) string {
	t.Helper()
	return l.mustRun(t, "exec", h.id, "bash", "-euo", "pipefail", "-c", script)
}

// eventually waits until try has no error.
func (l *lab) eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || l.ctx.Err() != nil {
			t.Fatalf("%s: %v", what, errors.Join(err, l.ctx.Err()))
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// step is a line of the story, with the time.
func (l *lab) step(t *testing.T, format string, args ...any) {
	t.Helper()
	fmt.Fprintf(t.Output(), "%4.0f s  %s\n", time.Since(l.begun).Seconds(), fmt.Sprintf(format, args...))
}

// saw is a line below a step: what was seen, or checked.
func (l *lab) saw(t *testing.T, format string, args ...any) {
	t.Helper()
	fmt.Fprintf(t.Output(), "          %s\n", fmt.Sprintf(format, args...))
}

// log shows the end of the logs of all hosts.
func (l *lab) log(t *testing.T) {
	t.Helper()
	for _, h := range []*host{server1, server2, quorum} {
		if h.id == "" {
			continue
		}
		// What cannot be shown is not.
		out, _ := exec.CommandContext(l.ctx, l.docker, "logs", "--tail", "60", h.id).CombinedOutput()
		t.Logf("---- %s\n%s", h.name, out)
		out, _ = exec.CommandContext(l.ctx, l.docker, "exec", h.id, "sh", "-c",
			"crm_mon -1rf; corosync-quorumtool -s; gtunnel replication status; "+
				"grep -e notice: -e warning: -e error: -e 'gtunnel(' /var/log/pacemaker/pacemaker.log | tail -n 100",
		).CombinedOutput()
		t.Logf("---- %s\n%s", h.name, out)
	}
}

// remove removes the containers and the network.
func (l *lab) remove(t *testing.T) {
	t.Helper()
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "-a", "-q"}, []string{"rm", "-f", "-v"}},
		{[]string{"network", "ls", "-q"}, []string{"network", "rm"}},
	} {
		out, err := l.run(append(kind.list, "--filter", "label="+label)...)
		if ids := strings.Fields(out); err == nil && len(ids) > 0 {
			_, err = l.run(append(kind.remove, ids...)...)
		}
		if err != nil {
			t.Errorf("not everything of the lab is removed: %v", err)
		}
	}
}
