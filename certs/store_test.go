package certs_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// hashes are the two hash names of a CA.
func hashes(ca *certstest.CA) (newHash, oldHash string) {
	name := must(dn.Parse(ca.Certificate.RawSubject))
	return name.Hash(), name.HashOld()
}

func TestStoreReadsCApath(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	sub := must(root.NewSubordinate("Sub", certstest.Options{}))
	twin := must(certstest.NewCA("Root", certstest.Options{})) // same name, other key
	dir := t.TempDir()
	if err := certstest.WriteCApath(dir, root, sub, twin); err != nil {
		t.Fatal(err)
	}
	// What else lies in such a directory.
	newHash, oldHash := hashes(root)
	for _, name := range []string{
		"README", newHash + ".info", newHash + ".crl_url", newHash + ".r", newHash + ".namespaces.rpmnew",
		"x" + newHash + ".0", newHash + ".0.bak", ".#lock", strings.ToUpper(newHash) + "Z.0",
	} {
		writeFile(t, filepath.Join(dir, name), []byte("junk"), 0o644)
	}
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	if problems := snapshot.Problems(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	cas := snapshot.CAs()
	if len(cas) != 3 {
		t.Fatalf("%d CAs, want 3: duplicates through two hash names are one CA", len(cas))
	}
	anchors := 0
	for _, ca := range cas {
		if ca.Anchor {
			anchors++
		}
		if len(ca.Files) != 2 {
			t.Errorf("%s has the files %v, want its two hash names", ca.Subject.Slash(), ca.Files)
		}
		if ca.FromCAfile {
			t.Errorf("%s is marked as of the CA file", ca.Subject.Slash())
		}
	}
	if anchors != 2 {
		t.Errorf("%d anchors, want the two roots", anchors)
	}
	if !slices.ContainsFunc(cas,
		func(ca *certs.CA) bool { return slices.Contains(ca.Files, filepath.Join(dir, oldHash+".0")) }) {
		t.Errorf("no CA was found under the old hash name %s.0", oldHash)
	}
}

func TestStoreAcceptsEncodings(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	der := root.Certificate.Raw
	block := pemOf("CERTIFICATE", der)
	newHash, oldHash := hashes(root)
	tests := map[string][]byte{
		"text before and after": slices.Concat([]byte("Certificate:\n    Data: x: "+
			"y\n\xff\xfe\n"), block, []byte("the end\n")),
		"CR LF":           bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n")),
		"X509 label":      pemOf("X509 CERTIFICATE", der),
		"DER":             der,
		"white space":     bytes.ReplaceAll(block, []byte("\n"), []byte(" \t\n  ")),
		"no last newline": bytes.TrimSpace(block),
		"headers":         bytes.Replace(block, []byte("-----\n"), []byte("-----\nfriendlyName: root\n\n"), 1),
		"byte order mark": slices.Concat([]byte("\xef\xbb\xbf# text\n"), block),
	}
	for name, data := range tests {
		for _, file := range []string{newHash + ".0", oldHash + ".17"} {
			t.Run(name+" "+file[8:], func(t *testing.T) {
				dir := t.TempDir()
				writeFile(t, filepath.Join(dir, file), data, 0o644)
				store, err := certs.OpenStore(certs.StoreConfig{CApath: dir})
				if err != nil {
					t.Fatal(err)
				}
				if cas := store.Snapshot().CAs(); len(cas) != 1 || !cas[0].Certificate.Equal(root.Certificate) {
					t.Errorf("got %v", cas)
				}
			})
		}
	}
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

func TestStoreCAfile(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	sub := must(root.NewSubordinate("Sub", certstest.Options{}))
	grid := must(certstest.NewCA("Grid", certstest.Options{}))
	base := t.TempDir()
	file := writeFile(t, filepath.Join(base, "own.pem"),
		slices.Concat(pemOf("CERTIFICATE", root.Certificate.Raw), pemOf("CERTIFICATE", sub.Certificate.Raw)), 0o644)
	capath := filepath.Join(base, "capath")
	if err := certstest.WriteCApath(capath, grid, root); err != nil {
		t.Fatal(err)
	}
	for _, config := range []certs.StoreConfig{{CAfile: file}, {CAfile: file, CApath: capath}} {
		store, err := certs.OpenStore(config)
		if err != nil {
			t.Fatal(err)
		}
		for _, ca := range store.Snapshot().CAs() {
			if want := ca.Subject.Slash() != "/DC=test/DC=gtunnel/CN=Grid"; ca.FromCAfile != want {
				t.Errorf("%s: FromCAfile is %v", ca.Subject.Slash(), ca.FromCAfile)
			}
		}
		host := must(sub.NewHost("host.test", certstest.Options{}))
		if _, err := certs.Verify(store.Snapshot(), []*x509.Certificate{host.Certificate},
			anyone(certs.RoleClient, now, certs.Policy{})); err != nil {
			t.Error(err)
		}
	}
}

func TestStoreReload(t *testing.T) {
	first := must(certstest.NewCA("First", certstest.Options{}))
	second := must(certstest.NewCA("Second", certstest.Options{}))
	dir := t.TempDir()
	if err := certstest.WriteCApath(dir, first); err != nil {
		t.Fatal(err)
	}
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	before := store.Snapshot()
	if err := certstest.WriteCApath(dir, second); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Reload(); err != nil {
		t.Fatal(err)
	}
	after := store.Snapshot()
	if len(before.CAs()) != 1 || len(after.CAs()) != 2 {
		t.Fatalf("%d CAs before and %d after, want 1 and 2", len(before.CAs()), len(after.CAs()))
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Reload(); err == nil {
		t.Error("reloaded from nothing")
	}
	if store.Snapshot() != after {
		t.Error("a failed reload changed the trust")
	}
}

// rehashed is a CA whose subject has text that the hash depends on.
func TestHashesOfCAsAsWritten(t *testing.T) {
	for _, subject := range []string{"Root", "  spaced   OUT ", "Üñï"} {
		ca := must(certstest.NewCA("x", options(func(c *x509.Certificate) {
			c.Subject = pkix.Name{Organization: []string{"Grid"}, CommonName: subject}
		})))
		dir := t.TempDir()
		file := writeFile(t, filepath.Join(dir, "ca.pem"), pemOf("CERTIFICATE", ca.Certificate.Raw), 0o644)
		openssl(t, nil, "rehash", "-compat", dir)
		store, err := certs.OpenStore(certs.StoreConfig{CApath: dir})
		if err != nil {
			t.Fatal(err)
		}
		snapshot := store.Snapshot()
		if len(snapshot.Problems()) > 0 || len(snapshot.CAs()) != 1 || len(snapshot.CAs()[0].Files) != 2 {
			t.Errorf("%s as openssl rehash names it: CAs %v, problems %v", file, snapshot.CAs(), snapshot.Problems())
		}
	}
}

func FuzzFiles(f *testing.F) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	f.Add(pemOf("CERTIFICATE", root.Certificate.Raw))
	f.Add(root.Certificate.Raw)
	f.Add([]byte("text\r\n-----BEGIN X509 CERTIFICATE-----\r\nProc-Type: 4,ENCRYPTED\r\n\r\nAAAA\r\n-----END X509 " +
		"CERTIFICATE-----"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----BEGIN PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		certs.ParseFiles(data)
		rows := bytes.Count(data, []byte("\n")) + 1
		var lines []int
		for _, block := range files.Blocks(data) {
			lines = append(lines, block.Line)
		}
		if !slices.IsSorted(lines) || len(lines) > 0 && lines[len(lines)-1] > rows {
			t.Errorf("blocks at the lines %v of %d", lines, rows)
		}
	})
}
