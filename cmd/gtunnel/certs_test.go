package main_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// startGreeter is a backend that speaks first, as MySQL does.
func startGreeter(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "welcome")
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener.Addr().String()
}

func TestShowServer(t *testing.T) {
	s := newSite(t)
	server, address := s.startServer("127.0.0.1:1")
	code, stdout, stderr := runMain(t, "certs", "show", address)
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, line := range []string{
		"certificate 1 of 1 of " + address,
		"  subject    /DC=test/DC=gtunnel/O=hosts/CN=server.test",
		"  proves     server.test, 127.0.0.1 (by subjectAltName)",
	} {
		if !strings.Contains(stdout, line+"\n") {
			t.Errorf("no line %q in:\n%s", line, stdout)
		}
	}
	// Nothing of it was a connection.
	if line := server.waitMessage("peer refused"); line.field("code") != "peer-refused-us" {
		t.Errorf("the server logs %s", line.text)
	}
}

// TestCheckServer shakes hands with a real server: what either end objects to
// is told, and only then is there a problem.
func TestCheckServer(t *testing.T) {
	s := newSite(t)
	greeter := startGreeter(t)
	_, address := s.startServer(greeter)
	_, deaf := s.startServer("127.0.0.1:1")
	stranger := s.host(newCA(t, "Foreign"), "client.test", certstest.Options{})
	refused := s.host(s.ca, "other.test", certstest.Options{})
	for about, test := range map[string]struct {
		host    identity
		address string
		more    []string
		unready string // what is; empty: nothing
		lines   []string
	}{
		"ready": {s.client, address, nil, "", []string{
			"ok       server %s: this host accepts it as 127.0.0.1, /DC=test/DC=gtunnel/O=hosts/CN=server.test",
			"ok       server %s: both ends accept each other, and MySQL listens behind it",
		}},
		"wrong name": {s.client, address, []string{"--server-name", "wrong.test"}, "the tunnel to " + address, []string{
			"problem  server %s: this host refuses it: wrong-host: ",
			"         hint: If server.test is the host that you mean, say so with --server-name server.test.",
			"ok       server %s: it accepts this host, and MySQL listens behind it",
		}},
		"not allowed": {refused, address, nil, "the tunnel to " + address, []string{
			"ok       server %s: this host accepts it as 127.0.0.1",
			"problem  server %s: it does not go on: peer-refused-us: ",
			"         hint: Look in the other end's log",
		}},
		"stranger": {stranger, address, nil, "this host", []string{
			"problem  chain: unknown-ca: ",
			"problem  server %s: it does not go on: peer-refused-us: ",
		}},
		"no certificate": {identity{cert: "missing.pem", key: "missing.pem"}, address, nil, "this host", []string{
			"ok       server %s: this host accepts it as 127.0.0.1",
			"warning  server %s: what it thinks of this host is unknown",
		}},
		"no target": {s.client, deaf, nil, "the tunnel to " + deaf, []string{
			"problem  server %s: both ends accept each other, but MySQL does not listen behind it",
			"         hint: start MySQL on that host",
		}},
		"not TLS": {s.client, greeter, nil, "the tunnel to " + greeter, []string{
			"problem  server %s: not-tls: ",
		}},
	} {
		t.Run(about, func(t *testing.T) {
			args := slices.Concat([]string{"certs", "check", "--connect", test.address, "--capath", s.capath}, test.host.flags(),
				test.more)
			code, stdout, stderr := runMain(t, args...)
			if test.unready == "" && (code != 0 || stderr != "") ||
				test.unready != "" && (code != 1 || !strings.HasPrefix(stderr, "gtunnel: "+test.unready+" is not ready: ")) {
				t.Errorf("exit code %d, want %q not to be ready: %s", code, test.unready, stderr)
			}
			for _, line := range test.lines {
				line = strings.ReplaceAll(line, "%s", test.address)
				if !strings.Contains("\n"+stdout, "\n"+line) {
					t.Errorf("no line %q in:\n%s", line, stdout)
				}
			}
		})
	}
}

// runOrdinary runs the program as an ordinary user.
func runOrdinary(t *testing.T, program string, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	if os.Geteuid() == 0 { // who may read everything
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// closeToOrdinary lets an ordinary user come to the program and the files of a site, but
// not into the folder closed, nor to the key of the client.
func closeToOrdinary(t *testing.T, s *site, program, closed string) {
	t.Helper()
	for _, folder := range []string{filepath.Dir(program), filepath.Dir(s.folder), s.folder, filepath.Dir(s.client.cert)} {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() != 0 {
		if err := os.Chmod(closed, 0o000); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(closed, 0o700) })
		if err := os.Chmod(s.client.key, 0o000); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnreadable: files that this user may not read, as an ordinary user.
func TestUnreadable(t *testing.T) {
	s := newSite(t)
	closed := filepath.Join(s.folder, "closed")
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	cert := filepath.Join(s.folder, "unreadable.pem")
	if err := os.WriteFile(cert, []byte("certificate"), 0o000); err != nil {
		t.Fatal(err)
	}
	program := binary(t)
	closeToOrdinary(t, s, program, closed)
	for about, test := range map[string]struct {
		args  []string
		code  int
		words []string
	}{
		"verify": {[]string{"certs", "verify", "--cert", cert, "--capath", s.capath}, 2, []string{
			"gtunnel: cannot read the certificate: open " + cert + ": permission denied\nhint: ",
		}},
		"show": {[]string{"certs", "show", cert}, 2, []string{"permission denied\nhint: "}},
		"list": {
			[]string{"certs", "list", "--capath", closed},
			2,
			[]string{
				"gtunnel: cannot read the CApath: ", "permission denied\nhint: let this user list the directory: chmod a+rx ",
			},
		},
		"cafile": {[]string{"certs", "list", "--cafile", cert}, 2, []string{"permission denied\nhint: "}},
		"check": {slices.Concat([]string{"certs", "check", "--capath", s.capath}, s.client.flags()), 1, []string{
			"problem  key: cannot read the key: open " + s.client.key + ": permission denied\n         hint: ",
			"\nok       chain: ",
		}},
		"status": {[]string{"status", "--admin", "unix:" + closed + "/*.sock"}, 1, []string{
			"gtunnel: cannot look for admin sockets: open " + closed + ": permission denied\nhint: run this as root",
		}},
	} {
		t.Run(about, func(t *testing.T) {
			code, output := runOrdinary(t, program, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, words := range test.words {
				if !strings.Contains(output, words) {
					t.Errorf("no %q in:\n%s", words, output)
				}
			}
		})
	}
}
