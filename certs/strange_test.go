package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// certifyName makes a CA or a host of any name and key.
func certifyName(t testing.TB, issuer *certstest.CA, subject []byte, key crypto.Signer, isCA bool) *certstest.CA {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))), RawSubject: subject,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: isCA, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if isCA {
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		template.SubjectKeyId = subject[:min(20, len(subject))]
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.Certificate, issuer.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return &certstest.CA{Certificate: must(x509.ParseCertificate(der)), Key: key, Parent: issuer}
}

func utf16BE(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// strangeNames are names of every string type that is in use.
var strangeNames = []struct {
	name             string
	ca, host         []byte
	policy, patterns string // as the files write them
}{
	{
		"BMPString", encodeName(one(o, bmp, utf16BE("Gríd Žofie")), one(cn, bmp, utf16BE("CA"))),
		encodeName(one(o, bmp, utf16BE("Gríd")), one(cn, utf8String, "host.test")),
		`/O=\x00G\x00r\x00\xED\x00d\x00 \x01}\x00o\x00f\x00i\x00e/CN=\x00C\x00A`, `"/O=\x00G\x00r\x00\xed\x00d/*"`,
	},
	{
		"T61String", encodeName(one(o, t61, "Universit\xe4t"), one(cn, t61, "CA")),
		encodeName(one(o, t61, "Universit\xe4t"), one(cn, printable, "host.test")),
		`/O=Universit\xe4t/CN=CA`, `"/O=Universit\xE4t/*"`,
	},
	{
		"UTF8String", encodeName(one(o, utf8String, "Université"), one(cn, utf8String, "CA")),
		encodeName(one(o, utf8String, "Université"), one(cn, utf8String, "host.test")),
		`/O=Universit\xc3\xa9/CN=CA`, `"/O=Université/*"`,
	},
	{
		"multi-valued RDN", encodeName(one(o, utf8String, "Grid"),
			slices.Concat(one(cn, utf8String, "CA"), one("2.5.4.11", utf8String, "Unit"))),
		encodeName(one(o, utf8String, "Grid"),
			slices.Concat(one(cn, utf8String, "host.test"), one(uid, utf8String, "h1"))),
		`/O=Grid/CN=CA/OU=Unit`, `"/O=Grid/*"`,
	},
	{
		"emailAddress", encodeName(one(o, utf8String, "Grid"), one(cn, utf8String, "CA"), one(email, ia5, "ca@grid.test")),
		encodeName(one(o, utf8String, "Grid"), one(cn, utf8String, "host.test"), one(email, ia5, "root@host.test")),
		`/O=Grid/CN=CA/Email=ca@grid.test`, `"/O=Grid/CN=host.test/E=*"`,
	},
	{
		"UID", encodeName(one(uid, utf8String, "ca"), one(cn, utf8String, "CA")),
		encodeName(one(uid, utf8String, "h"), one(cn, utf8String, "host.test")),
		`/USERID=ca/CN=CA`, `"/userid=h/*"`,
	},
	{
		"slash in a value", encodeName(one(o, utf8String, "A/B"), one(cn, utf8String, "CA")),
		encodeName(one(o, utf8String, "A/B"), one(cn, utf8String, "host/host.test")),
		`/O=A/B/CN=CA`, `"/O=A/B/*"`,
	},
	{
		"quotes and spaces", encodeName(one(o, utf8String, `It's "it"`), one(cn, utf8String, "C  A ")),
		encodeName(one(o, utf8String, `It's "it"`), one(cn, utf8String, "host.test")),
		`/O=It\'s "it"/CN=C  A `, `"/O=It\'s \"it\"/*"`,
	},
}

// TestStrangeNames: CAs and hosts with names of every string type that is in
// use, with their policies and lists.
func TestStrangeNames(t *testing.T) {
	for _, test := range strangeNames {
		t.Run(test.name, func(t *testing.T) {
			newKey := func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }
			root := certifyName(t, nil, test.ca, newKey(), true)
			host := certifyName(t, root, test.host, newKey(), false)
			revoked := certifyName(t, root, test.host, newKey(), false)
			hash, oldHash := hashes(root)
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, hash+".0"), pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
			policy := fmt.Sprintf("access_id_CA X509 '%s'\npos_rights globus CA:sign\ncond_subjects globus '%s'\n", test.policy,
				test.patterns)
			writeFile(t, filepath.Join(dir, oldHash+".signing_policy"), []byte(policy), 0o644)
			list := must(root.NewCRL(certstest.CRLOptions{Revoked: []*x509.Certificate{revoked.Certificate}}))
			writeFile(t, filepath.Join(dir, oldHash+".r0"), list, 0o644)
			snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
			if problems := snapshot.Problems(); len(problems) > 0 {
				t.Fatal(problems)
			}
			verify := func(host *certstest.CA) error {
				_, err := certs.Verify(snapshot, []*x509.Certificate{host.Certificate},
					anyone(certs.PeerClient, now, certs.Policy{CRL: certs.CRLRequire}))
				return err
			}
			if err := verify(host); err != nil {
				t.Error(err)
			}
			wantRefusal(t, verify(revoked), certs.CodeRevoked)
			stranger := certifyName(t, root, encodeName(one(o, utf8String, "Other"), one(cn, utf8String, "host.test")), newKey(),
				false)
			wantRefusal(t, verify(stranger), certs.CodePolicyDenied)
		})
	}
}

// TestStrangeKeys: every kind of key that CAs have, with a list that it
// signed.
func TestStrangeKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]crypto.Signer{
		"RSA 8192": rsa8192(), "RSA 1024": must(rsa.GenerateKey(rand.Reader, 1024)),
		"P-384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"P-521": must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)), "Ed25519": ed,
	}
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			root := certifyName(t, nil, slashName("/DC=test/DC=gtunnel/CN=Root"), key, true)
			dir := filepath.Join(t.TempDir(), "certificates")
			if err := certstest.WriteCApath(dir, root); err != nil {
				t.Fatal(err)
			}
			host, revoked := must(root.NewHost("host.test", sound)), must(root.NewHost("revoked.test", sound))
			files := must(certstest.WriteCRL(dir, root, naming(current, revoked)))
			store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
			policy := certs.Policy{CRL: certs.CRLRequire}
			for range 2 {
				if _, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerClient, now, policy)); err != nil {
					t.Error(err)
				}
				_, err := certs.Verify(store.Snapshot(), revoked.Chain, anyone(certs.PeerClient, now, policy))
				wantRefusal(t, err, certs.CodeRevoked)
				// One of the two copies goes.
				if err := os.Remove(files[0]); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				reload(t, store)
			}
		})
	}
}

// rsa8192 reads a key that takes a minute to make. It is good for nothing
// else.
func rsa8192() crypto.Signer {
	block, _ := pem.Decode(must(os.ReadFile("testdata/rsa8192.pem")))
	return must(x509.ParsePKCS1PrivateKey(block.Bytes))
}

// TestThousandCAs in one directory, with policies and lists.
func TestThousandCAs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certificates")
	var all []*certstest.CA
	for i := range 1000 {
		all = append(all, must(certstest.NewCA(fmt.Sprint("CA ", i), sound)))
	}
	if err := certstest.WriteCApath(dir, all...); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 499, 999} {
		must(certstest.WriteCRL(dir, all[i], current))
	}
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	if snapshot := store.Snapshot(); len(snapshot.CAs()) != 1000 || len(snapshot.Problems()) > 0 {
		t.Fatalf("%d CAs, problems %v", len(snapshot.CAs()), snapshot.Problems())
	}
	for i, want := range map[int]certs.Code{0: "", 499: "", 500: certs.CodeCRLMissing, 999: ""} {
		host := must(all[i].NewHost("host.test", sound))
		_, err := certs.Verify(store.Snapshot(), host.Chain,
			held(certs.PeerClient, "host.test", now, certs.Policy{CRL: certs.CRLRequire}))
		if want != "" {
			wantRefusal(t, err, want)
		} else if err != nil {
			t.Error(err)
		}
	}
	wantChange(t, reload(t, store))
}
