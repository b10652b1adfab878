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
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

// issued is what is installed, and what the peer sends.
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

var sound certstest.Options

// unbound asks for no policies: subordinates that only the peer sends have
// none.
var unbound = certs.Policy{Namespaces: certs.NamespacesIgnore}

func ended() certstest.Options {
	return certstest.Options{NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour)}
}

func future() certstest.Options {
	return certstest.Options{NotBefore: now.Add(24 * time.Hour), NotAfter: now.Add(48 * time.Hour)}
}

const (
	anyUse     = x509.ExtKeyUsageAny
	serverAuth = x509.ExtKeyUsageServerAuth
	clientAuth = x509.ExtKeyUsageClientAuth
	mail       = x509.ExtKeyUsageEmailProtection
)

func usages(usages ...x509.ExtKeyUsage) certstest.Options {
	return options(func(c *x509.Certificate) { c.ExtKeyUsage = usages })
}

var noUsages = options(func(c *x509.Certificate) { c.ExtKeyUsage = nil })

func extensionOption(id string, critical bool, value []byte) certstest.Options {
	return options(func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid(id), Critical: critical, Value: value})
	})
}

func pathLength(n int) certstest.Options {
	return options(func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 })
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
