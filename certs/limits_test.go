package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
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
				anyone(certs.PeerClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore}))
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
			anyone(certs.PeerAny, now, certs.Policy{Namespaces: certs.NamespacesIgnore})); err != nil {
			t.Error(err)
		}
	})
	t.Run("huge", func(t *testing.T) {
		n := new(big.Int).SetBit(big.NewInt(1), 9000, 1)
		ca := must(certstest.NewCA(name, sound))
		huge := recertify(ca, ca.Certificate, &rsa.PublicKey{N: n, E: 65537}, now.Add(time.Hour))
		_, err := certs.Verify(snapshot, []*x509.Certificate{host, huge}, anyone(certs.PeerAny, now, certs.Policy{}))
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
			anyone(certs.PeerClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore}))
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
				if _, err := certs.Verify(snapshot, chain, anyone(certs.PeerClient, now, certs.Policy{})); err == nil {
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
