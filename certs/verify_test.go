package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

// issued is a case of TestVerify: what is installed, and what the peer sends.
type issued struct {
	installed []*certstest.CA
	chain     []*x509.Certificate
}

// below makes a root and subordinates by their options, and a host under the
// last one. Only the root is installed; the host sends the rest.
func below(host certstest.Options, cas ...certstest.Options) issued {
	ca := must(certstest.NewCA("Root", cas[0]))
	root := ca
	for i, o := range cas[1:] {
		ca = must(ca.NewSubordinate(fmt.Sprintf("Sub%d", i+1), o))
	}
	return issued{installed: []*certstest.CA{root}, chain: must(ca.NewHost("host.test", host)).Chain}
}

func ended() certstest.Options {
	return certstest.Options{NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour)}
}

func future() certstest.Options {
	return certstest.Options{NotBefore: now.Add(24 * time.Hour), NotAfter: now.Add(48 * time.Hour)}
}

var sound certstest.Options

// unbound asks for no policies: subordinates that only the peer sends have
// none.
var unbound = certs.Policy{Namespaces: certs.NamespacesIgnore}

func usages(usages ...x509.ExtKeyUsage) certstest.Options {
	return options(func(c *x509.Certificate) { c.ExtKeyUsage = usages })
}

func extensionOption(id string, critical bool, value []byte) certstest.Options {
	return options(func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid(id), Critical: critical, Value: value})
	})
}

func pathLength(n int) certstest.Options {
	return options(func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 })
}

func TestVerify(t *testing.T) {
	const (
		anyUse = x509.ExtKeyUsageAny
		server = x509.ExtKeyUsageServerAuth
		client = x509.ExtKeyUsageClientAuth
		mail   = x509.ExtKeyUsageEmailProtection
	)
	strict := certs.Policy{EKU: certs.EKUStrict}
	none := options(func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	tests := []struct {
		name   string
		issued issued
		role   certs.Role
		policy certs.Policy
		code   certs.Code // empty: accepted
		depth  int
		reason string // a part of it
	}{
		{name: "root and host", issued: below(sound, sound)},
		{name: "with a subordinate", issued: below(sound, sound, sound)},
		{name: "RSA", issued: below(certstest.Options{KeyType: certstest.RSA}, certstest.Options{KeyType: certstest.RSA})},
		{name: "nothing sent", issued: issued{chain: nil}, code: certs.CodeNoCertificate},
		{name: "subordinate not sent", issued: func() issued {
			i := below(sound, sound, sound)
			i.chain = i.chain[:1]
			return i
		}(), code: certs.CodeUnknownCA, reason: "/CN=Sub1 is neither installed here nor sent"},
		{name: "another CA", issued: func() issued {
			i := below(sound, sound)
			i.installed = []*certstest.CA{must(certstest.NewCA("Other", sound))}
			return i
		}(), code: certs.CodeUnknownCA, reason: "/CN=Root is neither"},
		{name: "another CA of the same name", issued: func() issued {
			i := below(sound, sound)
			i.installed = []*certstest.CA{must(certstest.NewCA("Root", sound))}
			return i
		}(), code: certs.CodeBadSignature, reason: "key of /DC=test/DC=gtunnel/CN=Root ("},
		{name: "two CAs of the same name", issued: func() issued {
			i := below(sound, sound)
			i.installed = append([]*certstest.CA{must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound))},
				i.installed...)
			return i
		}()},
		{name: "root sent and not installed", issued: func() issued {
			root := must(certstest.NewCA("Evil", sound))
			return issued{
				installed: []*certstest.CA{must(certstest.NewCA("Root", sound))},
				chain:     []*x509.Certificate{must(root.NewHost("host.test", sound)).Certificate, root.Certificate},
			}
		}(), code: certs.CodeUnknownCA, depth: 1, reason: "a root that is not installed"},
		{
			name: "self-signed", issued: issued{
				installed: []*certstest.CA{must(certstest.NewCA("Root", sound))},
				chain:     []*x509.Certificate{selfSigned("host.test")},
			},
			code: certs.CodeUnknownCA, reason: "self-signed",
		},
		{name: "subordinate installed without its root", issued: func() issued {
			root := must(certstest.NewCA("Root", sound))
			sub := must(root.NewSubordinate("Sub", sound))
			return issued{
				installed: []*certstest.CA{sub, must(certstest.NewCA("Other", sound))},
				chain:     must(sub.NewHost("host.test", sound)).Chain,
			}
		}(), code: certs.CodeUnknownCA, depth: 1, reason: "/CN=Root is neither"},
		{name: "chain in disorder with strangers", issued: func() issued {
			i := below(sound, sound, sound, sound, sound)
			stranger := below(sound, sound, sound)
			i.chain = []*x509.Certificate{
				i.chain[0], i.chain[3], stranger.chain[0], i.chain[1], i.chain[1], stranger.chain[1], i.chain[2],
			}
			return i
		}()},

		{name: "host expired", issued: below(ended(), sound), code: certs.CodeExpired, reason: "it ended on"},
		{name: "subordinate expired", issued: below(sound, sound, ended()), code: certs.CodeExpired, depth: 1},
		{name: "root expired", issued: below(sound, ended()), code: certs.CodeExpired, depth: 1},
		{name: "host not yet valid", issued: below(future(), sound), code: certs.CodeNotYetValid},
		{name: "root not yet valid", issued: below(sound, future(), sound), code: certs.CodeNotYetValid, depth: 2},

		{
			name: "SHA-1 host", issued: below(options(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }),
				sound),
			code: certs.CodeWeakSignature, reason: "ECDSA-SHA1",
		},
		{
			name:   "SHA-1 subordinate",
			issued: below(sound, sound, options(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })),
			code:   certs.CodeWeakSignature, depth: 1,
		},
		{
			name:   "SHA-1 root",
			issued: below(sound, options(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })),
		},
		{name: "RSA of 1024 bits", issued: smallKey(1024), code: certs.CodeWeakSignature, reason: "1024 bits"},

		{name: "issuer is no CA", issued: func() issued {
			root := must(certstest.NewCA("Root", sound))
			host := must(root.NewHost("host.test", sound))
			fake := &certstest.CA{Certificate: host.Certificate, Key: host.Key, Parent: root}
			return issued{installed: []*certstest.CA{root}, chain: must(fake.NewHost("evil.test", sound)).Chain}
		}(), code: certs.CodeNotCA, depth: 1, reason: "basicConstraints"},
		{
			name:   "subordinate without basicConstraints",
			issued: below(sound, sound, options(func(c *x509.Certificate) { c.BasicConstraintsValid = false })),
			code:   certs.CodeNotCA, depth: 1,
		},
		{name: "v1 root", issued: versionOne(false)},
		{name: "v1 subordinate", issued: versionOne(true), code: certs.CodeNotCA, depth: 1},

		{name: "path length kept", issued: below(sound, pathLength(1), pathLength(0))},
		{name: "path length 0", issued: below(sound, pathLength(0), sound), code: certs.CodePathLength, depth: 2},
		{name: "path length 1", issued: below(sound, pathLength(1), sound, sound), code: certs.CodePathLength, depth: 3},
		{
			name: "path length of a subordinate", issued: below(sound, sound, pathLength(0), sound), code: certs.CodePathLength,
			depth: 2,
		},
		{name: "self-issued does not count", issued: selfIssued(pathLength(0))},

		{
			name:   "CA without keyCertSign",
			issued: below(sound, sound, options(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })),
			code:   certs.CodeKeyUsage, depth: 1, reason: "keyCertSign",
		},
		{name: "root without keyUsage", issued: below(sound, options(func(c *x509.Certificate) { c.KeyUsage = 0 }))},
		{
			name:   "host without digitalSignature",
			issued: below(options(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), sound),
			role:   certs.RoleClient, code: certs.CodeKeyUsage, reason: "digitalSignature",
		},
		{
			name: "host without keyUsage", issued: below(options(func(c *x509.Certificate) { c.KeyUsage = 0 }), sound),
			role: certs.RoleClient,
		},
		{name: "usages not asked for", role: certs.RoleAny, issued: below(options(func(c *x509.Certificate) {
			c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageKeyEncipherment, []x509.ExtKeyUsage{mail}
		}), sound)},

		{name: "client with clientAuth", issued: below(usages(client), sound), role: certs.RoleClient},
		{name: "client with serverAuth", issued: below(usages(server), sound), role: certs.RoleClient},
		{name: "client with any", issued: below(usages(anyUse), sound), role: certs.RoleClient},
		{name: "client without usages", issued: below(none, sound), role: certs.RoleClient},
		{
			name: "client with email", issued: below(usages(mail), sound), role: certs.RoleClient,
			code: certs.CodeExtendedKeyUsage, reason: "emailProtection",
		},
		{name: "server with serverAuth", issued: below(usages(server), sound), role: certs.RoleServer},
		{name: "server with any", issued: below(usages(anyUse), sound), role: certs.RoleServer},
		{name: "server without usages", issued: below(none, sound), role: certs.RoleServer},
		{
			name: "server with clientAuth", issued: below(usages(client), sound), role: certs.RoleServer,
			code: certs.CodeExtendedKeyUsage, reason: "serverAuth",
		},
		{
			name: "strict client with serverAuth", issued: below(usages(server), sound), role: certs.RoleClient, policy: strict,
			code: certs.CodeExtendedKeyUsage,
		},
		{name: "strict client with clientAuth", issued: below(usages(client), sound), role: certs.RoleClient, policy: strict},
		{name: "strict client without usages", issued: below(none, sound), role: certs.RoleClient, policy: strict},
		{
			name:   "subordinate for people vouches for a client",
			issued: below(usages(server, client), sound, usages(client, mail)), role: certs.RoleClient,
		},
		{
			name:   "subordinate for people vouches for a server",
			issued: below(usages(server, client), sound, usages(client, mail)),
			role:   certs.RoleServer, code: certs.CodeExtendedKeyUsage, depth: 1,
		},
		{
			name: "no usage in common", issued: below(usages(server), sound, usages(client)), role: certs.RoleClient,
			code: certs.CodeExtendedKeyUsage,
		},
		{
			name: "root for email", issued: below(sound, usages(mail)), role: certs.RoleServer, code: certs.CodeExtendedKeyUsage,
			depth: 1,
		},
		{name: "unknown usage only", issued: below(options(func(c *x509.Certificate) {
			c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{{1, 2, 3}}
		}), sound), role: certs.RoleClient, code: certs.CodeExtendedKeyUsage, reason: "1.2.3"},

		{
			name: "critical extension of the host", issued: below(extensionOption("1.2.3.4", true, []byte{5, 0}), sound),
			code: certs.CodeCriticalExtension, reason: "1.2.3.4",
		},
		{
			name:   "critical extension of a subordinate",
			issued: below(sound, sound, extensionOption("1.2.3.4", true, []byte{5, 0})), code: certs.CodeCriticalExtension,
			depth: 1,
		},
		{
			name: "critical extension of the root", issued: below(sound, extensionOption("1.2.3.4", true, []byte{5, 0})),
			code: certs.CodeCriticalExtension, depth: 1,
		},
		{name: "extension that is not critical", issued: below(extensionOption("1.2.3.4", false, []byte{5, 0}), sound)},
		{
			name:   "explicit policies required",
			issued: below(sound, sound, extensionOption("2.5.29.36", true, []byte{0x30, 3, 0x80, 1, 0})),
			code:   certs.CodeCriticalExtension, depth: 1,
		},

		{name: "ten CAs", issued: below(sound, make([]certstest.Options, 10)...)},
		{name: "eleven CAs", issued: below(sound, make([]certstest.Options, 11)...), code: certs.CodeTooDeep, depth: 10},
		{name: "depth 1", issued: below(sound, sound), policy: certs.Policy{MaxDepth: 1}},
		{
			name: "more than depth 1", issued: below(sound, sound, sound), policy: certs.Policy{MaxDepth: 1},
			code: certs.CodeTooDeep, depth: 1,
		},

		{name: "subordinate as host", issued: func() issued {
			i := below(sound, sound, sound)
			i.chain = i.chain[1:]
			return i
		}(), code: certs.CodeCAAsHost},
		{name: "root as host", issued: func() issued {
			root := must(certstest.NewCA("Root", sound))
			return issued{installed: []*certstest.CA{root}, chain: []*x509.Certificate{root.Certificate}}
		}(), code: certs.CodeCAAsHost},
		{name: "v1 root as host", issued: func() issued {
			i := versionOne(false)
			i.chain = []*x509.Certificate{i.installed[0].Certificate}
			return i
		}(), code: certs.CodeCAAsHost},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			installed := test.issued.installed
			if installed == nil {
				installed = []*certstest.CA{must(certstest.NewCA("Root", sound))}
			}
			snapshot := openStore(t, installed...).Snapshot()
			test.policy.Namespaces = certs.NamespacesIgnore
			result, err := certs.Verify(snapshot, test.issued.chain, anyone(test.role, now, test.policy))
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				checkResult(t, result, test.issued.chain)
				return
			}
			refusal := wantRefusal(t, err, test.code)
			if result != nil {
				t.Error("a result beside the refusal")
			}
			if refusal.Depth != test.depth {
				t.Errorf("depth %d, want %d: %v", refusal.Depth, test.depth, err)
			}
			if !strings.Contains(refusal.Reason, test.reason) {
				t.Errorf("reason %q does not say %q", refusal.Reason, test.reason)
			}
			if len(test.issued.chain) > 0 && !strings.Contains(refusal.Error(), refusal.Subject) {
				t.Errorf("%q does not name the certificate %q", refusal.Error(), refusal.Subject)
			}
		})
	}
}

// checkResult checks what holds for every verdict in a peer's favour.
func checkResult(t *testing.T, result *certs.Result, chain []*x509.Certificate) {
	t.Helper()
	if !result.Path[0].Certificate.Equal(chain[0]) || result.Path[0].File != "" {
		t.Error("the path does not begin with the peer's certificate")
	}
	if last := result.Path[len(result.Path)-1]; last.File == "" {
		t.Error("the anchor has no file")
	}
	if len(result.Chain) != len(chain) {
		t.Error("the chain that the peer sent is not kept")
	}
	earliest := result.Path[0].Certificate.NotAfter
	for i, link := range result.Path {
		if link.DN == "" {
			t.Errorf("link %d has no DN", i)
		}
		if link.Certificate.NotAfter.Before(earliest) {
			earliest = link.Certificate.NotAfter
		}
	}
	if d := result.NextEvent.Sub(earliest); d <= 0 || d > time.Second {
		t.Errorf("the next event is at %s, want just after %s", result.NextEvent, earliest)
	}
}

// selfSigned makes a host's certificate that no CA issued.
func selfSigned(host string) *x509.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))))
}

// smallKey makes a host with an RSA key of few bits.
func smallKey(bits int) issued {
	root := must(certstest.NewCA("Root", sound))
	key := must(rsa.GenerateKey(rand.Reader, bits))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		Subject: pkix.Name{CommonName: "host.test"}, DNSNames: []string{"host.test"},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, root.Certificate, key.Public(), root.Key))
	return issued{installed: []*certstest.CA{root}, chain: []*x509.Certificate{must(x509.ParseCertificate(der))}}
}

// versionOne strips a CA of its version and extensions: the root, or a
// subordinate below a sound one.
func versionOne(subordinate bool) issued {
	root := must(certstest.NewCA("Root", sound))
	old, signer := root, root.Key
	if subordinate {
		old = must(root.NewSubordinate("Old", sound))
	}
	stripped := must(x509.ParseCertificate(dertest.Resign(old.Certificate.Raw, signer.(*ecdsa.PrivateKey),
		func(fields []asn1.RawValue) []asn1.RawValue {
			return fields[1 : len(fields)-1] // without [0] version and [3] extensions
		})))
	ca := &certstest.CA{Certificate: stripped, Key: old.Key}
	host := must(ca.NewHost("host.test", sound))
	if subordinate {
		return issued{installed: []*certstest.CA{root}, chain: []*x509.Certificate{host.Certificate, stripped}}
	}
	return issued{installed: []*certstest.CA{ca}, chain: host.Chain}
}

// selfIssued makes a CA that issued itself a certificate of a new key, as at
// a change of keys.
func selfIssued(o certstest.Options) issued {
	root := must(certstest.NewCA("Root", o))
	successor := must(root.NewSubordinate("Root", sound))
	return issued{installed: []*certstest.CA{root}, chain: must(successor.NewHost("host.test", sound)).Chain}
}

// TestCanonicalIssuer: the issuer's name as the host's certificate writes it
// has other string types, case and spaces than the CA's subject.
func TestCanonicalIssuer(t *testing.T) {
	root := must(certstest.NewCA("Root CA", sound))
	host := must(root.NewHost("host.test", sound))
	issuer := encodeName(one(dc, ia5, "TEST"), one(dc, utf8String, "gtunnel"), one(cn, printable, " root   ca "))
	der := dertest.Resign(host.Certificate.Raw, root.Key.(*ecdsa.PrivateKey),
		func(fields []asn1.RawValue) []asn1.RawValue {
			for i, field := range fields {
				if string(field.FullBytes) == string(root.Certificate.RawSubject) {
					fields[i] = asn1.RawValue{FullBytes: issuer}
				}
			}
			return fields
		})
	cert := must(x509.ParseCertificate(der))
	if string(cert.RawIssuer) == string(root.Certificate.RawSubject) {
		t.Fatal("the names are the same octets")
	}
	if _, err := certs.Verify(openStore(t, root).Snapshot(), []*x509.Certificate{cert},
		anyone(certs.RoleAny, now, certs.Policy{})); err != nil {
		t.Error(err)
	}
}

// TestBestReason: of several paths that fail, the one that went furthest
// gives the reason.
func TestBestReason(t *testing.T) {
	// The subordinate's key is certified by a root that is not installed and
	// by one that is, with an expired certificate.
	good := must(certstest.NewCA("Good", sound))
	sub := must(good.NewSubordinate("Sub", ended()))
	host := must(sub.NewHost("host.test", sound))
	unknown := must(certstest.NewCA("Unknown", sound))
	template := *sub.Certificate
	template.NotAfter = now.Add(time.Hour)
	template.AuthorityKeyId = nil
	cross := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, &template, unknown.Certificate,
		sub.Key.Public(), unknown.Key))))
	for _, chain := range [][]*x509.Certificate{
		{host.Certificate, cross, sub.Certificate},
		{host.Certificate, sub.Certificate, cross},
	} {
		_, err := certs.Verify(openStore(t, good).Snapshot(), chain, anyone(certs.RoleAny, now, unbound))
		refusal := wantRefusal(t, err, certs.CodeExpired)
		if refusal.Depth != 1 || refusal.File != "" {
			t.Errorf("got %+v", refusal)
		}
	}
	// With the other root installed too, the other path is good.
	if _, err := certs.Verify(openStore(t, good, unknown).Snapshot(),
		[]*x509.Certificate{host.Certificate, sub.Certificate, cross}, anyone(certs.RoleAny, now, unbound)); err != nil {
		t.Error(err)
	}
}

// TestInstalledFirst: an installed subordinate is preferred to one that the
// peer sends, and its file is named.
func TestInstalledFirst(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	host := must(sub.NewHost("host.test", sound))
	renewed := must(root.NewSubordinate("Sub", sound))
	renewed = &certstest.CA{
		Certificate: recertify(root, renewed.Certificate, sub.Key.Public(), now.Add(time.Hour)), Key: sub.Key, Parent: root,
	}
	result, err := certs.Verify(openStore(t, root, renewed).Snapshot(), host.Chain,
		anyone(certs.RoleAny, now, certs.Policy{}))
	if err != nil {
		t.Fatal(err)
	}
	if !result.Path[1].Certificate.Equal(renewed.Certificate) || result.Path[1].File == "" {
		t.Errorf("the path goes through %v", result.Path[1])
	}
	if !result.NextEvent.Equal(renewed.Certificate.NotAfter.Add(1)) {
		t.Errorf("next event %s", result.NextEvent)
	}
}

// recertify issues a certificate anew for another key and end.
func recertify(
	issuer *certstest.CA, cert *x509.Certificate, key crypto.PublicKey, notAfter time.Time,
) *x509.Certificate {
	template := *cert
	template.NotAfter = notAfter
	template.SubjectKeyId = nil
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, &template, issuer.Certificate, key,
		issuer.Key))))
}

// TestBoundedWork sends many CAs of one name, none of which leads anywhere,
// and CAs that certify each other in circles.
func TestBoundedWork(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	snapshot := openStore(t, root).Snapshot()
	t.Run("many keys", func(t *testing.T) {
		ca := must(certstest.NewCA("Many", sound))
		chain := []*x509.Certificate{must(ca.NewHost("host.test", sound)).Certificate}
		for range 19 {
			chain = append(chain,
				must(certstest.NewCA("Many", options(func(c *x509.Certificate) { c.SubjectKeyId = []byte("no") }))).Certificate)
		}
		_, err := certs.Verify(snapshot, chain, anyone(certs.RoleAny, now, certs.Policy{}))
		if refusal := wantRefusal(t, err, certs.CodeTooMuchWork); !strings.Contains(refusal.Reason, "200 steps") {
			t.Errorf("the reason %q does not give the bound", refusal.Reason)
		}
	})
	t.Run("many certificates of one key", func(t *testing.T) {
		missing := must(certstest.NewCA("Missing", sound))
		sub := must(missing.NewSubordinate("Sub", sound))
		installed := []*certstest.CA{root}
		for i := range 110 {
			cert := recertify(missing, sub.Certificate, sub.Key.Public(), now.Add(time.Duration(i)*time.Hour))
			installed = append(installed, &certstest.CA{Certificate: cert, Key: sub.Key, Parent: missing})
		}
		_, err := certs.Verify(openStore(t, installed...).Snapshot(), must(sub.NewHost("host.test", sound)).Chain[:1],
			anyone(certs.RoleAny, now, unbound))
		if refusal := wantRefusal(t, err, certs.CodeTooMuchWork); !strings.Contains(refusal.Reason, "100 signature checks") {
			t.Errorf("the reason %q does not give the bound", refusal.Reason)
		}
	})
	t.Run("circles", func(t *testing.T) {
		const n = 5
		var cas []*certstest.CA
		for i := range n {
			cas = append(cas, must(certstest.NewCA(fmt.Sprint("Circle", i), sound)))
		}
		chain := []*x509.Certificate{must(cas[0].NewHost("host.test", sound)).Certificate}
		for _, issuer := range cas {
			for _, subject := range cas {
				if issuer != subject {
					chain = append(chain, recertify(issuer, subject.Certificate, subject.Key.Public(), now.Add(time.Hour)))
				}
			}
		}
		for _, sent := range []int{20, 3} {
			_, err := certs.Verify(snapshot, chain[:sent], anyone(certs.RoleAny, now, certs.Policy{}))
			wantRefusal(t, err, certs.CodeUnknownCA)
		}
	})
}

func TestCuresOfAllCodes(t *testing.T) {
	for _, known := range certs.Codes() {
		code := known.Code
		for depth := range 2 {
			for _, file := range []string{"", "/etc/grid-security/certificates/0a1b2c3d.0"} {
				if cure := certs.Cure(code, depth, file); !strings.HasSuffix(cure, ".") && !strings.HasSuffix(cure, ".pem") {
					t.Errorf("%s at depth %d, file %q: the cure %q is no sentence", code, depth, file, cure)
				}
			}
		}
	}
}

// TestVerifyUnsaid: options that do not say who the peer may be let nobody in,
// and without a time the verdict is that of now.
func TestVerifyUnsaid(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	snapshot := openStore(t, root).Snapshot()
	host := must(root.NewHost("host.test", sound))
	_, err := certs.Verify(snapshot, host.Chain, certs.VerifyOptions{})
	if r := wantRefusal(t, err, certs.CodeWrongHost); r.Subject != "" || !strings.Contains(r.Cure, "‹server-name›") {
		t.Errorf("%v; cure %q", r, r.Cure)
	}
	for _, role := range []certs.Role{certs.RoleClient, certs.RoleAny} {
		_, err := certs.Verify(snapshot, host.Chain, certs.VerifyOptions{Role: role, Policy: unbound})
		wantRefusal(t, err, certs.CodeNotAllowed)
	}
	byRule := unbound
	byRule.Access = must(certs.NewAccess([]string{"host.test"}, nil, false))
	for _, options := range []certs.VerifyOptions{
		{Host: "host.test", Policy: unbound},
		{Role: certs.RoleClient, Policy: byRule},
		{Policy: byRule},
		{Anyone: true, Policy: unbound},
	} {
		result, err := certs.Verify(snapshot, host.Chain, options)
		if err != nil {
			t.Errorf("%+v: %v", options, err)
		} else if !result.NextEvent.After(time.Now()) {
			t.Errorf("the next event was %s", result.NextEvent)
		}
	}
	old := must(root.NewHost("host.test", ended()))
	_, err = certs.Verify(snapshot, old.Chain, certs.VerifyOptions{Host: "host.test", Policy: unbound})
	wantRefusal(t, err, certs.CodeExpired)
}

func TestWords(t *testing.T) {
	for _, word := range []string{"host", "strict"} {
		var rule certs.EKURule
		if err := rule.UnmarshalText([]byte(word)); err != nil || string(must(rule.MarshalText())) != word {
			t.Errorf("EKU rule %s: %v", word, err)
		}
	}
	for _, word := range []string{"grid", "san-only"} {
		var mode certs.HostMode
		if err := mode.UnmarshalText([]byte(word)); err != nil || string(must(mode.MarshalText())) != word {
			t.Errorf("host mode %s: %v", word, err)
		}
	}
	var rule certs.EKURule
	if err := rule.UnmarshalText([]byte("lax")); err == nil || !strings.Contains(err.Error(), "host, strict") {
		t.Errorf("the error %v does not list the rules", err)
	}
	var mode certs.HostMode
	if err := mode.UnmarshalText(nil); err == nil || !strings.Contains(err.Error(), "grid, san-only") {
		t.Errorf("the error %v does not list the modes", err)
	}
	for number, words := range map[int]string{-1: "no EKU rule has the number -1", 2: "no EKU rule has the number 2"} {
		if text, err := certs.EKURule(number).MarshalText(); err == nil || err.Error() != words {
			t.Errorf("%q, %v; want %q", text, err, words)
		}
	}
}
