package tunnel

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestListenErrorWords: what a failed listen is called, and the cure, in cases
// that depend on the host.
func TestListenErrorWords(t *testing.T) {
	tcp, socket := Address{Network: "tcp", Host: "::1", Port: "307"}, Address{Network: "unix", Path: "/run/a.sock"}
	for _, test := range []struct {
		accept       Address
		err          error
		reason, cure string
	}{
		{tcp, syscall.EADDRINUSE, "the port is in use", "ss -ltnp 'sport = :307'"},
		{tcp, syscall.EAFNOSUPPORT, "this host does not have this version of IP", "write only the port"},
		{tcp, syscall.EADDRNOTAVAIL, "this host has no such address", "ip -brief address"},
		{tcp, syscall.EACCES, "permission denied", "CAP_NET_BIND_SERVICE"},
		{tcp, syscall.EPROTO, "protocol error", ""},
		{socket, syscall.EADDRINUSE, "another process answers on the socket", "ss -lxp 'src /run/a.sock'"},
		{socket, syscall.EACCES, "permission denied", "write to the directory of the socket"},
		{socket, syscall.ENOENT, "its directory does not exist", "make the directory"},
	} {
		wrapped := &net.OpError{Op: "listen", Net: test.accept.Network, Err: os.NewSyscallError("bind", test.err)}
		err := listenError(test.accept, wrapped)
		problem, ok := errors.AsType[*ConfigError](err)
		if !ok || problem.Setting != "accept" || !errors.Is(err, test.err) {
			t.Fatalf("%s: %v: %#v", test.accept, test.err, err)
		}
		if want := "cannot listen at " + test.accept.String() + ": "; !strings.HasPrefix(problem.Reason, want) ||
			!strings.Contains(problem.Reason, test.reason) || !strings.Contains(problem.Cure, test.cure) {
			t.Errorf("%s: %v: %q, %q", test.accept, test.err, problem.Reason, problem.Cure)
		}
	}
}

// TestListenerLines: lines of the kernel that are no listener, or that say
// something else than expected.
func TestListenerLines(t *testing.T) {
	const rest = " 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0"
	for line, want := range map[string]string{
		"0: 0100007F:0CEA 00000000:0000 0A" + rest:                                                 "127.0.0.1:3306",
		"0: 00000000:0CEB 00000000:0000 0A" + rest:                                                 "0.0.0.0:3307",
		"0: 00000000000000000000000001000000:0CEA 00000000000000000000000000000000:0000 0A" + rest: "[::1]:3306",
		"0: 00000000000000000000000000000000:0CEA 00000000000000000000000000000000:0000 0A" + rest: ":3306",
		"0: 0100007F:0CEA 0100007F:9C40 01" + rest:                                                 "", // a connection
		"0: 0100007F:0CEA 00000000:0000":                                                           "",
		"":                                                                                         "",
		"0: 0100007X:0CEA 00000000:0000 0A" + rest:                                                 "",
		"0: 0100007FX:0CEA 00000000:0000 0A" + rest:                                                "",
		"0: 01007F:0CEA 00000000:0000 0A" + rest:                                                   "",
		"0: 0100007F 00000000:0000 0A" + rest:                                                      "",
		"0: 0100007F:10CEA 00000000:0000 0A" + rest:                                                "",
	} {
		bound, ok := tcpListener(strings.Fields(line))
		if ok != (want != "") || ok && bound.String() != want {
			t.Errorf("%q: %s, %t; want %q", line, bound, ok, want)
		}
	}
	const path = "/run/my sql/mysqld.sock"
	for line, want := range map[string]bool{
		"0000000000000000: 00000002 00000000 00010000 0001 01 23456 " + path:       true,
		"0000000000000000: 00000003 00000000 00000000 0001 03 23456 " + path:       false, // a connection
		"0000000000000000: 00000002 00000000 00010000 0001 01 23456 " + path + "x": false,
		"0000000000000000: 00000002 00000000 1000X 0001 01 23456 " + path:          false,
		"0000000000000000: 00000002 00000000 00010000 0001 01 23456":               false, // without a name
		"": false,
	} {
		if got := isUnixListener(strings.Fields(line), path); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
	if anyLine("/proc/self/net/no-such-file", func([]string) bool { return true }) {
		t.Error("a file that is not there has a line")
	}
}
