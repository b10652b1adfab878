package crl

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // #nosec G505 -- registers SHA-1, see checkSignature
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// keyKind is the kind of key that makes a signature.
type keyKind int

const (
	keyUnknown keyKind = iota
	keyRSA
	keyRSAPSS
	keyECDSA
	keyEd25519
)

// signatureAlgorithm is how a list is signed.
type signatureAlgorithm struct {
	name    string // for messages
	key     keyKind
	hash    crypto.Hash // SHA-512 for Ed25519, of which it is a part; 0 if unknown
	refused string      // why a list that is signed so is refused; empty if it is not
}

// signatureAlgorithms are the algorithms but for RSA-PSS, by object
// identifier.
var signatureAlgorithms = map[string]signatureAlgorithm{
	"1.2.840.113549.1.1.2":  {name: "MD2 with RSA", refused: "MD2 is broken"},
	"1.2.840.113549.1.1.4":  {name: "MD5 with RSA", refused: "MD5 is broken"},
	"1.2.840.113549.1.1.5":  {name: "SHA-1 with RSA", key: keyRSA, hash: crypto.SHA1},
	"1.3.14.3.2.29":         {name: "SHA-1 with RSA", key: keyRSA, hash: crypto.SHA1},
	"1.2.840.113549.1.1.11": {name: "SHA-256 with RSA", key: keyRSA, hash: crypto.SHA256},
	"1.2.840.113549.1.1.12": {name: "SHA-384 with RSA", key: keyRSA, hash: crypto.SHA384},
	"1.2.840.113549.1.1.13": {name: "SHA-512 with RSA", key: keyRSA, hash: crypto.SHA512},
	"1.2.840.10045.4.1":     {name: "SHA-1 with ECDSA", key: keyECDSA, hash: crypto.SHA1},
	"1.2.840.10045.4.3.2":   {name: "SHA-256 with ECDSA", key: keyECDSA, hash: crypto.SHA256},
	"1.2.840.10045.4.3.3":   {name: "SHA-384 with ECDSA", key: keyECDSA, hash: crypto.SHA384},
	"1.2.840.10045.4.3.4":   {name: "SHA-512 with ECDSA", key: keyECDSA, hash: crypto.SHA512},
	"1.2.840.10040.4.3":     {name: "SHA-1 with DSA", refused: "DSA is not supported"},
	"1.3.101.112":           {name: "Ed25519", key: keyEd25519, hash: crypto.SHA512},
}

// fingerprint hashes the signed part of a list.
func (a signatureAlgorithm) fingerprint(tbs []byte) []byte {
	hash := a.hash
	if hash == 0 {
		hash = crypto.SHA256
	}
	h := hash.New()
	h.Write(tbs)
	return h.Sum(nil)
}

// Identifiers in the parameters of RSA-PSS (RFC 8017, appendix A.2.3).
var (
	oidRSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	pssHashes = map[string]signatureAlgorithm{
		"2.16.840.1.101.3.4.2.1": {name: "SHA-256 with RSA-PSS", key: keyRSAPSS, hash: crypto.SHA256},
		"2.16.840.1.101.3.4.2.2": {name: "SHA-384 with RSA-PSS", key: keyRSAPSS, hash: crypto.SHA384},
		"2.16.840.1.101.3.4.2.3": {name: "SHA-512 with RSA-PSS", key: keyRSAPSS, hash: crypto.SHA512},
	}
)

// parseSignatureAlgorithm reads an AlgorithmIdentifier. One that is malformed
// or not known is refused, but is no error here: the list can still be shown.
func parseSignatureAlgorithm(der []byte) signatureAlgorithm {
	malformed := signatureAlgorithm{name: "malformed", refused: "the signature algorithm is malformed"}
	input := cryptobyte.String(der)
	var identifier cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1(&identifier, cbasn1.SEQUENCE) || !identifier.ReadASN1ObjectIdentifier(&oid) {
		return malformed
	}
	if oid.Equal(oidRSAPSS) {
		return parsePSS(identifier)
	}
	algorithm, ok := signatureAlgorithms[oid.String()]
	if !ok {
		name := oid.String()
		return signatureAlgorithm{name: name, refused: "the signature algorithm " + name + " is not supported"}
	}
	// RSA has NULL, which some leave out; the others have nothing (RFC 4055,
	// RFC 5758, RFC 8410).
	sound := identifier.Empty() || algorithm.key == keyRSA && isNull(identifier)
	if !sound && algorithm.refused == "" {
		return malformed
	}
	return algorithm
}

// isNull reports whether a DER is NULL.
func isNull(der []byte) bool { return bytes.Equal(der, []byte{5, 0}) }

// parsePSS reads RSASSA-PSS-params. As everywhere in practice both hashes
// must be the same, and the salt as long as they are.
func parsePSS(parameters cryptobyte.String) signatureAlgorithm {
	refused := signatureAlgorithm{name: "RSA-PSS", refused: "these parameters of RSA-PSS are not supported"}
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }
	var params, hash, mask, maskAlgorithm, salt cryptobyte.String
	var maskOID asn1.ObjectIdentifier
	var saltLength, trailer int
	if !parameters.ReadASN1(&params, cbasn1.SEQUENCE) || !parameters.Empty() ||
		!params.ReadASN1(&hash, explicit(0)) ||
		!params.ReadASN1(&mask, explicit(1)) ||
		!params.ReadASN1(&salt, explicit(2)) || !salt.ReadASN1Integer(&saltLength) || !salt.Empty() ||
		!params.ReadOptionalASN1Integer(&trailer, explicit(3), 1) || trailer != 1 || !params.Empty() ||
		!mask.ReadASN1(&maskAlgorithm, cbasn1.SEQUENCE) || !mask.Empty() ||
		!maskAlgorithm.ReadASN1ObjectIdentifier(&maskOID) || !maskOID.Equal(oidMGF1) {
		return refused
	}
	hashOID, ok1 := readHash(hash)
	maskHashOID, ok2 := readHash(maskAlgorithm)
	algorithm, known := pssHashes[hashOID.String()]
	if !ok1 || !ok2 || !known || !hashOID.Equal(maskHashOID) || saltLength != algorithm.hash.Size() {
		return refused
	}
	return algorithm
}

// readHash reads the AlgorithmIdentifier of a hash, whose parameters are
// absent or NULL.
func readHash(s cryptobyte.String) (oid asn1.ObjectIdentifier, ok bool) {
	var identifier cryptobyte.String
	ok = s.ReadASN1(&identifier, cbasn1.SEQUENCE) && s.Empty() &&
		identifier.ReadASN1ObjectIdentifier(&oid) && (identifier.Empty() || isNull(identifier))
	return oid, ok
}
