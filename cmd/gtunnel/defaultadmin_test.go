package main_test

import (
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
	if line := second.waitMessage("no admin socket: gtunnel status will not find this process"); !strings.Contains(line.field("reason"), "address already in use") ||
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
