package certs

import (
	"crypto/x509"

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
	maxSentRSABits      = 8192     // of any key, as crypto/tls has it

	// maxPathSteps bounds the search for paths by their names: certificates of
	// one name make paths without number. A sound chain takes a step for each
	// CA, and some more for each further certificate of a name.
	maxPathSteps = 200

	// maxSignatureChecks bounds those of a chain, good and bad. maxWastedWork
	// bounds the bad ones, in checkWork: a sound chain has none but where CAs
	// of one name have several keys.
	maxSignatureChecks = 100
	maxWastedWork      = 200

	// maxConstraintWork bounds the comparisons of names with name constraints,
	// each counted once for every 64 bytes that are compared.
	maxConstraintWork = 100_000
)

// maxReason is how many bytes of a reason a message quotes, in all.
const maxReason = 2048

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
		return refuse(nil, 0, CodeTooMuchWork, "the peer sent certificates of %d bytes in all, more than %d",
			size, maxSentBytes)
	}
	for i, cert := range chain {
		if n := max(len(cert.RawSubject), len(cert.RawIssuer)); n > maxSentNameBytes {
			return refuse(nil, 0, CodeMalformed,
				"certificate %d of those that the peer sent has a subject or issuer of %d bytes, more than %d", i+1, n,
				maxSentNameBytes)
		}
		if n := countAltNames(cert); n > maxSentAltNames {
			r := refuse(nil, 0, CodeTooMuchWork,
				"certificate %d of those that the peer sent has %d subjectAltNames, more than %d", i+1, n, maxSentAltNames)
			r.Cure = "Ask the peer's CA for a certificate of this one host."
			return r
		}
		if n := rsaBits(cert); n > maxSentRSABits {
			return refuseLargeKey("certificate %d of those that the peer sent has an RSA key of %d bits, more than %d", i+1, n,
				maxSentRSABits)
		}
	}
	return nil
}

// refuseLargeKey refuses an RSA key that would cost too much, and that no
// handshake of crypto/tls takes.
func refuseLargeKey(reason string, args ...any) *Refusal {
	r := refuse(nil, 0, CodeTooMuchWork, reason, args...)
	r.Cure = "The peer must not send this certificate: " +
		"a root need not be sent, and a host's key of 2048 to 4096 bits is as good."
	return r
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
