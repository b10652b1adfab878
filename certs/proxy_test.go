package certs_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

func TestProxies(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	user := must(root.NewHost("Robot User", certstest.Options{DNSNames: []string{}}))
	holder := &certstest.CA{Certificate: user.Certificate, Key: user.Key, Parent: root}
	named := func(commonName string, more ...func(*x509.Certificate)) []*x509.Certificate {
		return must(holder.NewHost("x", options(func(c *x509.Certificate) {
			c.DNSNames = nil
			c.RawSubject = withCommonName(user.Certificate.RawSubject, commonName)
			for _, f := range more {
				f(c)
			}
		}))).Chain
	}
	marked := func(id string) func(*x509.Certificate) { return extensionOption(id, true, []byte{0x30, 0}).Mutate }
	tests := map[string][]*x509.Certificate{
		"RFC 3820":         named("12345", marked("1.3.6.1.5.5.7.1.14")),
		"draft":            named("12345", marked("1.3.6.1.4.1.3536.1.222")),
		"Globus Toolkit 2": named("proxy"),
		"limited":          named("limited proxy"),
		"in other letters": named(" Limited  PROXY"),
		"looks like one":   named("98765"),
		"draft, named by its CA": must(root.NewHost("host.test",
			extensionOption("1.3.6.1.4.1.3536.1.222", false, []byte{0x30, 0}))).Chain,
		"from a CA, named proxy": must(root.NewHost("proxy", sound)).Chain,
		"from a CA, marked": must(root.NewHost("host.test",
			extensionOption("1.3.6.1.5.5.7.1.14", false, []byte{0x30, 0}))).Chain,
	}
	snapshot := openStore(t, root).Snapshot()
	for name, chain := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := certs.Verify(snapshot, chain, anyone(certs.PeerClient, now, certs.Policy{}))
			refusal := wantRefusal(t, err, certs.CodeProxy)
			if !strings.Contains(refusal.Reason, "proxy") || !strings.Contains(refusal.Cure, "hostcert.pem") {
				t.Errorf("unclear: %v; %s", refusal, refusal.Cure)
			}
		})
	}
	for id, words := range map[string]string{
		"1.3.6.1.5.5.7.1.14": "(RFC 3820)", "1.3.6.1.4.1.3536.1.222": "(of the draft before RFC 3820)",
	} {
		_, err := certs.Verify(snapshot, named("12345", marked(id)), anyone(certs.PeerClient, now, certs.Policy{}))
		if refusal := wantRefusal(t, err, certs.CodeProxy); !strings.Contains(refusal.Reason, words) {
			t.Errorf("%s: %q does not say %q", id, refusal.Reason, words)
		}
	}
	// A CA may call hosts by its own name and one more.
	ca := must(certstest.NewCA("Small CA", sound))
	host := must(ca.NewHost("host.test", options(func(c *x509.Certificate) {
		c.RawSubject = withCommonName(ca.Certificate.RawSubject, "host.test")
	})))
	if _, err := certs.Verify(openStore(t, ca).Snapshot(), host.Chain,
		held(certs.PeerClient, "host.test", now, certs.Policy{})); err != nil {
		t.Error(err)
	}
}

// withCommonName is a name with one common name more.
func withCommonName(rawName []byte, commonName string) []byte {
	var name pkix.RDNSequence
	must(asn1.Unmarshal(rawName, &name))
	return must(asn1.Marshal(append(name, pkix.RelativeDistinguishedNameSET{{Type: oid(cn), Value: commonName}})))
}
