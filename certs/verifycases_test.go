package certs_test

import (
	"crypto/x509"
	"encoding/asn1"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

var strictUsages = certs.Policy{EKU: certs.EKUStrict}

// verifyCase is a case of TestVerify.
type verifyCase struct {
	name   string
	issued issued
	role   certs.PeerRole
	policy certs.Policy
	code   certs.Code // empty: accepted
	depth  int
	reason string // a part of it
}

// trustCases are chains that lead to an installed root, or do not.
func trustCases() []verifyCase {
	return []verifyCase{
		{name: "root and host", issued: below(sound, sound)},
		{name: "with a subordinate", issued: below(sound, sound, sound)},
		{name: "RSA", issued: below(certstest.Options{KeyType: certstest.RSA}, certstest.Options{KeyType: certstest.RSA})},
		{name: "nothing sent", issued: issued{chain: nil}, code: certs.CodeNoCertificate},
		{
			name: "subordinate not sent",
			issued: func() issued {
				i := below(sound, sound, sound)
				i.chain = i.chain[:1]
				return i
			}(),
			code: certs.CodeUnknownCA, reason: "/CN=Sub1 is neither installed here nor sent",
		},
		{
			name: "another CA",
			issued: func() issued {
				i := below(sound, sound)
				i.installed = []*certstest.CA{must(certstest.NewCA("Other", sound))}
				return i
			}(),
			code: certs.CodeUnknownCA, reason: "/CN=Root is neither",
		},
		{
			name: "another CA of the same name",
			issued: func() issued {
				i := below(sound, sound)
				i.installed = []*certstest.CA{must(certstest.NewCA("Root", sound))}
				return i
			}(),
			code: certs.CodeBadSignature, reason: "key of /DC=test/DC=gtunnel/CN=Root (",
		},
		{
			name: "two CAs of the same name",
			issued: func() issued {
				i := below(sound, sound)
				i.installed = append([]*certstest.CA{must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound))},
					i.installed...)
				return i
			}(),
		},
	}
}

// unrootedCases are chains that end in a root that is not installed, or in
// disorder.
func unrootedCases() []verifyCase {
	return []verifyCase{
		{
			name: "root sent and not installed",
			issued: func() issued {
				root := must(certstest.NewCA("Evil", sound))
				return issued{
					installed: []*certstest.CA{must(certstest.NewCA("Root", sound))},
					chain:     []*x509.Certificate{must(root.NewHost("host.test", sound)).Certificate, root.Certificate},
				}
			}(),
			code: certs.CodeUnknownCA, depth: 1, reason: "a root that is not installed",
		},
		{
			name: "self-signed",
			issued: issued{
				installed: []*certstest.CA{must(certstest.NewCA("Root", sound))},
				chain:     []*x509.Certificate{selfSigned("host.test")},
			},
			code: certs.CodeUnknownCA, reason: "self-signed",
		},
		{
			name: "subordinate installed without its root",
			issued: func() issued {
				root := must(certstest.NewCA("Root", sound))
				sub := must(root.NewSubordinate("Sub", sound))
				return issued{
					installed: []*certstest.CA{sub, must(certstest.NewCA("Other", sound))},
					chain:     must(sub.NewHost("host.test", sound)).Chain,
				}
			}(),
			code: certs.CodeUnknownCA, depth: 1, reason: "/CN=Root is neither",
		},
		{
			name: "chain in disorder with strangers",
			issued: func() issued {
				i := below(sound, sound, sound, sound, sound)
				stranger := below(sound, sound, sound)
				i.chain = []*x509.Certificate{
					i.chain[0], i.chain[3], stranger.chain[0], i.chain[1], i.chain[1], stranger.chain[1], i.chain[2],
				}
				return i
			}(),
		},
	}
}

func validityAndSignatureCases() []verifyCase {
	return []verifyCase{
		{name: "host expired", issued: below(ended(), sound), code: certs.CodeExpired, reason: "it ended on"},
		{name: "subordinate expired", issued: below(sound, sound, ended()), code: certs.CodeExpired, depth: 1},
		{name: "root expired", issued: below(sound, ended()), code: certs.CodeExpired, depth: 1},
		{name: "host not yet valid", issued: below(future(), sound), code: certs.CodeNotYetValid},
		{name: "root not yet valid", issued: below(sound, future(), sound), code: certs.CodeNotYetValid, depth: 2},
		{
			name: "SHA-1 host",
			issued: below(options(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }),
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
	}
}

// authorityCases are what CAs and hosts may do by basicConstraints and
// keyUsage.
func authorityCases() []verifyCase {
	return []verifyCase{
		{
			name: "issuer is no CA",
			issued: func() issued {
				root := must(certstest.NewCA("Root", sound))
				host := must(root.NewHost("host.test", sound))
				fake := &certstest.CA{Certificate: host.Certificate, Key: host.Key, Parent: root}
				return issued{installed: []*certstest.CA{root}, chain: must(fake.NewHost("evil.test", sound)).Chain}
			}(),
			code: certs.CodeNotCA, depth: 1, reason: "basicConstraints",
		},
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
			role:   certs.PeerClient, code: certs.CodeKeyUsage, reason: "digitalSignature",
		},
		{
			name: "host without keyUsage", issued: below(options(func(c *x509.Certificate) { c.KeyUsage = 0 }), sound),
			role: certs.PeerClient,
		},
		{
			name: "usages not asked for", role: certs.PeerAny,
			issued: below(options(func(c *x509.Certificate) {
				c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageKeyEncipherment, []x509.ExtKeyUsage{mail}
			}), sound),
		},
	}
}

func extendedKeyUsageCases() []verifyCase {
	return []verifyCase{
		{name: "client with clientAuth", issued: below(usages(clientAuth), sound), role: certs.PeerClient},
		{name: "client with serverAuth", issued: below(usages(serverAuth), sound), role: certs.PeerClient},
		{name: "client with any", issued: below(usages(anyUse), sound), role: certs.PeerClient},
		{name: "client without usages", issued: below(noUsages, sound), role: certs.PeerClient},
		{
			name: "client with email", issued: below(usages(mail), sound), role: certs.PeerClient,
			code: certs.CodeExtendedKeyUsage, reason: "emailProtection",
		},
		{name: "server with serverAuth", issued: below(usages(serverAuth), sound), role: certs.PeerServer},
		{name: "server with any", issued: below(usages(anyUse), sound), role: certs.PeerServer},
		{name: "server without usages", issued: below(noUsages, sound), role: certs.PeerServer},
		{
			name: "server with clientAuth", issued: below(usages(clientAuth), sound), role: certs.PeerServer,
			code: certs.CodeExtendedKeyUsage, reason: "serverAuth",
		},
		{
			name: "strict client with serverAuth", issued: below(usages(serverAuth), sound), role: certs.PeerClient,
			policy: strictUsages, code: certs.CodeExtendedKeyUsage,
		},
		{
			name: "strict client with clientAuth", issued: below(usages(clientAuth), sound), role: certs.PeerClient,
			policy: strictUsages,
		},
		{name: "strict client without usages", issued: below(noUsages, sound), role: certs.PeerClient, policy: strictUsages},
		{
			name:   "subordinate for people vouches for a client",
			issued: below(usages(serverAuth, clientAuth), sound, usages(clientAuth, mail)), role: certs.PeerClient,
		},
		{
			name:   "subordinate for people vouches for a server",
			issued: below(usages(serverAuth, clientAuth), sound, usages(clientAuth, mail)), role: certs.PeerServer,
			code: certs.CodeExtendedKeyUsage, depth: 1,
		},
		{
			name: "no usage in common", issued: below(usages(serverAuth), sound, usages(clientAuth)), role: certs.PeerClient,
			code: certs.CodeExtendedKeyUsage,
		},
		{
			name: "root for email", issued: below(sound, usages(mail)), role: certs.PeerServer, code: certs.CodeExtendedKeyUsage,
			depth: 1,
		},
		{
			name: "unknown usage only",
			issued: below(options(func(c *x509.Certificate) {
				c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{{1, 2, 3}}
			}), sound),
			role: certs.PeerClient, code: certs.CodeExtendedKeyUsage, reason: "1.2.3",
		},
	}
}

func extensionAndDepthCases() []verifyCase {
	return []verifyCase{
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
	}
}

// authorityAsHostCases are certificates of CAs that a peer presents as its
// own.
func authorityAsHostCases() []verifyCase {
	return []verifyCase{
		{
			name: "subordinate as host",
			issued: func() issued {
				i := below(sound, sound, sound)
				i.chain = i.chain[1:]
				return i
			}(),
			code: certs.CodeCAAsHost,
		},
		{
			name: "root as host",
			issued: func() issued {
				root := must(certstest.NewCA("Root", sound))
				return issued{installed: []*certstest.CA{root}, chain: []*x509.Certificate{root.Certificate}}
			}(),
			code: certs.CodeCAAsHost,
		},
		{
			name: "v1 root as host",
			issued: func() issued {
				i := versionOne(false)
				i.chain = []*x509.Certificate{i.installed[0].Certificate}
				return i
			}(),
			code: certs.CodeCAAsHost,
		},
	}
}
