package certs

import (
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/crl"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// TestUnchangedFilesAreNotRead: what a file with an old stamp holds is not
// looked at again, whatever it may be by now; one that changed a moment
// before it was read is.
func TestUnchangedFilesAreNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, linked := filepath.Join(dir, "0a1b2c3d.signing_policy"), filepath.Join(dir, "ffffffff.signing_policy")
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, linked); err != nil {
		t.Fatal(err)
	}
	at, gone := statFile(path)
	if at2, gone2 := statFile(linked); gone || gone2 || at != at2 {
		t.Fatalf("the stamps %+v and %+v", at, at2)
	}
	at.changed -= int64(time.Hour)
	now := map[string]stamp{path: at, linked: at}
	name, ok := parseTrustName(path, filepath.Base(path))
	link, okLink := parseTrustName(linked, filepath.Base(linked))
	if !ok || !okLink {
		t.Fatal("not the names of policy files")
	}
	sound := &fileContent{path: path, policy: new(policy.File)}
	before := func(settled bool) map[fileKey]*trustFile {
		return map[fileKey]*trustFile{
			name.key(): {trustName: name, stamp: at, settled: settled, content: sound},
			link.key(): {trustName: link, stamp: at, settled: settled, content: sound},
		}
	}
	for _, n := range []trustName{name, link} {
		if f := newFileReader(before(true), now, time.Now()).read(n); f.content != sound || f.kept || len(f.problems) > 0 {
			t.Errorf("%s was read again: %+v", n.path, f)
		}
		if f := newFileReader(before(false), now, time.Now()).read(n); !f.kept || len(f.problems) != 1 {
			t.Errorf("%s was not read again: %+v", n.path, f)
		}
		later := map[string]stamp{path: at, linked: at}
		changed := at
		changed.size++
		later[n.path] = changed
		if f := newFileReader(before(true), later, time.Now()).read(n); !f.kept || len(f.problems) != 1 {
			t.Errorf("%s was not read again: %+v", n.path, f)
		}
	}
	// The link by which it was read is gone: messages must not name it.
	if f := newFileReader(before(true), map[string]stamp{linked: at}, time.Now()).read(link); len(f.problems) != 1 ||
		f.problems[0].File != linked {
		t.Errorf("the other link: %+v", f)
	}
}

func TestStampSettles(t *testing.T) {
	t.Parallel()
	written := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := stamp{changed: written.UnixNano()}
	for age, want := range map[time.Duration]bool{0: false, clockGrain: false, clockGrain + 1: true, -time.Hour: false} {
		if got := s.settled(written.Add(age)); got != want {
			t.Errorf("after %v: %t", age, got)
		}
	}
}

func TestTrustNames(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]trustName{
		"0a1b2c3d.0":              {kind: kindCA, hash: "0a1b2c3d"},
		"0a1b2c3d.12":             {kind: kindCA, hash: "0a1b2c3d", number: 12},
		"0a1b2c3d.r7":             {kind: kindCRL, hash: "0a1b2c3d", number: 7},
		"0a1b2c3d.signing_policy": {kind: kindSigningPolicy, hash: "0a1b2c3d"},
		"0a1b2c3d.namespaces":     {kind: kindNamespaces, hash: "0a1b2c3d"},
	} {
		if got, ok := parseTrustName("", base); !ok || got != want {
			t.Errorf("%s is read as %+v, %t", base, got, ok)
		}
	}
	for _, base := range []string{
		"", "0a1b2c3d", "0a1b2c3d.", "0a1b2c3d.r", "0a1b2c3d.R0", "0A1B2C3D.0", "0a1b2c3.0", "0a1b2c3d.0.bak",
		"0a1b2c3d.rsigning_policy", "0a1b2c3d.info", "x0a1b2c3d.0", "0a1b2c3d.1234567890", "0a1b2c3d.0\n",
	} {
		if got, ok := parseTrustName("", base); ok {
			t.Errorf("%q is read as %+v", base, got)
		}
	}
}

// TestListsAreSharedAndMoved: the copy of a list is parsed once, and read
// again where it lies.
func TestListsAreSharedAndMoved(t *testing.T) {
	t.Parallel()
	ca, err := certstest.NewCA("CA", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := dn.Parse(ca.Certificate.RawSubject)
	if err != nil {
		t.Fatal(err)
	}
	serial := big.NewInt(5)
	list, err := ca.NewCRL(certstest.CRLOptions{
		Revoked: []*x509.Certificate{{SerialNumber: serial}}, RevokedAt: testThisUpdate,
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var names []trustName
	now := make(map[string]stamp)
	for _, hash := range []string{issuer.Hash(), issuer.HashOld()} {
		path := filepath.Join(dir, hash+".r0")
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}), 0o600); err != nil {
			t.Fatal(err)
		}
		name, _ := parseTrustName(path, filepath.Base(path))
		names = append(names, name)
		now[path], _ = statFile(path)
	}
	reader := newFileReader(nil, now, time.Now())
	first, second := reader.read(names[0]), reader.read(names[1])
	if len(first.problems)+len(second.problems) > 0 {
		t.Fatal(first.problems, second.problems)
	}
	a, b := first.content.lists[0], second.content.lists[0]
	shared := func(field string) bool {
		at := func(list *crl.List) uintptr { return reflect.ValueOf(list).Elem().FieldByName(field).Pointer() }
		return at(a) == at(b)
	}
	if a == b || !shared("memory") || !shared("revoked") || a.File != names[0].path || b.File != names[1].path {
		t.Errorf("lists %p of %s and %p of %s", a, a.File, b, b.File)
	}
	if err := os.Remove(names[0].path); err != nil {
		t.Fatal(err)
	}
	if r, ok := b.Lookup(ca.Certificate.SerialNumber); ok {
		t.Errorf("a serial that is not on the list: %+v", r)
	}
	if r, ok := b.Lookup(serial); !ok || r.Unconfirmed || !r.Date.Equal(testThisUpdate) {
		t.Errorf("%+v, %t", r, ok)
	}
}
