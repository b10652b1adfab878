package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestWeakCA: an installed CA with an RSA key of 1024 bits is trusted, and
// warned of by certs list, by certs check and at the start of a tunnel.
func TestWeakCA(t *testing.T) {
	s := newSite(t)
	weak, err := certstest.NewCA("Weak", certstest.Options{KeyType: certstest.RSA1024})
	if err != nil {
		t.Fatal(err)
	}
	if err := certstest.WriteCApath(s.capath, weak); err != nil {
		t.Fatal(err)
	}
	host := s.host(weak, "old.test", certstest.Options{})
	const words = "its RSA key has 1024 bits, fewer than 2048"
	accepted := func(flags ...string) string {
		t.Helper()
		code, stdout, stderr := runMain(t, append(append([]string{"certs"}, flags...), "--capath", s.capath)...)
		if code != 0 {
			t.Errorf("%s: exit code %d: %s%s", flags[0], code, stdout, stderr)
		}
		return stdout
	}
	accepted("verify", "--cert", host.cert, "--host", "old.test")
	if stdout := accepted("list"); !strings.Contains(stdout, "\nnote: "+s.capath) ||
		!strings.Contains(stdout, "/CN=Weak: "+words) || strings.Count(stdout, words) != 1 {
		t.Errorf("list says:\n%s", stdout)
	}
	if stdout := accepted("check", "--cert", host.cert, "--key", host.key); !strings.Contains(stdout,
		"warning  chain: /DC=test/DC=gtunnel/CN=Weak ("+s.capath) || !strings.Contains(stdout, words) {
		t.Errorf("check says:\n%s", stdout)
	}
	// Nothing is said to a host of another CA.
	if stdout := accepted("check", "--cert", s.client.cert, "--key", s.client.key); strings.Contains(stdout, words) {
		t.Errorf("check says:\n%s", stdout)
	}
	server, _ := s.startServer("127.0.0.1:1")
	if line := server.waitMessage("weak CA"); line.field("ca") != "/DC=test/DC=gtunnel/CN=Weak" ||
		!strings.Contains(line.field("problem"), words) || filepath.Dir(line.field("file")) != s.capath {
		t.Errorf("at start: %v", line)
	}
}
