package certs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// unusableStore is what no store can be made of.
type unusableStore struct {
	name        string
	config      certs.StoreConfig
	words, hint string
}

// unusableDirectories are CApaths that hold no CA to trust.
func unusableDirectories(t *testing.T, base string) []unusableStore {
	t.Helper()
	root := must(certstest.NewCA("Root", certstest.Options{}))
	sub := must(root.NewSubordinate("Sub", certstest.Options{}))
	empty := filepath.Join(base, "empty")
	pemOnly := filepath.Join(base, "pem only")
	junk := filepath.Join(base, "junk")
	broken := filepath.Join(base, "broken")
	for _, dir := range []string{empty, pemOnly, junk, broken} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	rootFile := writeFile(t, filepath.Join(pemOnly, "Root.pem"), pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
	writeFile(t, filepath.Join(junk, "README"), []byte("hello"), 0o644)
	writeFile(t, filepath.Join(broken, "deadbeef.0"), pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
	subordinate := filepath.Join(base, "sub")
	if err := certstest.WriteCApath(subordinate, sub); err != nil {
		t.Fatal(err)
	}
	return []unusableStore{
		{name: "nothing given", config: certs.StoreConfig{}, words: "no CA to trust", hint: "‹capath›"},
		{
			name: "missing", config: certs.StoreConfig{CApath: filepath.Join(base, "gone")}, words: "gone",
			hint: "install the packages",
		},
		{name: "empty", config: certs.StoreConfig{CApath: empty}, words: "it is empty", hint: "install the packages"},
		{
			name: "without hash names", config: certs.StoreConfig{CApath: pemOnly}, words: "Root.pem",
			hint: "openssl rehash '" + pemOnly + "'",
		},
		{name: "other files", config: certs.StoreConfig{CApath: junk}, words: "holds no CA", hint: "install the packages"},
		{
			name: "nothing usable", config: certs.StoreConfig{CApath: broken}, words: "deadbeef.0:1",
			hint: "install the packages",
		},
		{name: "a file", config: certs.StoreConfig{CApath: rootFile}, words: "not a directory", hint: "‹cafile›"},
		{
			name: "subordinates only", config: certs.StoreConfig{CApath: subordinate}, words: "no self-signed root",
			hint: "/CN=Sub",
		},
	}
}

// unusableCAfiles are CA files that hold no CA to trust.
func unusableCAfiles(t *testing.T, base string) []unusableStore {
	t.Helper()
	root := must(certstest.NewCA("Root", certstest.Options{}))
	sub := must(root.NewSubordinate("Sub", certstest.Options{}))
	host := must(root.NewHost("host.test", certstest.Options{}))
	hostFile := writeFile(t, filepath.Join(base, "host.pem"), pemOf("CERTIFICATE", host.Certificate.Raw), 0o644)
	return []unusableStore{
		{
			name: "CA file missing", config: certs.StoreConfig{CAfile: filepath.Join(base, "gone.pem")},
			words: "cannot read the CA file: ", hint: "that this user may read it",
		},
		{name: "CA file without CA", config: certs.StoreConfig{CAfile: hostFile}, words: "host.pem:1", hint: "‹cafile›"},
		{
			name: "CA file empty", config: certs.StoreConfig{CAfile: writeFile(t, filepath.Join(base, "empty.pem"), nil, 0o644)},
			words: "no certificate", hint: "‹cafile›",
		},
		{
			name: "CA file of subordinates",
			config: certs.StoreConfig{
				CAfile: writeFile(t, filepath.Join(base, "sub.pem"), pemOf("CERTIFICATE", sub.Certificate.Raw), 0o644),
			},
			words: "no self-signed root", hint: "/CN=Sub",
		},
	}
}

func TestStoreThatCannotBeUsed(t *testing.T) {
	base := t.TempDir()
	for _, test := range slices.Concat(unusableDirectories(t, base), unusableCAfiles(t, base)) {
		t.Run(test.name, func(t *testing.T) {
			store, err := certs.OpenStore(test.config)
			if store != nil {
				t.Error("a store in spite of the error")
			}
			wantHint(t, err, test.words, test.hint)
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			runAsNobody(t)
			return
		}
		locked := filepath.Join(base, "locked")
		if err := os.Mkdir(locked, 0); err != nil {
			t.Fatal(err)
		}
		_, err := certs.OpenStore(certs.StoreConfig{CApath: locked})
		wantHint(t, err, "permission denied", "chmod a+rx")
	})
}

// brokenFile is a file of a CApath that is of no use.
type brokenFile struct {
	name, file string
	data       []byte
	line       int
	message    string
}

func brokenFiles(root *certstest.CA) []brokenFile {
	other := must(certstest.NewCA("Other", certstest.Options{}))
	leaf := must(root.NewHost("host.test", certstest.Options{}))
	otherHash, _ := hashes(other)
	leafHash := must(dn.Parse(leaf.Certificate.RawSubject)).Hash()
	block := pemOf("CERTIFICATE", other.Certificate.Raw)
	damaged := bytes.Clone(other.Certificate.Raw)
	damaged[5] ^= 0x40
	return []brokenFile{
		{name: "wrong hash", file: "deadbeef.0", data: block, line: 1, message: otherHash},
		{name: "empty", file: otherHash + ".0", message: "no certificate"},
		{name: "text only", file: otherHash + ".0", data: []byte("hello\n"), message: "no certificate"},
		{
			name: "no END", file: otherHash + ".0", data: slices.Concat([]byte("text\n"), block[:len(block)-30]), line: 2,
			message: "no END line",
		},
		{
			name: "no END before the next", file: otherHash + ".0",
			data: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), line: 1,
			message: "no END line",
		},
		{
			name: "other END", file: otherHash + ".0",
			data: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CRL-----\n"), line: 1, message: "ends as X509 CRL",
		},
		{
			name: "bad base64", file: otherHash + ".0",
			data: []byte("\n\n-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"), line: 3, message: "base64",
		},
		{
			name: "empty block", file: otherHash + ".0",
			data: []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), line: 1, message: "empty",
		},
		{
			name: "damaged certificate", file: otherHash + ".0", data: pemOf("CERTIFICATE", damaged), line: 1,
			message: "not a usable certificate",
		},
		{name: "damaged DER", file: otherHash + ".0", data: other.Certificate.Raw[:100], message: "no certificate"},
		{
			name: "a host's certificate", file: leafHash + ".0", data: pemOf("CERTIFICATE", leaf.Certificate.Raw), line: 1,
			message: "not a CA's",
		},
		{
			name: "trust settings", file: otherHash + ".0", data: pemOf("TRUSTED CERTIFICATE", other.Certificate.Raw), line: 1,
			message: "openssl x509",
		},
		{
			name: "second of a file", file: otherHash + ".0",
			data: slices.Concat(block, pemOf("CERTIFICATE", root.Certificate.Raw)), line: bytes.Count(block, []byte("\n")) + 1,
			message: "not the hash",
		},
	}
}

// TestOneBrokenFileHurtsNoOther puts a broken file of each kind beside a
// sound CA.
func TestOneBrokenFileHurtsNoOther(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	otherHash, _ := hashes(must(certstest.NewCA("Other", certstest.Options{})))
	for _, test := range brokenFiles(root) {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := certstest.WriteCApath(dir, root); err != nil {
				t.Fatal(err)
			}
			path := writeFile(t, filepath.Join(dir, test.file), test.data, 0o644)
			checkProblem(t, dir, path, test.line, test.message)
		})
	}
	t.Run("dangling link", func(t *testing.T) {
		dir := t.TempDir()
		if err := certstest.WriteCApath(dir, root); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, otherHash+".0")
		if err := os.Symlink("gone.pem", path); err != nil {
			t.Fatal(err)
		}
		checkProblem(t, dir, path, 0, "gone.pem, which does not exist")
	})
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		if err := certstest.WriteCApath(dir, root); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, otherHash+".0")
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		checkProblem(t, dir, path, 0, "not a regular file")
	})
	for _, test := range []struct {
		name string
		der  []byte
	}{
		{"universal", encodeName(one(o, universal, "\x00\x00\x00H\x00\x01\xf6\x00"))},
		{"visible", encodeName(one(o, visible, "Old Site"))},
		{"general", encodeName(one(o, general, "Old Site"))},
	} {
		t.Run("name that crypto/x509 cannot read: "+test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := certstest.WriteCApath(dir, root); err != nil {
				t.Fatal(err)
			}
			path := writeFile(t, filepath.Join(dir, must(dn.Parse(test.der)).Hash()+".0"), dertest.SelfSigned(test.der), 0o644)
			checkProblem(t, dir, path, 0, "not a usable certificate")
		})
	}
}

// checkProblem opens a CApath of one sound CA and one broken file.
func checkProblem(t *testing.T, dir, path string, line int, message string) {
	t.Helper()
	store, err := certs.OpenStore(certs.StoreConfig{CApath: dir})
	if err != nil {
		t.Fatal(err)
	}
	problems := store.Snapshot().Problems()
	if len(problems) != 1 {
		t.Fatalf("problems %v, want one", problems)
	}
	p := problems[0]
	if p.File != path || p.Line != line || !strings.Contains(p.Message, message) {
		t.Errorf("problem %q at line %d, want line %d of %s and the words %q", p, p.Line, line, path, message)
	}
	if anchor := slices.ContainsFunc(store.Snapshot().CAs(),
		func(ca *certs.CA) bool { return ca.Subject.Slash() == "/DC=test/DC=gtunnel/CN=Root" }); !anchor {
		t.Error("the sound CA is gone")
	}
}
