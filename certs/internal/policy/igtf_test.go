package policy_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/files"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// igtfDirectory is where Debian's igtf-policy packages install the CAs.
const igtfDirectory = "/etc/grid-security/certificates"

// igtfCA is a CA of the bundle with its policies.
type igtfCA struct {
	alias           string
	subject, issuer string // slash form
	signing         *policy.File
	names           *policy.File // nil if the CA has none
}

// loadIGTF reads the bundle, whose policy files must all parse.
func loadIGTF(tb testing.TB) []igtfCA {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(igtfDirectory, "*.pem"))
	if err != nil {
		tb.Fatal(err)
	}
	if len(found) < 50 {
		const missing = "the CAs of igtf-policy-classic, -mics, -slcs and -iota are not installed"
		if os.Getenv("CI") != "" {
			tb.Fatal(missing)
		}
		tb.Skip(missing)
	}
	var all []igtfCA
	for _, file := range found {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			tb.Fatalf("%s is no PEM", file)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		base := strings.TrimSuffix(file, ".pem")
		ca := igtfCA{
			alias:   filepath.Base(base),
			subject: testSlashForm(tb, certificate.RawSubject),
			issuer:  testSlashForm(tb, certificate.RawIssuer),
		}
		if data, err = os.ReadFile(base + ".signing_policy"); err != nil {
			tb.Fatal(err)
		}
		var problems []files.Problem
		if ca.signing, problems = policy.Parse(policy.SigningPolicy, base+".signing_policy", data); problems != nil {
			tb.Errorf("%+v", problems)
		}
		data, err = os.ReadFile(base + ".namespaces")
		switch {
		case err == nil:
			if ca.names, problems = policy.Parse(policy.Namespaces, base+".namespaces", data); problems != nil {
				tb.Errorf("%+v", problems)
			}
		case !os.IsNotExist(err):
			tb.Fatal(err)
		}
		all = append(all, ca)
	}
	if tb.Failed() {
		tb.FailNow()
	}
	return all
}

// testSlashForm writes a name of the bundle, all of whose attribute types are
// common ones.
func testSlashForm(tb testing.TB, raw []byte) string {
	tb.Helper()
	names := map[string]string{
		"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
		"0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
	}
	var rdns pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &rdns); err != nil {
		tb.Fatal(err)
	}
	var b strings.Builder
	for _, rdn := range rdns {
		for _, attribute := range rdn {
			name, ok := names[attribute.Type.String()]
			if !ok {
				tb.Fatalf("attribute type %v", attribute.Type)
			}
			fmt.Fprintf(&b, "/%s=%v", name, attribute.Value)
		}
	}
	return b.String()
}

// Every policy of the bundle parses, speaks of its CA, and keeps the public
// web out.
func TestIGTFPolicies(t *testing.T) {
	t.Parallel()
	all := loadIGTF(t)
	outsiders := []string{
		"/C=US/O=Let's Encrypt/CN=R3",
		"/C=US/O=DigiCert Inc/CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1",
		"/CN=www.example.org",
		"/O=GRID",
		"",
	}
	withNames := 0
	for _, ca := range all {
		for _, outsider := range outsiders {
			if got := ca.signing.JudgeSlash(ca.subject, outsider, false); got.Verdict != policy.Denies || got.Line == 0 {
				t.Errorf("%s: signing policy on %q: %+v", ca.alias, outsider, got)
			}
		}
		if got := ca.signing.JudgeSlash("/CN=Nobody", "/CN=x", false); got.Verdict != policy.Silent {
			t.Errorf("%s: signing policy speaks of nobody: %+v", ca.alias, got)
		}
		if ca.names == nil {
			continue
		}
		withNames++
		for _, outsider := range outsiders {
			if got := ca.names.JudgeSlash(ca.subject, outsider, true); got.Verdict != policy.Denies || got.Line == 0 {
				t.Errorf("%s: namespaces on %q: %+v", ca.alias, outsider, got)
			}
		}
	}
	t.Logf("%d CAs, %d with namespaces", len(all), withNames)
	if withNames < len(all)*3/4 {
		t.Errorf("only %d of %d CAs have namespaces", withNames, len(all))
	}
}

// Every subordinate of the bundle may have been signed by its root, by both
// kinds of policy where both speak.
func TestIGTFSubordinates(t *testing.T) {
	t.Parallel()
	all := loadIGTF(t)
	bySubject := make(map[string]igtfCA)
	for _, ca := range all {
		bySubject[ca.subject] = ca
	}
	judged := 0
	for _, ca := range all {
		issuer, ok := bySubject[ca.issuer]
		if ca.subject == ca.issuer || !ok {
			continue
		}
		judged++
		if got := issuer.signing.JudgeSlash(ca.issuer, ca.subject, false); got.Verdict != policy.Permits {
			t.Errorf("%s by its issuer's signing policy: %+v", ca.alias, got)
		}
		if issuer.names == nil {
			continue
		}
		if got := issuer.names.JudgeSlash(ca.issuer, ca.subject, true); got.Verdict != policy.Permits {
			t.Errorf("%s by its issuer's namespaces: %+v", ca.alias, got)
		}
	}
	if judged < 15 {
		t.Errorf("only %d subordinates were judged", judged)
	}
}

// Names as these CAs give them to hosts.
func TestIGTFHosts(t *testing.T) {
	t.Parallel()
	bySubject := make(map[string]igtfCA)
	for _, ca := range loadIGTF(t) {
		bySubject[ca.subject] = ca
	}
	for _, test := range []struct {
		issuer, subject string
		want            policy.Verdict
	}{
		{"/DC=ch/DC=cern/CN=CERN Grid Certification " +
			"Authority", "/DC=ch/DC=cern/OU=computers/CN=host.cern.ch", policy.Permits},
		{"/DC=ch/DC=cern/CN=CERN Grid Certification " +
			"Authority", "/DC=ch/DC=cerne/OU=computers/CN=host.cern.ch", policy.Denies},
		{
			"/C=UK/O=eScienceCA/OU=Authority/CN=UK e-Science CA 2B", "/C=UK/O=eScience/OU=RAL/L=DL/CN=host/host.example.ac.uk",
			policy.Permits,
		},
		{"/C=UK/O=eScienceCA/OU=Authority/CN=UK e-Science CA 2B", "/C=UK/O=eScienceRoot/CN=x", policy.Denies},
		{
			"/C=NL/O=GEANT Vereniging/CN=GEANT eScience SSL CA 4", "/DC=org/DC=terena/DC=tcs/C=NL/O=Nikhef/CN=host.nikhef.nl",
			policy.Permits,
		},
		{"/C=PL/O=GRID/CN=Polish Grid CA 2019", "/C=PL/O=GRID/O=Cyfronet/CN=host.cyf-kr.edu.pl", policy.Permits},
	} {
		ca, ok := bySubject[test.issuer]
		if !ok {
			t.Errorf("%s is not in the bundle", test.issuer)
			continue
		}
		if got := ca.signing.JudgeSlash(test.issuer, test.subject, false); got.Verdict != test.want {
			t.Errorf("signing policy: %s: %+v", test.subject, got)
		}
		// Some subordinates have no namespaces of their own: their root's
		// speak of them.
		names, own := ca.names, true
		if names == nil {
			names, own = bySubject[ca.issuer].names, false
		}
		if got := names.JudgeSlash(test.issuer, test.subject, own); got.Verdict != test.want {
			t.Errorf("namespaces: %s: %+v", test.subject, got)
		}
	}
}

func BenchmarkParsePolicies(b *testing.B) {
	loadIGTF(b)
	read := func(suffix string) [][]byte {
		found, _ := filepath.Glob(filepath.Join(igtfDirectory, "[!0-9]*"+suffix))
		var all [][]byte
		for _, file := range found {
			data, err := os.ReadFile(file)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, data)
		}
		return all
	}
	signing, names := read(".signing_policy"), read(".namespaces")
	for b.Loop() {
		for _, data := range signing {
			if _, problems := policy.Parse(policy.SigningPolicy, "f", data); problems != nil {
				b.Fatal(problems)
			}
		}
		for _, data := range names {
			if _, problems := policy.Parse(policy.Namespaces, "f", data); problems != nil {
				b.Fatal(problems)
			}
		}
	}
	b.ReportMetric(float64(len(signing)+len(names)), "files")
}
