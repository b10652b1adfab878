package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDefaultAdmin: without --admin each role has its socket in one folder,
// which is made; a process that cannot have its socket goes on without it and
// says so; and --admin none wants none.
func TestDefaultAdmin(t *testing.T) {
	s := newSite(t)
	folder := filepath.Join(t.TempDir(), "gtunnel")
	t.Setenv("RUNTIME_DIRECTORY", folder)
	b := startBackend(t)
	server, address := s.startServer(b.address())
	client, _ := s.startClient(address)
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v; want the mode 0700", info, err)
	}
	for _, name := range []string{"server.sock", "client.sock"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want the mode 0600", name, info, err)
		}
	}
	table := runStatus(t, "--admin", "unix:"+folder+"/*.sock")
	if !strings.Contains(table, "server  server  "+address) || !strings.Contains(table, "client  client  ") {
		t.Errorf("gtunnel status:\n%s", table)
	}

	second, _ := s.startClient(address)
	if line := second.waitMessage("no admin socket: gtunnel status will not find this " +
		"process"); !strings.Contains(line.field("reason"), "address already in use") ||
		!strings.Contains(line.field("cure"), "--admin") {
		t.Errorf("the second client: %s", line.text)
	}
	t.Setenv("RUNTIME_DIRECTORY", filepath.Join(folder, "missing", "folder"))
	third, _ := s.startClient(address)
	third.waitMessage("no admin socket: gtunnel status will not find this process")

	unused := filepath.Join(folder, "unused")
	t.Setenv("RUNTIME_DIRECTORY", unused)
	fourth, _ := s.startClient(address, "--admin", "none")
	if _, err := os.Stat(unused); err == nil {
		t.Error("--admin none makes the folder")
	}
	for _, line := range fourth.logged() {
		if strings.Contains(line.text, "admin socket") {
			t.Errorf("--admin none: %s", line.text)
		}
	}
	for _, p := range []*program{server, client, second, third, fourth} {
		p.signal(syscall.SIGTERM)
		if code := p.waitExit(); code != 0 {
			t.Errorf("%s: exit code %d", p.name, code)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestSocketOfAnotherUser: a socket that this user may not connect to is
// replaced if a dead process left it, and let alone if somebody listens.
func TestSocketOfAnotherUser(t *testing.T) {
	s := newSite(t)
	folder := t.TempDir()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(folder, "client.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	if err := os.Chmod(filepath.Join(folder, "client.sock"), 0); err != nil {
		t.Fatal(err)
	}
	var wrapper []string
	if os.Geteuid() == 0 { // who may connect to every socket
		wrapper = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
		for _, path := range []string{folder, s.client.cert, s.client.key} {
			if err := os.Chown(path, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{
			filepath.Dir(folder), filepath.Dir(binary(t)), filepath.Dir(s.client.cert),
			filepath.Dir(filepath.Dir(s.client.cert)), s.folder,
		} {
			if err := os.Chmod(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func() *program {
		t.Helper()
		args := append([]string{
			"client", "--accept", "127.0.0.1:0", "--connect", "127.0.0.1:1", "--capath", s.capath, "--log-format", "json",
		}, s.client.flags()...)
		p := startIn(t, "client", wrapper, []string{"RUNTIME_DIRECTORY=" + folder}, args...)
		p.waitListening()
		return p
	}
	living := run()
	if line := living.waitMessage("no admin socket: gtunnel status will not find this " +
		"process"); !strings.HasSuffix(line.field("reason"), "address already in use") {
		t.Errorf("beside a living process: %s", line.text)
	}
	living.signal(syscall.SIGTERM)
	living.waitExit()

	listener.Close()
	run()
	if table := runStatus(t, "--admin", "unix:"+folder+"/*.sock"); !strings.Contains(table, "client  client  ") {
		t.Errorf("after a dead process:\n%s", table)
	}
}
