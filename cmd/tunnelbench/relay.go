package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// relayBuffer is how much the relay reads and writes at a time.
const relayBuffer = 256 << 10

// relay is one end of the pair without TLS: what any tunnel of two processes
// costs that copies all data through its own memory, as encryption must. It
// returns when ctx is done.
func relay(ctx context.Context, accept, connect string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", accept)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	defer listener.Close() //nolint:errcheck // nothing is lost with it
	var running sync.WaitGroup
	defer running.Wait()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("relay: accept: %w", err)
		}
		running.Go(func() { relayConnection(ctx, conn, connect) })
	}
}

func relayConnection(ctx context.Context, near net.Conn, connect string) {
	defer near.Close() //nolint:errcheck // the other end sees it as well
	far, err := new(net.Dialer).DialContext(ctx, "tcp", connect)
	if err != nil {
		return // the other end sees the close
	}
	defer far.Close() //nolint:errcheck // likewise
	defer context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })()
	var other sync.WaitGroup
	other.Go(func() { relayStream(far, near) })
	relayStream(near, far)
	other.Wait()
}

var relayBuffers = sync.Pool{New: func() any { return new([relayBuffer]byte) }}

// relayStream copies until from ends, without splice(2), and ends to's stream
// then; an error ends both connections.
func relayStream(to, from net.Conn) {
	buffer := relayBuffers.Get().(*[relayBuffer]byte)
	defer relayBuffers.Put(buffer)
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				_, _ = to.Close(), from.Close()
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			return
		case err != nil:
			_, _ = to.Close(), from.Close()
			return
		}
	}
}
