package certs_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestCircles: certificates that vouch for each other are not said to be
// missing.
func TestCircles(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	a, b := must(certstest.NewCA("Loop A", sound)), must(certstest.NewCA("Loop B", sound))
	aByB := recertify(b, a.Certificate, a.Key.Public(), now.Add(time.Hour))
	bByA := recertify(a, b.Certificate, b.Key.Public(), now.Add(time.Hour))
	host := must(a.NewHost("host.test", sound)).Certificate
	installed := &certstest.CA{Certificate: aByB, Key: a.Key, Parent: b}
	for name, test := range map[string]struct {
		installed []*certstest.CA
		chain     []*x509.Certificate
	}{
		"sent":          {[]*certstest.CA{root}, []*x509.Certificate{host, aByB, bByA}},
		"one installed": {[]*certstest.CA{root, installed}, []*x509.Certificate{host, bByA}},
		"both installed": {
			[]*certstest.CA{root, installed, {Certificate: bByA, Key: b.Key, Parent: a}}, []*x509.Certificate{host},
		},
	} {
		_, err := certs.Verify(openStore(t, test.installed...).Snapshot(), test.chain, anyone(certs.RoleAny, now, unbound))
		refusal := wantRefusal(t, err, certs.CodeUnknownCA)
		if !strings.Contains(refusal.Reason, "/CN=Loop A is below it on the path") ||
			strings.Contains(refusal.Reason, "neither") || refusal.Depth != 2 {
			t.Errorf("%s: depth %d, reason %q", name, refusal.Depth, refusal.Reason)
		}
		if strings.Contains(refusal.Cure, ".0") || !strings.Contains(refusal.Cure, "root above") {
			t.Errorf("%s: cure %q", name, refusal.Cure)
		}
	}

	// A CA that changed its key, and whose old certificate nobody has.
	old := must(certstest.NewCA("Changed", sound))
	renewed := must(old.NewSubordinate("Changed",
		options(func(c *x509.Certificate) { c.AuthorityKeyId = old.Certificate.SubjectKeyId })))
	_, err := certs.Verify(openStore(t, root).Snapshot(), must(renewed.NewHost("host.test", sound)).Chain,
		anyone(certs.RoleAny, now, unbound))
	if refusal := wantRefusal(t, err, certs.CodeUnknownCA); !strings.Contains(refusal.Reason, "another key of the name") ||
		refusal.Depth != 1 {
		t.Error(refusal)
	}
	// Another key of a name that is on the path.
	c := must(certstest.NewCA("Loop A", sound))
	bByC := must(c.NewSubordinate("Loop B", sound))
	aByOther := recertify(bByC, a.Certificate, a.Key.Public(), now.Add(time.Hour))
	_, err = certs.Verify(openStore(t, root).Snapshot(), []*x509.Certificate{host, aByOther, bByC.Certificate},
		anyone(certs.RoleAny, now, unbound))
	if refusal := wantRefusal(t, err, certs.CodeUnknownCA); !strings.Contains(refusal.Reason,
		"another key of the name /DC=test/DC=gtunnel/CN=Loop A") || refusal.Depth != 2 {
		t.Error(refusal)
	}

	// The host's own name takes part in the circle.
	own := must(certstest.NewCA("x", options(func(c *x509.Certificate) { c.RawSubject = host.RawSubject })))
	aByHost := recertify(own, a.Certificate, a.Key.Public(), now.Add(time.Hour))
	_, err = certs.Verify(openStore(t, root).Snapshot(), []*x509.Certificate{host, aByHost},
		anyone(certs.RoleAny, now, unbound))
	if refusal := wantRefusal(t, err, certs.CodeUnknownCA); !strings.Contains(refusal.Reason, "in a circle") ||
		refusal.Depth != 1 {
		t.Error(refusal)
	}
}

// TestFilesThatCannotBeUsed: where a file of the missing CA is there, the
// refusal names it and what is wrong with it.
func TestFilesThatCannotBeUsed(t *testing.T) {
	other := must(certstest.NewCA("Other", sound))
	root := must(certstest.NewCA("Root", sound))
	twin := must(certstest.NewCA("Root", sound)) // of another key
	sub := must(root.NewSubordinate("Sub", sound))
	hash, oldHash := hashes(root)
	otherHash, _ := hashes(other)
	noCA := must(
		other.NewHost("x", options(func(c *x509.Certificate) { c.RawSubject = root.Certificate.RawSubject })),
	).Certificate
	rootPEM, noCAPEM := pemOf("CERTIFICATE", root.Certificate.Raw), pemOf("CERTIFICATE", noCA.Raw)
	damaged := []byte(strings.Replace(string(rootPEM), "M", "!", 5))
	host := must(root.NewHost("host.test", sound)).Certificate
	for name, test := range map[string]struct {
		file    string // in the CApath; "ca.pem" is the CA file
		content []byte // nil: a link that leads nowhere
		chain   []*x509.Certificate
		with    *certstest.CA // installed beside Other
		code    certs.Code
		depth   int
		words   string
	}{
		"damaged": {
			hash + ".0", damaged, []*x509.Certificate{host}, nil, certs.CodeUnknownCA, 0, "damaged",
		},
		"damaged, by the old hash": {
			oldHash + ".3", damaged, []*x509.Certificate{host}, nil, certs.CodeUnknownCA, 0, "damaged",
		},
		"no CA's": {
			hash + ".0", noCAPEM, []*x509.Certificate{host}, nil, certs.CodeUnknownCA, 0, "is not a CA's",
		},
		"empty": {
			hash + ".0", []byte{}, []*x509.Certificate{host}, nil, certs.CodeUnknownCA, 0, "no certificate in this file",
		},
		"a link that leads " +
			"nowhere": {hash + ".0", nil, []*x509.Certificate{host}, nil, certs.CodeUnknownCA, 0, "does not exist"},
		"under another name": {
			"0a1b2c3d.0", rootPEM, []*x509.Certificate{host}, nil, certs.CodeUnknownCA, 0, "not the hash of the certificate",
		},
		"another CA under its name": {
			hash + ".0", pemOf("CERTIFICATE", other.Certificate.Raw),
			[]*x509.Certificate{host},
			nil, certs.CodeUnknownCA, 0,
			otherHash,
		},
		"no CA's in the CA file": {
			"ca.pem", append(pemOf("CERTIFICATE", other.Certificate.Raw), noCAPEM...),
			[]*x509.Certificate{host},
			nil,
			certs.CodeUnknownCA, 0, "is not a CA's",
		},
		"of the subordinate's issuer": {
			hash + ".0", damaged,
			[]*x509.Certificate{must(sub.NewHost("host.test", sound)).Certificate, sub.Certificate},
			nil,
			certs.CodeUnknownCA, 1, "damaged",
		},
		"of a root that is sent": {
			hash + ".0", damaged, []*x509.Certificate{host, root.Certificate}, nil, certs.CodeUnknownCA, 1, "damaged",
		},
		"of the right key of two": {
			hash + ".7", damaged, []*x509.Certificate{host}, twin, certs.CodeBadSignature, 0, "damaged",
		},
		"not of the CA that is missed": {
			otherHash + ".7", damaged, []*x509.Certificate{host}, nil, certs.CodeUnknownCA, 0, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cas := []*certstest.CA{other}
			if test.with != nil {
				cas = append(cas, test.with)
			}
			config := certs.StoreConfig{CApath: bare(t, cas...)}
			file := filepath.Join(config.CApath, test.file)
			if test.file == "ca.pem" {
				config.CAfile = file
			}
			if test.content == nil {
				if err := os.Symlink("nowhere.pem", file); err != nil {
					t.Fatal(err)
				}
			} else {
				writeFile(t, file, test.content, 0o644)
			}
			_, err := certs.Verify(must(certs.OpenStore(config)).Snapshot(), test.chain, anyone(certs.RoleAny, now, unbound))
			refusal := wantRefusal(t, err, test.code)
			if refusal.Depth != test.depth {
				t.Errorf("depth %d: %v", refusal.Depth, refusal)
			}
			if test.words == "" {
				if strings.Contains(refusal.Error()+refusal.Cure, test.file) ||
					!strings.Contains(refusal.Reason, "neither installed here nor sent") {
					t.Errorf("%v; %s", refusal, refusal.Cure)
				}
				return
			}
			said := refusal.Reason
			if test.code == certs.CodeBadSignature {
				said = refusal.Cure
			} else if refusal.File != file {
				t.Errorf("the file that decided is %s, want %s", refusal.File, file)
			}
			if !strings.Contains(said, test.words) || !strings.Contains(said, file) || !strings.Contains(refusal.Cure, file) {
				t.Errorf("%v; cure %q: want %q of %s", refusal, refusal.Cure, test.words, file)
			}
			if strings.Contains(refusal.Reason, "neither") || strings.Contains(refusal.Error(), "not installed") {
				t.Errorf("it is said not to be there: %v", refusal)
			}
		})
	}
}

// TestCuresThatHelp: what is told to do is what can be done.
func TestCuresThatHelp(t *testing.T) {
	explicit := func(critical bool) certstest.Options {
		return extensionOption("2.5.29.36", critical, []byte{0x30, 3, 0x80, 1, 0})
	}
	unknown := extensionOption("1.2.3.4", true, []byte{5, 0})
	for name, test := range map[string]struct {
		issued             issued
		code               certs.Code
		reason, cure, lack string // lack: what the cure must not say
	}{
		"policies required": {
			below(sound, sound, explicit(true)), certs.CodeCriticalExtension, "requireExplicitPolicy",
			"none of which requires them", "critical",
		},
		"policies required, " +
			"uncritical": {
			below(sound, sound, explicit(false)), certs.CodeCriticalExtension, "requireExplicitPolicy",
			"none of which requires them", "critical",
		},
		"policies required further down": {
			below(sound, sound, extensionOption("2.5.29.36", true, []byte{0x30, 3, 0x80, 1, 1})), certs.CodeCriticalExtension,
			"requireExplicitPolicy", "none of which requires them", "critical",
		},
		"policies required by a root": {
			below(sound, explicit(true)), certs.CodeCriticalExtension, "requireExplicitPolicy", "none of which requires them",
			"critical",
		},
		"policies required by a host": {
			below(explicit(true), sound), certs.CodeCriticalExtension, "requireExplicitPolicy",
			"Certificate policies are not judged", "critical",
		},
		"critical extension of a host": {
			below(unknown, sound), certs.CodeCriticalExtension, "1.2.3.4", "without this extension, or with it not critical",
			"another CA",
		},
		"critical extension of a CA": {
			below(sound, sound, unknown), certs.CodeCriticalExtension, "1.2.3.4", "a certificate of another CA",
			"Ask the peer's CA",
		},
		"usages of a host": {
			below(usages(mail), sound), certs.CodeExtendedKeyUsage, "here is emailProtection",
			"a host certificate with serverAuth", "another CA",
		},
		"usages of a CA": {
			below(sound, sound, usages(mail)), certs.CodeExtendedKeyUsage, "here is emailProtection",
			"a certificate of a CA whose own usages allow it", "host certificate with",
		},
		"no usage in common": {
			below(usages(serverAuth), usages(clientAuth)), certs.CodeExtendedKeyUsage,
			"here is serverAuth, which the CAs above do not allow", "that the CAs above it allow too", "host certificate with",
		},
		"no usage in common of CAs": {
			below(sound, usages(clientAuth), usages(serverAuth)), certs.CodeExtendedKeyUsage, "which the CAs above do not allow",
			"a CA whose own usages", "",
		},
		"constraints that are " +
			"malformed": {
			below(sound, sound, nameConstraints([]subtree{{tag: 2, value: []byte("test"), more: []byte{0x80, 1, 1}}}, nil)),
			certs.CodeNameConstraints, "cannot be applied", "The CA's own certificate is at fault", "its own rules",
		},
		"constraints of a strange kind": {
			below(alternative(subtree{tag: 8, value: []byte{1, 2}}), sound,
				nameConstraints([]subtree{{tag: 8, value: []byte{1, 2}}}, nil)), certs.CodeNameConstraints,
			"cannot be applied to it", "without this name", "its own rules",
		},
		"constraints that forbid, sent": {
			below(alternative(dns("db.other.test")), sound, nameConstraints([]subtree{dns("site.test")}, nil)),
			certs.CodeNameConstraints, "/CN=Sub1 (sent by the peer) forbid it", "that its own rules allow", "without this name",
		},
		"constraints that forbid": {
			below(alternative(dns("db.other.test")), nameConstraints([]subtree{dns("site.test")}, nil)),
			certs.CodeNameConstraints, "forbid it", "that its own rules allow", "without this name",
		},
	} {
		_, err := certs.Verify(openStore(t, test.issued.installed...).Snapshot(), test.issued.chain,
			anyone(certs.RoleClient, now, unbound))
		refusal := wantRefusal(t, err, test.code)
		if !strings.Contains(refusal.Reason, test.reason) || !strings.Contains(refusal.Cure, test.cure) ||
			test.lack != "" && strings.Contains(refusal.Cure, test.lack) {
			t.Errorf("%s: reason %q, cure %q", name, refusal.Reason, refusal.Cure)
		}
	}
}
