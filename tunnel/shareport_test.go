package tunnel_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestSharePort: a tunnel at every address and one at 127.0.0.1 have one port, in
// whatever order they begin, and what comes to 127.0.0.1 gets the one that is there
// alone. Two at the very same address are refused.
func TestSharePort(t *testing.T) {
	p := newPKI(t)
	for _, wide := range []bool{true, false} {
		server, client := p.serverConfig(t, "127.0.0.1:1"), p.clientConfig(t, "127.0.0.1:1")
		server.SharePort, client.SharePort = true, true
		server.Accept, client.Accept = address(t, ":0"), address(t, "127.0.0.1:0")
		first, second := server, client
		if !wide {
			first, second = client, server
		}
		one := start(t, first)
		port := one.Addr().(*net.TCPAddr).Port
		second.Accept.Port = strconv.Itoa(port)
		two := start(t, second)
		for range 50 {
			answers(t, "127.0.0.1", port)
		}
		for _, r := range []*running{one, two} {
			if status := r.Status(); status.Role == tunnel.Server && status.Accepted+uint64(status.HandshakesPending) > 0 {
				t.Errorf("the server got what came to 127.0.0.1: %+v", status)
			}
		}
		for _, again := range []tunnel.Config{server, client} {
			again.Accept.Port = strconv.Itoa(port)
			made, err := tunnel.New(again)
			if err != nil {
				t.Fatal(err)
			}
			if err := made.Listen(t.Context()); err == nil {
				t.Errorf("%s: a second one listens at %s", again.Role, again.Accept)
				made.Close()
			}
		}
	}
}
