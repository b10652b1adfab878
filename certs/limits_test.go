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

// TestSizeOfChain: what no sound peer sends is refused before any work.
func TestSizeOfChain(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	stranger := must(certstest.NewCA("Stranger", sound))
	snapshot := openStore(t, root).Snapshot()
	host := must(root.NewHost("host.test", sound)).Certificate
	long := func(n int) *x509.Certificate {
		return must(stranger.NewHost("x", certstest.Options{CommonName: strings.Repeat("x", n)})).Certificate
	}
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
	tests := []struct {
		name  string
		chain []*x509.Certificate
		code  certs.Code // empty: accepted
		words string
	}{
		{"20 certificates", repeated(19, root.Certificate), "", ""},
		{"21 certificates", repeated(20, root.Certificate), certs.CodeTooMuchWork, "sent 21 certificates, more than 20"},
		{"40 KB", repeated(1, bulky), "", ""},
		{"80 KB", repeated(2, bulky), certs.CodeTooMuchWork, "bytes in all, more than 65536"},
		{"1000 names", must(root.NewHost("x", certstest.Options{DNSNames: manyNames(1000)})).Chain, "", ""},
		{
			"1001 names", must(root.NewHost("x", certstest.Options{DNSNames: manyNames(1001)})).Chain, certs.CodeTooMuchWork,
			"certificate 1 of those that the peer sent has 1001 subjectAltNames",
		},
		{
			"44000 names", must(stranger.NewHost("x", certstest.Options{DNSNames: manyNames(44000)})).Chain,
			certs.CodeTooMuchWork, "bytes in all",
		},
		{
			"long subject",
			[]*x509.Certificate{long(9000)},
			certs.CodeMalformed,
			"certificate 1 of those that the peer sent has a subject or issuer of",
		},
		{"long subject above", []*x509.Certificate{host, long(9000)}, certs.CodeMalformed, "certificate 2 of those"},
		{
			"subject long in slash form",
			must(root.NewHost("x", certstest.Options{CommonName: strings.Repeat("\x01", 3000)})).Chain, certs.CodeMalformed,
			"characters in slash form, more than 8192",
		},
		{
			"rather long subject",
			must(root.NewHost("host.test", certstest.Options{CommonName: strings.Repeat("x", 8000)})).Chain, "", "",
		},
	}
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

// TestHostileNames: names and extensions as long as they may be do not make
// long messages.
func TestHostileNames(t *testing.T) {
	longest := strings.Repeat("x", 8000)
	escaped := strings.Repeat("\x01", 2000)
	root := must(certstest.NewCA("Root", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	twin := must(certstest.NewCA("Twin"+longest, sound))
	store := must(certs.OpenStore(certs.StoreConfig{
		CApath: dir,
		CAfile: writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), pemOf("CERTIFICATE", twin.Certificate.Raw), 0o644),
	}))
	longOID := asn1.ObjectIdentifier{1, 2}
	var usages []asn1.ObjectIdentifier
	for i := range 5000 {
		longOID = append(longOID, 127)
		usages = append(usages, asn1.ObjectIdentifier{1, 2, 3, i})
	}
	altName := func(tag int, value string) func(*x509.Certificate) {
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
	limited := must(root.NewSubordinate(longest[:4000], options(func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedEmailAddresses, c.PermittedURIDomains = []string{"ok.test"}, []string{"ok.test"},
			[]string{"ok.test"}
	})))
	person := certstest.Options{CommonName: longest, DNSNames: []string{}}
	user := must(root.NewHost("x", person))
	noCA := &certstest.CA{Certificate: user.Certificate, Key: user.Key, Parent: root}
	unknown := must(certstest.NewCA(longest, sound))
	tests := []struct {
		name  string
		chain []*x509.Certificate
		code  certs.Code
	}{
		{"issuer", must(must(certstest.NewCA(longest, sound)).NewHost("x", person)).Chain, certs.CodeUnknownCA},
		{
			"escaped issuer",
			must(must(certstest.NewCA(escaped, sound)).NewHost("x", certstest.Options{CommonName: escaped})).Chain,
			certs.CodeUnknownCA,
		},
		{
			"issuer sent, self-signed", append(must(unknown.NewHost("x", person)).Chain, unknown.Certificate),
			certs.CodeUnknownCA,
		},
		{
			"bad signature", must(must(certstest.NewCA("Twin"+longest, sound)).NewHost("x", person)).Chain,
			certs.CodeBadSignature,
		},
		{"not allowed", must(root.NewHost("x", person)).Chain, certs.CodeNotAllowed},
		{"not a CA", must(noCA.NewHost("x", sound)).Chain, certs.CodeNotCA},
		{"critical extension", must(root.NewHost("x", options(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: longOID, Critical: true}}
		}))).Chain, certs.CodeCriticalExtension},
		{
			"usages",
			must(
				root.NewHost("x", options(func(c *x509.Certificate) { c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, usages })),
			).Chain, certs.CodeExtendedKeyUsage,
		},
		{"dNSName", must(limited.NewHost("x", options(altName(2, longest+"."+longest)))).Chain, certs.CodeNameConstraints},
		{
			"mailbox", must(limited.NewHost("x", options(altName(1, strings.Repeat("a", 30000)+"@bad.test")))).Chain,
			certs.CodeNameConstraints,
		},
		{
			"URI", must(limited.NewHost("x", options(altName(6, "http://bad.test/"+strings.Repeat("a", 30000))))).Chain,
			certs.CodeNameConstraints,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := certs.Verify(store.Snapshot(), test.chain,
				anyone(certs.RoleClient, now, certs.Policy{Access: new(certs.Access), Namespaces: certs.NamespacesIgnore}))
			wantRefusal(t, err, test.code)
			wantShort(t, err)
		})
	}
	t.Run("policy", func(t *testing.T) {
		for name, code := range map[string]certs.Code{
			longest: certs.CodePolicyMissing, "x/CN=" + longest: certs.CodePolicyDenied,
		} {
			chain := must(must(root.NewSubordinate(name, sound)).NewHost("x", person)).Chain
			_, err := certs.Verify(store.Snapshot(), chain, anyone(certs.RoleClient, now, certs.Policy{}))
			wantRefusal(t, err, code)
			wantShort(t, err)
		}
	})
	t.Run("warning", func(t *testing.T) {
		chain := must(
			must(root.NewSubordinate(longest, sound)).NewHost("host.test", certstest.Options{CommonName: longest}),
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
	})

	// crypto/x509 quotes the whole URI when it cannot read it.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: now.Add(time.Hour)}
	altName(6, "http://%zz/"+strings.Repeat("a", 30000))(template)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	unreadable := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	t.Run("handshake", func(t *testing.T) {
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
	})
	t.Run("problem", func(t *testing.T) {
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
	})
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
