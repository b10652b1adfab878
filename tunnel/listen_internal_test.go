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
