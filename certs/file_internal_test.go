package certs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := readFile(file, 5); err != nil || string(data) != "12345" {
		t.Errorf("read %q, %v", data, err)
	}
	if _, err := readFile(file, 4); err == nil || !strings.Contains(err.Error(), "larger than 4") {
		t.Errorf("error %v", err)
	}
	if _, err := readFile(dir, 5); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
	if _, err := readFile(filepath.Join(dir, "none"), 5); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	// A file that says nothing of its size may have one.
	if data, err := readFile("/proc/self/maps", 4); err == nil || !strings.Contains(err.Error(), "larger than 4") {
		t.Errorf("read %d octets, %v", len(data), err)
	}
	// Or says that it is huge, and is refused before memory is taken for it.
	if err := os.Truncate(file, 1<<43); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(file, maxCRLBytes); err == nil || !strings.Contains(err.Error(), "larger than 268435456") {
		t.Errorf("error %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(pipe, 5); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}
