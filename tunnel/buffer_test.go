package tunnel_test

import (
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

// noBuffers waits until no buffer is held.
func noBuffers(t testing.TB) {
	t.Helper()
	eventually(t, "no buffer is held", func() bool { return tunnel.BuffersInUse() == 0 })
}

// TestIdleHoldsNoBuffer looks at open connections while nothing moves.
func TestIdleHoldsNoBuffer(t *testing.T) {
	_, client := startPair(t, backend(t, echo))
	var conns []net.Conn
	for range 5 {
		conns = append(conns, dial(t, client.Addr()))
	}
	for _, size := range []int{1, 100, 16 << 10, 300 << 10} {
		for _, conn := range conns {
			exchange(t, conn, string(make([]byte, size)))
		}
		noBuffers(t)
	}
}

// TestSlowReaders has many backends send all they can to readers that do not
// read. What the tunnel holds for them is bounded, and given back.
func TestSlowReaders(t *testing.T) {
	const connections, size = 24, 64 << 20
	server, client := startPair(t, backend(t, func(conn *net.TCPConn) {
		_ = send(conn, newPattern(1, size))
	}))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var conns []*net.TCPConn
	for range connections {
		conn := dial(t, client.Addr())
		if err := conn.SetReadBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	var carried uint64
	var held int64
	unchanged := 0
	eventually(t, "the tunnel waits for the readers", func() bool {
		held = max(held, tunnel.BuffersInUse())
		now := server.Status().BytesToPeer
		if unchanged++; now != carried || now == 0 {
			carried, unchanged = now, 0
		}
		return unchanged == 100
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d connections: %d KiB on their way in both ends, %d at most; the heap has grown by %d KiB; %d MiB carried",
		connections, tunnel.BuffersInUse()>>10, held>>10, (int64(after.HeapInuse)-int64(before.HeapInuse))>>10, carried>>20)
	// Each of the four halves of a connection holds a buffer at most: the
	// last of the large ones may have been taken at the limit.
	if limit := int64(tunnel.BuffersLimit + 4*connections*(80<<10) + 8<<20); held > limit {
		t.Errorf("%d bytes were on their way, more than %d", held, limit)
	}
	for _, conn := range conns {
		if _, err := io.CopyN(io.Discard, conn, 1<<20); err != nil {
			t.Error(err)
		}
		abort(t, conn)
	}
	noBuffers(t)
}
