package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/server"
)

// terminal is the standard input if somebody can type there; nil otherwise.
func (m *Main) terminal() *os.File {
	f, ok := m.Stdin.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return f
}

// askPassword asks for a password, which is not shown as it is typed, until
// ctx ends.
func (m *Main) askPassword(ctx context.Context, question string) (server.Password, error) {
	f := m.terminal()
	if f == nil {
		return server.Password{}, &usageError{
			message: "a password is needed, and the standard input is no terminal to ask at",
			hint:    "write it into a file of mode 0600, and give that with --password-file or in an option file",
		}
	}
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return server.Password{}, fmt.Errorf("ask for the password: %w", err)
	}
	silent := *before
	silent.Lflag &^= unix.ECHO
	silent.Lflag |= unix.ICANON | unix.ISIG // a whole line at once
	// What was typed before the question is not meant for it.
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &silent); err != nil {
		return server.Password{}, fmt.Errorf("ask for the password: %w", err)
	}
	defer func() {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, before) // the terminal may be gone
		fmt.Fprintln(m.Stderr)
	}()
	fmt.Fprint(m.Stderr, question)
	if err := waitReadable(ctx, fd); err != nil {
		return server.Password{}, err
	}
	line, err := bufio.NewReader(f).ReadString('\n')
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return server.Password{}, errors.Join(errors.New("no password was typed"), err)
	}
	return server.NewPassword(password), nil
}

// waitReadable waits for input until ctx ends.
func waitReadable(ctx context.Context, fd int) error {
	const pause = 100 // milliseconds
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, pause) //nolint:gosec // descriptors are small
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("ask for the password: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
}
