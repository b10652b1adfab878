package nspawn_test

import (
	"os"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/examples/systemd/nspawn"
)

// TestHost: a host boots, has what was written before and after that, runs programs,
// boots again with what it wrote, and leaves its tree as it was.
func TestHost(t *testing.T) {
	host := nspawn.New(t, "debian-12")
	host.Write("/etc/hostname", "server1\n", 0o644)
	host.Boot()
	if name := strings.TrimSpace(host.Run("hostname")); name != "server1" {
		t.Errorf("it is %q", name)
	}
	host.Run("sh", "-c", "echo kept >/var/kept")
	if out, err := host.Try("false"); err == nil {
		t.Errorf("false is true: %s", out)
	}
	host.Stop()
	if text, err := os.ReadFile(host.Path("/var/kept")); err != nil || string(text) != "kept\n" {
		t.Errorf("%q, %v", text, err)
	}
	host.Boot()
	host.Run("test", "-e", "/var/kept")
	if again := nspawn.New(t, "debian-12"); exists(again.Path("/var/kept")) {
		t.Error("the tree was written to")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
