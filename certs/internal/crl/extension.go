package crl

import (
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Extensions of lists, of their entries, and of the certificates that name
// lists.
var (
	oidIssuerAltName       = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidCRLNumber           = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReasonCode          = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidHoldInstruction     = asn1.ObjectIdentifier{2, 5, 29, 23}
	oidInvalidityDate      = asn1.ObjectIdentifier{2, 5, 29, 24}
	oidDeltaIndicator      = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuingDistribution = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer   = asn1.ObjectIdentifier{2, 5, 29, 29}
	oidCRLDistribution     = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidAuthorityKeyID      = asn1.ObjectIdentifier{2, 5, 29, 35}
)

// extension is an extension of a list or an entry. oid is the content of
// the OBJECT IDENTIFIER, value that of the OCTET STRING.
type extension struct {
	oid      cryptobyte.String
	critical bool
	value    cryptobyte.String
}

// readExtension takes the next extension from s.
func readExtension(s *cryptobyte.String) (e extension, ok bool) {
	var sequence cryptobyte.String
	ok = s.ReadASN1(&sequence, cbasn1.SEQUENCE) &&
		sequence.ReadASN1(&e.oid, cbasn1.OBJECT_IDENTIFIER) &&
		(!sequence.PeekASN1Tag(cbasn1.BOOLEAN) || sequence.ReadASN1Boolean(&e.critical)) &&
		sequence.ReadASN1(&e.value, cbasn1.OCTET_STRING) && sequence.Empty()
	return e, ok
}

// is reports whether the identifier is this one, which is under 2.5.29: its
// encoding is three bytes.
func (e extension) is(oid asn1.ObjectIdentifier) bool {
	return len(e.oid) == 3 && e.oid[0] == 0x55 && e.oid[1] == 0x1d && int(e.oid[2]) == oid[3]
}

// name writes the identifier with dots.
func (e extension) name() string {
	var oid asn1.ObjectIdentifier
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(e.oid) })
	element, err := b.Bytes()
	s := cryptobyte.String(element)
	if err != nil || !s.ReadASN1ObjectIdentifier(&oid) {
		return fmt.Sprintf("of the malformed identifier %x", []byte(e.oid))
	}
	return oid.String()
}
