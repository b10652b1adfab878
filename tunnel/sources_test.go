package tunnel_test

import (
	"io"
	"testing"
)

// TestWhoIsSuspected: a source whose handshake fails is, and one that only
// looks whether the port is open is not.
func TestWhoIsSuspected(t *testing.T) {
	server := start(t, newPKI(t).serverConfig(t, backend(t, echo)))
	from(t, "127.0.0.2", server.Addr()).Close()
	eventually(t, "it has gone", func() bool { return server.Status().Refused["disconnected"] == 1 })
	if n := server.Suspects(); n != 0 {
		t.Errorf("%d suspects after a look at the port", n)
	}
	conn := from(t, "127.0.0.3", server.Addr())
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, conn)
	if n := server.Suspects(); n != 1 {
		t.Errorf("%d suspects after a handshake that failed", n)
	}
}
