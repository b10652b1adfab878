package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestKeysBeforeTheirProof: no signature is checked with a key that the peer
// sent before an installed key has certified it, and what a peer without any
// proof can have checked is bounded.
func TestKeysBeforeTheirProof(t *testing.T) {
	root := newCA(t, "Root")
	largeImpostor := newCA(t, "Large")
	large := largeCA(t, largeImpostor.Certificate.RawSubject)
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root, large); err != nil {
		t.Fatal(err)
	}
	store, err := OpenStore(StoreConfig{CApath: dir})
	if err != nil {
		t.Fatal(err)
	}
	// Everybody can take the name of an installed CA.
	impostor := newCA(t, "Root")
	sub := subordinate(t, root, "Sub")
	forged := subordinate(t, sub, "Below")
	forged.Certificate = withoutSignature(t, forged.Certificate)
	tests := []struct {
		name    string
		chain   []*x509.Certificate
		code    Code // empty: accepted
		checked int  // signatures, at most
	}{
		{"sound", chainOf(t, subordinate(t, sub, "Below")), "", 3},
		{"strangers", manyBelow(t, newCA(t, "Stranger"), "Sub"), CodeUnknownCA, 0},
		{"strangers of one name", manyOfName(t, "Stranger"), CodeTooMuchWork, 0},
		{"the name of an installed CA", chainOf(t, subordinate(t, impostor, "Sub")), CodeBadSignature, 1},
		{
			"a forged link below a good one",
			[]*x509.Certificate{chainOf(t, forged)[0], forged.Certificate, sub.Certificate},
			CodeBadSignature, 2,
		},
		// A bad one with P-256 counts for 8 of 200, with RSA-8192 for 64.
		{"many below the name of an installed CA", manyBelow(t, impostor, "Sub"), CodeBadSignature, 20},
		{"many below the name of one with a large key", manyBelow(t, largeImpostor, "Sub"), CodeTooMuchWork, 4},
		{"many of the name of an installed CA", manyOfName(t, "Root"), CodeTooMuchWork, 25},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := VerifyOptions{Role: PeerAny, Anyone: true, Policy: Policy{Namespaces: NamespacesIgnore}}
			s := newSearch(store.Snapshot(), options)
			_, refusal := s.judge(test.chain, options)
			var code Code
			if refusal != nil {
				code = refusal.Code
			}
			if code != test.code {
				t.Errorf("the code %q, want %q: %v", code, test.code, refusal)
			}
			if s.signatures > test.checked {
				t.Errorf("%d signatures were checked, more than %d", s.signatures, test.checked)
			}
			if s.steps > maxPathSteps {
				t.Errorf("%d steps", s.steps)
			}
			for link := range s.links {
				if link.issuer.file == "" && !s.certified(link.issuer) {
					t.Errorf("a signature of %s was checked with an uncertified key of %s", link.child.subject.Slash(),
						link.issuer.subject.Slash())
				}
			}
		})
	}
}

func newCA(t *testing.T, name string) *certstest.CA {
	t.Helper()
	ca, err := certstest.NewCA(name, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func subordinate(t *testing.T, ca *certstest.CA, name string) *certstest.CA {
	t.Helper()
	sub, err := ca.NewSubordinate(name, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// chainOf is what a host of the CA sends.
func chainOf(t *testing.T, ca *certstest.CA) []*x509.Certificate {
	t.Helper()
	host, err := ca.NewHost("host.test", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return host.Chain
}

// manyBelow is a chain with 19 subordinates of one issuer and name, none of
// which issued the host's certificate.
func manyBelow(t *testing.T, issuer *certstest.CA, name string) []*x509.Certificate {
	t.Helper()
	chain := chainOf(t, subordinate(t, issuer, name))[:1]
	for range 19 {
		chain = append(chain, subordinate(t, issuer, name).Certificate)
	}
	return chain
}

// manyOfName is a chain with 19 CAs of one name, which no key identifiers tell
// apart.
func manyOfName(t *testing.T, name string) []*x509.Certificate {
	t.Helper()
	chain := chainOf(t, newCA(t, name))
	for range 19 {
		chain = append(chain, withoutKeyIdentifier(t, newCA(t, name)))
	}
	return chain
}

// largeCA is a CA with an RSA key of 8192 bits, which takes a minute to make.
func largeCA(t *testing.T, subject []byte) *certstest.CA {
	t.Helper()
	data, err := os.ReadFile("testdata/rsa8192.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: subject, NotBefore: time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &certstest.CA{Certificate: cert, Key: key}
}

// certified reports whether an installed key has vouched for a certificate,
// over others that are certified.
func (s *search) certified(e *element) bool {
	for link, good := range s.links {
		if link.child == e && good && (link.issuer.file != "" || s.certified(link.issuer)) {
			return true
		}
	}
	return false
}

// withoutSignature is a certificate with another signature than its own.
func withoutSignature(t *testing.T, cert *x509.Certificate) *x509.Certificate {
	t.Helper()
	der := slices.Clone(cert.Raw)
	der[len(der)-1] ^= 1
	forged, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return forged
}

// withoutKeyIdentifier is a CA's certificate of another key, which no
// identifier tells from those of the same name.
func withoutKeyIdentifier(t *testing.T, ca *certstest.CA) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template, parent := *ca.Certificate, *ca.Certificate
	template.SubjectKeyId, template.AuthorityKeyId = []byte("x"), nil
	parent.SubjectKeyId = nil
	der, err := x509.CreateCertificate(rand.Reader, &template, &parent, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
