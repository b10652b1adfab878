package crl

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// structure is the outer structure of a list; its fields alias its DER.
type structure struct {
	tbs       []byte // the signed part
	signature []byte

	algorithm  []byte // the DER of the AlgorithmIdentifier
	issuer     []byte // the DER of the Name
	thisUpdate time.Time
	nextUpdate time.Time
	entries    cryptobyte.String
	extensions cryptobyte.String
}

// split reads a CertificateList (RFC 5280, section 5.1) but for what is in
// its entries and extensions.
func split(der []byte) (*structure, error) {
	var outer, tbs, content, algorithm, signature cryptobyte.String
	var unusedBits uint8
	input := cryptobyte.String(der)
	if !input.ReadASN1(&outer, cbasn1.SEQUENCE) {
		return nil, errors.New("the CRL is cut off or is no DER")
	}
	if !input.Empty() {
		return nil, fmt.Errorf("%d bytes follow the CRL", len(input))
	}
	if !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) ||
		!outer.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
		!outer.ReadASN1(&signature, cbasn1.BIT_STRING) || !outer.Empty() ||
		!signature.ReadUint8(&unusedBits) || unusedBits != 0 {
		return nil, errors.New("the CRL is malformed: it is not a signed structure")
	}
	l := &structure{tbs: tbs, signature: signature}
	if !tbs.ReadASN1(&content, cbasn1.SEQUENCE) {
		return nil, errors.New("the CRL is malformed")
	}
	if err := l.read(content, algorithm); err != nil {
		return nil, err
	}
	return l, nil
}

// read reads the content of a TBSCertList that is signed with an algorithm.
func (l *structure) read(tbs, outerAlgorithm cryptobyte.String) error {
	var version int
	if tbs.PeekASN1Tag(cbasn1.INTEGER) && (!tbs.ReadASN1Integer(&version) || version != 1) {
		return errors.New("the CRL is malformed: its version is neither 1 nor 2")
	}
	var algorithm, issuer cryptobyte.String
	if !tbs.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return errors.New("the CRL is malformed: it has no signature algorithm")
	}
	if !bytes.Equal(algorithm, outerAlgorithm) {
		return errors.New("the CRL is malformed: its two signature algorithms differ")
	}
	if !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return errors.New("the CRL is malformed: it has no issuer")
	}
	l.algorithm, l.issuer = algorithm, issuer
	var ok bool
	if l.thisUpdate, ok = readTime(&tbs); !ok {
		return errors.New("the CRL is malformed: its thisUpdate is no time")
	}
	if tbs.PeekASN1Tag(cbasn1.UTCTime) || tbs.PeekASN1Tag(cbasn1.GeneralizedTime) {
		if l.nextUpdate, ok = readTime(&tbs); !ok {
			return errors.New("the CRL is malformed: its nextUpdate is no time")
		}
	}
	if !tbs.ReadOptionalASN1(&l.entries, nil, cbasn1.SEQUENCE) {
		return errors.New("the CRL is malformed: its entries are no sequence")
	}
	var wrapped cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&wrapped, &present, cbasn1.Tag(0).Constructed().ContextSpecific()) ||
		present && (!wrapped.ReadASN1(&l.extensions, cbasn1.SEQUENCE) || !wrapped.Empty()) {
		return errors.New("the CRL is malformed: its extensions are no sequence")
	}
	if !tbs.Empty() {
		return errors.New("the CRL is malformed: something follows its extensions")
	}
	return nil
}

// readTime reads a UTCTime or GeneralizedTime.
func readTime(s *cryptobyte.String) (time.Time, bool) {
	var t time.Time
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		return t, s.ReadASN1UTCTime(&t)
	}
	return t, s.ReadASN1GeneralizedTime(&t)
}
