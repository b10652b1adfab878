package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// reloaded is a process of one file whose folder has its admin socket.
type reloaded struct {
	*site
	*program
	file  string
	admin string
}

// startReloaded runs a file; the text may name the certificates of the site by
// the keys of [tls] that stand before it.
func startReloaded(t *testing.T, text string) *reloaded {
	t.Helper()
	s := newSite(t)
	in := func(name string) string { return filepath.Join(s.folder, name) }
	r := &reloaded{site: s, file: in("gtunnel.toml"), admin: "unix:" + in("a.sock")}
	r.put(r.file, r.whole(text))
	r.program = start(t, "run", nil, "run", "--config", r.file)
	r.waitMessage("listening")
	return r
}

// whole is a text with what every file of this process has.
func (r *reloaded) whole(text string) string {
	return fmt.Sprintf("include = [\"conf.d/*.toml\"]\n[log]\nformat = \"json\"\n[admin]\naddress = %q\n"+
		"[tls]\ncapath = \"certificates\"\nreload_interval = \"0s\"\ncert = %q\nkey = %q\n%s",
		r.admin, r.server.cert, r.server.key, text)
}

// put writes a file as an editor does: aside, and then by its name.
func (r *reloaded) put(file, text string) {
	r.site.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		r.site.t.Fatal(err)
	}
	if err := os.WriteFile(file+"~", []byte(text), 0o600); err != nil {
		r.site.t.Fatal(err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		r.site.t.Fatal(err)
	}
}

// ask runs gtunnel reload.
func (r *reloaded) ask(t *testing.T, wantCode int) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := runMain(t, "reload", "--admin", r.admin)
	if code != wantCode {
		t.Errorf("exit code %d, want %d: %s%s", code, wantCode, stdout, stderr)
	}
	return strings.ReplaceAll(stdout, r.admin+": ", ""), stderr
}

// serverSection is a server for every host.
func serverSection(name, accept, target, more string) string {
	return fmt.Sprintf("[tunnel.%s]\nrole = \"server\"\naccept = %q\nconnect = %q\nallow_all = true\n"+
		"drain_timeout = \"1s\"\n%s\n", name, accept, target, more)
}

// TestReloadUnderSessions: a reload that adds, removes and changes tunnels, ten
// times over, touches no session of a tunnel that stays: their bytes come back
// exact.
func TestReloadUnderSessions(t *testing.T) {
	const sessions = 200
	b := startBackend(t)
	stays, changes, goes, comes := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	base := serverSection("stays", stays, b.address(), "")
	r := startReloaded(t, base+
		serverSection("changes", changes, b.address(), "")+serverSection("goes", goes, b.address(), ""))
	_, local := r.startClient(stays)
	_, localChanges := r.startClient(changes)
	_, localGoes := r.startClient(goes)
	over := make(chan struct{})
	var talking sync.WaitGroup
	for i := range sessions {
		conn := dial(t, []string{local, localChanges}[i%2])
		echo(t, conn, "begin")
		talking.Go(func() { talk(t, conn, over) })
	}
	leaving := dial(t, localGoes)
	echo(t, leaving, "goes on")
	for n := range 10 {
		r.put(r.file, r.whole(base+serverSection("changes", changes, b.address(), fmt.Sprintf("idle_timeout = \"%dh\"", n+1))+
			serverSection(fmt.Sprint("comes", n), comes, b.address(), "")))
		stdout, _ := r.ask(t, 0)
		added := fmt.Sprintf("tunnel comes%d added: server, accept %s", n, comes)
		for _, want := range []string{"tunnel changes changed: ", added} {
			if !strings.Contains(stdout, want) {
				t.Errorf("reload %d says %q, not %q", n, stdout, want)
			}
		}
		if n == 0 {
			if !strings.Contains(stdout, "tunnel goes removed: its 1 connection may go on for 1s") {
				t.Errorf("the reload says %q", stdout)
			}
			wantEnd(t, leaving)
		}
		conn := dial(t, comes) // the port goes from one tunnel to the next, and is never refused
		conn.Close()
	}
	close(over)
	talking.Wait()
	if n := r.count("tunnel stays changed") + r.count("peer no longer accepted"); n > 0 {
		t.Errorf("%d lines about sessions that were touched", n)
	}
}

// talk sends random blocks and wants each back, until over is closed.
func talk(t *testing.T, conn *net.TCPConn, over <-chan struct{}) {
	block, back := make([]byte, 4096), make([]byte, 4096)
	random := rand.NewChaCha8([32]byte{})
	for {
		random.Read(block)
		if _, err := conn.Write(block); err != nil {
			t.Errorf("send: %v", err)
			return
		}
		if _, err := io.ReadFull(conn, back); err != nil || !bytes.Equal(back, block) {
			t.Errorf("other bytes, or none: %v", err)
			return
		}
		select {
		case <-over:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// reloadState is what status tells of the reloads of a process.
type reloadState struct {
	Good, Failed uint64
	Problems     []struct{ Text, Cure string }
}

// state asks for it.
func (r *reloaded) state(t *testing.T) reloadState {
	t.Helper()
	code, stdout, stderr := runMain(t, "status", "--json", "--admin", r.admin)
	var all struct{ Reloads []reloadState }
	if err := json.Unmarshal([]byte(stdout), &all); code != 0 || err != nil || len(all.Reloads) != 1 {
		t.Fatalf("status: %d, %v: %s%s", code, err, stdout, stderr)
	}
	return all.Reloads[0]
}

// badFile is a file, with others that it includes, that must not be put in force.
type badFile struct {
	text string
	more map[string]string // files of conf.d
	want []string          // in the standard error
}

// badFiles are changes of base, whose tunnel listens at address; taken is another
// process's.
func badFiles(base, address, taken string) map[string]badFile {
	return map[string]badFile{
		"a port that is taken": {
			base + serverSection("two", "127.0.0.1:0", taken, "") + serverSection("three", taken, "127.0.0.1:1", ""), nil,
			[]string{"gtunnel.toml:27: tunnel.three.accept: cannot listen at " + taken, "hint: see who holds it"},
		},
		"another CApath": {
			base + serverSection("two", "127.0.0.1:0", taken, "capath = \"nowhere\""), nil,
			[]string{"gtunnel.toml:24: tunnel.two.capath: ", "nowhere"},
		},
		"an address within the old one": {
			strings.Replace(base, address, strings.TrimPrefix(address, "127.0.0.1"), 1), nil,
			[]string{"gtunnel.toml:13: tunnel.one.accept: ", "hint: tunnel one of this process listens at " + address},
		},
		"half of a file": {base[:len(base)/2], nil, []string{"gtunnel.toml:14: not TOML"}},
		"nothing":        {"", nil, []string{"no tunnel is configured"}},
		"a name twice": {
			base,
			map[string]string{"a.toml": "\n" + base},
			[]string{"a.toml:2: tunnel.one: another tunnel has the name: ", "gtunnel.toml:11: tunnel.one"},
		},
		"a section of the process": {
			base,
			map[string]string{"a.toml": "[log]\nlevel = \"debug\"\n[tunel]\n"},
			[]string{"a.toml:1: log: is not for a file", "hint: move it to ", "a.toml:3: tunel: unknown", "you mean tunnel?"},
		},
		"a mistake in a file": {
			base,
			map[string]string{"a.toml": serverSection("two", "127.0.0.1:0", taken, "acept = 1")},
			[]string{"a.toml:7: tunnel.two.acept: unknown key", "did you mean accept?"},
		},
		"an include within": {
			base,
			map[string]string{"a.toml": "include = \"b.toml\""},
			[]string{"a.toml:1: include: a file that is included includes no"},
		},
		"a folder": {base, map[string]string{"a.toml/x": ""}, []string{"a.toml: is a directory"}},
	}
}

// TestReloadAllOrNothing: a file of which one thing cannot be had changes
// nothing, says so with file and line, and status shows it until it is mended.
func TestReloadAllOrNothing(t *testing.T) {
	b := startBackend(t)
	address, taken := freeAddress(t), b.address()
	base := serverSection("one", address, b.address(), "")
	r := startReloaded(t, base)
	_, local := r.startClient(address)
	conn := dial(t, local)
	echo(t, conn, "before")
	unreadable := filepath.Join(r.folder, "conf.d", "secret.toml")
	for name, test := range badFiles(base, address, taken) {
		for file, text := range test.more {
			r.put(filepath.Join(r.folder, "conf.d", file), text)
		}
		r.put(r.file, r.whole(test.text))
		stdout, stderr := r.ask(t, 1)
		for _, want := range test.want {
			if !strings.Contains(stderr, want) || stdout != "" {
				t.Errorf("%s: got %q and %q, want %q", name, stdout, stderr, want)
			}
		}
		if state := r.state(t); len(state.Problems) == 0 || state.Failed == 0 {
			t.Errorf("%s: the state %+v", name, state)
		}
		if err := os.RemoveAll(filepath.Dir(unreadable)); err != nil {
			t.Fatal(err)
		}
	}
	if code, stdout, _ := runMain(t, "status", "--admin", r.admin); code != 0 ||
		!strings.Contains(stdout, "RELOAD FAILED") {
		t.Errorf("status: %d, %s", code, stdout)
	}
	echo(t, conn, "as before")
	echo(t, dial(t, local), "anew")
	r.put(r.file, r.whole(base))
	if stdout, _ := r.ask(t, 0); stdout != "nothing has changed\n" {
		t.Errorf("mended: %q", stdout)
	}
	if state := r.state(t); len(state.Problems) > 0 || state.Good != 1 || state.Failed != 10 {
		t.Errorf("mended: the state %+v", state)
	}
}

// TestReloadIncluded: tunnels of files that are included come and go, and
// change, as those of the file itself.
func TestReloadIncluded(t *testing.T) {
	b := startBackend(t)
	r := startReloaded(t, serverSection("one", freeAddress(t), b.address(), ""))
	two := "unix:" + filepath.Join(r.folder, "two.sock") // where Landlock lets it make sockets
	extra := filepath.Join(r.folder, "conf.d", "20-two.toml")
	r.put(extra, serverSection("two", two, b.address(), ""))
	r.put(filepath.Join(r.folder, "conf.d", ".20-two.toml"), "an editor's")
	if stdout, _ := r.ask(t, 0); !strings.Contains(stdout, "tunnel two added: server, accept "+two) {
		t.Errorf("added: %q", stdout)
	}
	r.put(extra, serverSection("two", two, b.address(), "max_connections = 7"))
	if stdout, _ := r.ask(t, 0); stdout != "tunnel two changed: "+extra+":7: tunnel.two.max_connections\n" {
		t.Errorf("changed: %q", stdout)
	}
	r.put(extra, serverSection("three", two, b.address(), "")) // takes the socket over
	if stdout, _ := r.ask(t, 0); !strings.Contains(stdout, "tunnel three added") ||
		!strings.Contains(stdout, "tunnel two removed") {
		t.Errorf("renamed: %q", stdout)
	}
	_, local := r.startClient(two, "--server-name", "server.test")
	echo(t, dial(t, local), "through the socket")
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := r.ask(t, 0); !strings.Contains(stdout, "tunnel three removed: its 1 connection may go on for 1s") {
		t.Errorf("removed: %q", stdout)
	}
	if _, err := os.Lstat(strings.TrimPrefix(two, "unix:")); err == nil {
		t.Error("the socket is still there")
	}
}

// TestReloadReplaced: the connections of a tunnel that another has replaced are
// still shown and can be closed, though both have one name.
func TestReloadReplaced(t *testing.T) {
	b := startBackend(t)
	address := freeAddress(t)
	section := strings.Replace(serverSection("one", address, b.address(), ""), `"1s"`, `"1m"`, 1)
	r := startReloaded(t, section)
	_, local := r.startClient(address)
	first, second := dial(t, local), dial(t, local)
	echo(t, first, "first")
	echo(t, second, "second")
	r.put(r.file, r.whole(strings.Replace(section, address, freeAddress(t), 1)))
	r.ask(t, 0)
	admin := []string{"--admin", r.admin}
	wantRun(t, 0, []string{"one (leaving) "}, append(admin, "status")...)
	var open struct{ Sessions []struct{ ID, Tunnel string } }
	list := wantRun(t, 0, nil, append(admin, "sessions", "--json")...)
	if err := json.Unmarshal([]byte(list), &open); err != nil || len(open.Sessions) != 2 {
		t.Fatalf("the connections: %v: %s", err, list)
	}
	for _, s := range open.Sessions {
		words := []string{"closed connection " + s.ID + " of tunnel one"}
		wantRun(t, 0, words, append(admin, "close", s.ID, "--tunnel", "one")...)
	}
	wantEnd(t, first)
	wantEnd(t, second)
	socket := strings.TrimPrefix(r.admin, "unix:")
	if code, body := sendAdmin(t, socket, http.MethodGet, "/readyz", ""); code != http.StatusOK {
		t.Errorf("readyz: %d, %s", code, body)
	}
}

// TestReloadTampered: a hundred signals in a second, a CApath that is gone and a
// file that is none: sessions go on, and the log stays short.
func TestReloadTampered(t *testing.T) {
	b := startBackend(t)
	address := freeAddress(t)
	r := startReloaded(t, serverSection("one", address, b.address(), ""))
	_, local := r.startClient(address)
	conn := dial(t, local)
	echo(t, conn, "before")
	from := len(r.logged())
	if err := os.Rename(r.capath, r.capath+".gone"); err != nil {
		t.Fatal(err)
	}
	r.put(r.file, "")
	for range 100 {
		r.signal(syscall.SIGHUP)
		time.Sleep(10 * time.Millisecond)
	}
	_, stderr := r.ask(t, 1)
	if !strings.Contains(stderr, "no tunnel is configured") || !strings.Contains(stderr, r.capath) {
		t.Errorf("not all that is wrong is said: %s", stderr)
	}
	if n := len(r.logged()) - from; n > 12 {
		t.Errorf("%d lines of the log", n)
	}
	echo(t, conn, "still")
	echo(t, dial(t, local), "anew")
	if err := os.Rename(r.capath+".gone", r.capath); err != nil {
		t.Fatal(err)
	}
	r.put(r.file, r.whole(serverSection("one", address, b.address(), "")))
	r.ask(t, 0)
	if state := r.state(t); len(state.Problems) > 0 {
		t.Errorf("mended: %+v", state)
	}
}
