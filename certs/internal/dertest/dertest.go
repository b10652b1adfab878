// Package dertest makes DER for tests that no tool writes: names of any string
// types, structures with one element changed, and certificates signed anew. It
// panics where a test asks for what cannot be made.
package dertest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Attribute is one attribute of a name.
type Attribute struct {
	oid   string // dotted, its numbers of any size
	tag   int
	value string
}

// RDN is a relative distinguished name of one attribute, with the number of its
// value's string type. Two of them put together are one of two attributes.
func RDN(oid string, tag int, value string) []Attribute {
	return []Attribute{{oid: oid, tag: tag, value: value}}
}

// Name makes a name of RDNs.
func Name(rdns ...[]Attribute) []byte {
	type pair struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type setSET []pair
	var name []setSET
	for _, rdn := range rdns {
		var set setSET
		for _, a := range rdn {
			set = append(set, pair{Type: OID(a.oid), Value: asn1.RawValue{Tag: a.tag, Bytes: []byte(a.value)}})
		}
		name = append(name, set)
	}
	return must(asn1.Marshal(name))
}

// BMP encodes a text as the content of a BMPString.
func BMP(text string) string {
	var octets []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		octets = binary.BigEndian.AppendUint16(octets, unit)
	}
	return string(octets)
}

// OID reads an object identifier with dots.
func OID(dotted string) asn1.ObjectIdentifier {
	var id asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		n, _ := new(big.Int).SetString(part, 10)
		id = append(id, int(n.Int64()))
	}
	return id
}

// Edit changes one element of a DER structure, found by its number at each
// level, and writes the lengths around it anew.
func Edit(der []byte, change func(element []byte) []byte, path ...int) []byte {
	if len(path) == 0 {
		return change(der)
	}
	input := cryptobyte.String(der)
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !input.ReadAnyASN1(&content, &tag) {
		panic(fmt.Sprintf("no DER: %x", der))
	}
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for i := 0; !content.Empty(); i++ {
			var element cryptobyte.String
			if !content.ReadAnyASN1Element(&element, &tag) {
				panic(fmt.Sprintf("no DER: %x", content))
			}
			if i == path[0] {
				element = Edit(element, change, path[1:]...)
			}
			b.AddBytes(element)
		}
	})
	return must(b.Bytes())
}

// Replaced changes an element into other octets.
func Replaced(by ...byte) func([]byte) []byte { return func([]byte) []byte { return by } }

// Retagged gives an element another tag.
func Retagged(tag byte) func([]byte) []byte {
	return func(element []byte) []byte { return append([]byte{tag}, element[1:]...) }
}

// Followed puts a NULL after an element.
func Followed(element []byte) []byte { return append(bytes.Clone(element), 5, 0) }

// Overlong puts a SEQUENCE that says to be longer than all in an element's
// place.
func Overlong([]byte) []byte { return []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff} }

// SelfSigned makes a self-signed certificate of a subject by hand: for
// crypto/x509 some subjects are too old.
func SelfSigned(subject []byte) []byte {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	const utf8String, commonName = 12, "2.5.4.3"
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		RawSubject: Name(RDN(commonName, utf8String, "PLACE")),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return Resign(der, key, func(fields []asn1.RawValue) []asn1.RawValue {
		for i, field := range fields {
			if bytes.Equal(field.FullBytes, template.RawSubject) {
				fields[i] = asn1.RawValue{FullBytes: subject}
			}
		}
		return fields
	})
}

// Resign changes the fields of a certificate's TBSCertificate and signs it
// anew with ECDSA and SHA-256.
func Resign(der []byte, key *ecdsa.PrivateKey, change func([]asn1.RawValue) []asn1.RawValue) []byte {
	var cert struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	must(asn1.Unmarshal(der, &cert))
	var fields []asn1.RawValue
	for rest := cert.TBS.Bytes; len(rest) > 0; {
		var field asn1.RawValue
		rest = must(asn1.Unmarshal(rest, &field))
		fields = append(fields, field)
	}
	var tbs []byte
	for _, field := range change(fields) {
		tbs = append(tbs, field.FullBytes...)
	}
	signed := must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: tbs}))
	cert.TBS = asn1.RawValue{FullBytes: signed}
	sum := sha256.Sum256(signed)
	signature := must(key.Sign(rand.Reader, sum[:], crypto.SHA256))
	cert.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	return must(asn1.Marshal(cert))
}

// must gives the value of a call that may not fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
