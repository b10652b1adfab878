package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// landlockFolder names the folder of the process that TestLandlock restricts.
const landlockFolder = "GTUNNEL_TEST_LANDLOCK"

// TestLandlock restricts a process of its own, in which each of landlockTries
// must go as it says.
func TestLandlock(t *testing.T) {
	version, err := kernel.LandlockGetABIVersion()
	if err != nil || version < landlockPorts {
		if os.Getenv("CI") != "" {
			t.Fatalf("the kernel's Landlock has version %d: %v", version, err)
		}
		t.Skipf("the kernel's Landlock has version %d, and ports need %d: %v", version, landlockPorts, err)
	}
	folder := t.TempDir()
	for _, name := range []string{"read/file", "log/file", "sockets/file", "other/file"} {
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLandlockedProcess$", "-test.v")
	cmd.Env = append(os.Environ(), landlockFolder+"="+folder, "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput() // it fails in the end: it may not remove its temporary folder
	if !strings.Contains(string(out), "--- PASS: TestLandlockedProcess") {
		t.Errorf("%v: %s", err, out)
	}
}

// landlockTry is something that a restricted process does.
type landlockTry struct {
	what    string
	allowed bool
	do      func() error
}

func read(file string) error { _, err := os.ReadFile(file); return err }

func write(file string, flags int) error {
	f, err := os.OpenFile(file, os.O_WRONLY|flags, 0o600)
	if err == nil {
		err = f.Close()
	}
	return err
}

func listen(ctx context.Context, network, address string) error {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // which Landlock does not know
	listener, err := config.Listen(ctx, network, address)
	if err == nil {
		err = listener.Close()
	}
	return err
}

func connect(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		err = conn.Close()
	}
	return err
}

// landlockTries are tried in a folder, with an address whose port is allowed and
// one whose is not, where somebody listens.
func landlockTries(ctx context.Context, folder, address, other string) []landlockTry {
	in := func(name string) string { return filepath.Join(folder, name) }
	return []landlockTry{
		{what: "read a file", allowed: true, do: func() error { return read(in("read/file")) }},
		{what: "read its figures", allowed: true, do: func() error { return read("/proc/self/stat") }},
		{what: "read a file elsewhere", do: func() error { return read(in("other/file")) }},
		{what: "read the log", do: func() error { return read(in("log/file")) }},
		{what: "change a file that it reads", do: func() error { return write(in("read/file"), 0) }},
		{what: "append to the log", allowed: true, do: func() error { return write(in("log/file"), os.O_APPEND) }},
		{what: "make a log", allowed: true, do: func() error { return write(in("log/new"), os.O_APPEND|os.O_CREATE) }},
		{what: "empty the log", do: func() error { return write(in("log/file"), os.O_TRUNC) }},
		{what: "remove the log", do: func() error { return os.Remove(in("log/file")) }},
		{what: "make a file elsewhere", do: func() error { return write(in("other/new"), os.O_CREATE) }},
		{what: "make a socket", allowed: true, do: func() error { return listen(ctx, "unix", in("sockets/a.sock")) }},
		{what: "make a socket elsewhere", do: func() error { return listen(ctx, "unix", in("other/a.sock")) }},
		{what: "run a program", do: func() error { return exec.CommandContext(ctx, "/bin/true").Run() }},
		{what: "connect to its port", allowed: true, do: func() error { return connect(ctx, address) }},
		{what: "connect to another port", do: func() error { return connect(ctx, other) }},
		{what: "listen at another port", do: func() error { return listen(ctx, "tcp", "127.0.0.1:1") }},
	}
}

// TestLandlockedProcess is the process of TestLandlock. What was opened before
// works on.
func TestLandlockedProcess(t *testing.T) {
	folder := os.Getenv(landlockFolder)
	if folder == "" {
		t.Skip("TestLandlock runs it in a process of its own")
	}
	var listeners []net.Listener
	for range 2 {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		listeners = append(listeners, listener)
	}
	port := uint16(listeners[0].Addr().(*net.TCPAddr).Port)
	l := landlocked{files: true, ports: true, rules: landlockRules{
		read: append([]string{filepath.Join(folder, "read")}, alwaysRead...), logs: []string{filepath.Join(folder, "log")},
		sockets: []string{filepath.Join(folder, "sockets")}, connect: []uint16{port},
	}}
	if err := l.enforce(); err != nil {
		t.Fatal(err)
	}
	tries := landlockTries(t.Context(), folder, listeners[0].Addr().String(), listeners[1].Addr().String())
	for range 4 { // on other threads too
		for _, try := range tries {
			tried := make(chan error)
			go func() {
				runtime.LockOSThread() // for good: the next one gets another
				tried <- try.do()
			}()
			switch err := <-tried; {
			case try.allowed && err != nil:
				t.Errorf("it cannot %s: %v", try.what, err)
			case !try.allowed && !errors.Is(err, fs.ErrPermission):
				t.Errorf("it can %s: %v", try.what, err)
			}
		}
	}
}
