package tunnel

import (
	"net"
	"testing"
)

// TestPulse: an accept loop that does nothing is stuck if somebody waits for it, and one that
// does something, or that nobody wants, is not.
func TestPulse(t *testing.T) {
	var tunnel Tunnel
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	tunnel.listener = listener
	tunnel.accepting.Store(true) // and nobody does
	expect := func(what string, earlier Pulse, want bool) {
		t.Helper()
		if now := tunnel.Pulse(); now.StuckSince(earlier) != want {
			t.Errorf("%s: %+v since %+v, want %v", what, now, earlier, want)
		}
	}
	quiet := tunnel.Pulse()
	expect("nobody waits", quiet, false)
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	expect("one waits since now", quiet, false)
	waits := tunnel.Pulse()
	expect("one waits", waits, true)
	tunnel.turns.Add(1)
	expect("it has done something", waits, false)
	tunnel.accepting.Store(false)
	expect("it drains", tunnel.Pulse(), false)
	tunnel.accepting.Store(true)
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	tunnel.inHand.Store(true)
	expect("it is busy with one", tunnel.Pulse(), true)
}
