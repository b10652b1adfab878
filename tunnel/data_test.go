package tunnel_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// duplex is an end of a conversation: TCP or TLS.
type duplex interface {
	net.Conn
	CloseWrite() error
}

// tlsConfig proves host and speaks one version.
func (p *pki) tlsConfig(t testing.TB, host string, version uint16) *tls.Config {
	t.Helper()
	h, err := p.ca.NewHost(host, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	certificate := tls.Certificate{PrivateKey: h.Key}
	for _, c := range h.Chain {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.ca.Certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, ServerName: serverHost,
		ClientAuth: tls.RequireAnyClientCert, MinVersion: version, MaxVersion: version,
	}
}

// ends opens connections through tunnels; near and far are their two ends.
type ends func(t testing.TB) (near, far duplex)

// everyWay runs a test with a tunnel between TLS and TCP, in each role and
// version, and with both tunnels.
func everyWay(t *testing.T, test func(t *testing.T, open ends)) {
	t.Run("client and server", func(t *testing.T) {
		target, conns := held(t)
		_, client := startPair(t, target)
		test(t, func(t testing.TB) (near, far duplex) {
			near = dial(t, client.Addr())
			return near, receive(t, "a connection at the backend", conns)
		})
	})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run("server, "+tls.VersionName(version), func(t *testing.T) {
			p := newPKI(t)
			target, conns := held(t)
			server := start(t, p.serverConfig(t, target))
			config := p.tlsConfig(t, clientHost, version)
			test(t, func(t testing.TB) (near, far duplex) {
				conn := tls.Client(dial(t, server.Addr()), config)
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				return conn, receive(t, "a connection at the backend", conns)
			})
		})
		t.Run("client, "+tls.VersionName(version), func(t *testing.T) {
			p := newPKI(t)
			target, conns := held(t)
			client := start(t, p.clientConfig(t, target))
			config := p.tlsConfig(t, serverHost, version)
			test(t, func(t testing.TB) (near, far duplex) {
				near = dial(t, client.Addr())
				conn := tls.Server(receive(t, "a connection at the backend", conns), config)
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				return near, conn
			})
		})
	}
}

// TestRandomBothWays writes pieces of random sizes with random pauses on both
// ends at once.
func TestRandomBothWays(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	const size = 6 << 20
	everyWay(t, func(t *testing.T, open ends) {
		talk := func(conn duplex, own, other byte) error {
			sent := make(chan error, 1)
			go func() {
				generator := rand.New(rand.NewPCG(seed, uint64(own)))
				data := newPattern(own, size)
				piece := make([]byte, 400<<10)
				for data.offset < size {
					most := []int{1, 100, 16 << 10, len(piece)}[generator.IntN(4)]
					n, _ := io.ReadFull(data, piece[:1+generator.IntN(most)]) // the last is short
					if _, err := conn.Write(piece[:n]); err != nil {
						sent <- err
						return
					}
					if generator.IntN(8) == 0 {
						time.Sleep(time.Duration(generator.IntN(1000)) * time.Microsecond)
					}
				}
				sent <- conn.CloseWrite()
			}()
			gotSize, gotSum, err := sum(conn)
			if wantSize, wantSum, _ := sum(newPattern(other, size)); err == nil && (gotSize != wantSize || gotSum != wantSum) {
				err = fmt.Errorf("got %d bytes with sum %x, want %d with %x", gotSize, gotSum, wantSize, wantSum)
			}
			return errors.Join(err, <-sent)
		}
		near, far := open(t)
		result := make(chan error, 1)
		go func() { result <- talk(far, 2, 1) }()
		if err := talk(near, 1, 2); err != nil {
			t.Errorf("near: %v", err)
		}
		if err := receive(t, "the far end", result); err != nil {
			t.Errorf("far: %v", err)
		}
	})
	noBuffers(t)
}

// points are where data ends or breaks: around the sizes of records and
// batches.
var points = []int{0, 1, 5, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64 << 10, 64<<10 + 1, 300 << 10, 3 << 20}

// TestOneByteAtATime wants every byte to arrive without a further one.
func TestOneByteAtATime(t *testing.T) {
	everyWay(t, func(t *testing.T, open ends) {
		near, far := open(t)
		for i := range 200 {
			for _, pair := range [][2]duplex{{near, far}, {far, near}} {
				b := string(rune('a' + i%26))
				if _, err := io.WriteString(pair[0], b); err != nil {
					t.Fatal(err)
				}
				expect(t, pair[1], b)
			}
		}
	})
}

// TestHalfCloseAtEveryPoint ends one direction and then the other after so
// many bytes.
func TestHalfCloseAtEveryPoint(t *testing.T) {
	everyWay(t, func(t *testing.T, open ends) {
		for i, n := range points {
			first, second := open(t)
			if i%2 == 1 {
				first, second = second, first
			}
			for _, pair := range [][2]duplex{{first, second}, {second, first}} {
				sent := make(chan error, 1)
				go func() { sent <- errors.Join(send(pair[0], newPattern(3, int64(n))), pair[0].CloseWrite()) }()
				size, checksum, err := sum(pair[1])
				if wantSize, wantSum, _ := sum(newPattern(3, int64(n))); err != nil || size != wantSize || checksum != wantSum {
					t.Errorf("%d bytes with sum %x arrive, %v, want %d with %x", size, checksum, err, wantSize, wantSum)
				}
				if err := receive(t, "all is sent", sent); err != nil {
					t.Error(err)
				}
			}
		}
	})
	noBuffers(t)
}

// TestResetAtEveryPoint resets an end after so many bytes have left it. The
// other must see a reset too, after a beginning of them.
func TestResetAtEveryPoint(t *testing.T) {
	everyWay(t, func(t *testing.T, open ends) {
		for i, n := range points {
			broken, whole := open(t)
			if i%2 == 1 {
				broken, whole = whole, broken
			}
			sent := make(chan error, 1)
			go func() {
				err := send(broken, newPattern(3, int64(n)))
				socket, ok := broken.(*net.TCPConn)
				if over, isTLS := broken.(*tls.Conn); isTLS {
					socket, ok = over.NetConn().(*net.TCPConn)
				}
				if !ok {
					err = fmt.Errorf("no socket under a %T", broken)
				} else {
					err = errors.Join(err, socket.SetLinger(0), socket.Close())
				}
				sent <- err
			}()
			got, err := io.ReadAll(whole)
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("after %d of %d bytes the other end sees %v, want a reset", len(got), n, err)
			}
			want := make([]byte, len(got))
			if m, _ := io.ReadFull(newPattern(3, int64(n)), want); m != len(got) || !bytes.Equal(got, want) {
				t.Errorf("the %d bytes before the reset are not those that were sent", len(got))
			}
			if err := receive(t, "all is sent", sent); err != nil {
				t.Error(err)
			}
		}
	})
	noBuffers(t)
}

// splitter is a TCP proxy that writes what it carries in pieces.
type splitter struct {
	net.Listener
	target string

	mu   sync.Mutex
	plan []byte // of the connections that come: see carry
	wg   sync.WaitGroup
}

func newSplitter(t testing.TB, target string) *splitter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &splitter{Listener: listener, target: target}
	s.wg.Go(s.serve)
	t.Cleanup(func() {
		listener.Close()
		s.wg.Wait()
	})
	return s
}

func (s *splitter) serve() {
	for {
		near, err := s.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", s.target)
		if err != nil {
			near.Close()
			continue
		}
		s.mu.Lock()
		plan := s.plan
		s.mu.Unlock()
		s.wg.Go(func() {
			defer near.Close()
			defer far.Close()
			var halves sync.WaitGroup
			halves.Go(func() { carrySplit(near.(*net.TCPConn), far.(*net.TCPConn), plan) })
			carrySplit(far.(*net.TCPConn), near.(*net.TCPConn), plan)
			halves.Wait()
		})
	}
}

// carrySplit writes pieces of as many bytes as plan says, over and over: small
// numbers are bytes, larger ones more, and odd ones let the reader come first.
func carrySplit(from, to *net.TCPConn, plan []byte) {
	data := make([]byte, 64<<10)
	for i := 0; ; {
		n, err := from.Read(data)
		for rest := data[:n]; len(rest) > 0; i++ {
			size, pause := len(rest), false
			if len(plan) > 0 {
				step := plan[i%len(plan)]
				size, pause = min(len(rest), 1+int(step)>>1), step%2 == 1
				if step >= 128 {
					size = min(len(rest), int(step)*int(step)/4)
				}
			}
			if _, err := to.Write(rest[:size]); err != nil {
				return
			}
			if rest = rest[size:]; pause {
				runtime.Gosched()
			}
		}
		if err != nil {
			_ = to.CloseWrite() // an end, or a reset that the other half passes on
			return
		}
	}
}

// FuzzSplits splits the records of a connection, handshake included, at
// points that the fuzzer chooses, and echoes data whose size it chooses too.
func FuzzSplits(f *testing.F) {
	for _, plan := range []string{
		"", "\x00", "\x01", "\x08", "\x09\x01", "\xff", "\x81\x03\x00", "\x0a\x0b\x7f\xfe\x01",
		"\xa5\x01\x01\x01\x01",
	} {
		f.Add([]byte(plan), uint32(1), uint32(20000))
		f.Add([]byte(plan), uint32(70000), uint32(3))
	}
	p := newPKI(f)
	server := start(f, p.serverConfig(f, backend(f, echo)))
	proxy := newSplitter(f, server.Addr().String())
	client := start(f, p.clientConfig(f, proxy.Addr().String()))
	f.Fuzz(func(t *testing.T, plan []byte, first, second uint32) {
		proxy.mu.Lock()
		proxy.plan = plan
		proxy.mu.Unlock()
		conn, err := net.Dial("tcp", client.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		for i, size := range []uint32{first % (256 << 10), second % (256 << 10)} {
			sent := make(chan error, 1)
			go func() { sent <- send(conn, newPattern(byte(i), int64(size))) }()
			gotSize, gotSum, err := sum(io.LimitReader(conn, int64(size)))
			if _, want, _ := sum(newPattern(byte(i), int64(size))); err != nil || gotSize != int64(size) || gotSum != want {
				t.Errorf("got %d bytes of %d with sum %x, want %x: %v", gotSize, size, gotSum, want, err)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := expectEnd(t, conn); got != "" {
			t.Errorf("%d bytes too many", len(got))
		}
	})
}
