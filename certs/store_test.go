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
			anyone(certs.PeerClient, now, certs.Policy{})); err != nil {
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
