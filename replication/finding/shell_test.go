package finding_test

import (
	"os/exec"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// TestShellWord: a shell gives every word back as it was.
func TestShellWord(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"", "/var/lib/a@b%25.sql", "with space", "it's", `$HOME "\`, "ü*", "a-p"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+finding.ShellWord(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q, %v", word, out, err)
		}
	}
	if plain := finding.ShellWord("/root/ho.json"); plain != "/root/ho.json" {
		t.Errorf("a plain word became %s", plain)
	}
}
