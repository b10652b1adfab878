package files_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// TestBlocks: text around blocks, headers, white space and files that were
// joined without a line end keep no block from being found; DER is one.
func TestBlocks(t *testing.T) {
	data := "text\r\n-----BEGIN A-----\r\nProc-Type: 4,ENCRYPTED\r\n\r\n AA AA \r\n-----END A----------BEGIN " +
		"B-----\nAAAA\n-----END C-----\n" +
		"-----BEGIN D-----\n-----END D-----\n-----BEGIN E-----\nAAAA"
	var got []string
	for _, block := range files.Blocks([]byte(data)) {
		got = append(got, fmt.Sprint(block.Label, block.Line, block.Encrypted, len(block.DER), " ", block.Err))
	}
	want := []string{
		"A2 true 3 <nil>",
		"B6 false 0 this B block ends as C",
		"D9 false 0 this block is empty",
		"E11 false 0 this block has no END line",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	der := []byte{0x30, 3, 2, 1, 5}
	if blocks := files.Blocks(der); len(blocks) != 1 || blocks[0].Label != "" || string(blocks[0].DER) != string(der) ||
		!files.IsDER(der) {
		t.Errorf("DER: %+v", blocks)
	}
}

// TestProblems: a problem is one line, with its place as compilers write it.
func TestProblems(t *testing.T) {
	for want, problem := range map[string]files.Problem{
		"f:3: is wrong": {File: "f", Line: 3, Message: "is wrong"},
		"f: is wrong":   {File: "f", Message: "is wrong"},
	} {
		if got := problem.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
