package crl

import (
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// Lists that OpenSSL makes, of both versions, in both forms and with each
// kind of key.
func TestCRLByOpenSSL(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	keys := map[string][]string{
		"rsa":     {"-newkey", "rsa:2048"},
		"ecdsa":   {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"},
		"ed25519": {"-newkey", "ed25519"},
		"pss":     {"-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"},
	}
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, ca := makeLists(t, key, name == "pss")
			for file, version := range map[string]int{"v1.pem": 1, "v2.pem": 2, "v2.der": 2, "v2.text": 2} {
				checkOpenSSLList(t, filepath.Join(dir, file), version, ca)
			}
		})
	}
}

// The database of a CA and its configuration, as "openssl ca" reads them.
const (
	listIndex = "R\t400101000000Z\t260102030405Z,keyCompromise\t1234\tunknown\t/CN=a\n" +
		"R\t400101000000Z\t260102030406Z\tFEDCBA9876543210FEDCBA9876543210\tunknown\t/CN=b\n" +
		"R\t400101000000Z\t260102030407Z,holdInstruction,holdInstructionReject\t05\tunknown\t/CN=c\n" +
		"V\t400101000000Z\t\t06\tunknown\t/CN=d\n"
	listConfig = "[ca]\ndefault_ca = ca_default\n[ca_default]\ndatabase = index.txt\ncrlnumber = " +
		"crlnumber\ndefault_crl_days = 30\ndefault_md = default\n" +
		"[extensions]\nauthorityKeyIdentifier = keyid\nissuingDistributionPoint = critical, @point\n" +
		"[point]\nonlyuser = TRUE\n"
)

// makeLists has OpenSSL make a CA and its lists, in a directory.
func makeLists(t *testing.T, key []string, pss bool) (dir string, ca *x509.Certificate) {
	t.Helper()
	dir = t.TempDir()
	for file, content := range map[string]string{
		"index.txt": listIndex, "crlnumber": "0A\n", "config": listConfig,
		// Without a number and reasons OpenSSL makes a list of version 1.
		"index1.txt": strings.NewReplacer(
			",keyCompromise", "", ",holdInstruction,holdInstructionReject", "",
		).Replace(listIndex),
		"config1": strings.NewReplacer("index.txt", "index1.txt", "crlnumber = crlnumber\n", "").Replace(listConfig),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl := func(args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "openssl", args...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	openssl(append([]string{
		"req", "-x509", "-nodes", "-subj", "/O=Grid/CN=CA", "-keyout", "key", "-out", "ca", "-days", "30",
	}, key...)...)
	generate := []string{"ca", "-gencrl", "-keyfile", "key", "-cert", "ca"}
	if pss {
		generate = append(generate, key[2:]...)
	}
	openssl(append(generate, "-config", "config1", "-out", "v1.pem")...)
	openssl(append(generate, "-config", "config", "-out", "v2.pem", "-crlexts", "extensions")...)
	openssl("crl", "-in", "v2.pem", "-outform", "DER", "-out", "v2.der")
	openssl("crl", "-in", "v2.pem", "-text", "-out", "v2.text")

	data, err := os.ReadFile(filepath.Join(dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	ca, err = x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return dir, ca
}

// checkOpenSSLList reads a list that OpenSSL made from the database.
func checkOpenSSLList(t *testing.T, file string, version int, ca *x509.Certificate) {
	t.Helper()
	data, err := files.Read(file, MaxBytes)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseOnly(file, data)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = c.source.read(); err != nil {
		t.Fatal(err)
	}
	got := versionOf(t, splitFile(data)[0].DER)
	if got != version || c.scope.onlyUser != (version == 2) || c.Defect() != "" || c.Entries != 3 {
		t.Errorf("%s: version %d, scope %+v, defect %q, %d entries", file, got, c.scope, c.Defect(), c.Entries)
	}
	if err := c.checkSignature(ca); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	if string(c.rawIssuer) != string(ca.RawSubject) {
		t.Errorf("%s: issuer %x", file, c.rawIssuer)
	}
	revokedAt := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	long, _ := new(big.Int).SetString("FEDCBA9876543210FEDCBA9876543210", 16)
	for _, want := range []struct {
		serial *big.Int
		entry  Revocation
	}{
		{big.NewInt(0x1234), Revocation{Date: revokedAt, Reason: "keyCompromise"}},
		{long, Revocation{Date: revokedAt.Add(time.Second)}},
		{big.NewInt(5), Revocation{Date: revokedAt.Add(2 * time.Second), Reason: "certificateHold"}},
	} {
		if version == 1 {
			want.entry.Reason = ""
		}
		got, revoked := c.Lookup(want.serial)
		if !revoked || !got.Date.Equal(want.entry.Date) || got.Reason != want.entry.Reason || got.Unconfirmed {
			t.Errorf("%s: lookup(%x) = %+v, %t", file, want.serial, got, revoked)
		}
	}
	if got, revoked := c.Lookup(big.NewInt(6)); revoked {
		t.Errorf("%s: a good certificate is revoked: %+v", file, got)
	}
}
