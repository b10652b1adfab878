package tunnel

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// source reads a socket in batches. One goroutine at a time uses it.
type source struct {
	raw      syscall.RawConn
	try      func(fd uintptr) bool // s.attempt, made once
	batching batching

	// What the last attempt gave.
	got *buffer
	err error
}

func (s *source) init(conn net.Conn) (err error) {
	s.try = s.attempt
	s.raw, err = rawConn(conn)
	return err
}

// receive waits for bytes, holding no buffer meanwhile, and gives those that
// have come. The error is io.EOF at the end.
func (s *source) receive() (*buffer, error) {
	if err := s.raw.Read(s.try); err != nil {
		return nil, err
	}
	got := s.got
	s.got = nil
	return got, s.err
}

// attempt reads once without waiting. It reports whether anything has come.
func (s *source) attempt(fd uintptr) bool {
	b := takeBuffer(s.batching.size)
	n, err := transfer(unix.SYS_RECVFROM, fd, b.space[:batchSizes[b.size]])
	switch {
	case n > 0:
		b.end = n
		s.batching.saw(n)
		s.got, s.err = b, nil
		return true
	case err == unix.EAGAIN:
		b.release()
		return false
	case err == 0:
		s.err = io.EOF
	default:
		s.err = os.NewSyscallError("read", err)
	}
	b.release()
	return true
}

// sink writes a socket. One goroutine at a time uses it.
type sink struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // s.attempt, made once

	// What attempt has left to write, and how it failed.
	data []byte
	err  error
}

func (s *sink) init(conn net.Conn) (err error) {
	s.try = s.attempt
	s.raw, err = rawConn(conn)
	return err
}

// write writes all of data, or fails.
func (s *sink) write(data []byte) (int, error) {
	s.data, s.err = data, nil
	err := errors.Join(s.raw.Write(s.try), s.err)
	n := len(data) - len(s.data)
	s.data = nil
	return n, err
}

// attempt writes as much as the socket takes. It reports whether that is all.
func (s *sink) attempt(fd uintptr) bool {
	for len(s.data) > 0 {
		n, err := transfer(unix.SYS_SENDTO, fd, s.data)
		switch {
		case err == unix.EAGAIN:
			return false
		case err != 0:
			s.err = os.NewSyscallError("write", err)
			return true
		}
		s.data = s.data[n:]
	}
	return true
}

// rawConn gives access to a socket.
func rawConn(conn net.Conn) (syscall.RawConn, error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return socket.SyscallConn()
}

// transfer is recvfrom(2) or sendto(2), again when a signal has interrupted
// it. It does not wait, and copies a megabyte at most, so the scheduler need
// not hear of it. If it did, it would wake a thread that watches system calls,
// which costs a trickle of small messages more than all else here; and that
// thread would take the processor away from every call that copies for long,
// and wake another thread for it, which costs bulk a sixth more CPU.
func transfer(call, fd uintptr, data []byte) (int, syscall.Errno) {
	address := unsafe.Pointer(unsafe.SliceData(data)) // #nosec G103 -- for the call below, as the rules of unsafe allow
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	for {
		n, _, err := unix.RawSyscall6(call, fd, uintptr(address), uintptr(len(data)), flags, 0, 0)
		switch err {
		case 0:
			return int(n), 0
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}
