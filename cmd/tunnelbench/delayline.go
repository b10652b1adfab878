package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// lineShape is what makes a line long or thin.
type lineShape struct {
	RoundTrip time.Duration `json:"round_trip_ns"`
	Rate      float64       `json:"bytes_per_second"` // each way, of all connections together; 0: no limit
}

// String is "round trip 60ms, 20 Mbit/s".
func (s lineShape) String() string {
	text := "round trip " + s.RoundTrip.String()
	if s.Rate > 0 {
		text += fmt.Sprintf(", %g Mbit/s", s.Rate*8/1e6)
	}
	return text
}

// way is one direction of a line.
type way struct {
	mu   sync.Mutex
	free time.Time // when what was sent before has left
}

// send gives when n bytes that come at now have left, after those before them.
func (w *way) send(now time.Time, n int, rate float64) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.free.Before(now) {
		w.free = now
	}
	if rate > 0 {
		w.free = w.free.Add(time.Duration(float64(n) / rate * float64(time.Second)))
	}
	return w.free
}

const (
	// lineChunk is how much the line takes from a connection at a time.
	lineChunk = 32 << 10
	// lineWait is how long what waits for a free line may have to wait before a
	// connection that has more is not read.
	lineWait = 50 * time.Millisecond
	// lineHeld is how many chunks of one direction of a connection may be on their way: 4 MB.
	lineHeld = 128
)

// delayLine is a relay that delivers what comes half a round trip later, each
// way, and carries no more than its rate. It ends TCP on both sides, so the
// kernel does not see the delay: that shows how often a program waits for the
// other site, and what a thin line makes of its bytes. How TCP itself fills a
// long line shows only the packet line. As TCP is ended here, what is dialled
// answers at once; only what is said then has a way to go.
type delayLine struct {
	lineShape

	address  string // where it listens
	to       string
	listener net.Listener
	ways     [2]way
	running  sync.WaitGroup
}

// newDelayLine makes a line to an address, which lasts until ctx ends or close.
func newDelayLine(ctx context.Context, shape lineShape, to string) (*delayLine, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("make a line: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &delayLine{lineShape: shape, address: listener.Addr().String(), to: to, listener: listener}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	l.running.Go(func() {
		defer cancel()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			l.running.Go(func() { l.join(ctx, conn) })
		}
	})
	return l, nil
}

// close ends the line with all that is on it.
func (l *delayLine) close() {
	_ = l.listener.Close() // which ends the rest
	l.running.Wait()
}

// join joins a connection with one to the other end.
func (l *delayLine) join(ctx context.Context, near net.Conn) {
	defer near.Close() //nolint:errcheck // the other end sees it
	far, err := new(net.Dialer).DialContext(ctx, "tcp", l.to)
	if err != nil {
		return // the other end sees the close
	}
	defer far.Close() //nolint:errcheck // likewise
	defer context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })()
	var both sync.WaitGroup
	both.Go(func() { l.carry(&l.ways[0], far, near) })
	both.Go(func() { l.carry(&l.ways[1], near, far) })
	both.Wait()
}

// parcel is data on its way; at the end of a stream there is none.
type parcel struct {
	at   time.Time
	data []byte
}

// carry carries one direction of a connection until it ends.
func (l *delayLine) carry(w *way, to, from net.Conn) {
	parcels, done := make(chan parcel, lineHeld), make(chan struct{})
	go func() {
		defer close(done)
		if !deliver(to, parcels) {
			_, _ = to.Close(), from.Close()
		}
		for range parcels { // what a broken connection does not take
		}
	}()
	buffer := make([]byte, lineChunk)
	for {
		n, err := from.Read(buffer)
		now := time.Now()
		leaves := w.send(now, n, l.Rate)
		if n > 0 {
			parcels <- parcel{at: leaves.Add(l.RoundTrip / 2), data: append([]byte(nil), buffer[:n]...)}
		}
		if errors.Is(err, io.EOF) {
			parcels <- parcel{at: leaves.Add(l.RoundTrip / 2)}
		}
		if err != nil {
			break
		}
		time.Sleep(leaves.Sub(now) - lineWait)
	}
	close(parcels)
	<-done
}

// deliver writes parcels, each in its time, and reports whether the last was the
// end of the stream; otherwise the connection is broken.
func deliver(to net.Conn, parcels <-chan parcel) (ended bool) {
	for p := range parcels {
		time.Sleep(time.Until(p.at))
		if p.data == nil {
			half, ok := to.(*net.TCPConn)
			return ok && half.CloseWrite() == nil
		}
		if _, err := to.Write(p.data); err != nil {
			return false
		}
	}
	return false
}
