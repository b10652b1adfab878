package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// requireLandlock skips a test where the kernel cannot restrict files and ports.
func requireLandlock(t *testing.T) {
	t.Helper()
	const ports = 4
	version, err := kernel.LandlockGetABIVersion()
	if err == nil && version >= ports {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("the kernel's Landlock has version %d: %v", version, err)
	}
	t.Skipf("the kernel's Landlock has version %d, and this needs %d: %v", version, ports, err)
}

// TestLandlockedServer: a server says in one line what Landlock allows it, and
// reads what is renamed into the places of its files afterwards: a certificate,
// a whole CApath behind a link, a log. What is elsewhere it cannot read, root or
// not, and says what it may come of.
func TestLandlockedServer(t *testing.T) {
	requireLandlock(t)
	s := newSite(t)
	kept := filepath.Join(s.folder, "certificates-1")
	rename(t, s.capath, kept)
	link(t, kept, s.capath)
	log := filepath.Join(s.folder, "log", "gtunnel.log")
	if err := os.Mkdir(filepath.Dir(log), 0o750); err != nil {
		t.Fatal(err)
	}
	address, admin := freeAddress(t), "unix:"+filepath.Join(s.folder, "a.sock")
	server := start(t, "server", nil, append([]string{
		"server", "--accept", address, "--connect", startBackend(t).address(), "--allow-all", "--capath", s.capath,
		"--log-file", log, "--log-format", "json", "--admin", admin, "--reload-interval", "0s",
		"--drain-timeout", "100ms",
	}, s.server.flags()...)...)
	waitFile(t, log, `"landlock is in force","abi":`, `"ports":"restricted"`, `"listening"`)
	_, local := s.startClient(address)
	echo(t, dial(t, local), "before")

	next := filepath.Join(s.folder, "certificates-2")
	if err := certstest.WriteCApath(next, s.ca, newCA(t, "Second CA")); err != nil {
		t.Fatal(err)
	}
	link(t, next, s.capath+"~")
	rename(t, s.capath+"~", s.capath)
	renewed := s.host(s.ca, "server.test", certstest.Options{IPs: []string{"127.0.0.1"}})
	for from, to := range map[string]string{renewed.cert: s.server.cert, renewed.key: s.server.key} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+"~", text, 0o400); err != nil {
			t.Fatal(err)
		}
		rename(t, to+"~", to)
	}
	rename(t, log, log+".1")
	wantRun(t, 0, []string{"certificate changed", "trust changed"}, "reload", "--admin", admin)
	waitFile(t, log, "certificate changed", "Second CA")
	echo(t, dial(t, local), "after")

	elsewhere := s.host(s.ca, "server.test", certstest.Options{IPs: []string{"127.0.0.1"}})
	if err := os.Remove(s.server.cert); err != nil {
		t.Fatal(err)
	}
	link(t, elsewhere.cert, s.server.cert)
	wantRun(t, 1, []string{"permission denied", "Landlock refuses it"}, "reload", "--admin", admin)
	echo(t, dial(t, local), "as it was")
	server.signal(syscall.SIGTERM)
	if code := server.waitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Lstat(strings.TrimPrefix(admin, "unix:")); err == nil {
		t.Error("the admin socket is left")
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// TestReloadBeyondLandlock: a file that needs ports or folders beyond those that
// it named at the start changes nothing, all of it; where Landlock is for files
// only, other ports are no matter.
func TestReloadBeyondLandlock(t *testing.T) {
	requireLandlock(t)
	b := startBackend(t)
	first, second := freeAddress(t), freeAddress(t)
	base := serverSection("one", first, b.address(), "")
	for mode, code := range map[string]int{"on": 1, "files": 0} {
		t.Run(mode, func(t *testing.T) {
			text := "[landlock]\nmode = \"" + mode + "\"\n" + base
			r := startReloaded(t, text)
			r.put(r.file, r.whole(text+serverSection("two", second, b.address(), "")))
			stdout, stderr := r.ask(t, code)
			if port := second[strings.LastIndex(second, ":")+1:]; code == 0 {
				if !strings.Contains(stdout, "tunnel two added") {
					t.Errorf("the reload says %q", stdout)
				}
			} else if !strings.Contains(stderr, r.file+": needs what Landlock has refused this process since its start: "+
				"listening at port "+port) || !strings.Contains(stderr, "hint: restart the service") ||
				!strings.Contains(stderr, `mode = "files"`) {
				t.Errorf("the reload says %q", stderr)
			}
			folder := t.TempDir()
			other := filepath.Join(folder, "certificates")
			if err := certstest.WriteCApath(other, r.ca); err != nil {
				t.Fatal(err)
			}
			r.put(r.file, r.whole(text+"capath = \""+other+"\"\n"))
			if _, stderr := r.ask(t, 1); !strings.Contains(stderr, "since its start: files in "+folder+"\n") {
				t.Errorf("the reload says %q", stderr)
			}
			_, local := r.startClient(first)
			echo(t, dial(t, local), "as it was")
			r.put(r.file, r.whole(text))
			r.ask(t, 0)
		})
	}
}

// TestLandlockOff: a process can be told to do without, and says so.
func TestLandlockOff(t *testing.T) {
	s := newSite(t)
	server, _ := s.startServer(startBackend(t).address(), "--landlock", "off")
	if l := server.waitMessage("landlock is not in force"); l.field("reason") != "it is off" {
		t.Errorf("it says %s", l.text)
	}
}
