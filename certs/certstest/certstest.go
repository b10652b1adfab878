// Package certstest makes throw-away grid CAs for tests and for the
// quickstart: roots, subordinates and host certificates as grid sites have
// them, and the CApath that trusts them. Nothing that it makes is fit for
// production: keys are small and lie beside their certificates.
package certstest

import (
	"crypto"
	"crypto/x509"
	"time"
)

// KeyType is the kind of key of a certificate.
type KeyType string

// The kinds of key.
const (
	ECDSA KeyType = "ecdsa" // P-256; the zero value means this too
	RSA   KeyType = "rsa"   // 2048 bits
)

// Options shape a certificate. The zero value is a sound certificate of a
// year's validity.
type Options struct {
	KeyType    KeyType
	NotBefore  time.Time               // zero: an hour ago
	NotAfter   time.Time               // zero: a year from now
	DNSNames   []string                // host: subjectAltName; nil: the host's name; empty, not nil: no subjectAltName
	IPs        []string                // host: iPAddress SANs
	CommonName string                  // host: overrides the CN, for instance host/name
	Mutate     func(*x509.Certificate) // changes the template last
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
func NewCA(name string, o Options) (*CA, error) { return nil, nil }

// NewSubordinate makes a CA below c with the DN /DC=test/DC=gtunnel/CN=name.
func (c *CA) NewSubordinate(name string, o Options) (*CA, error) { return nil, nil }

// NewHost makes a certificate for the host name with the DN
// /DC=test/DC=gtunnel/O=hosts/CN=name.
func (c *CA) NewHost(name string, o Options) (*Host, error) { return nil, nil }

// WriteCApath writes the CAs into dir (made if missing) as Debian's IGTF
// packages do: NAME.pem, HASH.0 links under both hash names, and a
// signing_policy that lets each sign below /DC=test/DC=gtunnel.
func WriteCApath(dir string, cas ...*CA) error { return nil }

// Write writes hostcert.pem (0644, the whole chain) and hostkey.pem (0400)
// into dir, made if missing, and returns their paths.
func (h *Host) Write(dir string) (certFile, keyFile string, err error) { return "", "", nil }
