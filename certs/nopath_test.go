package certs_test

import (
	"crypto/x509"
	"maps"
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
		_, err := certs.Verify(openStore(t, test.installed...).Snapshot(), test.chain, anyone(certs.PeerAny, now, unbound))
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
		anyone(certs.PeerAny, now, unbound))
	if refusal := wantRefusal(t, err, certs.CodeUnknownCA); !strings.Contains(refusal.Reason, "another key of the name") ||
		refusal.Depth != 1 {
		t.Error(refusal)
	}
	// Another key of a name that is on the path.
	c := must(certstest.NewCA("Loop A", sound))
	bByC := must(c.NewSubordinate("Loop B", sound))
	aByOther := recertify(bByC, a.Certificate, a.Key.Public(), now.Add(time.Hour))
	_, err = certs.Verify(openStore(t, root).Snapshot(), []*x509.Certificate{host, aByOther, bByC.Certificate},
		anyone(certs.PeerAny, now, unbound))
	if refusal := wantRefusal(t, err, certs.CodeUnknownCA); !strings.Contains(refusal.Reason,
		"another key of the name /DC=test/DC=gtunnel/CN=Loop A") || refusal.Depth != 2 {
		t.Error(refusal)
	}

	// The host's own name takes part in the circle.
	own := must(certstest.NewCA("x", options(func(c *x509.Certificate) { c.RawSubject = host.RawSubject })))
	aByHost := recertify(own, a.Certificate, a.Key.Public(), now.Add(time.Hour))
	_, err = certs.Verify(openStore(t, root).Snapshot(), []*x509.Certificate{host, aByHost},
		anyone(certs.PeerAny, now, unbound))
	if refusal := wantRefusal(t, err, certs.CodeUnknownCA); !strings.Contains(refusal.Reason, "in a circle") ||
		refusal.Depth != 1 {
		t.Error(refusal)
	}
}

// unusableFile is a file of a CA that is missed.
type unusableFile struct {
	file    string // in the CApath; "ca.pem" is the CA file
	content []byte // nil: a link that leads nowhere
	chain   []*x509.Certificate
	with    *certstest.CA // installed beside Other
	code    certs.Code
	depth   int
	words   string
}

// damagedPEM is a CA's certificate with five characters that are not base64.
func damagedPEM(ca *certstest.CA) []byte {
	return []byte(strings.Replace(string(pemOf("CERTIFICATE", ca.Certificate.Raw)), "M", "!", 5))
}

// filesOfItsIssuer are files of the CA that issued the host's certificate.
func filesOfItsIssuer(other, root *certstest.CA) map[string]unusableFile {
	hash, oldHash := hashes(root)
	otherHash, _ := hashes(other)
	noCA := must(
		other.NewHost("x", options(func(c *x509.Certificate) { c.RawSubject = root.Certificate.RawSubject })),
	).Certificate
	rootPEM, noCAPEM := pemOf("CERTIFICATE", root.Certificate.Raw), pemOf("CERTIFICATE", noCA.Raw)
	damaged := damagedPEM(root)
	host := must(root.NewHost("host.test", sound)).Certificate
	return map[string]unusableFile{
		"damaged": {
			file: hash + ".0", content: damaged, chain: []*x509.Certificate{host}, code: certs.CodeUnknownCA, words: "damaged",
		},
		"damaged, by the old hash": {
			file: oldHash + ".3", content: damaged, chain: []*x509.Certificate{host}, code: certs.CodeUnknownCA,
			words: "damaged",
		},
		"no CA's": {
			file: hash + ".0", content: noCAPEM, chain: []*x509.Certificate{host}, code: certs.CodeUnknownCA,
			words: "is not a CA's",
		},
		"empty": {
			file: hash + ".0", content: []byte{}, chain: []*x509.Certificate{host}, code: certs.CodeUnknownCA,
			words: "no certificate in this file",
		},
		"a link that leads nowhere": {
			file: hash + ".0", chain: []*x509.Certificate{host}, code: certs.CodeUnknownCA, words: "does not exist",
		},
		"under another name": {
			file: "0a1b2c3d.0", content: rootPEM, chain: []*x509.Certificate{host}, code: certs.CodeUnknownCA,
			words: "not the hash of the certificate",
		},
		"another CA under its name": {
			file: hash + ".0", content: pemOf("CERTIFICATE", other.Certificate.Raw), chain: []*x509.Certificate{host},
			code: certs.CodeUnknownCA, words: otherHash,
		},
		"no CA's in the CA file": {
			file: "ca.pem", content: append(pemOf("CERTIFICATE", other.Certificate.Raw), noCAPEM...),
			chain: []*x509.Certificate{host}, code: certs.CodeUnknownCA, words: "is not a CA's",
		},
	}
}

// filesOfOtherCAs are those of a CA further up, of one of two keys, and of one
// that is not missed.
func filesOfOtherCAs(other, root *certstest.CA) map[string]unusableFile {
	twin := must(certstest.NewCA("Root", sound)) // of another key
	sub := must(root.NewSubordinate("Sub", sound))
	hash, _ := hashes(root)
	otherHash, _ := hashes(other)
	damaged := damagedPEM(root)
	host := must(root.NewHost("host.test", sound)).Certificate
	return map[string]unusableFile{
		"of the subordinate's issuer": {
			file: hash + ".0", content: damaged,
			chain: []*x509.Certificate{must(sub.NewHost("host.test", sound)).Certificate, sub.Certificate},
			code:  certs.CodeUnknownCA, depth: 1, words: "damaged",
		},
		"of a root that is sent": {
			file: hash + ".0", content: damaged, chain: []*x509.Certificate{host, root.Certificate}, code: certs.CodeUnknownCA,
			depth: 1, words: "damaged",
		},
		"of the right key of two": {
			file: hash + ".7", content: damaged, chain: []*x509.Certificate{host}, with: twin, code: certs.CodeBadSignature,
			words: "damaged",
		},
		"not of the CA that is missed": {
			file: otherHash + ".7", content: damaged, chain: []*x509.Certificate{host}, code: certs.CodeUnknownCA,
		},
	}
}

// TestFilesThatCannotBeUsed: where a file of the missing CA is there, the
// refusal names it and what is wrong with it.
func TestFilesThatCannotBeUsed(t *testing.T) {
	other := must(certstest.NewCA("Other", sound))
	root := must(certstest.NewCA("Root", sound))
	files := filesOfItsIssuer(other, root)
	maps.Copy(files, filesOfOtherCAs(other, root))
	for name, test := range files {
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
			_, err := certs.Verify(must(certs.OpenStore(config)).Snapshot(), test.chain, anyone(certs.PeerAny, now, unbound))
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

// cureCase is a refused chain and what is told to do.
type cureCase struct {
	issued             issued
	code               certs.Code
	reason, cure, lack string // lack: what the cure must not say
}

// curesOfExtensions: of critical extensions, also of those that require
// policies.
func curesOfExtensions() map[string]cureCase {
	explicit := func(critical bool) certstest.Options {
		return extensionOption("2.5.29.36", critical, []byte{0x30, 3, 0x80, 1, 0})
	}
	unknown := extensionOption("1.2.3.4", true, []byte{5, 0})
	return map[string]cureCase{
		"policies required": {
			issued: below(sound, sound, explicit(true)), code: certs.CodeCriticalExtension, reason: "requireExplicitPolicy",
			cure: "none of which requires them", lack: "critical",
		},
		"policies required, uncritical": {
			issued: below(sound, sound, explicit(false)), code: certs.CodeCriticalExtension, reason: "requireExplicitPolicy",
			cure: "none of which requires them", lack: "critical",
		},
		"policies required further down": {
			issued: below(sound, sound, extensionOption("2.5.29.36", true, []byte{0x30, 3, 0x80, 1, 1})),
			code:   certs.CodeCriticalExtension, reason: "requireExplicitPolicy", cure: "none of which requires them",
			lack: "critical",
		},
		"policies required by a root": {
			issued: below(sound, explicit(true)), code: certs.CodeCriticalExtension, reason: "requireExplicitPolicy",
			cure: "none of which requires them", lack: "critical",
		},
		"policies required by a host": {
			issued: below(explicit(true), sound), code: certs.CodeCriticalExtension, reason: "requireExplicitPolicy",
			cure: "Certificate policies are not judged", lack: "critical",
		},
		"critical extension of a host": {
			issued: below(unknown, sound), code: certs.CodeCriticalExtension, reason: "1.2.3.4",
			cure: "without this extension, or with it not critical", lack: "another CA",
		},
		"critical extension of a CA": {
			issued: below(sound, sound, unknown), code: certs.CodeCriticalExtension, reason: "1.2.3.4",
			cure: "a certificate of another CA", lack: "Ask the peer's CA",
		},
	}
}

func curesOfUsages() map[string]cureCase {
	return map[string]cureCase{
		"usages of a host": {
			issued: below(usages(mail), sound), code: certs.CodeExtendedKeyUsage, reason: "here is emailProtection",
			cure: "a host certificate with serverAuth", lack: "another CA",
		},
		"usages of a CA": {
			issued: below(sound, sound, usages(mail)), code: certs.CodeExtendedKeyUsage, reason: "here is emailProtection",
			cure: "a certificate of a CA whose own usages allow it", lack: "host certificate with",
		},
		"no usage in common": {
			issued: below(usages(serverAuth), usages(clientAuth)), code: certs.CodeExtendedKeyUsage,
			reason: "here is serverAuth, which the CAs above do not allow", cure: "that the CAs above it allow too",
			lack: "host certificate with",
		},
		"no usage in common of CAs": {
			issued: below(sound, usages(clientAuth), usages(serverAuth)), code: certs.CodeExtendedKeyUsage,
			reason: "which the CAs above do not allow", cure: "a CA whose own usages",
		},
	}
}

func curesOfConstraints() map[string]cureCase {
	return map[string]cureCase{
		"constraints that are malformed": {
			issued: below(sound, sound,
				nameConstraints([]subtree{{tag: 2, value: []byte("test"), more: []byte{0x80, 1, 1}}}, nil)),
			code: certs.CodeNameConstraints, reason: "cannot be applied", cure: "The CA's own certificate is at fault",
			lack: "its own rules",
		},
		"constraints of a strange kind": {
			issued: below(alternative(subtree{tag: 8, value: []byte{1, 2}}), sound,
				nameConstraints([]subtree{{tag: 8, value: []byte{1, 2}}}, nil)),
			code: certs.CodeNameConstraints, reason: "cannot be applied to it", cure: "without this name", lack: "its own rules",
		},
		"constraints that forbid, sent": {
			issued: below(alternative(dns("db.other.test")), sound, nameConstraints([]subtree{dns("site.test")}, nil)),
			code:   certs.CodeNameConstraints, reason: "/CN=Sub1 (sent by the peer) forbid it", cure: "that its own rules allow",
			lack: "without this name",
		},
		"constraints that forbid": {
			issued: below(alternative(dns("db.other.test")), nameConstraints([]subtree{dns("site.test")}, nil)),
			code:   certs.CodeNameConstraints, reason: "forbid it", cure: "that its own rules allow", lack: "without this name",
		},
	}
}

// TestCuresThatHelp: what is told to do is what can be done.
func TestCuresThatHelp(t *testing.T) {
	cures := curesOfExtensions()
	maps.Copy(cures, curesOfUsages())
	maps.Copy(cures, curesOfConstraints())
	for name, test := range cures {
		_, err := certs.Verify(openStore(t, test.issued.installed...).Snapshot(), test.issued.chain,
			anyone(certs.PeerClient, now, unbound))
		refusal := wantRefusal(t, err, test.code)
		if !strings.Contains(refusal.Reason, test.reason) || !strings.Contains(refusal.Cure, test.cure) ||
			test.lack != "" && strings.Contains(refusal.Cure, test.lack) {
			t.Errorf("%s: reason %q, cure %q", name, refusal.Reason, refusal.Cure)
		}
	}
}
