package tunnel_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/tunnel"
)

// processorTime is what the process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkRelay moves data through a server and a client, both ways in turn.
// An operation is 1 MB, so that the allocations are those of a megabyte. The
// processor time is that of both ends of the tunnel, of the writer and of the
// reader.
func BenchmarkRelay(b *testing.B) {
	const size = 1 << 20
	for _, chunk := range []int{1 << 10, 32 << 10, 1 << 20} {
		write := func(conn *net.TCPConn) {
			data := make([]byte, chunk)
			_ = conn.SetDeadline(time.Time{})
			for {
				if _, err := conn.Write(data); err != nil {
					return
				}
			}
		}
		read := func(b *testing.B, conn *net.TCPConn) {
			b.Helper()
			got := make([]byte, size)
			_ = conn.SetDeadline(time.Time{})
			for range 64 { // the batches grow
				if _, err := io.ReadFull(conn, got); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(size)
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				if _, err := io.ReadFull(conn, got); err != nil {
					b.Fatal(err)
				}
			}
			used := processorTime(b) - before
			b.ReportMetric(used.Seconds()/(float64(b.N)*size/1e9), "cpu-s/GB")
		}
		b.Run(fmt.Sprintf("down in writes of %d KiB", chunk>>10), func(b *testing.B) {
			_, client := startPair(b, backend(b, write))
			read(b, dial(b, client.Addr()))
		})
		b.Run(fmt.Sprintf("up in writes of %d KiB", chunk>>10), func(b *testing.B) {
			target, conns := held(b)
			_, client := startPair(b, target)
			conn := dial(b, client.Addr())
			written := make(chan struct{})
			go func() {
				defer close(written)
				write(conn)
			}()
			far := receive(b, "a connection at the backend", conns)
			read(b, far)
			abort(b, far)
			<-written
		})
	}
}

// quiet keeps the log of the tests from being measured.
func quiet(server, client *tunnel.Config) { server.Logger, client.Logger = zap.NewNop(), zap.NewNop() }

// BenchmarkMemory is what a connection takes in both ends together while
// nothing moves: one that has only been greeted, and one that has moved 1 MB.
func BenchmarkMemory(b *testing.B) {
	const connections = 200
	memory := func() (heap, stack, objects float64) {
		for range 4 { // pools empty and stacks shrink a step at a time
			runtime.GC()
		}
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return float64(stats.HeapAlloc), float64(stats.StackInuse), float64(stats.HeapObjects)
	}
	for _, size := range []int{1, 1 << 20} {
		b.Run(fmt.Sprintf("after %d bytes", size), func(b *testing.B) {
			data := make([]byte, size)
			_, client := startPair(b, backend(b, func(conn *net.TCPConn) {
				_, _ = conn.Write(data)
				_, _ = conn.Read(make([]byte, 1))
			}), quiet)
			for b.Loop() {
				heap, stack, objects := memory()
				var conns []*net.TCPConn
				for range connections {
					conn := dial(b, client.Addr())
					if _, err := io.CopyN(io.Discard, conn, int64(size)); err != nil {
						b.Fatal(err)
					}
					conns = append(conns, conn)
				}
				heapAfter, stackAfter, objectsAfter := memory()
				b.ReportMetric((heapAfter-heap)/connections/1024, "heap-KiB/conn")
				b.ReportMetric((stackAfter-stack)/connections/1024, "stack-KiB/conn")
				b.ReportMetric((objectsAfter-objects)/connections, "objects/conn")
				for _, conn := range conns {
					_ = conn.Close()
				}
				eventually(b, "all sessions are gone", func() bool { return len(client.Status().Sessions) == 0 })
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
	_, client := startPair(b, backend(b, echo), quiet)
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
