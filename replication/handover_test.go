package replication_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// TestReadHandOver refuses what is no hand-over file, or can be read by others.
func TestReadHandOver(t *testing.T) {
	const whole = `{"gtunnel_hand_over": 1, "host": "server1.domain.one", "family": "MariaDB",
		"version": "10.11.6", "server_id": 1, "databases": ["voms"], "passwords": {"db_rep": "secret"}}`
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		code string // empty: it is not refused
	}{
		"whole":           {whole, 0o600, ""},
		"for all to read": {whole, 0o644, "readable-secret"},
		"no JSON":         {"[mysqld]\n", 0o600, "hand-over"},
		"other JSON":      {`{"host": "server1.domain.one"}`, 0o600, "hand-over"},
		"another format":  {strings.Replace(whole, "1", "2", 1), 0o600, "hand-over"},
	} {
		path := filepath.Join(t.TempDir(), "hand-over.json")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		h, err := replication.ReadHandOver(path)
		if c.code != "" && !finding.HasCode(err, c.code) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
		if c.code != "" {
			continue
		}
		if err != nil || h.Host != "server1.domain.one" || h.Version.String() != "MariaDB 10.11.6" ||
			h.Passwords["db_rep"].Reveal() != "secret" {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	path := filepath.Join(t.TempDir(), "hand-over.json")
	if err := os.WriteFile(path, []byte(strings.Replace(whole, "10.11.6", "new", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err := replication.ReadHandOver(path); err == nil {
		t.Errorf("with a version that is none: %+v", h)
	}
}
