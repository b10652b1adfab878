package main_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// What a server may take while it is tampered with, beyond what it had with its
// sessions open, and what its log may have become. Measured: 3 MiB and 12 KiB.
const (
	tamperedMemory = 96 << 10 // KiB
	tamperedLog    = 1 << 20  // bytes
)

// TestTampering does to a server under sessions what an attacker, or an
// administrator in haste, can: its CApath cannot be read any more, the disk of its
// log is full, 100 SIGHUPs come within a second, and 10,000 connections that
// are refused from one address. No session notices; memory and log stay bounded;
// and when all is mended so is the server.
func TestTampering(t *testing.T) {
	requireLandlock(t)
	const refused = 10_000
	s, disk := newSite(t), relayDisk(t)
	log, admin := filepath.Join(disk, "gtunnel.log"), "unix:"+filepath.Join(s.folder, "admin.sock")
	address := freeAddress(t)
	server := start(t, "server", nil, append([]string{
		"server", "--accept", address, "--connect", startBackend(t).address(), "--allow-all", "--capath", s.capath,
		"--log-file", log, "--admin", admin, "--allow-from", "127.0.0.0/8", "--max-handshakes-per-source", "20",
	}, s.server.flags()...)...)
	waitFile(t, log, "listening")
	_, local := s.startClient(address)
	over := make(chan struct{})
	var talking sync.WaitGroup
	endTalks := sync.OnceFunc(func() { close(over); talking.Wait() })
	t.Cleanup(endTalks)
	for range 20 {
		conn := dial(t, local)
		echo(t, conn, "begin")
		conn.SetDeadline(time.Now().Add(10 * patience))
		talking.Go(func() { talk(t, conn, over) })
	}
	before := memoryOf(t, server)

	rename(t, s.capath, s.capath+".kept")
	link(t, t.TempDir(), s.capath) // where Landlock lets the server read nothing, as root too
	wantRun(t, 1, []string{"permission denied", "Landlock", "restart the service"}, "reload", "--admin", admin)
	begin := time.Now()
	refuseMany(t, address, refused/2)
	withRoom := sizeOf(t, log)
	free := fillDisk(t, disk)
	for range 100 {
		server.signal(syscall.SIGHUP)
		time.Sleep(5 * time.Millisecond) // that all are within a second, and no two are one to the kernel
	}
	for range 10 {
		echo(t, dial(t, local), "a new one, whose lines find no room")
	}
	refuseMany(t, address, refused/2)
	took := time.Since(begin)
	after, size := memoryOf(t, server), sizeOf(t, log)
	t.Logf("%d refused in %s: memory %d KiB before, %d KiB after; log %d bytes, %d with a full disk", refused,
		took.Round(time.Millisecond), before, after, withRoom, size)
	if after-before > tamperedMemory || size > tamperedLog {
		t.Error("memory or log is not bounded")
	}
	wantRun(t, 0, []string{fmt.Sprintf("%d", refused)}, "status", "--json", "--admin", admin)
	free()
	if err := os.Remove(s.capath); err != nil {
		t.Fatal(err)
	}
	rename(t, s.capath+".kept", s.capath)
	wantRun(t, 0, nil, "reload", "--admin", admin)
	echo(t, dial(t, local), "as before")
	endTalks()
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), "lines of this log were lost") {
		t.Errorf("the log does not own up to what it lacks: %v", err)
	}
}

// refuseMany makes connections from one address that a server refuses, and waits
// for the end of each.
func refuseMany(t *testing.T, address string, times int) {
	t.Helper()
	const workers = 8
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
	var refusing sync.WaitGroup
	for range workers {
		refusing.Go(func() {
			for range times / workers {
				conn, err := dialer.DialContext(t.Context(), "tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n") // fails if it has ended
				io.Copy(io.Discard, conn)
				conn.Close()
			}
		})
	}
	refusing.Wait()
}

// memoryOf is how much memory of its own a process has, in KiB.
func memoryOf(t *testing.T, p *program) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no RssAnon")
	return 0
}

// waitFile waits for words in a file.
func waitFile(t *testing.T, file string, words ...string) {
	t.Helper()
	for _, word := range words {
		pairs.WaitFor(t, patience, word+" in "+file, func() (string, bool) {
			text, _ := os.ReadFile(file) // it may not be there yet
			return string(text), strings.Contains(string(text), word)
		})
	}
}

// sizeOf is the size of a file in bytes.
func sizeOf(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
