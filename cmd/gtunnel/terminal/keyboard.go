package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Keyboard is a terminal at which somebody can type.
type Keyboard struct {
	file  *os.File
	lines *bufio.Reader // of file
}

// OpenKeyboard gives the keyboard of a standard input; nil if it is no terminal.
// Nothing is read before the first question, and nothing has to be closed.
func OpenKeyboard(stdin io.Reader) *Keyboard {
	f, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &Keyboard{file: f, lines: bufio.NewReader(f)}
}

// Ask prints a question and returns the line that is typed as an answer, without
// the white space around it. The error is that of ctx, or [io.EOF] if nothing
// more can be typed.
func (k *Keyboard) Ask(ctx context.Context, out io.Writer, question string) (string, error) {
	fmt.Fprint(out, question)
	if err := k.wait(ctx); err != nil {
		return "", err
	}
	line, err := k.lines.ReadString('\n')
	if err != nil && line == "" {
		return "", io.EOF // also if the terminal is gone
	}
	return strings.TrimSpace(line), nil
}

// Choose asks until an answer is one of the choices or its first letter, in upper or
// lower case, and returns that choice. The error is that of [Keyboard.Ask].
func (k *Keyboard) Choose(ctx context.Context, out io.Writer, question string, choices ...string) (string, error) {
	for {
		answer, err := k.Ask(ctx, out, question)
		if err != nil {
			fmt.Fprintln(out) // whatever comes next is on a line of its own
			return "", err
		}
		answer = strings.ToLower(answer)
		for _, choice := range choices {
			if answer == choice || answer == choice[:1] {
				return choice, nil
			}
		}
		fmt.Fprintf(out, "%q is none of the answers: %s\n", answer, strings.Join(choices, ", "))
	}
}

// ErrNoPassword is an empty line in place of a password.
var ErrNoPassword = errors.New("no password was typed")

// Password prints a question and returns the line that is typed, which is not
// shown. What was typed before the question is not meant for it, and is lost.
// The terminal is as before afterwards, also when ctx ends or a signal asks the
// program to end; either is the error then.
//
// [term.ReadPassword] would neither end with ctx nor drop what was typed before.
func (k *Keyboard) Password(ctx context.Context, out io.Writer, question string) (string, error) {
	fd := int(k.file.Fd())
	before, err := term.GetState(fd)
	if err == nil {
		err = hide(fd)
	}
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	defer func() {
		_ = term.Restore(fd, before) // the terminal may be gone
		fmt.Fprintln(out)
	}()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	fmt.Fprint(out, question)
	if err := k.wait(ctx); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(k.file).ReadString('\n')
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return "", errors.Join(ErrNoPassword, err)
	}
	return password, nil
}

// hide makes a terminal give a whole line at once, which it does not show, and
// forget what was typed before.
func hide(fd int) error {
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	settings.Lflag &^= unix.ECHO
	settings.Lflag |= unix.ICANON | unix.ISIG
	return unix.IoctlSetTermios(fd, unix.TCSETSF, settings)
}

// wait waits for input until ctx ends.
func (k *Keyboard) wait(ctx context.Context) error {
	const pause = 100 // milliseconds
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fd := int32(k.file.Fd()) //nolint:gosec // descriptors are small
		n, err := unix.Poll([]unix.PollFd{{Fd: fd, Events: unix.POLLIN}}, pause)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for input: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
}
