package terminal_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal/terminaltest"
)

func TestProgressOnTerminal(t *testing.T) {
	far, near := terminaltest.Open(t, 12)
	p := terminal.NewProgress(near)
	for _, line := range []string{"a long line that is cut", "short"} {
		p.Show(terminal.Moment{Line: line})
	}
	p.End()
	if got, want := terminaltest.Shown(t, far, "\n"), "\ra long line\rshort      \r\n"; got != want {
		t.Errorf("drawn was %q, want %q", got, want)
	}
}

// TestProgressBar: a known total has a bar in what the line leaves free; a name
// in wide characters does not break the line.
func TestProgressBar(t *testing.T) {
	far, near := terminaltest.Open(t, 29)
	p := terminal.NewProgress(near)
	for _, moment := range []terminal.Moment{
		{Done: 0, Total: 4, Line: "  0%  DB.t"},
		{Done: 2, Total: 4, Line: " 50%  DB.表"},
		{Done: 6, Total: 4, Line: "150%  DB.t"}, // it was only about 4
		{Done: 1, Total: 4, Line: " 25%  " + strings.Repeat("表", 12)},
		{Line: "copied"},
	} {
		p.Show(moment)
	}
	p.End()
	want := "\r  0%  DB.t  [              ]" +
		"\r 50%  DB.表  [======>      ]" +
		"\r150%  DB.t  [=============>]" +
		"\r 25%  " + strings.Repeat("表", 11) +
		"\rcopied                      \r\n"
	if got := terminaltest.Shown(t, far, "\n"); got != want {
		t.Errorf("drawn was\n%q, want\n%q", got, want)
	}
}

// TestNoKeyboard: nobody can type at what is no terminal.
func TestNoKeyboard(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, stdin := range []io.Reader{null, strings.NewReader("yes\n"), nil} {
		if terminal.OpenKeyboard(stdin) != nil {
			t.Errorf("%v is a keyboard", stdin)
		}
	}
}

func TestAsk(t *testing.T) {
	far, near := terminaltest.Open(t, 80)
	keyboard := terminal.OpenKeyboard(near)
	for typed, want := range map[string]string{"yes\n": "yes", "  no \n": "no", "\n": ""} {
		if _, err := far.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		if answer, err := keyboard.Ask(t.Context(), near, "sure? "); answer != want || err != nil {
			t.Errorf("%q is the answer %q, %v", typed, answer, err)
		}
	}
	if _, err := far.WriteString("\x04"); err != nil { // the end of the input
		t.Fatal(err)
	}
	if answer, err := keyboard.Ask(t.Context(), near, "sure? "); !errors.Is(err, io.EOF) {
		t.Errorf("the end is the answer %q, %v", answer, err)
	}
	terminaltest.Shown(t, far, "sure? ") // with what was typed between its letters, as it comes
}

// TestPassword: what is typed is not shown, what was typed before is lost, and
// the terminal is as before afterwards.
func TestPassword(t *testing.T) {
	far, near := terminaltest.Open(t, 80)
	keyboard := terminal.OpenKeyboard(near)
	before, err := unix.IoctlGetTermios(int(near.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	same := func() {
		t.Helper()
		if now, err := unix.IoctlGetTermios(int(near.Fd()), unix.TCGETS); err != nil || *now != *before {
			t.Errorf("the terminal was %+v, and is %+v, %v", before, now, err)
		}
	}
	if _, err := far.WriteString("too early\n"); err != nil {
		t.Fatal(err)
	}
	terminaltest.Shown(t, far, "\n") // it has arrived
	for typed, want := range map[string]string{" a b \n": " a b ", "\n": ""} {
		go func() {
			terminaltest.Shown(t, far, "Password: ")
			_, _ = far.WriteString(typed) // the assertion tells
		}()
		password, err := keyboard.Password(t.Context(), near, "Password: ")
		if password != want || errors.Is(err, terminal.ErrNoPassword) != (want == "") {
			t.Errorf("%q is the password %q, %v", typed, password, err)
		}
		same()
	}
	if text := terminaltest.Shown(t, far, "\n"); strings.Contains(text, "a b") {
		t.Errorf("the terminal shows %q", text)
	}
	go func() {
		terminaltest.Shown(t, far, "Password: ")
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	}()
	if password, err := keyboard.Password(t.Context(), near, "Password: "); !errors.Is(err, context.Canceled) {
		t.Errorf("the program is to end, and the password is %q, %v", password, err)
	}
	same()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if password, err := keyboard.Password(ctx, near, "Password: "); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody types, and the password is %q, %v", password, err)
	}
	same()
}
