package certs

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// Description is what a certificate says of itself, for people to read.
// Nothing of it is verified: only Verify judges.
type Description struct {
	Identity                 // the subject and the host names
	Issuer          string   // DN in slash form
	IssuerRFC4514   string   // the same as RFC 4514 writes it
	AltNames        []string // every subjectAltName as KIND:value
	Kind            string   // one of the Kind constants
	Proxy           string   // why it is taken for a proxy certificate; empty if it is not
	PathLength      int      // of a CA: the CA certificates that it allows below it; -1 any number
	KeyUsages       []string // as RFC 5280, section 4.2.1.3, names them; empty if not limited
	ExtendedUsages  []string // extended key usages, dotted if unknown; empty if not limited
	Key             string   // kind and size of the public key
	UnusableKey     string   // why no TLS handshake is possible with the key; empty if one is
	Signature       string   // algorithm of the issuer's signature
	Serial          string   // hexadecimal, as OpenSSL prints it
	Hash, HashOld   string   // of the subject, as file names in a CApath
	IssuerHash      string   // of the issuer, likewise
	CriticalUnknown []string // OIDs of critical extensions for which Verify refuses it
}

// The values of Description.Kind.
const (
	KindHost         = "host"          // proves a host's name, or nothing that is known here
	KindRoot         = "root CA"       // self-signed
	KindSubordinate  = "subordinate"   // a CA that another CA issued
	KindProxy        = "proxy"         // a user's proxy certificate, or one that looks like it
	KindSelfSigned   = "self-signed"   // by its own key, and no CA
	unknownSignature = "not supported" // of an algorithm that crypto/x509 does not know
)

// Describe reads what the certificate chain[i] says of itself. The others
// only show whether it is a proxy. The error is about malformed names.
func Describe(chain []*x509.Certificate, i int, mode HostMode) (Description, error) {
	e, err := newElement(chain[i])
	if err != nil {
		return Description{}, err
	}
	s := &search{snapshot: &Snapshot{}}
	s.receive(chain)
	d := Description{
		Identity:      identify(e, mode),
		Issuer:        e.issuer.Slash(),
		IssuerRFC4514: e.issuer.RFC4514(),
		AltNames:      altNames(e.cert),
		Proxy:         s.proxyReason(e),
		PathLength:    -1,
		KeyUsages:     keyUsageNames(e.cert),
		Key:           describeKey(e.cert),
		UnusableKey:   unusableKey(e.cert),
		Signature:     e.cert.SignatureAlgorithm.String(),
		Serial:        fmt.Sprintf("%X", e.cert.SerialNumber),
		Hash:          e.subject.Hash(),
		HashOld:       e.subject.HashOld(),
		IssuerHash:    e.issuer.Hash(),
	}
	if len(d.Serial)%2 == 1 {
		d.Serial = "0" + d.Serial
	}
	if e.cert.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		d.Signature = unknownSignature
	}
	if len(e.cert.ExtKeyUsage)+len(e.cert.UnknownExtKeyUsage) > 0 {
		d.ExtendedUsages = strings.Split(usageList(e.cert), ", ")
	}
	if e.cert.BasicConstraintsValid && e.cert.IsCA {
		d.PathLength = e.cert.MaxPathLen
	}
	for _, oid := range e.cert.UnhandledCriticalExtensions {
		if !oid.Equal(oidSubjectAltName) && !oid.Equal(oidNameConstraints) {
			d.CriticalUnknown = append(d.CriticalUnknown, oid.String())
		}
	}
	switch {
	case d.Proxy != "":
		d.Kind = KindProxy
	case e.mayBeCA() && e.selfSigned():
		d.Kind = KindRoot
	case e.mayBeCA():
		d.Kind = KindSubordinate
	case e.selfSigned():
		d.Kind = KindSelfSigned
	default:
		d.Kind = KindHost
	}
	return d, nil
}

// altNames lists the subjectAltNames of the kinds that crypto/x509 reads.
func altNames(cert *x509.Certificate) []string {
	var names []string
	for _, name := range cert.DNSNames {
		names = append(names, "DNS:"+dn.Escape(name))
	}
	for _, ip := range cert.IPAddresses {
		if address, ok := netip.AddrFromSlice(ip); ok {
			names = append(names, "IP:"+address.Unmap().String())
		}
	}
	for _, address := range cert.EmailAddresses {
		names = append(names, "email:"+dn.Escape(address))
	}
	for _, uri := range cert.URIs {
		names = append(names, "URI:"+dn.Escape(uri.String()))
	}
	return names
}

// keyUsages are the bits of keyUsage in their order.
var keyUsages = []string{
	"digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement",
	"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
}

func keyUsageNames(cert *x509.Certificate) []string {
	var names []string
	for i, name := range keyUsages {
		if cert.KeyUsage&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// ServesAs reports whether the certificate's own usages let it stand for a
// host in this role, and why not. The CAs above it may forbid it still.
func ServesAs(cert *x509.Certificate, role PeerRole, rule EKURule) (why string, ok bool) {
	if reason := unfitKeyUsage(cert); reason != "" {
		return reason, false
	}
	wanted := wantedUsages(role, rule)
	allows := func(usage x509.ExtKeyUsage) bool { return allowsUsage(cert, usage) }
	if wanted == nil || slices.ContainsFunc(wanted, allows) {
		return "", true
	}
	return "its extended key usages are " + dn.Shorten(usageList(cert), dn.MaxQuoted), false
}
