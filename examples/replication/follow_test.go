package replication_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestFollow: a command that takes long is heard of, fails as it fails, and leaves all
// that it has said in the file.
func TestFollow(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	out, err := exec.CommandContext(t.Context(), "./follow", log, "sh", "-c",
		`echo first; printf '10 %%\r20 %%\r'; sleep 7; echo last >&2; exit 7`).CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 7 || !regexp.MustCompile(`^  \d+ s: 20 %\n$`).Match(out) {
		t.Errorf("it ends with %v and says %q", err, out)
	}
	if text, err := os.ReadFile(log); err != nil || string(text) != "first\n10 %\r20 %\rlast\n" {
		t.Errorf("the file is %q, %v", text, err)
	}
}
