package tunnel

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// TestBrokenListener: what passes does not end a tunnel, and what does not
// pass is not tried again for ever.
func TestBrokenListener(t *testing.T) {
	for err, want := range map[error]bool{
		net.ErrClosed:        true,
		syscall.EBADF:        true,
		syscall.EINVAL:       true,
		syscall.ENOTSOCK:     true,
		syscall.EMFILE:       false,
		syscall.ENFILE:       false,
		syscall.ENOMEM:       false,
		syscall.ECONNABORTED: false,
		syscall.EPERM:        false, // a firewall
	} {
		wrapped := &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
		if got := isBroken(wrapped); got != want {
			t.Errorf("%v: broken: %t", wrapped, got)
		}
	}
}
