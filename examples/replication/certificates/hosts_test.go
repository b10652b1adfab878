package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var hosts = []string{"master.example.org", "slave.example.org"}

// read gives the content of every file below root by its path.
func read(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		files[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func mustEnsure(t *testing.T, root string, now time.Time) bool {
	t.Helper()
	made, err := ensure(root, hosts, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(root, hosts, now); err != nil {
		t.Fatalf("what ensure leaves is not sound: %v", err)
	}
	return made
}

func TestEnsureMakesOnce(t *testing.T) {
	root := t.TempDir()
	if !mustEnsure(t, root, time.Now()) {
		t.Fatal("ensure made nothing in an empty directory")
	}
	first := read(t, root)
	keys := 0
	for path, text := range first {
		if !bytes.Contains([]byte(text), []byte("PRIVATE KEY")) {
			continue
		}
		keys++
		if filepath.Base(path) != "hostkey.pem" {
			t.Errorf("there is a private key in %s", path)
		}
		if info, err := os.Stat(filepath.Join(root, path)); err != nil || info.Mode().Perm() != 0o400 {
			t.Errorf("%s: mode %v, error %v; want 0400", path, info.Mode(), err)
		}
	}
	if keys != len(hosts) {
		t.Errorf("%d private keys were written, want one for each of %d hosts", keys, len(hosts))
	}

	if mustEnsure(t, root, time.Now()) {
		t.Error("a second run made the certificates anew")
	}
	second := read(t, root)
	for path, text := range first {
		if second[path] != text {
			t.Errorf("a second run changed %s", path)
		}
	}
}

func TestEnsureReplacesWhatIsNotSound(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, root string) (now time.Time){
		"about to expire": func(*testing.T, string) time.Time {
			return time.Now().AddDate(0, 11, 15)
		},
		"a key is missing": func(t *testing.T, root string) time.Time {
			t.Helper()
			if err := os.Remove(filepath.Join(root, hosts[1], "hostkey.pem")); err != nil {
				t.Fatal(err)
			}
			return time.Now()
		},
		"a CApath is missing": func(t *testing.T, root string) time.Time {
			t.Helper()
			if err := os.RemoveAll(filepath.Join(root, hosts[0], "certificates")); err != nil {
				t.Fatal(err)
			}
			return time.Now()
		},
		"the other host's certificate": func(t *testing.T, root string) time.Time {
			t.Helper()
			text, err := os.ReadFile(filepath.Join(root, hosts[0], "hostcert.pem"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, hosts[1], "hostcert.pem"), text, 0o644); err != nil {
				t.Fatal(err)
			}
			return time.Now()
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			mustEnsure(t, root, time.Now())
			first := read(t, root)
			if made, err := ensure(root, hosts, harm(t, root)); err != nil || !made {
				t.Fatalf("made is %v, error %v; want everything made anew", made, err)
			}
			second := read(t, root)
			for _, host := range hosts {
				for _, file := range []string{"hostcert.pem", "hostkey.pem"} {
					if path := filepath.Join(host, file); first[path] == second[path] {
						t.Errorf("%s is still the old one", path)
					}
				}
			}
		})
	}
}
