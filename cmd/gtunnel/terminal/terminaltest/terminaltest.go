// Package terminaltest makes terminals for tests.
package terminaltest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Open makes a pseudo-terminal of a width: its far end, at which a person would sit,
// and the end for the programs in it. Both are closed with the test.
func Open(t testing.TB, columns uint16) (far, near *os.File) {
	t.Helper()
	far = open(t, "/dev/ptmx")
	if err := unix.IoctlSetPointerInt(int(far.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetUint32(int(far.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	near = open(t, fmt.Sprintf("/dev/pts/%d", number))
	if err := unix.IoctlSetWinsize(int(far.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return far, near
}

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // the test may have closed it
	return f
}

// patience is how long Shown waits for more.
const patience = 20 * time.Second

// Shown reads what a terminal shows until it holds the text.
func Shown(t testing.TB, far *os.File, until string) string {
	t.Helper()
	var text strings.Builder
	buffer := make([]byte, 1024)
	for !strings.Contains(text.String(), until) {
		waiting := []unix.PollFd{{Fd: int32(far.Fd()), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
		if n, err := unix.Poll(waiting, int(patience.Milliseconds())); n == 0 {
			t.Fatalf("%q is not shown within %v, %v, but %q", until, patience, err, text.String())
		}
		n, err := far.Read(buffer)
		if err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
		text.Write(buffer[:n])
	}
	return text.String()
}
