package crl

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"hash/maphash"
	"math/big"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// List is a certificate revocation list (RFC 5280, section 5), version 1 or 2.
//
// Of its entries only a sorted set of keyed 64-bit hashes of their serial
// numbers stays in memory, 8 bytes each. A hash that is in the set is no
// verdict: Lookup then reads the file again and walks it for the serial
// itself. Everything else is immutable, and all methods may be called
// concurrently.
type List struct {
	File       string
	Line       int // of its block, where the file holds several; otherwise 0
	Issuer     *dn.Name
	ThisUpdate time.Time // when the list was issued
	NextUpdate time.Time // when the next one is due at the latest; zero if the list does not say
	Number     *big.Int  // cRLNumber; nil if absent
	Entries    int       // how many certificates are on the list

	rawIssuer      []byte // the DER of the issuer's name
	authorityKeyID []byte // key identifier of the signer; nil if absent
	scope          scope
	defects        []string // why the list cannot tell that a certificate is good, in plain words

	algorithm   signatureAlgorithm
	signature   []byte
	fingerprint []byte // the hash of the signed part, by the hash of the signature algorithm
	signed      []byte // the signed part itself, of Ed25519 only, which signs no hash of it

	seed    maphash.Seed
	revoked []uint64 // sorted hashes of serials
	source  *source
	memory  *memory
}

// parse reads the DER of a list. file is where Lookup reads it again; the
// errors do not repeat it. The list keeps nothing of der, but for what Ed25519
// has signed. Its signature is yet to be checked, by checkSignature.
func parse(file string, der []byte) (*List, error) {
	list, err := split(der)
	if err != nil {
		return nil, err
	}
	c := &List{
		File:       file,
		rawIssuer:  bytes.Clone(list.issuer),
		ThisUpdate: list.thisUpdate,
		NextUpdate: list.nextUpdate,
		algorithm:  parseSignatureAlgorithm(list.algorithm),
		signature:  bytes.Clone(list.signature),
		seed:       maphash.MakeSeed(),
		source:     newSource(file),
		memory:     new(memory),
	}
	if c.Issuer, err = dn.Parse(c.rawIssuer); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	c.fingerprint = c.algorithm.fingerprint(list.tbs)
	if c.algorithm.key == keyEd25519 {
		c.signed = bytes.Clone(list.tbs)
	}
	if err := c.readExtensions(list.extensions); err != nil {
		return nil, err
	}
	if err := c.readEntries(list.entries); err != nil {
		return nil, err
	}
	c.findDefects()
	return c, nil
}

// At is the same list in another file.
func (c *List) At(file string) *List {
	other := *c
	other.File, other.source = file, newSource(file)
	return &other
}

// Content tells the list from every other one: by what is signed, and by the
// signature.
func (c *List) Content() string { return string(c.fingerprint) + string(c.signature) }

// Same reports whether two lists are the same, octet by octet.
func (c *List) Same(other *List) bool {
	return bytes.Equal(c.fingerprint, other.fingerprint) && bytes.Equal(c.signature, other.signature)
}

// Replaces reports whether the list makes an older one superfluous: one of the
// same key that speaks of the same certificates. keys are the certificates of
// the issuer that are known; of other keys their identifiers tell.
func (c *List) Replaces(old *List, keys []*x509.Certificate) bool {
	if !c.Issuer.Equal(old.Issuer) || !c.scope.same(&old.scope) || c.ThisUpdate.Before(old.ThisUpdate) {
		return false
	}
	signed := false
	for _, key := range keys {
		by, oldBy := c.SignedBy(key) == nil, old.SignedBy(key) == nil
		if by && oldBy {
			return true
		}
		signed = signed || by || oldBy
	}
	return !signed && bytes.Equal(c.authorityKeyID, old.authorityKeyID)
}

// IsDelta reports whether the list says only what changed since another one.
func (c *List) IsDelta() bool { return c.scope.delta }

// Age is how a list stands at a moment.
type Age int

// The ages.
const (
	Current Age = iota // between thisUpdate and nextUpdate, if there is one
	Future             // before thisUpdate
	Stale              // at nextUpdate or after it
)

// Age says how the list stands at the time now.
func (c *List) Age(now time.Time) Age {
	switch {
	case now.Before(c.ThisUpdate):
		return Future
	case !c.NextUpdate.IsZero() && !now.Before(c.NextUpdate):
		return Stale
	}
	return Current
}
