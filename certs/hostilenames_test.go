package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestHostileNames: names and extensions as long as they may be do not make
// long messages.
func TestHostileNames(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	twin := must(certstest.NewCA("Twin"+longestValue, sound))
	store := must(certs.OpenStore(certs.StoreConfig{
		CApath: dir,
		CAfile: writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), pemOf("CERTIFICATE", twin.Certificate.Raw), 0o644),
	}))
	tests := slices.Concat(hostileChains(root), hostileAlternativeNames(root))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := certs.Verify(store.Snapshot(), test.chain,
				anyone(certs.PeerClient, now, certs.Policy{Access: new(certs.Access), Namespaces: certs.NamespacesIgnore}))
			wantRefusal(t, err, test.code)
			wantShort(t, err)
		})
	}
	t.Run("policy", func(t *testing.T) { checkHostilePolicy(t, store, root) })
	t.Run("warning", func(t *testing.T) { checkHostileWarning(t, store, root) })

	// crypto/x509 quotes the whole URI when it cannot read it.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: now.Add(time.Hour)}
	altName(6, "http://%zz/"+strings.Repeat("a", 30000))(template)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	unreadable := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	t.Run("handshake", func(t *testing.T) { checkHostileHandshake(t, store, root, unreadable, key) })
	t.Run("problem", func(t *testing.T) { checkHostileProblem(t, root, unreadable) })
}

// checkHostilePolicy: refusals for want of a policy.
func checkHostilePolicy(t *testing.T, store *certs.Store, root *certstest.CA) {
	t.Helper()
	for name, code := range map[string]certs.Code{
		longestValue: certs.CodePolicyMissing, "x/CN=" + longestValue: certs.CodePolicyDenied,
	} {
		chain := must(must(root.NewSubordinate(name, sound)).NewHost("x", nameless)).Chain
		_, err := certs.Verify(store.Snapshot(), chain, anyone(certs.PeerClient, now, certs.Policy{}))
		wantRefusal(t, err, code)
		wantShort(t, err)
	}
}

// checkHostileWarning: warnings of missing lists.
func checkHostileWarning(t *testing.T, store *certs.Store, root *certstest.CA) {
	t.Helper()
	chain := must(
		must(root.NewSubordinate(longestValue, sound)).NewHost("host.test", certstest.Options{CommonName: longestValue}),
	).Chain
	result, err := certs.Verify(store.Snapshot(), chain,
		anyone(certs.PeerClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore}))
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) == 0 {
		t.Error("no warning of the missing lists")
	}
	for _, w := range result.Warnings {
		if n := len(w.String()) + len(w.CA); n > 3000 {
			t.Errorf("a warning of %d bytes: %.200v", n, w)
		}
	}
}

// checkHostileHandshake: a peer that presents a certificate that cannot be
// read.
func checkHostileHandshake(
	t *testing.T, store *certs.Store, root *certstest.CA, unreadable []byte, key *ecdsa.PrivateKey,
) {
	t.Helper()
	endpoint := &certs.Endpoint{Store: store, Credential: credential(t, must(root.NewHost("host.test", sound)))}
	near, far := tcpPair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(far, &tls.Config{
			InsecureSkipVerify: true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &tls.Certificate{Certificate: [][]byte{unreadable}, PrivateKey: key}, nil
			},
		}).HandshakeContext(t.Context())
		_, _ = far.Read(make([]byte, 1)) // the alert
	}()
	_, _, err := endpoint.Server(t.Context(), near)
	_ = near.Close()
	<-done
	_ = far.Close()
	if failure, ok := errors.AsType[*certs.HandshakeError](err); !ok ||
		!strings.Contains(failure.Reason, "cannot parse URI") {
		t.Errorf("want the reason of crypto/x509, got %.200v", err)
	}
	wantShort(t, err)
}

// checkHostileProblem: such a certificate in a file of a CApath.
func checkHostileProblem(t *testing.T, root *certstest.CA, unreadable []byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, filepath.Join(dir, "01234567.0"),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: unreadable}), 0o644)
	misnamed := writeFile(t, filepath.Join(dir, "01234567.1"),
		pem.EncodeToMemory(&pem.Block{
			Type: "CERTIFICATE", Bytes: must(certstest.NewCA(strings.Repeat("\x01", 30000), sound)).Certificate.Raw,
		}), 0o644)
	problems := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot().Problems()
	if len(problems) != 2 || problems[0].File != file || problems[1].File != misnamed {
		t.Errorf("%d problems: %.500v", len(problems), problems)
	}
	for _, p := range problems {
		if n := len(p.String()); n > 3000 {
			t.Errorf("a problem of %d bytes: %.200v", n, p)
		}
	}
}

// wantShort checks that an error is fit for a line of a log, whatever the peer
// sent.
func wantShort(t testing.TB, err error) {
	t.Helper()
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) {
		t.Fatalf("no hint: %.200v", err)
	}
	if n, m := len(err.Error()), len(hinted.Hint()); n > 3000 || m > 1500 {
		t.Errorf("%d bytes of error and %d of hint: %.200v", n, m, err)
	}
}

// hostileCase is a chain with long names.
type hostileCase struct {
	name  string
	chain []*x509.Certificate
	code  certs.Code
}

func hostileChains(root *certstest.CA) []hostileCase {
	longOID := asn1.ObjectIdentifier{1, 2}
	var usages []asn1.ObjectIdentifier
	for i := range 5000 {
		longOID = append(longOID, 127)
		usages = append(usages, asn1.ObjectIdentifier{1, 2, 3, i})
	}
	user := must(root.NewHost("x", nameless))
	noCA := &certstest.CA{Certificate: user.Certificate, Key: user.Key, Parent: root}
	unknown := must(certstest.NewCA(longestValue, sound))
	return []hostileCase{
		{
			name: "issuer", chain: must(must(certstest.NewCA(longestValue, sound)).NewHost("x", nameless)).Chain,
			code: certs.CodeUnknownCA,
		},
		{
			name: "escaped issuer",
			chain: must(
				must(certstest.NewCA(escapedValue, sound)).NewHost("x", certstest.Options{CommonName: escapedValue}),
			).Chain,
			code: certs.CodeUnknownCA,
		},
		{
			name: "issuer sent, self-signed", chain: append(must(unknown.NewHost("x", nameless)).Chain, unknown.Certificate),
			code: certs.CodeUnknownCA,
		},
		{
			name: "bad signature", chain: must(must(certstest.NewCA("Twin"+longestValue, sound)).NewHost("x", nameless)).Chain,
			code: certs.CodeBadSignature,
		},
		{name: "not allowed", chain: must(root.NewHost("x", nameless)).Chain, code: certs.CodeNotAllowed},
		{name: "not a CA", chain: must(noCA.NewHost("x", sound)).Chain, code: certs.CodeNotCA},
		{
			name: "critical extension",
			chain: must(root.NewHost("x", options(func(c *x509.Certificate) {
				c.ExtraExtensions = []pkix.Extension{{Id: longOID, Critical: true}}
			}))).Chain,
			code: certs.CodeCriticalExtension,
		},
		{
			name: "usages",
			chain: must(
				root.NewHost("x", options(func(c *x509.Certificate) { c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, usages })),
			).Chain,
			code: certs.CodeExtendedKeyUsage,
		},
	}
}

func hostileAlternativeNames(root *certstest.CA) []hostileCase {
	limited := must(root.NewSubordinate(longestValue[:4000], options(func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedEmailAddresses, c.PermittedURIDomains = []string{"ok.test"}, []string{"ok.test"},
			[]string{"ok.test"}
	})))
	return []hostileCase{
		{
			name: "dNSName", chain: must(limited.NewHost("x", options(altName(2, longestValue+"."+longestValue)))).Chain,
			code: certs.CodeNameConstraints,
		},
		{
			name:  "mailbox",
			chain: must(limited.NewHost("x", options(altName(1, strings.Repeat("a", 30000)+"@bad.test")))).Chain,
			code:  certs.CodeNameConstraints,
		},
		{
			name:  "URI",
			chain: must(limited.NewHost("x", options(altName(6, "http://bad.test/"+strings.Repeat("a", 30000))))).Chain,
			code:  certs.CodeNameConstraints,
		},
	}
}

// Names as long as they may be, and such that grow when they are shown.
var (
	longestValue = strings.Repeat("x", 8000)
	escapedValue = strings.Repeat("\x01", 2000)
)

// nameless is a host of the longest name and without subjectAltNames.
var nameless = certstest.Options{CommonName: longestValue, DNSNames: []string{}}

// altName gives a certificate one subjectAltName of any kind.
func altName(tag int, value string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.DNSNames = nil
		c.ExtraExtensions = []pkix.Extension{
			{
				Id:    asn1.ObjectIdentifier{2, 5, 29, 17},
				Value: must(asn1.Marshal([]asn1.RawValue{{Class: 2, Tag: tag, IsCompound: tag == 4, Bytes: []byte(value)}})),
			},
		}
	}
}
