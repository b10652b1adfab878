package tunnel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pattern is a stream of size bytes whose every 8 KiB block is another one.
type pattern struct {
	size, offset int64
	block        [8 << 10]byte
}

func newPattern(seed byte, size int64) *pattern {
	p := &pattern{size: size}
	generator := rand.NewChaCha8([32]byte{seed})
	_, _ = generator.Read(p.block[:]) // never fails
	return p
}

func (p *pattern) Read(buffer []byte) (int, error) {
	if p.offset == p.size {
		return 0, io.EOF
	}
	start := p.offset % int64(len(p.block))
	if start == 0 {
		binary.BigEndian.PutUint64(p.block[:], uint64(p.offset))
	}
	n := copy(buffer, p.block[start:])
	n = int(min(int64(n), p.size-p.offset))
	p.offset += int64(n)
	return n, nil
}

// sum reads r to its end.
func sum(r io.Reader) (size int64, checksum uint32, err error) {
	hash := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	size, err = io.CopyBuffer(hash, struct{ io.Reader }{r}, make([]byte, 128<<10))
	return size, hash.Sum32(), err
}

func send(conn io.Writer, p *pattern) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{conn}, p, make([]byte, 128<<10))
	return err
}

// TestBothWaysAtOnce moves 1 GB each way at once (less under -short and the
// race detector), then ends one direction and moves as much in the other.
func TestBothWaysAtOnce(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() || raceDetector {
		size = 64 << 20
	}
	for _, clientEndsFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("client ends first %t", clientEndsFirst), func(t *testing.T) {
			deadline := time.Now().Add(10 * time.Minute)
			result := make(chan error, 1)
			target := backend(t, func(conn *net.TCPConn) {
				_ = conn.SetDeadline(deadline)
				result <- exchangeMuch(conn, size, 2, !clientEndsFirst)
			})
			server, client := startPair(t, target)
			conn := dial(t, client.Addr())
			_ = conn.SetDeadline(deadline)
			if err := exchangeMuch(conn, size, 1, clientEndsFirst); err != nil {
				t.Errorf("client: %v", err)
			}
			if err := <-result; err != nil {
				t.Errorf("backend: %v", err)
			}
			for _, r := range []*running{server, client} {
				r.entry(t, "closed", "reason", "both sides ended")
			}
			s, c := server.Status(), client.Status()
			if s.BytesFromPeer != c.BytesToPeer || s.BytesToPeer != c.BytesFromPeer ||
				s.BytesFromPeer+s.BytesToPeer != uint64(3*size) {
				t.Errorf("the ends count %d, %d and %d, %d bytes, want %d in all",
					s.BytesFromPeer, s.BytesToPeer, c.BytesToPeer, c.BytesFromPeer, 3*size)
			}
		})
	}
}

// exchangeMuch is one side of a connection. The one that is first sends size
// bytes and ends. The other sends size bytes, waits for that end, and sends size
// bytes more.
func exchangeMuch(conn *net.TCPConn, size int64, seed byte, first bool) error {
	var group sync.WaitGroup
	var sent error
	ended := make(chan struct{})
	group.Go(func() {
		if sent = send(conn, newPattern(seed, size)); sent != nil {
			return
		}
		if !first {
			<-ended
			sent = send(conn, newPattern(seed+1, size))
		}
		sent = errors.Join(sent, conn.CloseWrite())
	})
	want := io.Reader(newPattern(3-seed, size))
	if first {
		want = io.MultiReader(want, newPattern(4-seed, size))
	}
	gotSize, gotSum, err := sum(conn)
	close(ended)
	group.Wait()
	wantSize, wantSum, _ := sum(want)
	if gotSize != wantSize || gotSum != wantSum {
		err = errors.Join(err, fmt.Errorf("got %d bytes with sum %x, want %d with %x", gotSize, gotSum, wantSize, wantSum))
	}
	return errors.Join(err, sent)
}

func TestRandomSizes(t *testing.T) {
	const seed, total = 42, 8 << 20
	_, client := startPair(t, backend(t, echo))
	conn := dial(t, client.Addr())
	generator := rand.New(rand.NewPCG(seed, 0))
	sent := make(chan error, 1)
	go func() {
		data := make([]byte, 100<<10)
		stream := newPattern(7, total)
		for {
			n, err := io.ReadFull(stream, data[:1+generator.IntN(len(data))])
			if n == 0 {
				sent <- conn.CloseWrite()
				return
			}
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				sent <- err
				return
			}
			if _, err := conn.Write(data[:n]); err != nil {
				sent <- err
				return
			}
		}
	}()
	size, checksum, err := sum(conn)
	if err != nil {
		t.Error(err)
	}
	if err := receive(t, "the last write", sent); err != nil {
		t.Error(err)
	}
	if wantSize, wantSum, _ := sum(newPattern(7, total)); size != wantSize || checksum != wantSum {
		t.Errorf("got %d bytes with sum %x, want %d with %x (seed %d)", size, checksum, wantSize, wantSum, seed)
	}
}

// TestOneByteWrites wants every byte to arrive without a further one.
func TestOneByteWrites(t *testing.T) {
	_, client := startPair(t, backend(t, echo))
	conn := dial(t, client.Addr())
	for i := range 1000 {
		exchange(t, conn, string(rune('a'+i%26)))
	}
}

// TestServerSpeaksFirst is MySQL's way: the client waits for a greeting.
func TestServerSpeaksFirst(t *testing.T) {
	server, client := startPair(t, backend(t, func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "greeting")
		echo(conn)
	}))
	conn := dial(t, client.Addr())
	expect(t, conn, "greeting")
	exchange(t, conn, "login")
	conn.Close()
	for _, r := range []*running{server, client} {
		connected := r.entry(t, "connected")
		if verified := r.entry(t, "peer verified"); verified["conn"] != connected["conn"] {
			t.Errorf("one connection has the ids %v and %v", verified["conn"], connected["conn"])
		}
		closed := r.entry(t, "closed", "conn", connected["conn"].(string))
		if closed["bytes_from_peer"].(uint64)+closed["bytes_to_peer"].(uint64) != 18 {
			t.Errorf("the closing line counts %v", closed)
		}
	}
}

// TestSlowReader stops reading: the tunnel must stop too, and hold little.
func TestSlowReader(t *testing.T) {
	const size = 256 << 20
	server, client := startPair(t, backend(t, func(conn *net.TCPConn) {
		_ = send(conn, newPattern(1, size))
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}))
	conn := dial(t, client.Addr())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	var carried uint64
	unchanged := 0
	eventually(t, "the tunnel waits for the reader", func() bool {
		now := server.Status().BytesToPeer
		if unchanged++; now != carried || now == 0 {
			carried, unchanged = now, 0
		}
		return unchanged == 250
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	if carried >= size/2 {
		t.Errorf("%d bytes were carried to a reader that does not read", carried)
	}
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes for one connection", grown)
	}
	if got, checksum, err := sum(io.LimitReader(conn, size)); err != nil {
		t.Errorf("after %d bytes: %v", got, err)
	} else if _, want, _ := sum(newPattern(1, size)); checksum != want {
		t.Errorf("sum %x, want %x", checksum, want)
	}
}

// TestPlainDataThatResemblesTLS passes what is not quite a ClientHello.
func TestPlainDataThatResemblesTLS(t *testing.T) {
	_, client := startPair(t, backend(t, echo))
	for _, data := range []string{
		"\x16", "\x16\x03", "\x16\x03\x01\x00\xa0", "\x16\x03\x05\x00\xa0\x01", "\x16\x02\x01\x00\xa0\x01",
		"\x16\x03\x01\x00\xa0\x02", "\x17\x03\x03\x00\xa0\x01", "x\x16\x03\x01\x00\xa0\x01",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\x16\x03\x00\x01\x85\xa6\xff\x01", // a MySQL handshake response of 790 bytes
	} {
		conn := dial(t, client.Addr())
		exchange(t, conn, data)
		exchange(t, conn, "\x16\x03\x01\x00\xa0\x01")
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestManyAtOnce runs connections of all sorts side by side.
func TestManyAtOnce(t *testing.T) {
	_, client := startPair(t, backend(t, echo))
	var failures atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", client.Addr().String())
			if err != nil {
				failures.Add(1)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			data := bytes.Repeat([]byte{byte(i)}, 1+i*1000)
			got := make([]byte, len(data))
			for range 5 {
				if _, err := conn.Write(data); err != nil {
					failures.Add(1)
					return
				}
				if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, data) {
					failures.Add(1)
					return
				}
			}
			if i%4 == 0 {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
		})
	}
	wg.Wait()
	if n := failures.Load(); n > 0 {
		t.Errorf("%d of 40 connections failed", n)
	}
	eventually(t, "all sessions are gone", func() bool { return len(client.Status().Sessions) == 0 })
}
