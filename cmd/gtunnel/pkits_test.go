package main_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
)

// pkitsCase is a case of NIST's Public Key Interoperability Test Suite, as
// Go's tree describes it.
type pkitsCase struct {
	Name           string
	CertPath       []string // the anchor first
	ShouldValidate bool
}

func (c pkitsCase) last() string {
	return strings.TrimSuffix(c.CertPath[len(c.CertPath)-1], ".crt")
}

// pkitsRow is what a table of testdata/pkits says of a case.
type pkitsRow struct {
	last   string // the certificate that the case is about
	answer string // accepted, or the code
	reason string // why it is out of scope; empty in verdicts.txt
}

func readPKITS(t *testing.T, file string) map[string]pkitsRow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "pkits", file))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]pkitsRow{}
	reason := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if text, ok := strings.CutPrefix(line, "= "); ok {
			reason = text
			continue
		}
		fields := strings.Split(line, " | ")
		if len(fields) != 3 {
			t.Fatalf("%s: %q", file, line)
		}
		if _, twice := rows[fields[0]]; twice {
			t.Errorf("%s has %q twice", file, fields[0])
		}
		rows[fields[0]] = pkitsRow{last: fields[1], answer: fields[2], reason: reason}
	}
	return rows
}

// TestPKITS runs certs verify over the published certificates of every case.
// CRLs and policy files are ignored because the suite's CRLs are not in Go's
// tree; testdata/pkits says what is out of scope, and why.
func TestPKITS(t *testing.T) {
	verdicts, outOfScope := readPKITS(t, "verdicts.txt"), readPKITS(t, "out-of-scope.txt")
	root := pkitsFolder(t)
	data, err := os.ReadFile(filepath.Join(root, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []pkitsCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 240 {
		t.Errorf("only %d cases", len(cases))
	}
	capath := filepath.Join(t.TempDir(), "certificates")
	installCA(t, capath, readPKITSCertificate(t, root, "TrustAnchorRootCertificate.crt"))

	ends := map[string]bool{}
	names := map[string]bool{}
	for _, c := range cases {
		ends[c.last()], names[c.Name] = true, true
		row, judged := verdicts[c.Name]
		other, excluded := outOfScope[c.Name]
		if judged == excluded {
			t.Errorf("%q must be in one of verdicts.txt and out-of-scope.txt", c.Name)
			continue
		}
		if excluded {
			row = other
			if row.reason == "" {
				t.Errorf("%q is out of scope without a reason", c.Name)
			}
		} else if (row.answer == "accepted") != c.ShouldValidate {
			t.Errorf("verdicts.txt contradicts the suite on %q", c.Name)
		}
		if row.last != c.last() {
			t.Errorf("%q ends with %s, not %s", c.Name, c.last(), row.last)
		}
		t.Run(strings.ReplaceAll(c.Name, " ", "_"), func(t *testing.T) { verifyPKITS(t, root, capath, c, row) })
	}
	for _, table := range []map[string]pkitsRow{verdicts, outOfScope} {
		for name := range table {
			if !names[name] {
				t.Errorf("the suite has no case %q", name)
			}
		}
	}
	mustEndAll(t, root, ends)
}

// readPKITSCertificate reads a certificate of the suite as PEM.
func readPKITSCertificate(t *testing.T, root, name string) []byte {
	t.Helper()
	der, err := os.ReadFile(filepath.Join(root, "certs", name))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// verifyPKITS wants certs verify to answer a case as its row says.
func verifyPKITS(t *testing.T, root, capath string, c pkitsCase, row pkitsRow) {
	t.Helper()
	var chain bytes.Buffer
	for _, name := range slices.Backward(c.CertPath[1:]) {
		chain.Write(readPKITSCertificate(t, root, name))
	}
	file := filepath.Join(t.TempDir(), "chain.pem")
	if err := os.WriteFile(file, chain.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runMain(t, "certs", "verify", "--cert", file, "--capath", capath, "--crl", "ignore",
		"--namespaces", "ignore", "--time", "2020-01-01T00:00:00Z", "--json")
	var got struct{ Verdict, Code string }
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	answer := got.Code
	if got.Verdict == "accepted" {
		answer = "accepted"
	}
	if answer != row.answer || (code == 0) != (got.Verdict == "accepted") {
		t.Errorf("%s with exit code %d, want %s\n%s", answer, code, row.answer, stderr)
	}
}

// mustEndAll fails if a certificate that ends a case is forgotten.
func mustEndAll(t *testing.T, root string, ends map[string]bool) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "certs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := strings.TrimSuffix(entry.Name(), ".crt"); strings.HasSuffix(name, "EE") && !ends[name] {
			t.Errorf("no case ends with %s", name)
		}
	}
}

// pkitsFolder is where the Go tree keeps the suite.
func pkitsFolder(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(goroot(t), "src", "crypto", "x509", "testdata", "nist-pkits")
	if _, err := os.Stat(folder); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the Go tree here has no test data: ", err)
	}
	return folder
}

// installCA writes a CA's certificate under its hash name.
func installCA(t *testing.T, capath string, text []byte) {
	t.Helper()
	block, _ := pem.Decode(text)
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	name, err := certs.Describe([]*x509.Certificate{ca}, 0, certs.HostModeGrid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(capath, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(capath, name.Hash+".0"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	return strings.TrimSpace(string(out))
}
