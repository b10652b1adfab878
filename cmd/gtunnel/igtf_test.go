package main_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// igtf is where Debian's igtf-policy packages install the CAs of the grid.
const igtf = "/etc/grid-security/certificates"

func needIGTF(t *testing.T) {
	t.Helper()
	if found, _ := filepath.Glob(filepath.Join(igtf, "*.pem")); len(found) > 50 {
		return
	}
	const missing = "the CAs of igtf-policy-classic, -mics, -slcs and -iota are not installed"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// TestListIGTF: of the CAs that grid sites install nothing is broken. Expired
// ones are shown.
func TestListIGTF(t *testing.T) {
	needIGTF(t)
	code, stdout, stderr := runMain(t, "certs", "list", "--capath", igtf, "--crl", "ignore")
	if code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for line := range strings.Lines(stdout) {
		if len(strings.TrimSuffix(line, "\n")) > 120 && !strings.Contains(line, ": ") {
			t.Errorf("longer than 120 characters: %s", line)
		}
	}
	code, stdout, _ = runMain(t, "certs", "list", "--capath", igtf, "--crl", "ignore", "--json")
	var list struct {
		CAs []struct {
			Subject  string
			Hash     string
			HashOld  string `json:"hash_old"`
			Files    []string
			Expired  bool
			Policies []struct{ Kind string }
		}
		Summary struct{ CAs, Expired, Broken int }
	}
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if list.Summary.CAs != len(list.CAs) || len(list.CAs) < 80 || list.Summary.Expired == 0 || list.Summary.Broken != 0 {
		t.Errorf("the summary of %d CAs: %+v", len(list.CAs), list.Summary)
	}
	for _, ca := range list.CAs {
		names := strings.Join(ca.Files, " ")
		if !strings.Contains(names, "/"+ca.Hash+".") || !strings.Contains(names, "/"+ca.HashOld+".") {
			t.Errorf("%s: the hashes %s and %s, the files %s", ca.Subject, ca.Hash, ca.HashOld, names)
		}
		if len(ca.Policies) == 0 {
			t.Errorf("%s has no policy", ca.Subject)
		}
	}
}

// TestPublicWebRoot: some roots of the grid are public web CAs. What they
// sign for the web is refused by their policy files, and by nothing else.
func TestPublicWebRoot(t *testing.T) {
	needIGTF(t)
	const dn = "/C=US/O=DigiCert Inc/OU=www.digicert.com/CN=DigiCert Assured ID Root CA"
	folder := filepath.Join(t.TempDir(), "certificates")
	copyFiles(t, folder, igtf)
	found, err := filepath.Glob(filepath.Join(igtf, "*.0"))
	if err != nil {
		t.Fatal(err)
	}
	var name certs.Description
	var root *x509.Certificate
	for _, file := range found {
		chain, err := certs.ReadCertificates(file)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := certs.Describe(chain, 0, certs.HostModeGrid); err == nil && found.DN == dn {
			name, root = found, chain[0]
		}
	}
	if root == nil {
		t.Fatalf("the bundle has no %s any more: take another of its web roots", dn)
	}
	// A CA of the same name, whose key this test has.
	ours, err := certstest.NewCA("web",
		certstest.Options{Mutate: func(c *x509.Certificate) { c.RawSubject = root.RawSubject }})
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.Certificate.Raw})
	for _, hash := range []string{name.Hash, name.HashOld} {
		if err := os.WriteFile(filepath.Join(folder, hash+".1"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &site{t: t}
	web := s.host(ours, "www.example.com", certstest.Options{})
	args := []string{
		"certs", "verify", "--cert", web.cert, "--capath", folder, "--crl", "ignore", "--host", "www.example.com", "--role",
		"server",
	}
	code, _, stderr := runMain(t, args...)
	if code != 1 || !strings.HasPrefix(stderr, "gtunnel: policy-denied: ") || !strings.Contains(stderr, folder) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	code, stdout, stderr := runMain(t, append(args, "--json")...)
	var got struct {
		Code, File string
		Line       int
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 1 {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	if got.Code != "policy-denied" || filepath.Dir(got.File) != folder || got.Line == 0 {
		t.Errorf("%+v", got)
	}
	if code, _, stderr := runMain(t, append(args, "--namespaces", "ignore")...); code != 0 {
		t.Errorf("without policies it must be accepted: exit code %d: %s", code, stderr)
	}
}

// copyFiles copies the files of a folder, with what links point to.
func copyFiles(t *testing.T, to, from string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, entry.Name()), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
