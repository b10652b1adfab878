package certs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestUnchangedPairIsNotRead: a Credential whose files have not changed since
// their stamps tell everything is not read again.
func TestUnchangedPairIsNotRead(t *testing.T) {
	t.Parallel()
	root, err := certstest.NewCA("Root", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	host, err := root.NewHost("host.test", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := host.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := LoadCredential(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	reload := func() (read bool) {
		t.Helper()
		before := c.current.Load()
		before.settled = true // as if the files were older
		if changed, err := c.Reload(); changed || err != nil {
			t.Errorf("changed %t, %v", changed, err)
		}
		return c.current.Load() != before
	}
	if reload() {
		t.Error("unchanged files are read")
	}
	for _, file := range []string{certFile, keyFile} {
		if err := os.Chtimes(file, time.Time{}, testThisUpdate); err != nil {
			t.Fatal(err)
		}
		if !reload() {
			t.Errorf("%s has changed and is not read", file)
		}
	}
	c.current.Load().settled = false
	before := c.current.Load()
	if _, err := c.Reload(); err != nil || c.current.Load() == before {
		t.Errorf("files that may have changed within the grain of the clock are not read: %v", err)
	}
}

// TestUnchangedTrustFiles: what must be as it was for a file not to be read.
func TestUnchangedTrustFiles(t *testing.T) {
	t.Parallel()
	at, link := stamp{inode: 1, size: 5}, filepath.Join("dir", "link")
	reader := newFileReader(nil, map[string]stamp{"file": at, link: at}, testThisUpdate)
	name := trustName{path: "file"}
	for about, test := range map[string]struct {
		f    trustFile
		want bool
	}{
		"as it was": {
			trustFile{trustName: name, settled: true, stamp: at, content: &fileContent{path: "file"}}, true,
		},
		"read by a link": {
			trustFile{trustName: name, settled: true, stamp: at, content: &fileContent{path: link}}, true,
		},
		"read by a link that is gone": {
			trustFile{trustName: name, settled: true, stamp: at, content: &fileContent{path: "gone"}}, false,
		},
		"its content is that of before": {
			trustFile{trustName: name, settled: true, stamp: at, content: &fileContent{path: "gone"}, kept: true}, true,
		},
		"without content":                 {trustFile{trustName: name, settled: true, stamp: at}, true},
		"younger than the clock can tell": {trustFile{trustName: name, stamp: at}, false},
		"with another stamp":              {trustFile{trustName: name, settled: true}, false},
		"missing": {
			trustFile{trustName: name, settled: true, stamp: at, missing: testThisUpdate}, false,
		},
	} {
		if got := reader.unchanged(&test.f); got != test.want {
			t.Errorf("%s: unchanged %t", about, got)
		}
	}
}

// TestFilesThatTakeThePlace: of a missing file only one of its own group that
// holds the same takes the place.
func TestFilesThatTakeThePlace(t *testing.T) {
	t.Parallel()
	group := trustName{kind: kindCA, hash: "12345678"}
	same, another := &fileContent{digest: [32]byte{1}}, &fileContent{digest: [32]byte{2}}
	was := &trustFile{trustName: group, content: same}
	for about, test := range map[string]struct {
		f    trustFile
		want bool
	}{
		"the same content": {trustFile{trustName: group, content: same}, true},
		"another content":  {trustFile{trustName: group, content: another}, false},
		"no content":       {trustFile{trustName: group}, false},
		"another hash":     {trustFile{trustName: trustName{kind: kindCA, hash: "87654321"}, content: same}, false},
		"another kind":     {trustFile{trustName: trustName{kind: kindNamespaces, hash: "12345678"}, content: same}, false},
	} {
		l := &loaded{used: []*trustFile{&test.f}}
		if got := l.uses(was); got != test.want {
			t.Errorf("%s: %t", about, got)
		}
	}
}
