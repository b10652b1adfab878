package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// logTo runs a client of a server with JSON logs to stderr until the test
// ends. It gives the client's plain address and its admin socket.
func (s *site) logTo(stderr *os.File, server string) (cmd *exec.Cmd, local, admin string, ended <-chan error) {
	s.t.Helper()
	folder := s.t.TempDir()
	local, admin = filepath.Join(folder, "plain.sock"), filepath.Join(folder, "admin.sock")
	cmd = exec.Command(binary(s.t), append([]string{
		"client", "--accept", "unix:" + local, "--connect", server, "--admin", "unix:" + admin,
		"--capath", s.capath, "--log-level", "debug", "--log-format", "json",
	}, s.client.flags()...)...)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exit, done := make(chan error, 1), make(chan struct{})
	go func() {
		exit <- cmd.Wait()
		close(done)
	}()
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		<-done
	})
	return cmd, local, admin, exit
}

// dialSocket connects to a unix socket as soon as somebody listens there.
func dialSocket(t *testing.T, path string) net.Conn {
	t.Helper()
	var conn net.Conn
	pairs.WaitFor(t, patience, "answer at "+path, func() (string, bool) {
		var err error
		if conn, err = net.Dial("unix", path); err != nil {
			return err.Error(), false
		}
		return "", true
	})
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// lostSoFar is what the metrics say of lost lines.
func lostSoFar(t *testing.T, admin string) int {
	t.Helper()
	_, body := askAdmin(t, "unix", admin, "/metrics", "localhost", "")
	found := regexp.MustCompile(`(?m)^gtunnel_log_lines_lost_total (\d+)$`).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no metric of lost lines:\n%s", body)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLogReaderGone: a reader of the log that goes away (`gtunnel ... 2>&1 |
// head`, a journal that is restarted) cuts nothing, and the next one is told
// how much it has missed.
func TestLogReaderGone(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	_, server := s.startServer(b.address())
	fifo := filepath.Join(t.TempDir(), "stderr")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	openReader := func() *os.File {
		fd, err := syscall.Open(fifo, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		file := os.NewFile(uintptr(fd), fifo)
		t.Cleanup(func() { file.Close() })
		return file
	}
	reader := openReader()
	stderr, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd, local, admin, ended := s.logTo(stderr, server)
	stderr.Close() // the process alone has it
	conn := dialSocket(t, local)
	echo(t, conn, "somebody reads the log")
	if _, err := bufio.NewReader(reader).ReadString('\n'); err != nil {
		t.Fatal(err)
	}

	reader.Close()
	for range 3 {
		echo(t, dialSocket(t, local), "nobody reads the log")
	}
	echo(t, conn, "as before")
	pairs.WaitFor(t, patience, "lost line", func() (string, bool) { return "", lostSoFar(t, admin) > 0 })

	reader = openReader()
	lines := bufio.NewScanner(reader)
	reader.SetReadDeadline(time.Now().Add(patience))
	echo(t, dialSocket(t, local), "somebody reads it again")
	told := false
	for !told && lines.Scan() { // what the last reader has left comes first
		told = strings.Contains(lines.Text(), `"message":"lines of this log were lost","lines":`) &&
			strings.Contains(lines.Text(), "broken pipe")
	}
	if !told {
		t.Errorf("nobody says that lines are missing: %v", lines.Err())
	}
	reader.Close()

	echo(t, conn, "to the end")
	conn.Close()
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the process ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the process does not end")
	}
}

// TestFailureWithoutReader: a service whose log nobody reads ends with its own
// exit code, and a command of the terminal as any program does.
func TestFailureWithoutReader(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	for name, test := range map[string]struct {
		args   []string
		signal bool
		code   int
	}{
		"service": {
			append([]string{"client", "--accept", b.address(), "--connect", "127.0.0.1:1", "--capath", s.capath},
				s.client.flags()...), false, 1,
		},
		"terminal": {[]string{"certs", "list", "--capath", s.capath}, true, -1},
	} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		reader.Close()
		cmd := exec.CommandContext(t.Context(), binary(t), test.args...)
		cmd.Stdout, cmd.Stderr = writer, writer
		_ = cmd.Run() // its state says more
		writer.Close()
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if status.Signaled() != test.signal || test.signal && status.Signal() != syscall.SIGPIPE ||
			cmd.ProcessState.ExitCode() != test.code {
			t.Errorf("%s: it ends with %v", name, cmd.ProcessState)
		}
	}
}

// smallDisk is a disk of so many bytes that only this test sees: a file on it
// to append to, and one that takes the rest of its room until it is cut.
func smallDisk(t *testing.T, bytes int) (file, filler *os.File) {
	t.Helper()
	folder := t.TempDir()
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the mounts are this thread's alone, and end with it
		failed <- func() (err error) {
			if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
				return err
			}
			if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
				return err
			}
			if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+strconv.Itoa(bytes)); err != nil {
				return err
			}
			if file, err = os.OpenFile(filepath.Join(folder, "log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
				return err
			}
			filler, err = os.Create(filepath.Join(folder, "filler"))
			return err
		}()
	}()
	if err := <-failed; err != nil {
		t.Fatalf("no disk of its own, for which the test must be root: %v", err)
	}
	t.Cleanup(func() { file.Close(); filler.Close() })
	return file, filler
}

// TestFullDisk: connections go on while the disk of the log is full, and when
// it is not any more the log says how many lines are missing. All lines but
// one that was torn are JSON.
func TestFullDisk(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	_, server := s.startServer(b.address())
	file, filler := smallDisk(t, 64<<10)
	_, local, admin, _ := s.logTo(file, server)
	conn := dialSocket(t, local)
	echo(t, conn, "there is room")
	for {
		if _, err := filler.Write(make([]byte, 512)); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	pairs.WaitFor(t, patience, "lost line", func() (string, bool) {
		echo(t, dialSocket(t, local), "the disk is full")
		return "", lostSoFar(t, admin) >= 10
	})
	echo(t, conn, "as before")
	if err := filler.Truncate(0); err != nil {
		t.Fatal(err)
	}
	var text string
	told := regexp.MustCompile(
		`"message":"lines of this log were lost","lines":(\d+),"reason":"[^"]*no space left on device"`,
	)
	pairs.WaitFor(t, patience, "word of the lost lines", func() (string, bool) {
		echo(t, dialSocket(t, local), "there is room again")
		data := make([]byte, 64<<10)
		n, _ := file.ReadAt(data, 0) // to its end
		text = string(data[:n])
		return text, told.MatchString(text) && strings.HasSuffix(text, "\n")
	})
	lost, torn := 0, 0
	for line := range strings.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			torn++
			t.Logf("torn: %s", line)
		}
		if found := told.FindStringSubmatch(line); found != nil {
			n, _ := strconv.Atoi(found[1])
			lost += n
		}
	}
	if total := lostSoFar(t, admin); torn > 1 || lost != total {
		t.Errorf("%d lines are torn, %d said to be lost of %d:\n%s", torn, lost, total, text)
	}
}

// TestLogIsJSONWithoutFiles: where the process may open no more files, all
// that the log says of it is JSON, the admin server's part too.
func TestLogIsJSONWithoutFiles(t *testing.T) {
	s := newSite(t)
	port := freePort(t)
	wrapper := []string{"sh", "-c", `ulimit -n 32 && exec "$@"`, "sh"}
	server, _ := s.startServerIn(wrapper, "127.0.0.1:1", "--admin", "127.0.0.1:"+port)
	for range 40 {
		dial(t, "127.0.0.1:"+port)
	}
	line := server.waitMessage("admin server")
	if !strings.Contains(line.field("reason"), "too many open files") || line.field("level") != "warn" {
		t.Errorf("the line: %s", line.text)
	}
	for _, l := range server.logged() {
		if l.fields == nil {
			t.Errorf("not JSON: %s", l.text)
		}
	}
}
