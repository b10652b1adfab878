package seed

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSeedFolders removes what killed runs have left, and nothing that a run
// works in, or that is no folder of a copy.
func TestSeedFolders(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	used, remove, err := newSeedFolder("gtunnel-seed-*")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(used); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	at := func(name string) string { return filepath.Join(os.Getenv("TMPDIR"), name) }
	if err := os.MkdirAll(at("gtunnel-seed-1/rows"), 0o700); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	for _, file := range []string{
		at("gtunnel-seed-1/rows/t.sql"), at("gtunnel-seed-file"), filepath.Join(used, "t.sql"),
		filepath.Join(elsewhere, "own"),
	} {
		if err := os.WriteFile(file, make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(elsewhere, at("gtunnel-seed-link")); err != nil {
		t.Fatal(err)
	}
	if bytes := abandonedBytes(); bytes != 1000 {
		t.Errorf("abandoned are %d bytes", bytes)
	}
	removeAbandonedFolders()
	remove()
	var left []string
	for _, pattern := range []string{at("*"), filepath.Join(elsewhere, "*")} {
		found, _ := filepath.Glob(pattern)
		left = append(left, found...)
	}
	if len(left) != 3 || left[0] != at("gtunnel-seed-file") || left[1] != at("gtunnel-seed-link") {
		t.Errorf("left are %v", left)
	}
}
