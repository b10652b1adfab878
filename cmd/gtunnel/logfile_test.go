package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestLogFile: a log goes to its file, and to a new one after the old was moved
// away and SIGHUP came, as logrotate(8) does; no line is lost or written twice. A
// folder that is gone leaves it in the old file, which says so.
func TestLogFile(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	folder := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	file, moved := filepath.Join(folder, "gtunnel.log"), filepath.Join(folder, "gtunnel.log.1")
	_, server := s.startServer(b.address())
	admin := "unix:" + filepath.Join(t.TempDir(), "a.sock")
	local := filepath.Join(t.TempDir(), "plain.sock")
	client := start(t, "client", nil, append([]string{
		"client", "--accept", "unix:" + local, "--connect", server, "--capath", s.capath, "--log-level", "debug",
		"--log-file", file, "--drain-timeout", "100ms", "--admin", admin,
	}, s.client.flags()...)...)
	wait := func(path string, words ...string) {
		t.Helper()
		for _, word := range words {
			pairs.WaitFor(t, patience, word+" in "+path, func() (string, bool) {
				text, _ := os.ReadFile(path)
				return string(text), strings.Contains(string(text), word)
			})
		}
	}
	echo(t, dialSocket(t, local), "first")
	wait(file, "gtunnel starting", `"conn": "1"`)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o027 != 0 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if err := os.Rename(file, moved); err != nil {
		t.Fatal(err)
	}
	client.signal(syscall.SIGHUP)
	wait(file, "") // it is there
	pairs.WaitFor(t, patience, "new file", func() (string, bool) { _, err := os.Stat(file); return "", err == nil })
	echo(t, dialSocket(t, local), "second")
	wait(file, `connected {"tunnel": "client", "conn": "2"`)

	gone := folder + ".gone"
	if err := os.Rename(folder, gone); err != nil {
		t.Fatal(err)
	}
	client.signal(syscall.SIGHUP)
	wait(filepath.Join(gone, "gtunnel.log"), "the log file cannot be opened anew", "LogsDirectory=log")
	wantRun(t, 1, []string{"the log file: open " + file, "hint: make its folder"}, "reload", "--admin", admin)
	wantRun(t, 0, []string{"RELOAD FAILED", "the log file: open " + file}, "status", "--admin", admin)
	echo(t, dialSocket(t, local), "goes on")
	client.signal(syscall.SIGTERM)
	if code := client.waitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	wait(filepath.Join(gone, "gtunnel.log"), "stopped")
	if lines := client.logged(); len(lines) > 0 {
		t.Errorf("the standard error has %s", lines[0].text)
	}
	code, _, stderr := runMain(t, append([]string{
		"client", "--connect", "127.0.0.1:1", "--capath", s.capath, "--log-file", filepath.Join(folder, "a.log"),
	}, s.client.flags()...)...)
	if code != 1 || !strings.Contains(stderr, "gtunnel: the log file: open "+folder) ||
		!strings.Contains(stderr, "hint: make its folder: mkdir "+folder) {
		t.Errorf("without the folder: %d, %s", code, stderr)
	}
}
