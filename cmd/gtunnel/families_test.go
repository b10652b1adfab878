package main_test

import (
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutIPv6 executes its arguments where no IPv6 socket can be made, as on a
// host that was started with ipv6.disable=1.
func withoutIPv6() {
	runtime.LockOSThread() // the filter is of this thread, and of what it executes
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16}, // its first argument
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_INET6, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		log.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err !=
		nil {
		log.Fatal(err)
	}
	log.Fatal(syscall.Exec(os.Args[1], os.Args[1:], os.Environ()))
}

// TestWithoutIPv6: every address means those that there are, and an address of
// IPv6 is refused with what to write instead.
func TestWithoutIPv6(t *testing.T) {
	wrapper, err := exec.LookPath("without-ipv6")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	b := startBackend(t)
	server, accept := s.startServerIn([]string{wrapper}, b.address(), "--accept", ":0")
	_, port, err := net.SplitHostPort(accept)
	if err != nil || accept != ":"+port {
		t.Fatalf("the server listens at %s", accept)
	}
	_, local := s.startClient("127.0.0.1:" + port)
	echo(t, dial(t, local), "by IPv4")
	server.signal(syscall.SIGTERM)

	cmd := exec.CommandContext(t.Context(), wrapper, append([]string{
		binary(t), "server", "--accept", "[::]:0", "--allow-all", "--capath", s.capath,
	}, s.server.flags()...)...)
	out, err := cmd.CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 ||
		!strings.Contains(string(out),
			"\ngtunnel: --accept: cannot listen at [::]:0: this host does not have this version of IP\n"+
				"hint: write only the port") {
		t.Errorf("it ends with %v: %s", err, out)
	}
}

// TestAdminOfOneFamily: localhost is 127.0.0.1 for the admin address as well.
func TestAdminOfOneFamily(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct{ admin, there, not string }{
		{"localhost", "127.0.0.1", "::1"},
		{"127.0.0.1", "127.0.0.1", "::1"},
		{"[::1]", "::1", "127.0.0.1"},
	} {
		port := freePort(t)
		s.startServer("127.0.0.1:1", "--admin", test.admin+":"+port)
		response, err := http.Get("http://" + net.JoinHostPort(test.there, port) + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		runStatus(t, "--admin", test.admin+":"+port)
		if conn, err := net.Dial("tcp", net.JoinHostPort(test.not, port)); err == nil {
			conn.Close()
			t.Errorf("--admin %s answers at %s", test.admin, test.not)
		}
	}
}

// freePort is a port of loopback at which nobody listens.
func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
