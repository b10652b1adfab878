package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// pairFile writes a configuration file with a section [pair] beside the certificate of a
// host of these names.
func pairFile(t *testing.T, pair string, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	ca, err := certstest.NewCA("one", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	host, err := ca.NewHost(names[0], certstest.Options{DNSNames: names})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := host.Write(folder); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "gtunnel.toml")
	text := "[tls]\ncert = \"hostcert.pem\"\nkey = \"hostkey.pem\"\n[pair]\n" + pair
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const bothHosts = `hosts = ["Server1.domain.one", "server2.domain.two."]` + "\n"

// TestPair: one file makes the two tunnels of either host, which knows itself by its
// certificate.
func TestPair(t *testing.T) {
	t.Parallel()
	for _, own := range []string{"server1.domain.one", "server2.domain.two"} {
		pair, way, err := config.PairOf(pairFile(t, bothHosts, own))
		if err != nil {
			t.Fatal(words(err))
		}
		peer := map[string]string{
			"server1.domain.one": "server2.domain.two", "server2.domain.two": "server1.domain.one",
		}[own]
		if pair.Host != own || pair.Peer != peer || pair.Guard != "strict" || pair.HookTimeout != 0 {
			t.Errorf("%s: %+v", own, pair)
		}
		if fmt.Sprint(way.Accept, way.Connect) != "127.0.0.1:3307 ["+peer+":3307]" || way.ServerName != peer ||
			way.Role != tunnel.Client {
			t.Errorf("%s goes to its peer by %+v", own, way)
		}
		c, err := config.Read(pairFile(t, bothHosts, own))
		if err != nil {
			t.Fatal(err)
		}
		in := c.TunnelNamed(config.PairServer)
		if in.Role != tunnel.Server || fmt.Sprint(in.Accept, in.Connect, in.AllowHost) !=
			":3307 [127.0.0.1:3306] ["+peer+"]" {
			t.Errorf("%s lets its peer in by %+v", own, in)
		}
	}
}

// TestPairElsewhere has what odd set-ups give.
func TestPairElsewhere(t *testing.T) {
	t.Parallel()
	pair, way, err := config.PairOf(pairFile(t, bothHosts+`host = "server2.domain.two"
guard = "lenient"
fence = "/usr/local/sbin/fence"
hook_timeout = "5s"
accept = "127.0.0.1:4307"
connect = "127.0.0.1:4306"
local = "127.0.0.1:4308"
addresses = ["192.0.2.1:3308", "192.0.2.2:3309"]
`, "*.domain.one", "*.domain.two"))
	if err != nil {
		t.Fatal(words(err))
	}
	if pair.Host != "server2.domain.two" || pair.Guard != "lenient" || pair.Fence != "/usr/local/sbin/fence" ||
		pair.HookTimeout != 5*time.Second {
		t.Errorf("%+v", pair)
	}
	if fmt.Sprintf("%s %s %s", way.Accept, way.Connect, way.ServerName) !=
		"127.0.0.1:4308 [192.0.2.1:3308] server1.domain.one" {
		t.Errorf("%+v", way)
	}
}

// TestPairNamed: the key host is believed where the certificate proves both hosts, or neither,
// and where it proves the same.
func TestPairNamed(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{"server1.domain.one", "server2.domain.two"}, {"db.other.org"}, {"server2.domain.two"},
	} {
		pair, _, err := config.PairOf(pairFile(t, bothHosts+`host = "server2.domain.two"`, names...))
		if err != nil || pair.Host != "server2.domain.two" || pair.Peer != "server1.domain.one" {
			t.Errorf("%v: %+v, %v", names, pair, err)
		}
	}
}

// TestPairWrong: each mistake is named with its line, and what to do.
func TestPairWrong(t *testing.T) {
	t.Parallel()
	const own = "server1.domain.one"
	for name, test := range map[string]struct {
		pair  string
		names []string
		want  string
	}{
		"no hosts":  {"guard = \"strict\"\n", []string{own}, ":4: pair: hosts is missing\nhint: write the names of both"},
		"one host":  {`hosts = ["server1.domain.one"]`, []string{own}, ":5: pair.hosts: a pair is two hosts"},
		"one twice": {`hosts = ["a.test", "A.test"]`, []string{own}, ":5: pair.hosts: a pair is two hosts"},
		"no name":   {`hosts = ["a.test", "*.b.test"]`, []string{own}, `"*.b.test" is no name of a host`},
		"neither": {
			bothHosts, []string{"db.other.org"}, "proves db.other.org\nhint: write the names that the certificates",
		},
		"both": {
			bothHosts, []string{own, "server2.domain.two"}, "proves both: server1.domain.one, server2.domain.two",
		},
		"other host": {bothHosts + `host = "c.test"`, []string{own}, ":6: pair.host: c.test is neither of the hosts"},
		"of the peer": {
			bothHosts + `host = "server2.domain.two"`,
			[]string{own},
			"hostcert.pem proves server1.domain.one, not server2.domain.two\n" +
				"hint: remove the key: a host knows itself by its certificate",
		},
		"hook": {bothHosts + `fence = "fence.sh"`, []string{own}, `:6: pair.fence: "fence.sh" is no absolute path`},
		"mode": {bothHosts + `guard = "soft"`, []string{own}, `:6: pair.guard: "soft" is none of strict, lenient`},
		"open": {
			bothHosts + `local = "192.0.2.1:3307"`, []string{own}, "pair.local: 192.0.2.1:3307 is no address of this host alone",
		},
		"unknown":   {bothHosts + `fences = "/bin/true"`, []string{own}, "hint: did you mean fence?"},
		"addresses": {bothHosts + `addresses = ["a.test:3307"]`, []string{own}, "must be two, in the order of hosts"},
		"the name": {
			bothHosts + "[tunnel.pair-client]\nrole = \"client\"\nconnect = \"a.test:3307\"\naccept = \"127.0.0.1:3300\"\n",
			[]string{own},
			":6: tunnel.pair-client: is the name of a tunnel of the pair",
		},
		"the port": {
			bothHosts + "[tunnel.more]\nrole = \"client\"\nconnect = \"a.test:3307\"\n",
			[]string{own},
			"127.0.0.1:3307 is taken by tunnel pair-",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if text := words(said(pairFile(t, test.pair, test.names...))); !strings.Contains(text, test.want) {
				t.Errorf("said:\n%s", text)
			}
		})
	}
}

// TestNoPair: a file without a pair says so, with what to write.
func TestNoPair(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gtunnel.toml")
	if err := os.WriteFile(file, []byte("[tunnel.one]\nrole = \"server\"\nallow_host = \"a.test\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.PairOf(file); !usage.Is(err) || !strings.Contains(words(err), "[pair], and below it hosts") {
		t.Error(words(err))
	}
}

// TestPairChanges: what has changed of a pair is named.
func TestPairChanges(t *testing.T) {
	t.Parallel()
	file := pairFile(t, bothHosts, "server1.domain.one")
	running, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "connect = \"3316\"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	now, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	got := changeLines(config.Compare(&running, &now), file)
	if !slices.Equal(got, []string{"change pair-server :4: pair"}) {
		t.Errorf("%q", got)
	}
}

// TestPairHooks: a program of the pair that cannot be run is told, and is no fault of the
// configuration: the tunnels do without it.
func TestPairHooks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, mode := range map[string]os.FileMode{"good": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ path, want string }{
		{folder + "/good", ""},
		{folder + "/none", ": " + folder + "/none: no such file\nhint: install the program there"},
		{folder + "/plain", ": " + folder + "/plain: is not executable\nhint: chmod 0755 " + folder + "/plain"},
		{folder, ": " + folder + ": is no file\n"},
		{folder + "/good/below", "/good/below: not a directory\n"},
	} {
		for _, key := range []string{"fence", "pre_promote", "post_promote"} {
			file := pairFile(t, bothHosts+fmt.Sprintf("%s = %q\n", key, test.path), "server1.domain.one")
			c, err := config.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			if faults := c.Faults(); len(faults) > 0 {
				t.Errorf("%s = %s stops the tunnels: %v", key, test.path, faults)
			}
			found := c.Hooks()
			if test.want == "" {
				if len(found) > 0 {
					t.Errorf("%s = %s: %v", key, test.path, found)
				}
				continue
			}
			text := words(usage.Join(found))
			if !strings.HasPrefix(text, file+":6: pair."+key+": ") || !strings.Contains(text, test.want) {
				t.Errorf("%s = %s said:\n%s", key, test.path, text)
			}
		}
	}
}

// TestPairSlaves: further slaves are let in beside the other host, and each host is named
// once.
func TestPairSlaves(t *testing.T) {
	t.Parallel()
	file := pairFile(t, bothHosts+"slaves = [\"Server3.domain.three.\", \"server4.domain.four\"]\n", "server1.domain.one")
	c, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"server2.domain.two", "server3.domain.three", "server4.domain.four"}
	if in := c.TunnelNamed(config.PairServer); len(c.Faults()) > 0 || !slices.Equal(in.AllowHost, want) {
		t.Errorf("let in: %q; %v", in.AllowHost, c.Faults())
	}
	for text, said := range map[string]string{
		`"server2.domain.two"`:     "server2.domain.two is named twice",
		`"server3.x", "server3.x"`: "server3.x is named twice",
		`"10.0.0.1:3307"`:          `"10.0.0.1:3307" is no name of a host`,
	} {
		file := pairFile(t, bothHosts+"slaves = ["+text+"]\n", "server1.domain.one")
		c, err := config.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := words(usage.Join(c.Faults())); !strings.Contains(found, said) || !strings.Contains(found, file+":") {
			t.Errorf("%s said:\n%s", text, found)
		}
	}
}
