package tunnel_test

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

// answers reports whether somebody listens at an address of this host.
func answers(t *testing.T, host string, port int) bool {
	t.Helper()
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), patience)
	switch {
	case err == nil:
		conn.Close()
		return true
	case errors.Is(err, syscall.ECONNRESET): // so soon that Dial sees it
		return true
	case !errors.Is(err, syscall.ECONNREFUSED):
		t.Fatal(err)
	}
	return false
}

// TestListensByOneFamily: an address of one version of IP is not reached by
// the other, past the rules of its firewall; without a host both are meant.
func TestListensByOneFamily(t *testing.T) {
	p := newPKI(t)
	for name, config := range map[string]tunnel.Config{
		"server": p.serverConfig(t, "127.0.0.1:1"),
		"client": p.clientConfig(t, "127.0.0.1:1"),
	} {
		config.UnsafePlaintext = true
		for _, test := range []struct {
			accept string
			v4, v6 bool
		}{
			{"0.0.0.0:0", true, false},
			{"[::ffff:0.0.0.0]:0", true, false},
			{"127.0.0.1:0", true, false},
			{"localhost:0", true, false},
			{"[::]:0", false, true},
			{"[::1]:0", false, true},
			{":0", true, true},
			{"0", true, true},
		} {
			config.Accept = address(t, test.accept)
			r := start(t, config)
			port := r.Addr().(*net.TCPAddr).Port
			if v4, v6 := answers(t, "127.0.0.1", port), answers(t, "::1", port); v4 != test.v4 || v6 != test.v6 {
				t.Errorf("%s at %s: 127.0.0.1 answers: %t, ::1: %t; want %t, %t", name, test.accept, v4, v6, test.v4, test.v6)
			}
		}
	}
}

// TestOnePortOfEachFamily: what does not overlap can be bound beside the
// other.
func TestOnePortOfEachFamily(t *testing.T) {
	p := newPKI(t)
	config := p.serverConfig(t, "127.0.0.1:1")
	config.Accept = address(t, "0.0.0.0:0")
	port := strconv.Itoa(start(t, config).Addr().(*net.TCPAddr).Port)
	config.Accept = address(t, "[::]:"+port)
	start(t, config)
	expectListenError(t, ":"+port, "the port is in use", "ss -ltnp")
}

// TestBoundAddressIsShown: the log and the status show the chosen port, and an
// address without a host as it was written, since [::] would be IPv6 only.
func TestBoundAddressIsShown(t *testing.T) {
	p := newPKI(t)
	for accept, host := range map[string]string{
		":0": ":", "0.0.0.0:0": "0.0.0.0:", "[::]:0": "[::]:",
		"localhost:0": "127.0.0.1:",
	} {
		config := p.serverConfig(t, "127.0.0.1:1")
		config.Accept = address(t, accept)
		r := start(t, config)
		want := host + strconv.Itoa(r.Addr().(*net.TCPAddr).Port)
		if got := r.Status().Accept; got != want {
			t.Errorf("the status of %s: %s, want %s", accept, got, want)
		}
		if got := r.entry(t, "listening")["accept"]; got != want {
			t.Errorf("the log of %s: %v, want %s", accept, got, want)
		}
	}
}
