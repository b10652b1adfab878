package main_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// blockedStderr is a standard error whose reader has stopped: fill leaves no
// room in it.
func blockedStderr(t *testing.T) (stderr *os.File, fill func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stderr")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(flags int) *os.File {
		fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		file := os.NewFile(uintptr(fd), path)
		t.Cleanup(func() { file.Close() })
		return file
	}
	open(syscall.O_RDWR) // holds it open, and never reads
	filler, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(filler) })
	fill = func() {
		for _, size := range []int{4096, 1} {
			for {
				if _, err := syscall.Write(filler, make([]byte, size)); errors.Is(err, syscall.EAGAIN) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return open(syscall.O_WRONLY), fill
}

// beginClient begins a client of a server whose standard error is given.
func beginClient(
	t *testing.T, s *site, server string, stderr *os.File, more ...string,
) (cmd *exec.Cmd, socket string, ended <-chan error) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "plain.sock")
	args := append([]string{
		"client", "--accept", "unix:" + socket, "--connect", server, "--capath", s.capath, "--log-level", "debug",
	}, s.client.flags()...)
	cmd = exec.Command(binary(t), append(args, more...)...)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exit, done := make(chan error, 1), make(chan struct{})
	go func() {
		exit <- cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-done
	})
	return cmd, socket, exit
}

// connectSocket connects to a unix socket, once there is one.
func connectSocket(t *testing.T, socket string) (conn net.Conn) {
	t.Helper()
	pairs.WaitFor(t, patience, "answer", func() (string, bool) {
		var err error
		conn, err = net.Dial("unix", socket)
		return fmt.Sprint(err), err == nil
	})
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// waitEnd waits for the end of a process.
func waitEnd(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("the process does not end")
		return nil
	}
}

// TestBlockedStderr: a program whose standard error nobody reads serves, and
// ends when it should.
func TestBlockedStderr(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	_, server := s.startServer(b.address())
	t.Run("from the start", func(t *testing.T) {
		stderr, fill := blockedStderr(t)
		fill()
		cmd, socket, ended := beginClient(t, s, server, stderr)
		echo(t, connectSocket(t, socket), "nobody reads the log")
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Process.Signal(syscall.SIGINT)
		if err := waitEnd(t, ended); err != nil {
			t.Error(err)
		}
	})
	t.Run("in the middle", func(t *testing.T) {
		stderr, fill := blockedStderr(t)
		cmd, socket, ended := beginClient(t, s, server, stderr)
		conn := connectSocket(t, socket)
		echo(t, conn, "somebody may read the log")
		fill()
		echo(t, conn, "nobody reads the log")
		conn.Close()
		cmd.Process.Signal(syscall.SIGTERM)
		if err := waitEnd(t, ended); err != nil {
			t.Error(err)
		}
	})
	t.Run("at a failure", func(t *testing.T) {
		stderr, fill := blockedStderr(t)
		fill()
		_, _, ended := beginClient(t, s, server, stderr, "--accept", b.address()) // it is taken
		if e, ok := errors.AsType[*exec.ExitError](waitEnd(t, ended)); !ok || e.ExitCode() != 1 {
			t.Errorf("the process ends with %v", e)
		}
	})
}
