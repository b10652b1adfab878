package tunnel_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// BenchmarkRelay moves data from a backend through a server and a client, in
// reads of 1 MB, and BenchmarkRoundTrip small messages there and back.
func BenchmarkRelay(b *testing.B) {
	for _, chunk := range []int{1 << 10, 32 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("writes of %d KiB", chunk>>10), func(b *testing.B) {
			data := make([]byte, chunk)
			_, client := startPair(b, backend(b, func(conn *net.TCPConn) {
				_ = conn.SetDeadline(time.Time{})
				for {
					if _, err := conn.Write(data); err != nil {
						return
					}
				}
			}))
			conn := dial(b, client.Addr())
			_ = conn.SetDeadline(time.Time{})
			got := make([]byte, 1<<20)
			if _, err := io.ReadFull(conn, got); err != nil { // the buffers grow
				b.Fatal(err)
			}
			b.SetBytes(int64(len(got)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.ReadFull(conn, got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	_, client := startPair(b, backend(b, func(conn *net.TCPConn) {
		_ = conn.SetDeadline(time.Time{})
		echo(conn)
	}))
	conn := dial(b, client.Addr())
	_ = conn.SetDeadline(time.Time{})
	message := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandshake opens a connection through a server and a client, has
// one byte echoed and closes it, many at once.
func BenchmarkHandshake(b *testing.B) {
	_, client := startPair(b, backend(b, echo))
	to := client.Addr().String()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var data [1]byte
		for pb.Next() {
			conn, err := net.DialTimeout("tcp", to, patience)
			if err != nil {
				b.Error(err)
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := conn.Write(data[:]); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(conn, data[:]); err != nil {
				b.Error(err)
			}
			_ = conn.Close()
		}
	})
}
