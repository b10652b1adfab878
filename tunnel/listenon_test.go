package tunnel_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

// fileOf is a socket that listens, as another process has it.
func fileOf(t *testing.T, network, address string) (file *os.File, bound net.Addr) {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if socket, ok := listener.(*net.UnixListener); ok {
		socket.SetUnlinkOnClose(false)
	}
	defer listener.Close()
	file, err = listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, listener.Addr()
}

// TestIsSocket: a socket is one of the addresses at which a listener would be the same.
func TestIsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for _, c := range []struct{ network, address, is, isNot string }{
		{"tcp", ":0", ":P", "0.0.0.0:P [::]:P 127.0.0.1:P :1"},
		{"tcp4", "0.0.0.0:0", "0.0.0.0:P", ":P [::]:P 127.0.0.1:P"},
		{"tcp6", "[::]:0", "[::]:P", ":P 0.0.0.0:P [::1]:P"},
		{"tcp4", "127.0.0.1:0", "127.0.0.1:P", ":P 127.0.0.2:P [::1]:P server.test:P unix:/P"},
		{"tcp4", "127.0.0.1:0", "localhost:P", "0.0.0.0:P"},
		{"unix", path, "unix:" + path, "unix:" + path + "2 :1"},
	} {
		file, bound := fileOf(t, c.network, c.address)
		port := "0"
		if at, ok := bound.(*net.TCPAddr); ok {
			port = strconv.Itoa(at.Port)
		}
		expect := func(list string, want bool) {
			t.Helper()
			for text := range strings.FieldsSeq(strings.ReplaceAll(list, "P", port)) {
				address, err := tunnel.ParseAddress(text)
				if err != nil {
					t.Fatal(err)
				}
				if got := address.IsSocket(file); got != want {
					t.Errorf("%s %s is at %s: %v", c.network, bound, address, got)
				}
			}
		}
		expect(c.is, true)
		expect(c.isNot, false)
	}
}
