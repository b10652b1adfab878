package certs_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// must gives the value of a call that may not fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// options makes certificate options from changes of the template.
func options(mutate func(*x509.Certificate)) certstest.Options {
	return certstest.Options{Mutate: mutate}
}

// openStore makes a CApath of the CAs and opens it.
func openStore(t testing.TB, cas ...*certstest.CA) *certs.Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, cas...); err != nil {
		t.Fatal(err)
	}
	store, err := certs.OpenStore(certs.StoreConfig{CApath: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range store.Snapshot().Problems() {
		t.Errorf("problem in a sound CApath: %s", problem)
	}
	return store
}

// credential loads a host's certificate and key.
func credential(t testing.TB, host *certstest.Host) *certs.Credential {
	t.Helper()
	certFile, keyFile, err := host.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := certs.LoadCredential(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantRefusal checks that err is a Refusal with the code and that every part
// of what a user sees is there.
func wantRefusal(t testing.TB, err error, code certs.Code) *certs.Refusal {
	t.Helper()
	refusal, ok := errors.AsType[*certs.Refusal](err)
	if !ok {
		t.Fatalf("want a refusal with the code %s, got %v", code, err)
	}
	if refusal.Code != code {
		t.Fatalf("want the code %s, got: %v", code, refusal)
	}
	if refusal.Reason == "" || refusal.Hint() == "" {
		t.Errorf("a refusal without reason or cure: %#v", refusal)
	}
	if strings.Contains(refusal.Error(), "\n") {
		t.Errorf("more than one line: %q", refusal.Error())
	}
	return refusal
}

// wantHint checks an error of the set-up: that it and its hint say certain
// words.
func wantHint(t testing.TB, err error, words, hintWords string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", words)
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("error %q does not say %q", err, words)
	}
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) {
		t.Fatalf("error %q has no hint", err)
	}
	if !strings.Contains(hinted.Hint(), hintWords) {
		t.Errorf("hint %q does not say %q", hinted.Hint(), hintWords)
	}
}

// openssl runs the command line tool; tests that need it fail in CI where it
// is missing.
func openssl(t testing.TB, stdin []byte, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed: ", err)
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Stdin = strings.NewReader(string(stdin))
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// writeFile writes a file below the directory of temporary files. A link that
// leads out of it is an error of the test.
func writeFile(t testing.TB, path string, data []byte, mode os.FileMode) string {
	t.Helper()
	if file, err := filepath.EvalSymlinks(path); err == nil &&
		!strings.HasPrefix(file, must(filepath.EvalSymlinks(os.TempDir()))+"/") {
		t.Fatalf("%s leads to %s, which is not the test's to change", path, file)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

var now = time.Now()

// The string types and attribute types of names under test.
const (
	utf8String, printable, t61, ia5  = 12, 19, 20, 22
	visible, general, universal, bmp = 26, 27, 28, 30
	cn, o, dc, uid                   = "2.5.4.3", "2.5.4.10", "0.9.2342.19200300.100.1.25", "0.9.2342.19200300.100.1.1"
	email                            = "1.2.840.113549.1.9.1"
)

// one is an RDN of one attribute, encodeName a name of RDNs, oid an identifier.
var one, encodeName, oid = dertest.RDN, dertest.Name, dertest.OID

func pemOf(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// runAsNobody runs the current test again as an ordinary user: root reads
// everything.
func runAsNobody(t *testing.T) {
	t.Helper()
	// The test program lies in a directory of root's.
	program := filepath.Join(t.TempDir(), "test")
	if err := os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(must(os.Executable()))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, program, data, 0o755)
	temp := filepath.Join(filepath.Dir(program), "tmp")
	if err := os.Mkdir(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-test.run", "^"+t.Name()+"$", "-test.v")
	command.Dir = temp
	command.Env = append(os.Environ(), "TMPDIR="+temp)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("as nobody the test did not run:\n%s", out)
	}
}

// anyone holds a peer to no name.
func anyone(role certs.PeerRole, at time.Time, policy certs.Policy) certs.VerifyOptions {
	return certs.VerifyOptions{Role: role, Anyone: true, Time: at, Policy: policy}
}

// held holds a peer to a host's name or address; to none if it is empty.
func held(role certs.PeerRole, host string, at time.Time, policy certs.Policy) certs.VerifyOptions {
	return certs.VerifyOptions{Role: role, Host: host, Anyone: host == "", Time: at, Policy: policy}
}
