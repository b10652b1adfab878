package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// fileServer is a server that was started by a file.
type fileServer struct {
	*site
	*program
	file   string
	target string // empty: the lines of the test name one
}

// startFileServer runs a file with the tunnel voms in front of target, and
// gives its address. lines follow in its section, from line 14 of the file, or
// 13 without a target.
func (s *site) startFileServer(target string, lines ...string) (f *fileServer, address string) {
	s.t.Helper()
	f = &fileServer{site: s, file: filepath.Join(s.folder, "gtunnel.toml"), target: target}
	f.write(lines...)
	f.program = start(s.t, "run", nil, "run", "--config", f.file)
	return f, f.waitLine("listening", 0, func(l logLine) bool {
		return l.field("message") == "listening" && l.field("tunnel") == "voms"
	}).field("accept")
}

// write writes the file anew.
func (f *fileServer) write(lines ...string) {
	f.site.t.Helper()
	text := fmt.Sprintf(`[log]
format = "json"

[tls]
capath = "certificates"
cert = %q
key = %q
reload_interval = "0s"

[tunnel.voms]
role = "server"
accept = "127.0.0.1:0"
`, f.server.cert, f.server.key)
	if f.target != "" {
		text += fmt.Sprintf("connect = %q\n", f.target)
	}
	text += strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(f.file, []byte(text), 0o600); err != nil {
		f.site.t.Fatal(err)
	}
}

// reload writes the file anew, has it read, and waits for a line of the log.
func (f *fileServer) reload(message string, lines ...string) logLine {
	f.site.t.Helper()
	f.write(lines...)
	from := len(f.logged())
	f.signal(syscall.SIGHUP)
	return f.waitMore(from, message)
}

// TestReloadAccess: a host that is taken off the file is put off at once and
// does not come back, a ticket or not; the others stay, and one that is added
// gets in.
func TestReloadAccess(t *testing.T) {
	s := newSite(t)
	f, address := s.startFileServer(startBackend(t).address(), `allow_host = ["client.test", "other.test"]`)
	other := *s
	other.client = s.host(s.ca, "other.test", certstest.Options{})
	_, local := s.startClient(address)
	_, otherLocal := other.startClient(address)
	conn, otherConn := dial(t, local), dial(t, otherLocal)
	echo(t, conn, "one")
	for range 3 { // until it has tickets
		echo(t, dial(t, otherLocal), "two")
	}
	echo(t, otherConn, "two")

	from := len(f.logged())
	changed := f.reload("access rules changed", `allow_host = ["client.test"]`)
	if changed.field("tunnel") != "voms" || changed.field("removed") != `["allow_host \"other.test\""]` ||
		changed.field("added") != "[]" {
		t.Errorf("the change: %s", changed.text)
	}
	if l := f.waitMore(from, "peer no longer "+
		"accepted"); l.field("code") != "not-allowed" || !strings.Contains(l.text, "other.test") {
		t.Errorf("the reason: %s", l.text)
	}
	wantEnd(t, otherConn)
	for range 2 {
		dialToEnd(t, otherLocal, "")
	}
	l := f.waitMore(from, "peer refused")
	if l.field("code") != "not-allowed" || l.field("dn") == "" {
		t.Errorf("the next connection: %s", l.text)
	}
	if l.field("cure") != "If it may use this tunnel, add allow_host other.test." ||
		l.field("settings") != "[tunnel.voms] in "+f.file {
		t.Errorf("the cure in the words of the file: %s", l.text)
	}
	echo(t, conn, "still one")
	echo(t, dial(t, local), "one anew")

	changed = f.reload("access rules changed",
		`allow_dn = ["/DC=test/DC=gtunnel/O=hosts/CN=other.test", "/DC=test/DC=gtunnel/O=hosts/CN=client.test"]`)
	if !strings.Contains(changed.field("added"), "other.test") ||
		changed.field("removed") != `["allow_host \"client.test\""]` {
		t.Errorf("the change: %s", changed.text)
	}
	echo(t, dial(t, otherLocal), "two again")
	echo(t, conn, "still one")

	if changed = f.reload("access rules changed", "allow_all = true"); changed.field("added") != `["allow_all"]` {
		t.Errorf("the change: %s", changed.text)
	}
	echo(t, dial(t, otherLocal), "all")
	f.reload("reload: nothing has changed", "# a comment", "allow_all = true")
	if n := f.count("settings changed in the file: they need a restart"); n > 0 {
		t.Errorf("a restart is called for %d times", n)
	}
	echo(t, conn, "still one")
}

// TestReloadFlags: at SIGHUP a service says that the file of its flags has
// changed, and that they need a restart.
func TestReloadFlags(t *testing.T) {
	s := newSite(t)
	file := filepath.Join(s.folder, "client.env")
	t.Setenv("GTUNNEL_FLAGS_FILE", file)
	client, _ := s.startClient("127.0.0.1:1", "--reload-interval", "0s")
	client.signal(syscall.SIGHUP)
	client.waitMessage("reload: nothing has changed")

	if err := os.WriteFile(file, []byte("GTUNNEL_FLAGS=--connect server2.test:3307\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client.signal(syscall.SIGHUP)
	l := client.waitMessage("the file of the flags has changed since the start: flags need a restart")
	if l.field("file") != file || l.field("cure") == "" || client.count("reload: nothing has changed") != 1 {
		t.Errorf("after a change: %s", l.text)
	}
}

// TestReloadOfADoubtfulRule: a rule that hardly any certificate meets is warned
// of when it is put in force, too.
func TestReloadOfADoubtfulRule(t *testing.T) {
	s := newSite(t)
	f, _ := s.startFileServer(startBackend(t).address(), `allow_host = "client.test"`)
	if l := f.reload(
		"an access rule may match nobody", `allow_host = ["client.test", "server2"]`,
	); !strings.Contains(l.text, "server2") || l.field("cure") == "" {
		t.Errorf("the warning: %s", l.text)
	}
	f.reload("reload: nothing has changed", `allow_host = ["client.test", "server2"]`)
	if n := f.count("an access rule may match nobody"); n != 1 {
		t.Errorf("%d warnings", n)
	}
}

// TestReloadAccessOfOne: a change of one tunnel of two is not nothing, and
// nothing is said of the other.
func TestReloadAccessOfOne(t *testing.T) {
	s := newSite(t)
	other := "[tunnel.other]\nrole = \"client\"\naccept = \"127.0.0.1:0\"\nconnect = \"server1:3307\""
	f, _ := s.startFileServer(startBackend(t).address(), `allow_host = "client.test"`, other)
	f.reload("access rules changed", `allow_host = "other.test"`, other)
	f.reload("reload: nothing has changed", `allow_host = "other.test"`, other)
	if changed, nothing := f.count("access rules changed"), f.count("reload: nothing has "+
		"changed"); changed != 1 || nothing != 1 {
		t.Errorf("%d changes, and %d times none", changed, nothing)
	}
}

// TestReloadOfAnotherRole: a server that the file makes a client is another
// tunnel at the same port; the connections of the old one may go on for a while.
func TestReloadOfAnotherRole(t *testing.T) {
	s := newSite(t)
	f, address := s.startFileServer(startBackend(t).address(), `allow_host = "client.test"`)
	_, local := s.startClient(address)
	conn := dial(t, local)
	echo(t, conn, "before")
	f.write(`drain_timeout = "10m"`)
	text, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(
		f.file, []byte(strings.Replace(string(text), `role = "server"`, `role = "client"`, 1)), 0o600,
	); err != nil {
		t.Fatal(err)
	}
	from := len(f.logged())
	f.signal(syscall.SIGHUP)
	if l := f.waitMore(from, "tunnel replaced"); !strings.Contains(l.field("settings"), "tunnel.voms.role") {
		t.Errorf("the settings: %s", l.text)
	}
	if l := f.waitMore(from, "listening"); l.field("role") != "client" || l.field("accept") != address {
		t.Errorf("where it listens: %s", l.text)
	}
	echo(t, conn, "still")
}

// count says how often a message was logged.
func (p *program) count(message string) (n int) {
	for _, l := range p.logged() {
		if l.field("message") == message {
			n++
		}
	}
	return n
}

// TestReloadNamesTheRest: what only a restart puts in force is named by line
// and key, as long as the file says it; all else is in force, and named.
func TestReloadNamesTheRest(t *testing.T) {
	s := newSite(t)
	b, other := startBackend(t), startBackend(t)
	f, address := s.startFileServer("", `allow_host = "client.test"`, `idle_timeout = "1h"`, `connect = "`+b.address()+`"`,
		`[tunnel.old]`, `role = "client"`, `accept = "127.0.0.1:0"`, `connect = "127.0.0.1:1"`)
	_, local := s.startClient(address)
	echo(t, dial(t, local), "before")
	const message = "settings changed in the file: they need a restart"
	lines := []string{
		`allow_host = ["client.test", "other.test"]`, // line 13
		`connect = ["` + other.address() + `"]`, `min_tls = "1.3"`,
		`[admin]`, `address = "127.0.0.1:9307"`,
		`[tunnel.new]`, `role = "client"`, `accept = "127.0.0.1:0"`, `connect = "127.0.0.1:1"`,
	}
	at := func(line int, key string) string { return fmt.Sprintf("%s:%d: %s", f.file, line, key) }
	list := func(texts ...string) string { return strings.ReplaceAll(fmt.Sprintf("%q", texts), `" "`, `","`) } // as JSON
	for range 2 {
		if l := f.reload(message, lines...); l.field("settings") != list(at(17, "admin.address")) ||
			l.field("level") != "warn" {
			t.Errorf("the rest: %s", l.text)
		}
	}
	want := list(at(14, "tunnel.voms.connect"), at(15, "tunnel.voms.min_tls"), "tunnel.voms.idle_timeout is gone")
	if l := f.waitMessage("tunnel changed"); l.field("settings") != want || l.field("tunnel") != "voms" {
		t.Errorf("got  %s\nwant %s", l.field("settings"), want)
	}
	for message, want := range map[string]int{
		"access rules changed": 1, "tunnel changed": 1, "tunnel added": 1,
		"tunnel drains: its connections may go on for a while": 1,
		"reload: nothing has changed":                          0,
	} {
		if n := f.count(message); n != want {
			t.Errorf("%q is said %d times, want %d", message, n, want)
		}
	}
	echo(t, dial(t, local), "through the new target")
	if n := other.accepted.Load(); n != 1 {
		t.Errorf("%d connections at the new target", n)
	}
}

// TestReloadOfABadFile: a file with a fault changes nothing, and all that is
// wrong with it is said.
func TestReloadOfABadFile(t *testing.T) {
	s := newSite(t)
	f, address := s.startFileServer(startBackend(t).address(), `allow_host = "client.test"`)
	_, local := s.startClient(address)
	conn := dial(t, local)
	echo(t, conn, "before")
	for name, test := range map[string]struct {
		lines []string
		want  []string // of the problems
		cure  string
	}{
		"two faults": {
			[]string{`allow_host = "other.test"`, `acept = ":3308"`, `max_depth = "ten"`},
			[]string{":16: tunnel.voms.max_depth: is a string", ":15: tunnel.voms.acept: unknown key"},
			"gtunnel run --check --config " + f.file,
		},
		"an emptied list": {
			[]string{`allow_host = []`}, []string{":10: tunnel.voms: no access rule: nobody could connect"}, "add allow_host",
		},
		"no list": {nil, []string{":10: tunnel.voms: no access rule: nobody could connect"}, "add allow_host"},
		"a useless rule": {
			[]string{`allow_host = ["other.test:3307"]`},
			[]string{`:14: tunnel.voms.allow_host: the access rule \"other.test:3307\" can match nobody`},
			"leave the port away",
		},
		"no TOML": {[]string{`allow_host = other.test`}, []string{":14: not TOML: "}, "strings stand in quotes"},
		"rules of two kinds": {
			[]string{`allow_host = "other.test"`, `allow_all = true`},
			[]string{":15: tunnel.voms.allow_all: contradicts allow_host"},
			"remove the one",
		},
	} {
		l := f.reload("reload failed: the configuration stays as it was", test.lines...)
		for _, want := range test.want {
			if !strings.Contains(l.field("problems"), f.file+want) {
				t.Errorf("%s: the problems %s, want %s", name, l.field("problems"), want)
			}
		}
		if l.field("level") != "error" || !strings.Contains(l.field("cure"), test.cure) {
			t.Errorf("%s: %s", name, l.text)
		}
	}
	if err := os.Remove(f.file); err != nil {
		t.Fatal(err)
	}
	from := len(f.logged())
	f.signal(syscall.SIGHUP)
	if l := f.waitMore(from, "reload failed: the configuration stays as it was"); !strings.Contains(l.field("problems"),
		"no such file") || l.field("cure") == "" {
		t.Errorf("no file: %s", l.text)
	}
	echo(t, conn, "as before")
	echo(t, dial(t, local), "anew")
	if n := f.count("access rules changed"); n > 0 {
		t.Errorf("the access rules changed %d times", n)
	}
	f.reload("reload: nothing has changed", `allow_host = "client.test"`)
}
