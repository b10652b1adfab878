package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// TestPidFile: one whose process has gone is replaced, whatever number it has; one of a process
// that lives is not; and what somebody else has put in its place is left alone at the end.
func TestPidFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gtunnel.pid")
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil { // of init, which lives
		t.Fatal(err)
	}
	first, err := writePidFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("%q, %v", text, err)
	}
	_, err = writePidFile(path)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("is of a process that runs: %d", os.Getpid())) {
		t.Errorf("a second process: %v", err)
	}
	if err := os.WriteFile(path+".other", []byte("2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".other", path); err != nil {
		t.Fatal(err)
	}
	first.remove(zap.NewNop())
	if text, err := os.ReadFile(path); err != nil || string(text) != "2\n" {
		t.Errorf("the file of another is now %q, %v", text, err)
	}
	second, err := writePidFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second.remove(zap.NewNop())
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}

// TestPidFileRefused: root is not led to another's file.
func TestPidFileRefused(t *testing.T) {
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	if err := os.WriteFile(in("precious"), []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("precious", in("link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"link": "is a symbolic link", "fifo": "is no regular file", ".": "is no regular file",
		"missing/gtunnel.pid": "no such file or directory",
	} {
		if _, err := writePidFile(in(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := os.ReadFile(in("precious")); err != nil || string(text) != "kept" {
		t.Errorf("%q, %v", text, err)
	}
}
