// Package certstest makes throw-away grid CAs for tests and for the
// quickstart: roots, subordinates and host certificates as grid sites have
// them, and the CApath that trusts them. Nothing that it makes is fit for
// production: keys are small and lie beside their certificates.
//
// Every value is immutable once made, so all methods may be called
// concurrently; WriteCApath and Write may not race for one directory.
package certstest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// KeyType is the kind of key of a certificate.
type KeyType string

// The kinds of key.
const (
	ECDSA KeyType = "ecdsa" // P-256; the zero value means this too
	RSA   KeyType = "rsa"   // 2048 bits

	RSA1024 KeyType = "rsa1024" // as old CAs have it
)

// Options shape a certificate. The zero value is a sound certificate of a
// year's validity.
type Options struct {
	KeyType    KeyType
	NotBefore  time.Time // zero: an hour ago
	NotAfter   time.Time // zero: a year from now
	DNSNames   []string  // host: subjectAltName; nil: the host's name; empty, not nil: no dNSName
	IPs        []string  // host: iPAddress SANs
	CommonName string    // host: overrides the CN, for instance host/name

	// Mutate changes the template last. The subject is in RawSubject; a
	// Subject that Mutate sets is used instead of it.
	Mutate func(*x509.Certificate)
}

// CA is a certification authority with its key.
type CA struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	Parent      *CA // nil for a root
}

// Host is a host's certificate with its key and the subordinates above it.
type Host struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	Chain       []*x509.Certificate // the host's own first, then subordinates, without the root
}

// NewCA makes a root with the DN /DC=test/DC=gtunnel/CN=name.
func NewCA(name string, o Options) (*CA, error) {
	return newCA(nil, name, o)
}

// NewSubordinate makes a CA below c with the DN /DC=test/DC=gtunnel/CN=name.
func (c *CA) NewSubordinate(name string, o Options) (*CA, error) {
	return newCA(c, name, o)
}

func newCA(parent *CA, name string, o Options) (*CA, error) {
	template := &x509.Certificate{
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	certificate, key, err := issue(parent, template, o,
		attribute{oid: oidDomainComponent, value: "test"}, attribute{oid: oidDomainComponent, value: "gtunnel"},
		attribute{oid: oidCommonName, value: name})
	if err != nil {
		return nil, fmt.Errorf("make the CA %q: %w", name, err)
	}
	return &CA{Certificate: certificate, Key: key, Parent: parent}, nil
}

// NewHost makes a certificate for the host name with the DN
// /DC=test/DC=gtunnel/O=hosts/CN=name.
func (c *CA) NewHost(name string, o Options) (*Host, error) {
	fail := func(err error) (*Host, error) {
		return nil, fmt.Errorf("make the certificate of the host %q: %w", name, err)
	}
	template := &x509.Certificate{
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:              o.DNSNames,
	}
	if o.KeyType == RSA {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	if o.DNSNames == nil {
		template.DNSNames = []string{name}
	}
	for _, text := range o.IPs {
		ip := net.ParseIP(text)
		if ip == nil {
			return fail(fmt.Errorf("%q is no IP address", text))
		}
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	commonName := name
	if o.CommonName != "" {
		commonName = o.CommonName
	}
	certificate, key, err := issue(c, template, o,
		attribute{oid: oidDomainComponent, value: "test"}, attribute{oid: oidDomainComponent, value: "gtunnel"},
		attribute{oid: oidOrganization, value: "hosts"}, attribute{oid: oidCommonName, value: commonName})
	if err != nil {
		return fail(err)
	}
	host := &Host{Certificate: certificate, Key: key, Chain: []*x509.Certificate{certificate}}
	for ca := c; ca.Parent != nil; ca = ca.Parent {
		host.Chain = append(host.Chain, ca.Certificate)
	}
	return host, nil
}

// issue completes the template and signs it with the parent's key, or with
// its own if parent is nil.
func issue(
	parent *CA, template *x509.Certificate, o Options, subject ...attribute,
) (*x509.Certificate, crypto.Signer, error) {
	key, err := newKey(o.KeyType)
	if err != nil {
		return nil, nil, err
	}
	if template.RawSubject, err = marshalName(subject); err != nil {
		return nil, nil, err
	}
	// 127 bits: positive, and at most the 20 octets of RFC 5280 section 4.1.2.2.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber = serial.Add(serial, big.NewInt(1))
	template.NotBefore, template.NotAfter = o.NotBefore, o.NotAfter
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().AddDate(1, 0, 0)
	}
	if o.Mutate != nil {
		o.Mutate(template)
	}
	if len(template.Subject.ToRDNSequence()) > 0 {
		template.RawSubject = nil
	}
	issuer, signer := template, key
	if parent != nil {
		issuer, signer = parent.Certificate, parent.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return certificate, key, nil
}

func newKey(kind KeyType) (crypto.Signer, error) {
	switch kind {
	case ECDSA, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA1024:
		return rsa.GenerateKey(rand.Reader, 1024) // #nosec G403 -- it is to be weak
	default:
		return nil, fmt.Errorf("unknown kind of key %q (ecdsa, rsa, rsa1024)", kind)
	}
}

// attribute is one part of a DN.
type attribute struct {
	oid   asn1.ObjectIdentifier
	value string
}

var (
	oidDomainComponent = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	oidOrganization    = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidCommonName      = asn1.ObjectIdentifier{2, 5, 4, 3}
)

// marshalName encodes a DN, its domain components as IA5String (RFC 4519
// section 2.4), the rest as UTF8String (RFC 5280 section 4.1.2.4).
func marshalName(attributes []attribute) ([]byte, error) {
	var name pkix.RDNSequence
	for _, a := range attributes {
		if a.value == "" {
			return nil, errors.New("a part of the name is empty")
		}
		tag := asn1.TagUTF8String
		if a.oid.Equal(oidDomainComponent) {
			tag = asn1.TagIA5String
		}
		value := asn1.RawValue{Tag: tag, Bytes: []byte(a.value)}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: a.oid, Value: value}})
	}
	return asn1.Marshal(name)
}

// Write writes hostcert.pem (0644, the whole chain) and hostkey.pem (0400)
// into dir, made if missing, and returns their paths. Files of an earlier
// Write are replaced.
func (h *Host) Write(dir string) (certFile, keyFile string, err error) {
	var chain bytes.Buffer
	for _, certificate := range h.Chain {
		if err := writePEM(&chain, certificate); err != nil {
			return "", "", err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(h.Key)
	if err != nil {
		return "", "", fmt.Errorf("encode the host's key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, "hostcert.pem"), filepath.Join(dir, "hostkey.pem")
	if err := writeFile(certFile, chain.Bytes(), 0o644); err != nil {
		return "", "", err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := writeFile(keyFile, key, 0o400); err != nil {
		return "", "", err
	}
	return certFile, keyFile, nil
}

func writePEM(w io.Writer, certificate *x509.Certificate) error {
	return pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// writeFile replaces path in one step, so that a file without write
// permission can be replaced and a reader never sees half of one.
func writeFile(path string, data []byte, mode os.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(file.Name()))
	}
	return nil
}
