package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Round trips and delays are of the order of a thread's wake-up. So that the
// bench adds as little as it can, both of its ends wait in the kernel for the
// one socket, on threads of their own, and not in Go's poller.

// patience is how long a blocking read or write may take.
const patience = 20 * time.Second

// blockingConn is a TCP connection without Go's poller. It belongs to the
// goroutine that made it, which it keeps on its thread until close.
type blockingConn struct {
	file *os.File
	fd   int
}

// newBlockingConn makes a second descriptor of conn; after that conn is good
// for closing only. It must be closed.
func newBlockingConn(conn *net.TCPConn) (*blockingConn, error) {
	fail := func(err error) (*blockingConn, error) { return nil, fmt.Errorf("make a socket block: %w", err) }
	file, err := conn.File()
	if err != nil {
		return fail(err)
	}
	c := &blockingConn{file: file, fd: int(file.Fd())}
	runtime.LockOSThread()
	limit := unix.NsecToTimeval(int64(patience))
	err = errors.Join(
		unix.SetNonblock(c.fd, false),
		unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
	)
	if err != nil {
		c.close()
		return fail(err)
	}
	return c, nil
}

func (c *blockingConn) close() {
	runtime.UnlockOSThread()
	_ = c.file.Close() // conn itself is closed by its owner
}

func (c *blockingConn) readFull(b []byte) error {
	return c.all(b, unix.Read)
}

func (c *blockingConn) writeAll(b []byte) error {
	return c.all(b, unix.Write)
}

func (c *blockingConn) all(b []byte, transfer func(int, []byte) (int, error)) error {
	for len(b) > 0 {
		n, err := transfer(c.fd, b)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return fmt.Errorf("nothing moved for %v", patience)
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		default:
			b = b[n:]
		}
	}
	return nil
}

// echoMessages sends messages of size bytes back until the connection ends.
func echoMessages(conn *net.TCPConn, size int) error {
	c, err := newBlockingConn(conn)
	if err != nil {
		return err
	}
	defer c.close()
	message := make([]byte, size)
	for {
		if err := c.readFull(message); err != nil {
			return err
		}
		if err := c.writeAll(message); err != nil {
			return err
		}
	}
}

// roundTrips sends messages of size bytes one at a time for some time, at most
// count of them, and returns how long each took to come back. The first tenth
// is left out.
func roundTrips(conn *net.TCPConn, size, count int, during time.Duration) ([]time.Duration, error) {
	//nolint:gosec // sizes are ours
	if _, err := conn.Write(request{verb: askEcho, size: uint32(size)}.bytes()); err != nil {
		return nil, fmt.Errorf("send a request: %w", err)
	}
	c, err := newBlockingConn(conn)
	if err != nil {
		return nil, err
	}
	defer c.close()
	times := make([]time.Duration, 0, count)
	got := make([]byte, size)
	for start := time.Now(); len(times) < count && (time.Since(start) < during || len(times) < 10); {
		sent := patternAt(int64(len(times)), size)
		before := time.Now()
		if err := c.writeAll(sent); err != nil {
			return nil, fmt.Errorf("send message %d: %w", len(times), err)
		}
		if err := c.readFull(got); err != nil {
			return nil, fmt.Errorf("wait for message %d: %w", len(times), err)
		}
		times = append(times, time.Since(before))
		if !bytes.Equal(got, sent) {
			return nil, fmt.Errorf("message %d came back changed", len(times)-1)
		}
	}
	return times[len(times)/10:], nil
}

// epoch is what the stamps of a trickle count from: sender and receiver share
// this process's clock.
var epoch = time.Now()

// trickleInterval is the time between two messages of the trickle that is a measure.
const trickleInterval = time.Millisecond

// trickle sends count messages of size bytes, each with the time at which it
// was sent, at even intervals. A late message does not delay the next.
func trickle(conn *net.TCPConn, size, count int, interval time.Duration) error {
	c, err := newBlockingConn(conn)
	if err != nil {
		return err
	}
	defer c.close()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	next := now.Nano()
	message := bytes.Clone(patternAt(0, size))
	for i := range count {
		next += int64(interval)
		until := unix.NsecToTimespec(next)
		for {
			err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil)
			if err == nil {
				break
			}
			if !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("sleep: %w", err)
			}
		}
		binary.BigEndian.PutUint64(message, uint64(i))
		binary.BigEndian.PutUint64(message[8:], uint64(time.Since(epoch))) //nolint:gosec // after the epoch
		if err := c.writeAll(message); err != nil {
			return err
		}
	}
	return nil
}

// receiveTrickle asks for a trickle at intervals of milliseconds and returns how
// long each message was under way.
func receiveTrickle(conn *net.TCPConn, size, count int, interval time.Duration) ([]time.Duration, error) {
	//nolint:gosec // all are ours
	r := request{verb: askTrickle, size: uint32(size), number: uint64(count) | uint64(interval.Milliseconds())<<32}
	if _, err := conn.Write(r.bytes()); err != nil {
		return nil, fmt.Errorf("send a request: %w", err)
	}
	c, err := newBlockingConn(conn)
	if err != nil {
		return nil, err
	}
	defer c.close()
	delays := make([]time.Duration, 0, count)
	message := make([]byte, size)
	for i := range count {
		if err := c.readFull(message); err != nil {
			return nil, fmt.Errorf("wait for message %d: %w", i, err)
		}
		sent := time.Duration(binary.BigEndian.Uint64(message[8:])) //nolint:gosec // as it was sent
		delays = append(delays, time.Since(epoch)-sent)
		if binary.BigEndian.Uint64(message) != uint64(i) || !bytes.Equal(message[16:], patternAt(16, size-16)) {
			return nil, fmt.Errorf("message %d came changed", i)
		}
	}
	return delays, nil
}
