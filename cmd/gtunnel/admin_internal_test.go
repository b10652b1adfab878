package main

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// TestAdminSocketInTheWay: what lies where the admin socket is wanted is only
// replaced if it is a socket on which nobody answers; and the error says what
// to do.
func TestAdminSocketInTheWay(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	if err := os.WriteFile(at("file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("unix", at("taken.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at("datagrams.sock"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	for _, test := range []struct{ path, reason, hint string }{
		{at("file"), "exists and is no socket", "choose another address"},
		{at("file/a.sock"), "lstat " + at("file/a.sock") + ": not a directory", "choose another address"},
		{at("taken.sock"), at("taken.sock") + ": address already in use", "another process has this address"},
		{at("datagrams.sock"), "address already in use", "another process has this address"},
		{at("none/a.sock"), "no such file or directory", "make the folder of the socket first"},
	} {
		listener, err := listenAdmin(t.Context(), tunnel.Address{Network: "unix", Path: test.path})
		if err == nil {
			listener.Close()
			t.Errorf("%s: it is had", test.path)
			continue
		}
		if want := "cannot listen at the admin address unix:" + test.path + ": "; !strings.HasPrefix(err.Error(), want) ||
			!strings.Contains(err.Error(), test.reason) || !strings.Contains(usage.HintOf(err), test.hint) {
			t.Errorf("%s: %q with the hint %q", test.path, err, usage.HintOf(err))
		}
	}
	if text, err := os.ReadFile(at("file")); err != nil || string(text) != "precious" {
		t.Errorf("the file in the way is now %q, %v", text, err)
	}
	for _, socket := range [][2]string{{"unix", "taken.sock"}, {"unixgram", "datagrams.sock"}} {
		conn, err := net.Dial(socket[0], at(socket[1]))
		if err != nil {
			t.Errorf("a socket in use is gone: %v", err)
			continue
		}
		conn.Close()
	}

	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: at("dead.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	listener, err := listenPrivate(t.Context(), at("dead.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if info, err := os.Lstat(at("dead.sock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v; want the mode 0600", info, err)
	}
}

// TestAdminBreaks: an admin server that ends by itself says so, and one that is
// closed does not.
func TestAdminBreaks(t *testing.T) {
	for closed, want := range map[bool]string{false: "admin: accept tcp4 127.0.0.1:", true: ""} {
		listener, err := listenAdmin(t.Context(), tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: "0"})
		if err != nil {
			t.Fatal(err)
		}
		socket, err := listenAdmin(t.Context(), tunnel.Address{Network: "unix", Path: filepath.Join(t.TempDir(), "a.sock")})
		if err != nil {
			t.Fatal(err)
		}
		admin := newAdminServer([]net.Listener{listener, socket}, http.NotFoundHandler(), zap.NewNop())
		go admin.serve()
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err) // it does not serve
		}
		conn.Close()
		if closed {
			admin.close()
		} else if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		<-admin.ended
		if got := admin.err; (got == nil) != (want == "") || got != nil && !strings.HasPrefix(got.Error(), want) {
			t.Errorf("closed: %t: %v", closed, got)
		}
		admin.close()
	}
}

// TestAdminHints: what to do where it depends on the user or the host.
func TestAdminHints(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EADDRINUSE:    "ss -ltnpx",
		syscall.EACCES:        "choose a port above 1023, or a folder that this user may write to",
		syscall.EADDRNOTAVAIL: "choose another address",
	} {
		if hint := listenHint(
			&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", err)},
		); !strings.Contains(hint, want) {
			t.Errorf("%v: %q", err, hint)
		}
	}
}

// TestStartAdmin: an address that was asked for must be had; without the
// preset the process goes on, and says why it has none.
func TestStartAdmin(t *testing.T) {
	folder := t.TempDir()
	core, logs := observer.New(zapcore.InfoLevel)
	m := &Main{Getenv: func(string) string { return folder + "/none/gtunnel" }}
	var c config.Config
	c.AdminSocket = "server.sock"
	admin, err := m.startAdmin(t.Context(), c, http.NotFoundHandler(), zap.New(core))
	if admin != nil || err != nil {
		t.Fatalf("the preset: %v, %v", admin, err)
	}
	if lines := logs.All(); len(lines) != 1 ||
		lines[0].ContextMap()["reason"] != "mkdir "+folder+"/none/gtunnel: no such file or directory" {
		t.Errorf("the log says %v", lines)
	}
	c.Admin.Address = tunnel.Address{Network: "unix", Path: folder + "/none/admin.sock"}
	if admin, err := m.startAdmin(t.Context(), c, http.NotFoundHandler(), zap.New(core)); admin != nil ||
		!errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the address that was asked for: %v, %v", admin, err)
	}
}
