package files_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := files.Read(file, 5); err != nil || string(data) != "12345" {
		t.Errorf("read %q, %v", data, err)
	}
	if _, err := files.Read(file, 4); err == nil || !strings.Contains(err.Error(), "larger than 4") {
		t.Errorf("error %v", err)
	}
	if _, err := files.Read(dir, 5); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
	if _, err := files.Read(filepath.Join(dir, "none"), 5); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	// A file that says nothing of its size may have one.
	if data, err := files.Read("/proc/self/maps", 4); err == nil || !strings.Contains(err.Error(), "larger than 4") {
		t.Errorf("read %d octets, %v", len(data), err)
	}
	// Or says that it is huge, and is refused before memory is taken for it.
	if err := os.Truncate(file, 1<<43); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Read(file, 256<<20); err == nil || !strings.Contains(err.Error(), "larger than 268435456") {
		t.Errorf("error %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Read(pipe, 5); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}

// TestPEMRecovers: what is wrong with a block keeps no other from being read.
func TestPEMRecovers(t *testing.T) {
	data := "-----BEGIN A-----\nAAAA\n" + // no end
		"-----BEGIN B-----\n?\n-----END B-----\n" +
		"-----BEGIN C-----\nAA\nAA\n-----END C-----\n" +
		"-----END D-----\n-----BEGIN E\nAAAA\n-----END E-----\n"
	var lines []int
	var sound []bool
	for _, block := range files.Blocks([]byte(data)) {
		lines, sound = append(lines, block.Line), append(sound, block.Err == nil)
	}
	if got, want := fmt.Sprint(lines, sound), "[1 3 6] [false false true]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
