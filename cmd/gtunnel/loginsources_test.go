package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// loginSecret is a password that must not be shown.
const loginSecret = "secret-Pw9"

// noServer begins the error of a login where there is no server.
func noServer(who string) string { return "this host: cannot log in as " + who + ": dial " }

// loginSources are ways to say who logs in where, and what is said of each.
var loginSources = map[string]struct {
	files map[string]string // by name, with the mode before the text
	args  []string
	code  int
	want  []string // in what is shown
}{
	"the user's own option file": {
		map[string]string{".my.cnf": "0600 [client]\nuser=bob\npassword=" + loginSecret + "\nsocket=HOME/none.sock\n"},
		nil, 1,
		[]string{noServer("bob at HOME/none.sock"), "if it runs: is its address right?"},
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
			".my.cnf": "0600 [client]\nuser=bob\nhost=192.0.2.1\nsocket=HOME/none.sock\n", "pw": "0600 " + loginSecret + "\n",
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
		map[string]string{".my.cnf": "0644 [client]\nuser=bob\npassword=" + loginSecret + "\n"},
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
		map[string]string{"pw": "0644 " + loginSecret + "\n"},
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
		map[string]string{"pw": "0600 [client]\npassword=" + loginSecret + "\n"},
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
		[]string{"--password", loginSecret},
		2,
		[]string{
			"gtunnel: a password is never an argument",
			"hint: write it into a file of mode 0600 for --password-file, or into ~/.my.cnf",
		},
	},
	"a password as an argument, " +
		"assigned": {nil, []string{"--password=" + loginSecret}, 2, []string{"gtunnel: a password is never an argument"}},
	"a password as an argument of " +
		"mysql's": {nil, []string{"-p" + loginSecret}, 2, []string{"gtunnel: a password is never an argument"}},
	"the master's password as an " +
		"argument": {
		nil,
		[]string{"--master-password", loginSecret},
		2,
		[]string{"gtunnel: a password is never an argument", "for --master-password-file"},
	},
}

// TestLoginSources looks at where a login comes from. There is no server: the
// error names who would log in where.
func TestLoginSources(t *testing.T) {
	for name, test := range loginSources {
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
			if code != test.code || code == 2 && stdout != "" {
				t.Errorf("exit code %d, %q", code, stdout)
			}
			shown := stdout + stderr
			for _, want := range test.want {
				if !strings.Contains(shown, want) {
					t.Errorf("no %q in\n%s", want, shown)
				}
			}
			if strings.Contains(shown, loginSecret) {
				t.Errorf("the password is shown:\n%s", shown)
			}
		})
	}
}
