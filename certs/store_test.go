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

// TestOneBrokenFileHurtsNoOther puts a broken file of each kind beside a
// sound CA.
func TestOneBrokenFileHurtsNoOther(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	other := must(certstest.NewCA("Other", certstest.Options{}))
	leaf := must(root.NewHost("host.test", certstest.Options{}))
	otherHash, _ := hashes(other)
	leafHash := must(dn.Parse(leaf.Certificate.RawSubject)).Hash()
	block := pemOf("CERTIFICATE", other.Certificate.Raw)
	damaged := bytes.Clone(other.Certificate.Raw)
	damaged[5] ^= 0x40
	tests := []struct {
		name, file string
		data       []byte
		line       int
		message    string
	}{
		{"wrong hash", "deadbeef.0", block, 1, otherHash},
		{"empty", otherHash + ".0", nil, 0, "no certificate"},
		{"text only", otherHash + ".0", []byte("hello\n"), 0, "no certificate"},
		{"no END", otherHash + ".0", slices.Concat([]byte("text\n"), block[:len(block)-30]), 2, "no END line"},
		{
			"no END before the next", otherHash + ".0",
			[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), 1,
			"no END line",
		},
		{
			"other END", otherHash + ".0", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CRL-----\n"), 1,
			"ends as X509 CRL",
		},
		{
			"bad base64", otherHash + ".0", []byte("\n\n-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"), 3,
			"base64",
		},
		{"empty block", otherHash + ".0", []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), 1, "empty"},
		{"damaged certificate", otherHash + ".0", pemOf("CERTIFICATE", damaged), 1, "not a usable certificate"},
		{"damaged DER", otherHash + ".0", other.Certificate.Raw[:100], 0, "no certificate"},
		{"a host's certificate", leafHash + ".0", pemOf("CERTIFICATE", leaf.Certificate.Raw), 1, "not a CA's"},
		{"trust settings", otherHash + ".0", pemOf("TRUSTED CERTIFICATE", other.Certificate.Raw), 1, "openssl x509"},
		{
			"second of a file", otherHash + ".0", slices.Concat(block, pemOf("CERTIFICATE", root.Certificate.Raw)),
			bytes.Count(block, []byte("\n")) + 1, "not the hash",
		},
	}
	for _, test := range tests {
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

func TestStoreThatCannotBeUsed(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	sub := must(root.NewSubordinate("Sub", certstest.Options{}))
	host := must(root.NewHost("host.test", certstest.Options{}))
	base := t.TempDir()
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
	hostFile := writeFile(t, filepath.Join(base, "host.pem"), pemOf("CERTIFICATE", host.Certificate.Raw), 0o644)
	subordinate := filepath.Join(base, "sub")
	if err := certstest.WriteCApath(subordinate, sub); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name        string
		config      certs.StoreConfig
		words, hint string
	}{
		{"nothing given", certs.StoreConfig{}, "no CA to trust", "‹capath›"},
		{"missing", certs.StoreConfig{CApath: filepath.Join(base, "gone")}, "gone", "install the packages"},
		{"empty", certs.StoreConfig{CApath: empty}, "it is empty", "install the packages"},
		{"without hash names", certs.StoreConfig{CApath: pemOnly}, "Root.pem", "openssl rehash '" + pemOnly + "'"},
		{"other files", certs.StoreConfig{CApath: junk}, "holds no CA", "install the packages"},
		{"nothing usable", certs.StoreConfig{CApath: broken}, "deadbeef.0:1", "install the packages"},
		{"a file", certs.StoreConfig{CApath: rootFile}, "not a directory", "‹cafile›"},
		{"subordinates only", certs.StoreConfig{CApath: subordinate}, "no self-signed root", "/CN=Sub"},
		{
			"CA file missing",
			certs.StoreConfig{CAfile: filepath.Join(base, "gone.pem")},
			"cannot read the CA file: ",
			"that this user may read it",
		},
		{"CA file without CA", certs.StoreConfig{CAfile: hostFile}, "host.pem:1", "‹cafile›"},
		{
			"CA file empty",
			certs.StoreConfig{CAfile: writeFile(t, filepath.Join(base, "empty.pem"), nil, 0o644)},
			"no certificate", "‹cafile›",
		},
		{
			"CA file of subordinates",
			certs.StoreConfig{
				CAfile: writeFile(t, filepath.Join(base, "sub.pem"), pemOf("CERTIFICATE", sub.Certificate.Raw), 0o644),
			},
			"no self-signed root", "/CN=Sub",
		},
	}
	for _, test := range tests {
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
