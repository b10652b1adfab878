package tunnel

import (
	"context"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// SilentListener listens at an address, such as 127.0.0.1:0, and answers no
// connection, because its queue is full: until free is called, and the listener
// accepts. It ends with the test.
func SilentListener(t testing.TB, address string) (listener net.Listener, free func()) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	socket := listener.(*net.TCPListener)
	raw, err := socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var queued []net.Conn
	free = func() {
		for _, conn := range queued {
			conn.Close()
		}
	}
	t.Cleanup(free)
	for range 10 {
		conn, err := net.DialTimeout("tcp", listener.Addr().String(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		queued = append(queued, conn)
		// Of a listener, the kernel gives the length of its queue and the
		// greatest length of it so.
		if info, err := tcpInfo(socket); err != nil {
			t.Fatal(err)
		} else if info.Unacked > info.Sacked {
			return listener, free
		}
	}
	t.Fatal("the queue of the listener does not fill")
	return nil, nil
}
