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

// TestBlockedStderr: a program whose standard error nobody reads serves, and
// ends when it should.
func TestBlockedStderr(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	_, server := s.startServer(b.address())
	begin := func(t *testing.T, stderr *os.File, more ...string) (cmd *exec.Cmd, socket string, ended <-chan error) {
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
	connect := func(t *testing.T, socket string) (conn net.Conn) {
		waitUntil(t, patience, "answer", func() (string, bool) {
			var err error
			conn, err = net.Dial("unix", socket)
			return fmt.Sprint(err), err == nil
		})
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		return conn
	}
	wait := func(t *testing.T, ended <-chan error) error {
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			t.Fatal("the process does not end")
			return nil
		}
	}

	t.Run("from the start", func(t *testing.T) {
		stderr, fill := blockedStderr(t)
		fill()
		cmd, socket, ended := begin(t, stderr)
		echo(t, connect(t, socket), "nobody reads the log")
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Process.Signal(syscall.SIGINT)
		if err := wait(t, ended); err != nil {
			t.Error(err)
		}
	})
	t.Run("in the middle", func(t *testing.T) {
		stderr, fill := blockedStderr(t)
		cmd, socket, ended := begin(t, stderr)
		conn := connect(t, socket)
		echo(t, conn, "somebody may read the log")
		fill()
		echo(t, conn, "nobody reads the log")
		conn.Close()
		cmd.Process.Signal(syscall.SIGTERM)
		if err := wait(t, ended); err != nil {
			t.Error(err)
		}
	})
	t.Run("at a failure", func(t *testing.T) {
		stderr, fill := blockedStderr(t)
		fill()
		_, _, ended := begin(t, stderr, "--accept", b.address()) // it is taken
		if e, ok := errors.AsType[*exec.ExitError](wait(t, ended)); !ok || e.ExitCode() != 1 {
			t.Errorf("the process ends with %v", e)
		}
	})
}
