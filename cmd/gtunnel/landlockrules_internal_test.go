package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/tunnel"
)

// noEnvironment is a process that systemd did not start.
func noEnvironment(string) string { return "" }

// landlockedClient is a client by flags, with its files in a folder.
func landlockedClient(t *testing.T, folder string) config.Config {
	t.Helper()
	c, only := config.New("client"), config.NewTunnel("client", tunnel.Client)
	only.Cert, only.Key = filepath.Join(folder, "host/cert.pem"), filepath.Join(folder, "host/key.pem")
	only.CApath = filepath.Join(folder, "certificates")
	only.Connect = []tunnel.Address{
		{Network: "tcp", Host: "192.0.2.1", Port: "3307"}, {Network: "unix", Path: "/run/peer.sock"},
	}
	only.Complete()
	c.Tunnels = []config.Tunnel{only}
	return c
}

// TestLandlockRules: the rules of a configuration are its ports, and the folders
// of its files, of where their links lead, and of its sockets and log; the
// resolver's only where there is a name.
func TestLandlockRules(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"host", "shared/2026", "policies"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"certificates": "shared/2026", "shared/2026/a.0": "../../policies/ca.pem", "shared/2026/b.0": "c.pem",
	} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	c := landlockedClient(t, folder)
	c.LogFile = filepath.Join(folder, "log/gtunnel.log")
	r := landlockRulesOf(&c, noEnvironment)
	want := slices.Sorted(slices.Values(slices.Concat(alwaysRead, []string{
		folder, filepath.Join(folder, "certificates"), filepath.Join(folder, "host"), filepath.Join(folder, "policies"),
		filepath.Join(folder, "shared"), filepath.Join(folder, "shared/2026"),
	})))
	if !slices.Equal(r.read, want) {
		t.Errorf("it reads %q, want %q", r.read, want)
	}
	if !slices.Equal(r.bind, []uint16{3307}) || !slices.Equal(r.connect, []uint16{3307}) {
		t.Errorf("it listens at %d and connects to %d", r.bind, r.connect)
	}
	logs := []string{filepath.Join(folder, "log")}
	if !slices.Equal(r.logs, logs) || !slices.Equal(r.sockets, []string{"/run/gtunnel"}) {
		t.Errorf("it logs in %q and makes sockets in %q", r.logs, r.sockets)
	}

	c.Tunnels[0].Connect[0].Host = "server1.domain.one"
	c.Admin = config.AdminAddress{Address: tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: "9307"}}
	r = landlockRulesOf(&c, func(name string) string {
		return map[string]string{
			"RUNTIME_DIRECTORY": "/run/other:/run/more", "CREDENTIALS_DIRECTORY": "/run/credentials/gtunnel.service",
		}[name]
	})
	if !slices.Contains(r.read, "/etc") || !slices.Contains(r.read, "/run/credentials") ||
		!slices.Equal(r.connect, []uint16{53, 3307}) || !slices.Equal(r.bind, []uint16{3307, 9307}) ||
		!slices.Equal(r.sockets, []string{"/run/other"}) {
		t.Errorf("with a name, an admin port and systemd: %+v", r)
	}
}

// TestNoRuleForAll: files at the root do not allow all that is below it.
func TestNoRuleForAll(t *testing.T) {
	for path, want := range map[string]string{"/hostcert.pem": "/hostcert.pem", "/certs/": "/certs", "/a/b": "/a"} {
		if got := foldersOf(path); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// TestBeyondLandlock: what a configuration needs beyond the rules is named; what
// is below a folder of theirs, or missing, is not.
func TestBeyondLandlock(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"host/below", "certificates", "hostile"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	c := landlockedClient(t, folder)
	allowed := landlockRulesOf(&c, noEnvironment).resolved()
	allowed.read = []string{filepath.Join(folder, "certificates"), filepath.Join(folder, "host")}
	wanted := func(read ...string) landlockRules {
		return landlockRules{read: read, bind: []uint16{3307, 3308}, connect: []uint16{3306}}
	}
	other := wanted(
		filepath.Join(folder, "host/below"), filepath.Join(folder, "missing"), filepath.Join(folder, "hostile"))
	paths, ports := allowed.beyond(other)
	if want := []string{"files in " + filepath.Join(folder, "hostile")}; !slices.Equal(paths, want) {
		t.Errorf("beyond the rules: %q, want %q", paths, want)
	}
	if want := []string{"listening at port 3308", "connections to port 3306"}; !slices.Equal(ports, want) {
		t.Errorf("beyond the rules: %q, want %q", ports, want)
	}
	if paths, ports = allowed.beyond(allowed); len(paths)+len(ports) > 0 {
		t.Errorf("the rules are beyond themselves: %q, %q", paths, ports)
	}
}
