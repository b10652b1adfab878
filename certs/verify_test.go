package certs_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

func TestVerify(t *testing.T) {
	tests := slices.Concat(trustCases(), unrootedCases(), validityAndSignatureCases(), authorityCases(),
		extendedKeyUsageCases(), extensionAndDepthCases(), authorityAsHostCases())
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
		anyone(certs.PeerAny, now, certs.Policy{})); err != nil {
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
		_, err := certs.Verify(openStore(t, good).Snapshot(), chain, anyone(certs.PeerAny, now, unbound))
		refusal := wantRefusal(t, err, certs.CodeExpired)
		if refusal.Depth != 1 || refusal.File != "" {
			t.Errorf("got %+v", refusal)
		}
	}
	// With the other root installed too, the other path is good.
	if _, err := certs.Verify(openStore(t, good, unknown).Snapshot(),
		[]*x509.Certificate{host.Certificate, sub.Certificate, cross}, anyone(certs.PeerAny, now, unbound)); err != nil {
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
		anyone(certs.PeerAny, now, certs.Policy{}))
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
		_, err := certs.Verify(snapshot, chain, anyone(certs.PeerAny, now, certs.Policy{}))
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
			anyone(certs.PeerAny, now, unbound))
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
			_, err := certs.Verify(snapshot, chain[:sent], anyone(certs.PeerAny, now, certs.Policy{}))
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
	for _, role := range []certs.PeerRole{certs.PeerClient, certs.PeerAny} {
		_, err := certs.Verify(snapshot, host.Chain, certs.VerifyOptions{Role: role, Policy: unbound})
		wantRefusal(t, err, certs.CodeNotAllowed)
	}
	byRule := unbound
	byRule.Access = must(certs.NewAccess([]string{"host.test"}, nil, false))
	for _, options := range []certs.VerifyOptions{
		{Host: "host.test", Policy: unbound},
		{Role: certs.PeerClient, Policy: byRule},
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
