package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// twoHosts are two hosts of a pair on this machine. Each has a network namespace of its
// own, with a server on 127.0.0.1:3306, gtunnel on :3307 and 127.0.0.1:3307, a guard, and
// the other's name in /etc/hosts: as two hosts of a site have it.
type twoHosts struct {
	*failovertest.Pair
	t        testing.TB
	a, b     *pairHost
	handOver string // the file of the setup
	ca       *certstest.CA
	capath   string
}

// pairHost is one of twoHosts.
type pairHost struct {
	*failovertest.Host
	t       testing.TB
	space   *space
	folder  string
	config  string
	peer    *pairHost
	pairOf  *twoHosts
	tunnel  *program
	guard   *program
	printed bytes.Buffer // by the commands
	guarded bool         // guards are started with the host
}

// The names of the two, and their addresses on the link between them.
var (
	pairNames     = [2]string{"server1.domain.one", "server2.domain.two"}
	pairAddresses = [2]string{"10.177.0.1", "10.177.0.2"}
)

// newTwoHosts starts the two: the first is the master. The guards are not started.
func newTwoHosts(t testing.TB, kind servertest.Kind) *twoHosts {
	t.Helper()
	return newTwoHostsWith(t, kind, nil)
}

// newTwoHostsWith is newTwoHosts with flags of the second's server.
func newTwoHostsWith(t testing.TB, kind servertest.Kind, flags []string) *twoHosts {
	t.Helper()
	return newTwoHostsOf(t, kind, [2][]string{gtids(kind), slices.Concat(gtids(kind), flags)})
}

// newTwoHostsOf is newTwoHosts with the flags of either's server.
func newTwoHostsOf(t testing.TB, kind servertest.Kind, flags [2][]string) *twoHosts {
	t.Helper()
	p := bareTwoHosts(t, kind, flags)
	p.Content()
	p.a.setUp("setup-master", "--hand-over", p.handOver, "--databases", failovertest.Database)
	p.b.setUp("setup-slave", "--hand-over", p.handOver)
	return p
}

// bareTwoHosts starts the two with their tunnels, before any setup.
func bareTwoHosts(t testing.TB, kind servertest.Kind, flags [2][]string) *twoHosts {
	t.Helper()
	spaces := newSpaces(t)
	ca := newCA(t, "Test CA")
	capath := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(capath, ca); err != nil {
		t.Fatal(err)
	}
	handOver := filepath.Join(t.TempDir(), "hand-over.json")
	hosts := [2]*pairHost{}
	given := [2]failovertest.Given{}
	for i, name := range pairNames {
		h := &pairHost{t: t, space: spaces[i], folder: t.TempDir()}
		h.writeConfig(ca, capath, name)
		hosts[i], given[i] = h, failovertest.Given{Name: name, StateDir: filepath.Join(h.folder, "state"), Port: 3307}
	}
	var starting sync.WaitGroup
	for i, h := range hosts {
		starting.Go(func() {
			given[i].Server = startDatabase(t, kind, servertest.Options{
				Name: pairNames[i], ServerID: i + 1, Port: 3306, Flags: flags[i],
				Within: h.space.within,
			})
		})
	}
	starting.Wait()
	if given[0].Server == nil || given[1].Server == nil { // it has said so, in another goroutine
		if t.Skipped() {
			t.SkipNow()
		}
		t.FailNow()
	}
	p := &twoHosts{
		Pair: failovertest.Of(t, given[0], given[1]), t: t, a: hosts[0], b: hosts[1], handOver: handOver,
		ca: ca, capath: capath,
	}
	p.a.Host, p.b.Host, p.a.peer, p.b.peer = p.A, p.B, p.b, p.a
	p.a.pairOf, p.b.pairOf = p, p
	for _, h := range hosts {
		h.startTunnel()
	}
	return p
}

// setUp runs a command of the setup, and once more after a restart of the server if it
// asks for one.
func (h *pairHost) setUp(command string, more ...string) {
	h.t.Helper()
	more = append(more, "--yes")
	out, code := h.try(command, more...)
	if code == 1 && strings.Contains(out, "the server must be restarted") {
		if err := h.Server.Restart(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		out, code = h.try(command, more...)
	}
	if code != 0 {
		h.t.Fatalf("exit code %d of %s on %s:\n%s", code, command, h.Name, out)
	}
}

// gtids are the flags with which a server has GTIDs.
func gtids(kind servertest.Kind) []string {
	if kind.IsMySQL() {
		return []string{"--gtid-mode=ON", "--enforce-gtid-consistency=ON"}
	}
	return nil
}

// writeConfig writes the configuration, which is the same on both hosts but for the places
// of the files.
func (h *pairHost) writeConfig(ca *certstest.CA, capath, name string) {
	h.t.Helper()
	host, err := ca.NewHost(name, certstest.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	cert, key, err := host.Write(h.folder)
	if err != nil {
		h.t.Fatal(err)
	}
	h.config = filepath.Join(h.folder, "gtunnel.toml")
	text := fmt.Sprintf("[tls]\ncert = %q\nkey = %q\ncapath = %q\n", cert, key, capath) +
		fmt.Sprintf("\n[pair]\nhosts = [%q, %q]\n\n[log]\nformat = \"json\"\n", pairNames[0], pairNames[1])
	if err := os.WriteFile(h.config, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// startTunnel runs the two tunnels of the pair.
func (h *pairHost) startTunnel() {
	h.t.Helper()
	h.tunnel = h.run("gtunnel run of "+h.space.host, "run", "--config", h.config)
	for _, name := range []string{"pair-server", "pair-client"} {
		h.tunnel.waitLine(name, 0, func(l logLine) bool {
			return l.field("message") == "listening" && l.field("tunnel") == name
		})
	}
}

// startGuard runs the guard.
func (h *pairHost) startGuard() {
	h.t.Helper()
	h.guarded = true
	h.guard = h.run("guard of "+h.space.host, h.args("guard")...)
}

// run starts gtunnel on the host until the test ends.
func (h *pairHost) run(name string, args ...string) *program {
	h.t.Helper()
	return startIn(h.t, name, h.space.enter(), h.environment(), args...)
}

// environment is what gtunnel has on the host beside the usual.
func (h *pairHost) environment() []string {
	return []string{"RUNTIME_DIRECTORY=" + h.folder, "HOME=" + h.folder, "PATH=" + h.path()}
}

// path finds the clients of the server's kind.
func (h *pairHost) path() string {
	if h.Host == nil {
		return os.Getenv("PATH")
	}
	return h.Server.Kind.Path() + ":/usr/sbin:/sbin"
}

// args are the arguments of a command of a failover.
func (h *pairHost) args(command string, more ...string) []string {
	args := []string{
		"replication", command, "--config", h.config, "--state-dir", h.StateDir,
		"--monitor-file", filepath.Join(h.folder, "master.cnf"),
		"--replication-file", filepath.Join(h.folder, "replication.cnf"),
		"--socket", h.Server.Socket, "--user", h.Server.User,
	}
	return append(args, more...)
}

// watchArgs are those of status and compare.
func (h *pairHost) watchArgs(command string, more ...string) []string {
	args := []string{
		"replication", command, "--state-dir", h.StateDir, "--master-defaults-file", filepath.Join(h.folder, "master.cnf"),
		"--socket", h.Server.Socket, "--user", h.Server.User,
	}
	return append(args, more...)
}

// command is gtunnel on the host.
func (h *pairHost) command(args ...string) *exec.Cmd {
	line := slices.Concat(h.space.enter(), []string{binary(h.t)}, args)
	cmd := exec.CommandContext(h.t.Context(), line[0], line[1:]...)
	cmd.Env = append(os.Environ(), h.environment()...)
	return cmd
}

// try runs a command of a failover and gives its output and exit code.
func (h *pairHost) try(command string, more ...string) (out string, code int) {
	h.t.Helper()
	cmd := h.command(h.args(command, more...)...)
	text, err := cmd.CombinedOutput()
	h.printed.Write(text)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		h.t.Fatal(err)
	}
	if ok {
		code = exit.ExitCode()
	}
	return string(text), code
}

// must is try of a command that must succeed.
func (h *pairHost) must(command string, more ...string) string {
	h.t.Helper()
	out, code := h.try(command, more...)
	if code != 0 {
		h.t.Fatalf("exit code %d of %s on %s:\n%s", code, command, h.Name, out)
	}
	return out
}

// kill ends a process as a crash does.
func kill(p *program) {
	if p != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
	}
}

// powerCut ends all of the host at once, without a word to the other.
func (h *pairHost) powerCut() {
	h.t.Helper()
	h.silence()
	h.Server.Kill()
	kill(h.guard)
	kill(h.tunnel)
}

// boot starts the host again, as after a power cut.
func (h *pairHost) boot() {
	h.t.Helper()
	h.restore()
	h.StartServer()
	h.startTunnel()
	if h.guarded {
		h.startGuard()
	}
}

// nowhere is the address of no network card.
const nowhere = "02:00:00:00:00:99"

// mute lets what the host sends to the other get lost, without a word.
func (h *pairHost) mute() {
	h.t.Helper()
	h.space.ip("neigh", "replace", h.space.peer, "lladdr", nowhere, "dev", "eth0", "nud", "permanent")
}

// silence lets what either sends to the other get lost.
func (h *pairHost) silence() {
	h.t.Helper()
	h.mute()
	h.peer.mute()
}

// unplug takes the link away, as both hosts can see.
func (h *pairHost) unplug() {
	h.t.Helper()
	h.space.ip("link", "set", "eth0", "down")
}

// restore makes the link whole.
func (h *pairHost) restore() {
	h.t.Helper()
	for _, s := range []*space{h.space, h.peer.space} {
		s.ip("link", "set", "eth0", "up")
		s.ip("neigh", "flush", "dev", "eth0", "nud", "permanent")
	}
}

// waitUntil waits until something is so.
func waitUntil(t testing.TB, what string, is func() bool) {
	t.Helper()
	pairs.WaitFor(t, databasePatience, what, func() (string, bool) { return "not yet", is() })
}
