package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	gtunnel "github.com/gtunnel/gtunnel/cmd/gtunnel"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal/terminaltest"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// loginHome is the home of somebody who runs gtunnel replication.
type loginHome struct {
	t   *testing.T
	dir string
}

func newLoginHome(t *testing.T) *loginHome {
	t.Helper()
	return &loginHome{t: t, dir: t.TempDir()}
}

// write writes a file below the home. In its text HOME is the home's path.
func (h *loginHome) write(name, text string, mode os.FileMode) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "HOME", h.dir)), mode); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		h.t.Fatal(err)
	}
	return path
}

// run runs a command. HOME in its arguments is the home's path, and in what it
// prints.
func (h *loginHome) run(ctx context.Context, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	h.t.Helper()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "HOME", h.dir)
	}
	var out, failures bytes.Buffer
	m := gtunnel.Main{
		Args: args, Stdin: stdin, Stdout: &out, Stderr: &failures,
		Getenv: func(name string) string {
			if name == "HOME" {
				return h.dir
			}
			return ""
		},
	}
	code = m.Run(ctx)
	return code, strings.ReplaceAll(out.String(), h.dir, "HOME"), strings.ReplaceAll(failures.String(), h.dir, "HOME")
}

// loginPassword has what an option file must quote.
const loginPassword = `it's #1 \ of "them"`

// TestLogin logs in to a server by each of the ways to give a password.
func TestLogin(t *testing.T) {
	server := startDatabase(t, servertest.MariaDB, servertest.Options{ServerID: 1})
	for _, statement := range []string{
		`CREATE USER ops@localhost IDENTIFIED BY 'it\'s #1 \\ of "them"'`,
		`CREATE USER ops@'127.0.0.1' IDENTIFIED BY 'it\'s #1 \\ of "them"'`,
	} {
		if _, err := server.DB.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	h := newLoginHome(t)
	h.write("pw", loginPassword+"\n", 0o600)
	h.write("wrong", "no-Pw8\n", 0o600)
	h.write(".my.cnf", fmt.Sprintf("[client]\nsocket=%s\nuser=ops\n", server.Socket), 0o644)
	h.write("with.cnf",
		fmt.Sprintf("[client]\nsocket=%s\nuser=ops\npassword=\"it's #1 \\\\ of \\\"them\\\"\"\n", server.Socket), 0o600)
	// The account may log in and nothing else: that is what it is told.
	const in = "gtunnel: slave: SHOW ALL SLAVES STATUS: Error 1227"
	port := fmt.Sprint(server.Port)
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"password file": {
			[]string{"--password-file", "HOME/pw"}, []string{in, "hint: log in with an account that has the privilege"},
		},
		"option file": {[]string{"--defaults-file", "HOME/with.cnf"}, []string{in}},
		"by TCP":      {[]string{"--port", port, "--password-file", "HOME/pw"}, []string{in}},
		"wrong password": {
			[]string{"--password-file", "HOME/wrong"},
			[]string{
				"gtunnel: this host: cannot log in as ops at " + server.Socket + ": Error 1045",
				"hint: the user ops is from HOME/.my.cnf:3, and the password from HOME/wrong; ",
			},
		},
		"no password": {nil, []string{"Error 1045", "and there is no password: give it with --password-file"}},
		"wrong in a file": {
			[]string{"--defaults-file", "HOME/with.cnf", "--user", "nobody"},
			[]string{"Error 1045", "the user nobody is from --user, and the password from HOME/with.cnf:4"},
		},
		"no account of the name": {
			[]string{"--password-file", "HOME/pw", "--user", "nobody"}, []string{"Error 1045", "the user nobody is from --user"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := h.run(t.Context(), strings.NewReader(""),
				append([]string{"replication", "status"}, test.args...)...)
			if code != 1 {
				t.Errorf("exit code %d", code)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("no %q in\n%s", want, stderr)
				}
			}
			if strings.Contains(stderr, "of \"them") || strings.Contains(stderr, "no-Pw8") {
				t.Errorf("a password is shown:\n%s", stderr)
			}
		})
	}
	t.Run("typed", func(t *testing.T) { loginTyped(t, h) })
	t.Run("interrupted", func(t *testing.T) { loginInterrupted(t, h) })
}

// loginTyped logs in with a password that is typed.
func loginTyped(t *testing.T, h *loginHome) {
	t.Helper()
	terminal := newTerminal(t)
	terminal.answer(loginPassword + "\n")
	code, _, _ := h.run(t.Context(), terminal.slave, "replication", "status")
	if got := terminal.close(); code != 1 || strings.Contains(got, "them") {
		t.Errorf("exit code %d, on the terminal: %q", code, got)
	}
}

// loginInterrupted ends the question for a password by a signal.
func loginInterrupted(t *testing.T, h *loginHome) {
	t.Helper()
	terminal := newTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with the question, which comes or fails the test
		terminal.waitSilent()
		cancel()
	}()
	code, _, stderr := h.run(ctx, terminal.slave, "replication", "status")
	if code != 1 || !strings.Contains(stderr, "context canceled") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if !terminal.echoes() {
		t.Error("the terminal was left without an echo")
	}
}

// terminal is a pseudo terminal with somebody who types.
type terminal struct {
	t             *testing.T
	master, slave *os.File
	typed         chan struct{} // closed when the answer has been typed
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, slave := terminaltest.Open(t, 80)
	return &terminal{t: t, master: master, slave: slave, typed: make(chan struct{})}
}

func (p *terminal) echoes() bool {
	state, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	return err == nil && state.Lflag&unix.ECHO != 0
}

// waitSilent waits until nothing that is typed is shown.
func (p *terminal) waitSilent() {
	for end := time.Now().Add(databasePatience); p.echoes() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
}

// answer types a text as soon as nothing of it would be shown.
func (p *terminal) answer(text string) {
	go func() {
		defer close(p.typed)
		p.waitSilent()
		io.WriteString(p.master, text)
	}()
}

// close ends the terminal and gives what was shown on it.
func (p *terminal) close() string {
	<-p.typed
	p.slave.Close()
	shown, _ := io.ReadAll(p.master) // ends in EIO once nobody has the other end open
	return string(shown)
}
