package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestWay: what is sent leaves one after the other at the rate, and a queue that is
// full takes no more.
func TestWay(t *testing.T) {
	var w way
	now := time.Now()
	const rate = 1000
	for n, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond} {
		if got := w.send(now, 100, rate).Sub(now); got != want {
			t.Errorf("the parcel %d has left after %s, want %s", n, got, want)
		}
	}
	later := now.Add(time.Second)
	if got := w.send(later, 100, rate).Sub(later); got != 100*time.Millisecond {
		t.Errorf("over a line that was free it has left after %s", got)
	}
	if _, ok := w.queued(later, 100, rate, 50*time.Millisecond); ok {
		t.Error("a full queue took a packet")
	}
	if leaves, ok := w.queued(later, 100, rate, 100*time.Millisecond); !ok || leaves.Sub(later) != 200*time.Millisecond {
		t.Errorf("a queue with room: %v, %t", leaves.Sub(later), ok)
	}
	var unlimited way
	if got := unlimited.send(now, 1e9, 0); !got.Equal(now) {
		t.Errorf("without a rate it has left after %s", got.Sub(now))
	}
}

// TestDelayLine sends data there and back: all of it comes, with its end, not before its
// time, and not faster than the rate.
func TestDelayLine(t *testing.T) {
	b, err := newBackend(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	const rate, size = 1e6, 100e3
	shape := lineShape{RoundTrip: 20 * time.Millisecond, Rate: rate}
	line, err := newDelayLine(t.Context(), shape, b.address())
	if err != nil {
		t.Fatal(err)
	}
	defer line.close()
	conn, err := dial(t.Context(), line.address, patience)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := ping(conn, 1); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < shape.RoundTrip {
		t.Errorf("there and back in %s", took)
	}
	begun = time.Now()
	if err := fetch(conn, size); err != nil {
		t.Fatal(err)
	}
	if took, least := time.Since(begun), shape.RoundTrip+time.Second*size/rate; took < least {
		t.Errorf("%d bytes took %s, less than %s", int(size), took, least)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d bytes, %v", n, err)
	}

	nowhere, err := newDelayLine(t.Context(), shape, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.close()
	if conn, err = dial(t.Context(), nowhere.address, patience); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("a line to nowhere gives %d bytes", n)
	}
}

// TestPacketLine sends data over a line with a short queue, which loses packets: the kernel
// sends them again.
func TestPacketLine(t *testing.T) {
	measures(t)
	t.Attr("needs", "a namespace")
	l, err := newPacketLine(lineShape{RoundTrip: 10 * time.Millisecond, Rate: 1e6}, 5*time.Millisecond, "reno")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	var b *backend
	if err := l.master.do(func() (err error) {
		b, err = newBackend(t.Context(), "0.0.0.0:0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	conn, err := l.dial(t.Context(), net.JoinHostPort(masterIP, b.port()), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begun := time.Now()
	if err := ping(conn, 1); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < l.RoundTrip {
		t.Errorf("there and back in %s", took)
	}
	if err := fetch(conn, 1e6); err != nil {
		t.Fatal(err)
	}
	if l.dropped.Load() == 0 {
		t.Error("no packet was lost")
	}
}

// TestLineWriter hears whole lines once, however they come, and keeps the last.
func TestLineWriter(t *testing.T) {
	var heard []string
	w := &lineWriter{hear: func(line string, _ time.Time) { heard = append(heard, line) }}
	for range 1000 {
		for _, part := range []string{"on", "e\ntwo", "\n"} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	if len(heard) != 2000 || heard[0] != "one" || heard[1999] != "two" {
		t.Errorf("heard %d lines", len(heard))
	}
	if len(w.text) > 16<<10 || !bytes.HasSuffix(w.text, []byte("one\ntwo\n")) || w.tail()[:3] != "one" {
		t.Errorf("kept %d bytes, %q", len(w.text), w.tail())
	}
}
