package certs_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/url"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

func TestDescribe(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	sub := must(root.NewSubordinate("Sub", options(func(c *x509.Certificate) { c.MaxPathLen = 2 })))
	unknown := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	host := must(sub.NewHost("host.test", certstest.Options{
		KeyType: certstest.RSA, IPs: []string{"127.0.0.1"},
		Mutate: func(c *x509.Certificate) {
			c.URIs = []*url.URL{must(url.Parse("https://host.test/"))}
			c.EmailAddresses = []string{"root@host.test"}
			c.ExtraExtensions = []pkix.Extension{unknown}
		},
	}))
	chain := []*x509.Certificate{host.Certificate, sub.Certificate, root.Certificate}
	var found []certs.Description
	for i := range chain {
		found = append(found, must(certs.Describe(chain, i, certs.HostModeGrid)))
	}
	if kinds := []string{found[0].Kind, found[1].Kind, found[2].Kind}; !slices.Equal(kinds,
		[]string{certs.KindHost, certs.KindSubordinate, certs.KindRoot}) {
		t.Errorf("kinds %v", kinds)
	}
	d := found[0]
	if d.DN != "/DC=test/DC=gtunnel/O=hosts/CN=host.test" || d.Issuer != "/DC=test/DC=gtunnel/CN=Sub" ||
		d.IssuerRFC4514 != "CN=Sub,DC=gtunnel,DC=test" {
		t.Errorf("names %+v", d)
	}
	if want := []string{
		"DNS:host.test", "IP:127.0.0.1", "email:root@host.test", "URI:https://host.test/",
	}; !slices.Equal(d.AltNames, want) {
		t.Errorf("alternative names %q, want %q", d.AltNames, want)
	}
	if d.Key != "RSA 2048 bits" || found[1].Key != "ECDSA P-256" || d.Signature != "ECDSA-SHA256" {
		t.Errorf("keys %q and %q, signature %q", d.Key, found[1].Key, d.Signature)
	}
	if !slices.Equal(d.KeyUsages, []string{"digitalSignature", "keyEncipherment"}) ||
		!slices.Equal(found[1].KeyUsages, []string{"keyCertSign", "cRLSign"}) {
		t.Errorf("usages %q and %q", d.KeyUsages, found[1].KeyUsages)
	}
	if !slices.Equal(d.ExtendedUsages, []string{"serverAuth", "clientAuth"}) || found[1].ExtendedUsages != nil {
		t.Errorf("extended usages %q and %q", d.ExtendedUsages, found[1].ExtendedUsages)
	}
	if found[0].PathLength != -1 || found[1].PathLength != 2 || found[2].PathLength != -1 {
		t.Errorf("path lengths %d, %d, %d", found[0].PathLength, found[1].PathLength, found[2].PathLength)
	}
	if !slices.Equal(d.CriticalUnknown, []string{"1.2.3.4"}) || d.IssuerHash != found[1].Hash {
		t.Errorf("critical %v, issuer's hash %s and %s", d.CriticalUnknown, d.IssuerHash, found[1].Hash)
	}
}

func TestDescribeProxies(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	user := must(root.NewHost("alice", certstest.Options{DNSNames: []string{}}))
	lookalike := must((&certstest.CA{Certificate: user.Certificate, Key: user.Key, Parent: root}).NewHost("x",
		options(func(c *x509.Certificate) {
			c.Subject = pkix.Name{
				ExtraNames: append(user.Certificate.Subject.Names,
					pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "1234"}),
			}
			c.DNSNames = nil
		})))
	d := must(certs.Describe([]*x509.Certificate{lookalike.Certificate, user.Certificate}, 0, certs.HostModeGrid))
	if d.Kind != certs.KindProxy || d.Proxy == "" {
		t.Errorf("a look-alike is %q (%s)", d.Kind, d.Proxy)
	}
}

func TestServesAs(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	with := func(usage x509.KeyUsage, extended ...x509.ExtKeyUsage) *x509.Certificate {
		return must(
			root.NewHost("h.test", options(func(c *x509.Certificate) { c.KeyUsage, c.ExtKeyUsage = usage, extended })),
		).Certificate
	}
	serverOnly := with(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageServerAuth)
	for about, test := range map[string]struct {
		cert *x509.Certificate
		role certs.PeerRole
		rule certs.EKURule
		want bool
	}{
		"serverAuth as a client":           {serverOnly, certs.PeerClient, certs.EKUHost, true},
		"serverAuth as a client, strictly": {serverOnly, certs.PeerClient, certs.EKUStrict, false},
		"clientAuth as a server": {
			with(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageClientAuth), certs.PeerServer, certs.EKUHost, false,
		},
		"no limits":           {with(0), certs.PeerServer, certs.EKUStrict, true},
		"no digitalSignature": {with(x509.KeyUsageKeyEncipherment), certs.PeerServer, certs.EKUHost, false},
	} {
		if why, ok := certs.ServesAs(test.cert, test.role, test.rule); ok != test.want || ok != (why == "") {
			t.Errorf("%s: %v %q", about, ok, why)
		}
	}
}

// TestReadDamagedCertificate: a file with a certificate that cannot be read
// is refused as the same certificate from a peer is.
func TestReadDamagedCertificate(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "bad.pem"),
		[]byte("\n-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"), 0o644)
	_, err := certs.ReadCertificates(file)
	if refusal := wantRefusal(t, err, certs.CodeMalformed); refusal.File != file || refusal.Line != 2 {
		t.Errorf("%s:%d", refusal.File, refusal.Line)
	}
	wantHint(t, err, "bad.pem:2 cannot be read", "openssl")
	// A file that was cut off is copied anew; a certificate that is whole, and
	// that crypto/x509 does not read, is not.
	good := pemOf("CERTIFICATE", must(certstest.NewCA("Root", sound)).Certificate.Raw)
	for name, test := range map[string]struct {
		content []byte
		hint    string
	}{
		"cut":            {good[:200], "copy the file anew"},
		"bad base64":     {bytes.Replace(good, []byte("M"), []byte("!"), 2), "copy the file anew"},
		"cut in its DER": {pemOf("CERTIFICATE", []byte{0x30, 9, 2, 1, 1}), "copy the file anew"},
		"malformed":      {pemOf("CERTIFICATE", []byte{0x30, 3, 2, 1, 1}), "its CA must issue it anew"},
	} {
		_, err := certs.ReadCertificates(writeFile(t, file, test.content, 0o644))
		t.Log(name)
		wantHint(t, err, "cannot be read", test.hint)
	}
}
