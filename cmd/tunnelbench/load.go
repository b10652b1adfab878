package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The data of every transfer: a block of random bytes, over and over. Its
// length is a prime near that of a TLS record, so that it falls differently on
// every record and buffer. It is short so that the comparison finds it in the
// processor's nearest cache: to compare all data costs a tenth of receiving
// them. It lies in memory once and a chunk more, so that a chunk can begin
// anywhere in it.
const (
	patternSize = 16381
	chunkSize   = 256 << 10
)

var pattern = func() []byte {
	data := make([]byte, patternSize, patternSize+chunkSize)
	_, _ = rand.NewChaCha8([32]byte{'g', 't'}).Read(data)
	for len(data) < cap(data) {
		data = append(data, data[:min(patternSize, cap(data)-len(data))]...)
	}
	return data
}()

// patternAt is n bytes, a chunk at most, of the data from offset on.
func patternAt(offset int64, n int) []byte {
	start := int(offset % patternSize)
	return pattern[start : start+n]
}

// matches reports whether b is the data from offset on.
func matches(b []byte, offset int64) bool {
	for start := int(offset % patternSize); len(b) > 0; start = 0 {
		n := min(patternSize-start, len(b))
		if !bytes.Equal(b[:n], pattern[start:start+n]) {
			return false
		}
		b = b[n:]
	}
	return true
}

// What a client asks of the backend, the first byte of a request.
const (
	askPing    = 'p' // send the request back
	askSend    = 's' // send size bytes of the data
	askFlow    = 'f' // send for the flow number
	askSink    = 'r' // receive for the flow number
	askEcho    = 'e' // echo messages of size bytes until the connection ends
	askTrickle = 't' // send messages of size bytes; see receiveTrickle
)

// requestSize is the length of a request on the wire.
const requestSize = 16

// request is what a client asks of the backend.
type request struct {
	verb   byte
	size   uint32
	number uint64
}

func (r request) bytes() []byte {
	b := make([]byte, 4, requestSize)
	b[0] = r.verb
	b = binary.BigEndian.AppendUint32(b, r.size)
	return binary.BigEndian.AppendUint64(b, r.number)
}

func parseRequest(b []byte) request {
	return request{verb: b[0], size: binary.BigEndian.Uint32(b[4:]), number: binary.BigEndian.Uint64(b[8:])}
}

// backend is what every pair connects to. It and the clients live in this one
// process, so they share flows and a clock.
type backend struct {
	listener *net.TCPListener
	serving  sync.WaitGroup
	flows    sync.Map // number -> *flow
	flowed   atomic.Uint64
	mu       sync.Mutex
	closed   bool
	conns    map[*net.TCPConn]struct{}
}

func newBackend(ctx context.Context, address string) (*backend, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the pairs: %w", err)
	}
	b := &backend{listener: listener.(*net.TCPListener), conns: map[*net.TCPConn]struct{}{}}
	b.serving.Go(b.accept)
	return b, nil
}

// address is where it is reached on its host.
func (b *backend) address() string { return net.JoinHostPort("127.0.0.1", b.port()) }

func (b *backend) port() string { return strconv.Itoa(b.listener.Addr().(*net.TCPAddr).Port) }

// close ends all connections and waits for what serves them.
func (b *backend) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	b.closed = true
	for conn := range b.conns {
		_ = conn.CloseWrite() // wakes what reads a duplicate of it
		_, _ = conn.CloseRead(), conn.Close()
	}
	b.mu.Unlock()
	b.serving.Wait()
}

func (b *backend) accept() {
	for {
		conn, err := b.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // out of files: the client sees a time-out
			continue
		}
		b.mu.Lock()
		if b.closed {
			_ = conn.Close()
		} else {
			b.conns[conn] = struct{}{}
			b.serving.Go(func() { b.serve(conn) })
		}
		b.mu.Unlock()
	}
}

func (b *backend) serve(conn *net.TCPConn) {
	defer func() {
		_ = conn.Close()
		b.mu.Lock()
		delete(b.conns, conn)
		b.mu.Unlock()
	}()
	var buffer [requestSize]byte
	for {
		if _, err := io.ReadFull(conn, buffer[:]); err != nil {
			return
		}
		if err := b.answer(conn, parseRequest(buffer[:])); err != nil {
			return // the client finds out, and says it
		}
	}
}

func (b *backend) answer(conn *net.TCPConn, r request) error {
	switch r.verb {
	case askPing:
		_, err := conn.Write(r.bytes())
		return err
	case askSend:
		for offset := int64(0); offset < int64(r.size); offset += chunkSize {
			if _, err := conn.Write(patternAt(offset, int(min(chunkSize, int64(r.size)-offset)))); err != nil {
				return err
			}
		}
		return nil
	case askFlow, askSink:
		f, ok := b.flows.Load(r.number)
		if !ok {
			return fmt.Errorf("no flow has the number %d", r.number)
		}
		if r.verb == askSink {
			return f.(*flow).receive(conn)
		}
		return f.(*flow).send(conn)
	case askEcho:
		return echoMessages(conn, int(r.size))
	case askTrickle:
		//nolint:gosec // counts of ours
		return trickle(conn, int(r.size), int(uint32(r.number)), time.Duration(r.number>>32)*time.Millisecond)
	}
	return fmt.Errorf("unknown request %q", r.verb)
}

// flow is one transfer for as long as it is wanted. The receiver compares
// every byte with what was sent, and their number at the end.
type flow struct {
	number   uint64
	received atomic.Int64
	stopping atomic.Bool
	total    atomic.Int64 // bytes in all, known once the sender begins its last write
	ended    chan error   // the receiver's verdict
	rate     float64      // bytes a second that the receiver takes; 0: all that come
}

// newFlow registers a flow until it is forgotten.
func (b *backend) newFlow() *flow {
	f := &flow{number: b.flowed.Add(1), ended: make(chan error, 1)}
	b.flows.Store(f.number, f)
	return f
}

func (b *backend) forget(f *flow) { b.flows.Delete(f.number) }

// send sends until the flow is stopped.
func (f *flow) send(conn net.Conn) error {
	for offset := int64(0); ; offset += chunkSize {
		last := f.stopping.Load()
		if last {
			f.total.Store(offset + chunkSize)
		}
		if _, err := conn.Write(patternAt(offset, chunkSize)); err != nil {
			return fmt.Errorf("send after %d bytes: %w", offset, err)
		}
		if last {
			return nil
		}
	}
}

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// receive receives until it has all that the sender sent, and tells ended.
func (f *flow) receive(conn net.Conn) (err error) {
	defer func() { f.ended <- err }()
	buffer := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buffer)
	piece, begun := chunkSize, time.Now()
	if f.rate > 0 { // small pieces, or they would come in bursts
		piece = min(max(int(f.rate/100), 1), chunkSize)
	}
	for offset := int64(0); ; {
		if f.rate > 0 {
			time.Sleep(time.Until(begun.Add(time.Duration(float64(offset) / f.rate * float64(time.Second)))))
		}
		n, err := conn.Read(buffer[:piece])
		if !matches(buffer[:n], offset) {
			return fmt.Errorf("the data differ from what was sent between the bytes %d and %d", offset, offset+int64(n))
		}
		offset += int64(n)
		f.received.Store(offset)
		switch total := f.total.Load(); {
		case total > 0 && offset == total:
			return nil
		case total > 0 && offset > total:
			return fmt.Errorf("%d bytes came, %d were sent", offset, total)
		case err != nil:
			return fmt.Errorf("receive after %d bytes: %w", offset, err)
		}
	}
}

// dial connects to the client end of a pair. The connection ends by itself
// after limit: nothing waits for ever.
func dial(ctx context.Context, address string, limit time.Duration) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: limit}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to the pair: %w", err)
	}
	tcp := conn.(*net.TCPConn)
	if err := tcp.SetDeadline(time.Now().Add(limit)); err != nil {
		_ = tcp.Close()
		return nil, fmt.Errorf("connect to the pair: %w", err)
	}
	return tcp, nil
}

// ping sends a request through conn and wants it back.
func ping(conn net.Conn, number uint64) error {
	sent := request{verb: askPing, number: number}.bytes()
	if _, err := conn.Write(sent); err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	var got [requestSize]byte
	if _, err := io.ReadFull(conn, got[:]); err != nil {
		return fmt.Errorf("wait for the answer: %w", err)
	}
	if !bytes.Equal(got[:], sent) {
		return errors.New("the answer differs from what was sent")
	}
	return nil
}

// fetch has size bytes sent by the backend, and compares them.
func fetch(conn net.Conn, size int) error {
	//nolint:gosec // sizes are ours
	if _, err := conn.Write(request{verb: askSend, size: uint32(size)}.bytes()); err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	buffer := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buffer)
	for offset := 0; offset < size; {
		n, err := conn.Read(buffer[:min(chunkSize, size-offset)])
		if !matches(buffer[:n], int64(offset)) {
			return fmt.Errorf("the data differ from what was sent between the bytes %d and %d", offset, offset+n)
		}
		if offset += n; err != nil {
			return fmt.Errorf("receive after %d bytes: %w", offset, err)
		}
	}
	return nil
}
