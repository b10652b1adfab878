package seed

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// TestLimiterKeepsRate hands on pieces that are larger than what may catch up.
func TestLimiterKeepsRate(t *testing.T) {
	limiter := newLimiter(1 << 20)
	begun := time.Now()
	for _, n := range []int{0, 1, 150 << 10, 105 << 10} { // a quarter of a second, and a tenth ahead
		if err := mayPass(t.Context(), limiter, n); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took < 140*time.Millisecond {
		t.Errorf("256 kB at 1 MB/s took %v", took)
	}
	stopped := errors.New("the master has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	for _, rate := range []uint64{1, 9, 1 << 20} {
		limiter = newLimiter(rate)
		if err := mayPass(ctx, limiter, 1<<20); !errors.Is(err, stopped) {
			t.Errorf("at %d B/s: %v", rate, err)
		}
	}
	limiter = newLimiter(0)
	if err := mayPass(ctx, limiter, 1<<30); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

// TestRelay copies by several connections at once: they share one rate, every byte arrives,
// what is asked passes at once, and all ends with the relay.
func TestRelay(t *testing.T) {
	const each, connections, maxRate = 60 << 10, 3, 1 << 20
	master := newEchoingMaster(t, each)
	relay, err := newRelay(t.Context(), server.Login{Network: "tcp", Address: master, User: "u"}, maxRate)
	if err != nil {
		t.Fatal(err)
	}
	login := relay.login()
	if login.User != "u" || login.Address == master {
		t.Errorf("the tools log in as %v", login)
	}
	begun := time.Now()
	ask := func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", login.Address)
		if err != nil {
			return err
		}
		_, err = conn.Write([]byte("?"))
		n, copyErr := io.Copy(io.Discard, conn)
		if n != each {
			err = errors.Join(err, errors.New("bytes are missing"))
		}
		return errors.Join(err, copyErr, conn.Close())
	}
	if err := server.AtOnce(t.Context(), ask, ask, ask); err != nil {
		t.Error(err)
	}
	// A tenth of a second's bytes are ahead.
	least := (connections*each - maxRate/10) * time.Second / maxRate
	if took := time.Since(begun); took < least {
		t.Errorf("%d bytes took %v, and at least %v is right", connections*each, took, least)
	}
	if got := relay.passed.Load(); got != connections*each {
		t.Errorf("%d bytes were counted", got)
	}
	open, err := new(net.Dialer).DialContext(t.Context(), "tcp", login.Address)
	if err != nil {
		t.Fatal(err)
	}
	relay.stop()
	if _, err := open.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlives its relay")
	}
	_ = open.Close() // nothing is left to tell
}

// newEchoingMaster listens, and sends a number of bytes to whoever asks by one byte.
func newEchoingMaster(t *testing.T, bytes int) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // it was only tested with
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				if _, err := io.ReadFull(conn, make([]byte, 1)); err == nil {
					_, _ = conn.Write(make([]byte, bytes)) // the test counts them
				}
				_ = conn.Close() // which ends it
			}()
		}
	}()
	return listener.Addr().String()
}
