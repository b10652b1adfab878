package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// keyCure is what to do about a key of a kind that is not supported.
const keyCure = "Make a new key for the host, RSA of 2048 to 8192 bits, ECDSA (P-256, P-384 or P-521) or Ed25519, " +
	"and ask the CA for a certificate of it."

// keyHint is keyCure as a hint of the set-up, with the command.
const keyHint = "make a new key, for instance openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256, " +
	"or RSA of 2048 to 8192 bits, and ask the CA for a certificate of it"

// isUnsupportedCurve reports whether crypto/x509 refuses to read a key, with
// this text, for its curve: another one than P-224, P-256, P-384 and P-521, or
// one that is given by its parameters and not by its name (RFC 5480, section
// 2.1.1, forbids that).
func isUnsupportedCurve(text string) bool {
	return strings.Contains(text, "unsupported elliptic curve") || strings.Contains(text, "invalid ECDSA parameters")
}

// keyKinds are the kinds of key that x509 certificates may have and that this
// package names though it cannot use them, by the OID of their algorithm.
var keyKinds = map[string]string{
	"1.2.840.113549.1.1.10": "RSA-PSS", // id-RSASSA-PSS, RFC 4055: RSA that is bound to PSS
	"1.2.840.10040.4.1":     "DSA",
	"1.3.101.110":           "X25519",
	"1.3.101.111":           "X448",
	"1.3.101.113":           "Ed448",
}

// describeKey names the kind and size of a public key.
func describeKey(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	algorithm := keyAlgorithm(cert.RawSubjectPublicKeyInfo)
	if kind := keyKinds[algorithm]; kind != "" {
		return kind
	}
	return "of the unknown kind " + algorithm
}

// keyAlgorithm is the dotted OID of a SubjectPublicKeyInfo's algorithm.
func keyAlgorithm(info []byte) string {
	input := cryptobyte.String(info)
	var key, algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1(&key, cryptobyte_asn1.SEQUENCE) || !key.ReadASN1(&algorithm, cryptobyte_asn1.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&oid) {
		return "that cannot be read"
	}
	return oid.String()
}

// privateKeyAlgorithm is the dotted OID of a PKCS #8 key's algorithm (RFC
// 5958, section 2); empty if it is none.
func privateKeyAlgorithm(der []byte) string {
	input := cryptobyte.String(der)
	var key, algorithm cryptobyte.String
	var version int
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1(&key, cryptobyte_asn1.SEQUENCE) || !key.ReadASN1Integer(&version) ||
		!key.ReadASN1(&algorithm, cryptobyte_asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return ""
	}
	return oid.String()
}

// unsupportedKey says why no signature can be checked with a key, or nothing
// if one can.
func unsupportedKey(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		// What crypto/rsa demands of a key.
		if key.N.Bit(0) == 0 || key.E < 2 || key.E%2 == 0 || key.E > math.MaxInt32 {
			return "its RSA key is malformed: the modulus or the exponent is even, or the exponent is not within 31 bits"
		}
		return ""
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return ""
	}
	return fmt.Sprintf("its key is %s, which is not supported", describeKey(cert))
}

// unusableKey says why no TLS handshake is possible with a host's key, or
// nothing if one is. crypto/tls has no signature scheme for other keys in TLS
// 1.3 (RFC 8446, section 4.2.3, for P-224), and mostly none in TLS 1.2.
func unusableKey(cert *x509.Certificate) string {
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
		default:
			return fmt.Sprintf("its key is %s, with which no TLS handshake is possible", describeKey(cert))
		}
	}
	if reason := unsupportedKey(cert); reason != "" {
		return reason + ": no TLS handshake is possible with it"
	}
	return ""
}

// checkWork is about how many times as long a signature check with this key
// takes as one with RSA of 2048 bits, for which crypto/rsa has a fast path.
func checkWork(cert *x509.Certificate) int {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if kilobits := key.N.BitLen() / 1024; kilobits > 2 {
			return kilobits * kilobits
		}
	case *ecdsa.PublicKey:
		size := key.Curve.Params().BitSize / 128
		return size * size * size
	}
	return 1
}

// The smallest RSA moduli, in bits. Old CAs that a site has installed may
// have the smaller one.
const (
	minRSABits          = 2048
	minInstalledRSABits = 1024
)

// weakKey says why a key is too small, or nothing if it is not.
func weakKey(e *element) string {
	least := minRSABits
	if e.file != "" {
		least = minInstalledRSABits
	}
	if bits := rsaBits(e.cert); bits > 0 && bits < least {
		return fmt.Sprintf("its RSA key has %d bits, fewer than %d", bits, least)
	}
	return ""
}

// Weakness says what is wrong with the CA's key, in a clause, and whether what
// the CA signed is refused for it; empty if nothing is. A key of 1024 bits is
// accepted of a CA that is installed, as grid middleware does it.
func (ca *CA) Weakness() (text string, refused bool) {
	if reason := unsupportedKey(ca.Certificate); reason != "" {
		return reason + ": what this CA signed is refused", true
	}
	switch bits := rsaBits(ca.Certificate); {
	case bits == 0 || bits >= minRSABits:
		return "", false
	case bits < minInstalledRSABits:
		return fmt.Sprintf("its RSA key has %d bits, fewer than %d: what this CA signed is refused", bits,
			minInstalledRSABits), true
	default:
		return fmt.Sprintf("its RSA key has %d bits, fewer than %d, and may be broken; what this CA signed is accepted, "+
			"since the CA is installed", bits, minRSABits), false
	}
}

// rsaBits is the size of a certificate's RSA key; 0 if it has another kind.
func rsaBits(cert *x509.Certificate) int {
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}
