package certs

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// What a peer may send, and how much work it may cause. Peers are anybody
// until a signature has shown who they are. The chains of grid hosts have
// three or four certificates of about 2 KB, names of about 100 bytes.
const (
	maxSentCertificates = 20
	maxSentBytes        = 64 << 10 // of all certificates
	maxSentNameBytes    = 8 << 10  // of a subject or an issuer
	maxSentAltNames     = 1000     // of a certificate
	maxSentRSABits      = 8192     // of a CA's key

	maxSignatureChecks     = 100
	maxSentSignatureChecks = 20 // of those, by keys that the peer sent

	// maxConstraintWork bounds the comparisons of names with name constraints,
	// each counted once for every 64 bytes that are compared.
	maxConstraintWork = 100_000
)

// What messages quote, in bytes: logs take a line for every peer that is
// refused.
const (
	maxQuoted = 512  // of a name or another piece of a certificate
	maxReason = 2048 // of a whole reason
)

// judgeSize refuses what no sound peer sends, before anything is done with
// the certificates.
func judgeSize(chain []*x509.Certificate) *Refusal {
	if len(chain) > maxSentCertificates {
		return refuse(nil, 0, CodeTooMuchWork, "the peer sent %d certificates, more than %d", len(chain), maxSentCertificates)
	}
	size := 0
	for _, cert := range chain {
		size += len(cert.Raw)
	}
	if size > maxSentBytes {
		return refuse(nil, 0, CodeTooMuchWork, "the peer sent certificates of %d bytes in all, more than %d", size, maxSentBytes)
	}
	for i, cert := range chain {
		if n := max(len(cert.RawSubject), len(cert.RawIssuer)); n > maxSentNameBytes {
			return refuse(nil, 0, CodeMalformed, "certificate %d of those that the peer sent has a subject or issuer of %d bytes, more than %d", i+1, n, maxSentNameBytes)
		}
		if n := countAltNames(cert); n > maxSentAltNames {
			r := refuse(nil, 0, CodeTooMuchWork, "certificate %d of those that the peer sent has %d subjectAltNames, more than %d", i+1, n, maxSentAltNames)
			r.Cure = "Ask the peer's CA for a certificate of this one host."
			return r
		}
	}
	return nil
}

// countAltNames counts the subjectAltNames of all kinds, well-formed or not.
func countAltNames(cert *x509.Certificate) int {
	value, _ := extension(cert, oidSubjectAltName)
	input := cryptobyte.String(value)
	var sequence, name cryptobyte.String
	var tag cryptobyte_asn1.Tag
	n := 0
	if input.ReadASN1(&sequence, cryptobyte_asn1.SEQUENCE) {
		for sequence.ReadAnyASN1(&name, &tag) {
			n++
		}
	}
	return n
}

// hugeKey says why checking a signature with a CA's key would cost too much,
// or nothing if it would not. Installed CAs may have keys of any size.
func hugeKey(e *element) string {
	key, ok := e.cert.PublicKey.(*rsa.PublicKey)
	if !ok || e.file != "" || key.N.BitLen() <= maxSentRSABits {
		return ""
	}
	return fmt.Sprintf("its RSA key has %d bits, more than %d", key.N.BitLen(), maxSentRSABits)
}

// shorten cuts a text for messages if it has more bytes than most, and says
// how many there were.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:end], len(text))
}

// excerpt shows octets of a certificate in messages.
func excerpt[T string | []byte](octets T) string { return shorten(escapeOctets(octets), maxQuoted) }

// brief is the name in messages: the slash form, shortened if it is long.
func (n *Name) brief() string { return shorten(n.Slash(), maxQuoted) }
