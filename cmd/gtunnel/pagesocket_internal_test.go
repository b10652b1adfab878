package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestGiveSocket: the socket becomes another user's, and nothing that stands in its place.
func TestGiveSocket(t *testing.T) {
	folder, err := os.MkdirTemp("", "give") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	at := func(name string) string { return filepath.Join(folder, name) }
	owner := os.Geteuid()
	if owner == 0 {
		owner = 12345
	}
	for _, name := range []string{"good", "linked"} {
		listener, err := net.Listen("unix", at(name))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
	}
	if err := giveSocket(at("good"), owner); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(at("good")); err != nil || ownerOf(info) != owner {
		t.Errorf("it is %d's, %v", ownerOf(info), err)
	}
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.Symlink(at("file"), at("symlink")), os.Link(at("linked"), at("second"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"file", "symlink", "linked", "second", "missing"} {
		if err := giveSocket(at(name), owner); err == nil {
			t.Errorf("%s is given away", name)
		}
	}
	if info, err := os.Lstat(at("file")); err != nil || ownerOf(info) != os.Geteuid() {
		t.Errorf("the file is another's: %v", err)
	}
}
