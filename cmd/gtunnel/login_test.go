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

// TestLoginSources looks at where a login comes from. There is no server: the
// error names who would log in where.
func TestLoginSources(t *testing.T) {
	const secret = "secret-Pw9"
	noServer := func(who string) string { return "gtunnel: slave: cannot log in as " + who + ": dial " }
	for name, test := range map[string]struct {
		files map[string]string // by name, with the mode before the text
		args  []string
		code  int
		want  []string // in the standard error
	}{
		"the user's own option file": {
			map[string]string{".my.cnf": "0600 [client]\nuser=bob\npassword=" + secret + "\nsocket=HOME/none.sock\n"},
			nil, 1,
			[]string{noServer("bob at HOME/none.sock"), "hint: is the server running"},
		},
		"the groups of the clients, the last value wins": {
			map[string]string{
				".my.cnf": "0600 [client]\nuser=bob\nsocket=HOME/none.sock\n[mysqld]\nuser=mysql\n[mysql]\nuser = \"ann\" # " +
					"she\n[mariadb]\nuser=mysql\n[client-x]\nuser=x\n",
			},
			nil, 1,
			[]string{noServer("ann at HOME/none.sock")},
		},
		"files that include others": {
			map[string]string{
				".my.cnf": "0600 [client]\nuser=bob\n!include HOME/one\n!includedir HOME/more\n!include HOME/missing\n",
				"one":     "0644 [client]\nuser=one\nsocket=HOME/one.sock\n", "more/a.cnf": "0644 [client]\nuser=a\n",
				"more/b.cnf": "0644 [client]\nuser=b\n", "more/c.txt": "0644 [client]\nuser=c\n",
			},
			nil, 1,
			[]string{noServer("b at HOME/one.sock")},
		},
		"a file that includes itself": {
			map[string]string{".my.cnf": "0600 [client]\n!include HOME/.my.cnf\n"},
			nil, 2,
			[]string{"gtunnel: HOME/.my.cnf:2: files include others more than 10 deep\n", "hint: does one include itself?"},
		},
		"a directory that is not there": {
			map[string]string{".my.cnf": "0600 [client]\n\n!includedir HOME/nowhere\n"},
			nil, 2,
			[]string{"gtunnel: HOME/.my.cnf:3: ", "no such file or directory", "hint: make the directory, or remove the line"},
		},
		"one file alone": {
			map[string]string{
				".my.cnf": "0600 [client]\nuser=bob\nport=1\n", "other": "0600 [client]\nsocket=HOME/other.sock\nuser=eve\n",
			},
			[]string{"--defaults-file", "HOME/other"},
			1,
			[]string{noServer("eve at HOME/other.sock")},
		},
		"flags before files": {
			map[string]string{
				".my.cnf": "0600 [client]\nuser=bob\nhost=192.0.2.1\nsocket=HOME/none.sock\n", "pw": "0600 " + secret + "\n",
			},
			[]string{"--user", "eve", "--host", "127.0.0.1", "--port", "1", "--password-file", "HOME/pw"},
			1,
			[]string{noServer("eve at 127.0.0.1:1")},
		},
		"a socket before a host of a file": {
			map[string]string{".my.cnf": "0600 [client]\nuser=bob\nhost=192.0.2.1\n"},
			[]string{"--socket", "HOME/none.sock"},
			1,
			[]string{noServer("bob at HOME/none.sock")},
		},
		"localhost is the socket": {
			map[string]string{".my.cnf": "0600 [client]\nuser=bob\nhost=localhost\nport=1\nsocket=HOME/none.sock\n"},
			nil, 1,
			[]string{noServer("bob at HOME/none.sock")},
		},
		"a host of a file": {
			map[string]string{".my.cnf": "0600 [client]\nuser=bob\nhost=127.0.0.1\nport=1\nsocket=HOME/none.sock\n"},
			nil, 1,
			[]string{noServer("bob at 127.0.0.1:1")},
		},
		"a host that is another": {
			nil,
			[]string{"--host", "192.0.2.1"},
			2,
			[]string{"gtunnel: --host: 192.0.2.1 is no loopback address: nothing would be encrypted", "--unsafe-plaintext"},
		},
		"a host of a file that is another": {
			map[string]string{".my.cnf": "0600 [client]\nuser=bob\nhost=db.domain.one\n"},
			nil, 2,
			[]string{"gtunnel: HOME/.my.cnf:3: db.domain.one is no loopback address", "--unsafe-plaintext"},
		},
		"a host that is another, in spite of that": {
			nil,
			[]string{"--user", "bob", "--host", "0.0.0.0", "--port", "1", "--unsafe-plaintext"},
			1,
			[]string{noServer("bob at 0.0.0.0:1")},
		},
		"a port alone is of this host": {
			nil,
			[]string{"--user", "bob", "--port", "1"},
			1,
			[]string{noServer("bob at 127.0.0.1:1")},
		},
		"a file that is missing": {
			nil,
			[]string{"--defaults-file", "HOME/none"},
			2,
			[]string{"gtunnel: --defaults-file: open HOME/none: no such file", "hint: name an option file"},
		},
		"a file that anybody can write": {
			map[string]string{".my.cnf": "0606 [client]\nuser=bob\n"},
			nil, 2,
			[]string{"gtunnel: HOME/.my.cnf: anybody can write this option file (mode 0606)", "hint: chmod o-w HOME/.my.cnf"},
		},
		"a password that anybody can read": {
			map[string]string{".my.cnf": "0644 [client]\nuser=bob\npassword=" + secret + "\n"},
			nil, 2,
			[]string{
				"gtunnel: HOME/.my.cnf: holds a password and can be used by others than its owner (mode 0644)",
				"hint: chmod 0600 HOME/.my.cnf",
			},
		},
		"a line that is none": {
			map[string]string{".my.cnf": "0600 \n[client\n"},
			nil, 2,
			[]string{
				"gtunnel: HOME/.my.cnf:2: the group has no closing bracket",
				"my_print_defaults --defaults-file=HOME/.my.cnf client",
			},
		},
		"a port that is none": {
			map[string]string{".my.cnf": "0600 [client]\nhost=127.0.0.1\nport=x\n"},
			nil, 2,
			[]string{`gtunnel: HOME/.my.cnf:3: "x" is no port`},
		},
		"a port of a flag that is none": {
			nil, []string{"--port", "66000"}, 2, []string{`gtunnel: --port: "66000" is no port`},
		},
		"a socket and a host": {
			nil,
			[]string{"--socket", "HOME/s", "--host", "127.0.0.1"},
			2,
			[]string{"gtunnel: --socket: ", "hint: give one or the other"},
		},
		"a password file that is missing": {
			nil,
			[]string{"--port", "1", "--password-file", "HOME/none"},
			2,
			[]string{
				"gtunnel: --password-file: open HOME/none: no such file", "hint: write the password into a file of mode 0600",
			},
		},
		"a password file that anybody can read": {
			map[string]string{"pw": "0644 " + secret + "\n"},
			[]string{"--port", "1", "--password-file", "HOME/pw"},
			2,
			[]string{
				"gtunnel: --password-file: HOME/pw: holds a password and can be used by others than its owner (mode 0644)",
				"hint: chmod 0600 HOME/pw",
			},
		},
		"a password file with nothing": {
			map[string]string{"pw": "0600 \n"},
			[]string{"--port", "1", "--password-file", "HOME/pw"},
			2,
			[]string{"gtunnel: --password-file: HOME/pw is empty"},
		},
		"a password file with more": {
			map[string]string{"pw": "0600 [client]\npassword=" + secret + "\n"},
			[]string{"--port", "1", "--password-file", "HOME/pw"},
			2,
			[]string{"gtunnel: --password-file: HOME/pw has more than one line", "--defaults-file"},
		},
		"a password to be asked for, and nobody there": {
			map[string]string{".my.cnf": "0600 [client]\nuser=bob\npassword\nsocket=HOME/none.sock\n"},
			nil, 2,
			[]string{"gtunnel: a password is needed, and the standard input is no terminal", "--password-file"},
		},
		"a password as an " +
			"argument": {
			nil,
			[]string{"--password", secret},
			2,
			[]string{
				"gtunnel: a password is never an argument",
				"hint: write it into a file of mode 0600 for --password-file, or into ~/.my.cnf",
			},
		},
		"a password as an argument, " +
			"assigned": {nil, []string{"--password=" + secret}, 2, []string{"gtunnel: a password is never an argument"}},
		"a password as an argument of " +
			"mysql's": {nil, []string{"-p" + secret}, 2, []string{"gtunnel: a password is never an argument"}},
		"the master's password as an " +
			"argument": {
			nil,
			[]string{"--master-password", secret},
			2,
			[]string{"gtunnel: a password is never an argument", "for --master-password-file"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newLoginHome(t)
			for file, text := range test.files {
				var mode os.FileMode
				octal, text, _ := strings.Cut(text, " ")
				fmt.Sscanf(octal, "%o", &mode)
				h.write(file, text, mode)
			}
			code, stdout, stderr := h.run(t.Context(), strings.NewReader(""),
				append([]string{"replication", "status"}, test.args...)...)
			if code != test.code || stdout != "" {
				t.Errorf("exit code %d, %q", code, stdout)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("no %q in\n%s", want, stderr)
				}
			}
			if strings.Contains(stderr, secret) {
				t.Errorf("the password is shown:\n%s", stderr)
			}
		})
	}
}

// TestLogin logs in to a server by each of the ways to give a password.
func TestLogin(t *testing.T) {
	const password = `it's #1 \ of "them"`
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
	h.write("pw", password+"\n", 0o600)
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
				"gtunnel: slave: cannot log in as ops at " + server.Socket + ": Error 1045",
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
	t.Run("typed", func(t *testing.T) {
		terminal := newTerminal(t)
		terminal.answer(password + "\n")
		code, _, _ := h.run(t.Context(), terminal.slave, "replication", "status")
		if got := terminal.close(); code != 1 || strings.Contains(got, "them") {
			t.Errorf("exit code %d, on the terminal: %q", code, got)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
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
	})
}

// terminal is a pseudo terminal with somebody who types.
type terminal struct {
	t             *testing.T
	master, slave *os.File
	typed         chan struct{} // closed when the answer has been typed
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	terminal := &terminal{t: t, master: master, slave: slave, typed: make(chan struct{})}
	t.Cleanup(func() {
		slave.Close()
		master.Close()
	})
	return terminal
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
