package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// manyNames are host names that differ.
func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("h%d", i)
	}
	return names
}

// sizeCase is a chain of some size.
type sizeCase struct {
	name  string
	chain []*x509.Certificate
	code  certs.Code // empty: accepted
	words string
}

func sizesOfChains(root *certstest.CA) []sizeCase {
	host := must(root.NewHost("host.test", sound)).Certificate
	repeated := func(n int, more *x509.Certificate) []*x509.Certificate {
		chain := []*x509.Certificate{host}
		for range n {
			chain = append(chain, more)
		}
		return chain
	}
	bulky := must(root.NewSubordinate("Bulky", options(func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, 40<<10)}}
	}))).Certificate
	return []sizeCase{
		{name: "20 certificates", chain: repeated(19, root.Certificate)},
		{
			name: "21 certificates", chain: repeated(20, root.Certificate), code: certs.CodeTooMuchWork,
			words: "sent 21 certificates, more than 20",
		},
		{name: "40 KB", chain: repeated(1, bulky)},
		{name: "80 KB", chain: repeated(2, bulky), code: certs.CodeTooMuchWork, words: "bytes in all, more than 65536"},
	}
}

func sizesOfNames(root *certstest.CA) []sizeCase {
	host := must(root.NewHost("host.test", sound)).Certificate
	stranger := must(certstest.NewCA("Stranger", sound))
	long := func(n int) *x509.Certificate {
		return must(stranger.NewHost("x", certstest.Options{CommonName: strings.Repeat("x", n)})).Certificate
	}
	return []sizeCase{
		{name: "1000 names", chain: must(root.NewHost("x", certstest.Options{DNSNames: manyNames(1000)})).Chain},
		{
			name: "1001 names", chain: must(root.NewHost("x", certstest.Options{DNSNames: manyNames(1001)})).Chain,
			code: certs.CodeTooMuchWork, words: "certificate 1 of those that the peer sent has 1001 subjectAltNames",
		},
		{
			name: "44000 names", chain: must(stranger.NewHost("x", certstest.Options{DNSNames: manyNames(44000)})).Chain,
			code: certs.CodeTooMuchWork, words: "bytes in all",
		},
		{
			name: "long subject", chain: []*x509.Certificate{long(9000)}, code: certs.CodeMalformed,
			words: "certificate 1 of those that the peer sent has a subject or issuer of",
		},
		{
			name: "long subject above", chain: []*x509.Certificate{host, long(9000)}, code: certs.CodeMalformed,
			words: "certificate 2 of those",
		},
		{
			name:  "subject long in slash form",
			chain: must(root.NewHost("x", certstest.Options{CommonName: strings.Repeat("\x01", 3000)})).Chain,
			code:  certs.CodeMalformed, words: "characters in slash form, more than 8192",
		},
		{
			name:  "rather long subject",
			chain: must(root.NewHost("host.test", certstest.Options{CommonName: strings.Repeat("x", 8000)})).Chain,
		},
	}
}

// TestSizeOfChain: what no sound peer sends is refused before any work.
func TestSizeOfChain(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	snapshot := openStore(t, root).Snapshot()
	tests := slices.Concat(sizesOfChains(root), sizesOfNames(root))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := certs.Verify(snapshot, test.chain,
				anyone(certs.RoleClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore}))
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if want := must(certs.Identify(test.chain[0], certs.HostModeGrid)); result.Peer.DN != want.DN ||
					len(result.Peer.Hosts) != len(test.chain[0].DNSNames) {
					t.Errorf("the identity is not exact: %.100v", result.Peer)
				}
				return
			}
			if refusal := wantRefusal(t, err, test.code); !strings.Contains(refusal.Reason, test.words) {
				t.Errorf("the reason %q does not say %q", refusal.Reason, test.words)
			}
			wantShort(t, err)
		})
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
				anyone(certs.RoleClient, now, certs.Policy{Access: new(certs.Access), Namespaces: certs.NamespacesIgnore}))
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
		_, err := certs.Verify(store.Snapshot(), chain, anyone(certs.RoleClient, now, certs.Policy{}))
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
		anyone(certs.RoleClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore}))
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

// TestKeys: many installed keys of a name are tried, more than a peer may
// send; huge ones that it sends are not.
func TestKeys(t *testing.T) {
	const name = "Same"
	host := must(must(certstest.NewCA(name, sound)).NewHost("host.test", sound)).Certificate
	snapshot := openStore(t, must(certstest.NewCA("Root", sound))).Snapshot()
	t.Run("installed", func(t *testing.T) {
		var cas []*certstest.CA
		for range 30 {
			cas = append(cas, must(certstest.NewCA(name, sound)))
		}
		installed := openStore(t, cas...).Snapshot()
		if _, err := certs.Verify(installed, must(cas[29].NewHost("host.test", sound)).Chain,
			anyone(certs.RoleAny, now, certs.Policy{Namespaces: certs.NamespacesIgnore})); err != nil {
			t.Error(err)
		}
	})
	t.Run("huge", func(t *testing.T) {
		n := new(big.Int).SetBit(big.NewInt(1), 9000, 1)
		ca := must(certstest.NewCA(name, sound))
		huge := recertify(ca, ca.Certificate, &rsa.PublicKey{N: n, E: 65537}, now.Add(time.Hour))
		_, err := certs.Verify(snapshot, []*x509.Certificate{host, huge}, anyone(certs.RoleAny, now, certs.Policy{}))
		refusal := wantRefusal(t, err, certs.CodeTooMuchWork)
		if !strings.Contains(refusal.Reason, "9001 bits") {
			t.Errorf("the reason %q does not give the size", refusal.Reason)
		}
	})
}

// TestConstraintWork bounds the names of a certificate times the constraints
// above it.
func TestConstraintWork(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	snapshot := openStore(t, root).Snapshot()
	for _, test := range []struct {
		names, constraints int
		code               certs.Code
	}{{100, 400, ""}, {1000, 900, certs.CodeTooMuchWork}} {
		sub := must(root.NewSubordinate("Sub", options(func(c *x509.Certificate) {
			for i := range test.constraints {
				c.ExcludedDNSDomains = append(c.ExcludedDNSDomains, fmt.Sprintf("no%d", i))
			}
		})))
		chain := must(sub.NewHost("x", certstest.Options{DNSNames: manyNames(test.names)})).Chain
		_, err := certs.Verify(snapshot, chain,
			anyone(certs.RoleClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore}))
		if test.code == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		wantRefusal(t, err, test.code)
	}
}

// costlyKey makes an RSA key with which a check costs as much as crypto/tls
// lets one cost. Nobody has its private half, which no check asks for.
func costlyKey() *rsa.PublicKey {
	n := must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 8191)))
	return &rsa.PublicKey{N: n.SetBit(n, 8191, 1).SetBit(n, 0, 1), E: 1<<31 - 1}
}

// costlyChain is a host's certificate and 19 CAs of one name, each with a
// costly key of its own, any of which may have made their signatures.
func costlyChain(t testing.TB, name string) []*x509.Certificate {
	ca := certifyName(t, nil, slashName("/DC=test/DC=gtunnel/CN="+name), rsa8192(), true)
	chain := []*x509.Certificate{forged(must(ca.NewHost("host.test", certstest.Options{})).Certificate)}
	for range 19 {
		chain = append(chain, forged(recertify(ca, ca.Certificate, costlyKey(), now.Add(time.Hour))))
	}
	return chain
}

// forged is a certificate with another signature than the one it had.
func forged(cert *x509.Certificate) *x509.Certificate {
	der := slices.Clone(cert.Raw)
	der[len(der)-1] ^= 1
	return must(x509.ParseCertificate(der))
}

// BenchmarkHostilePeer measures what refusing a peer costs that has proved
// nothing: one of as many names as are read, one of long names that no CA
// issued, one with many keys to try, the same with keys that cost the most,
// also under the name of an installed CA, and one that has an installed key
// of 8192 bits tried as often as it can.
func BenchmarkHostilePeer(b *testing.B) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	large := certifyName(b, nil, slashName("/DC=test/DC=gtunnel/CN=Large"), rsa8192(), true)
	snapshot := openStore(b, root, large).Snapshot()
	stranger := must(certstest.NewCA("Stranger", certstest.Options{}))
	long := strings.Repeat("\x01", 2000)
	keys := must(stranger.NewHost("host.test", certstest.Options{})).Chain
	var below []*x509.Certificate
	for range 19 {
		key := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
		keys = append(keys, recertify(stranger, stranger.Certificate, key.Public(), now.Add(time.Hour)))
		below = append(below, forged(must(large.NewSubordinate("Sub", certstest.Options{})).Certificate))
	}
	for name, chain := range map[string][]*x509.Certificate{
		"44000 names": must(stranger.NewHost("x", certstest.Options{DNSNames: manyNames(44000)})).Chain,
		"1000 names":  must(stranger.NewHost("x", certstest.Options{DNSNames: manyNames(1000)})).Chain,
		"long names": must(must(certstest.NewCA(long, certstest.Options{})).NewHost("x",
			certstest.Options{CommonName: long})).Chain,
		"19 keys":                 keys,
		"19 costly keys":          costlyChain(b, "Stranger"),
		"19 costly keys of Large": costlyChain(b, "Large"),
		"installed RSA 8192": append(must(must(certstest.NewCA("Sub", certstest.Options{})).NewHost("host.test",
			certstest.Options{})).Chain, below...),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := certs.Verify(snapshot, chain, anyone(certs.RoleClient, now, certs.Policy{})); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// BenchmarkIdentify reads certificates of many names, as certs show does: the
// time for each name does not depend on their number.
func BenchmarkIdentify(b *testing.B) {
	ca := must(certstest.NewCA("CA", certstest.Options{}))
	for _, n := range []int{1000, 44000} {
		cert := must(ca.NewHost("x", certstest.Options{DNSNames: manyNames(n)})).Certificate
		b.Run(fmt.Sprintf("%d names", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := certs.Identify(cert, certs.HostModeGrid); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
