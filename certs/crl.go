package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"math/big"
	"slices"
	"sync"
	"time"
)

// crl is a certificate revocation list (RFC 5280, section 5), version 1 or 2.
//
// Of its entries only a sorted set of keyed 64-bit hashes of their serial
// numbers stays in memory, 8 bytes each. A hash that is in the set is no
// verdict: lookup then reads the file again and walks it for the serial
// itself. Everything else is immutable, and all methods may be called
// concurrently.
type crl struct {
	file           string
	line           int // of its block, where the file holds several; otherwise 0
	issuer         *Name
	version        int       // 1 or 2
	rawIssuer      []byte    // the DER of the issuer's name
	thisUpdate     time.Time // when the list was issued
	nextUpdate     time.Time // when the next one is due at the latest; zero if the list does not say
	number         *big.Int  // cRLNumber; nil if absent
	authorityKeyID []byte    // key identifier of the signer; nil if absent
	scope          crlScope
	defects        []string // why the list cannot tell that a certificate is good, in plain words
	entries        int      // how many certificates are on the list

	algorithm   signatureAlgorithm
	signature   []byte
	fingerprint []byte // the hash of the signed part, by the hash of the signature algorithm
	signed      []byte // the signed part itself, of Ed25519 only, which signs no hash of it

	seed    maphash.Seed
	revoked []uint64 // sorted hashes of serials
	source  *crlSource
	memory  *crlMemory
}

// crlMemory is what has been found out about a list, wherever it lies.
type crlMemory struct {
	mu        sync.Mutex             // never held while a file is read
	confirmed map[string]*revocation // what was looked up in the file, by serial; nil: not on the list
	signers   map[string]error       // what checkSignature said, by the CA's certificate
}

// crlSource is where a list is read again.
type crlSource struct {
	read func() ([]byte, error)

	mu     sync.Mutex // held while the file is read: once for all who wait
	failed time.Time  // when the list was last not found there; zero: never
}

func newCRLSource(file string) *crlSource {
	return &crlSource{read: func() ([]byte, error) { return readFile(file, maxCRLBytes) }}
}

// crlScope says of which certificates a list speaks (RFC 5280, section
// 5.2.5).
type crlScope struct {
	onlyUser      bool     // onlyContainsUserCerts
	onlyCA        bool     // onlyContainsCACerts
	onlyAttribute bool     // onlyContainsAttributeCerts
	onlyReasons   bool     // onlySomeReasons is present
	indirect      bool     // may contain certificates of other issuers
	delta         bool     // only what changed since another list
	points        []string // the distributionPoint's names, see readPointNames; none: any
}

// same reports whether two lists speak of the same certificates.
func (s *crlScope) same(other *crlScope) bool {
	return slices.Equal(s.points, other.points) && s.onlyUser == other.onlyUser && s.onlyCA == other.onlyCA &&
		s.onlyAttribute == other.onlyAttribute && s.onlyReasons == other.onlyReasons && s.indirect == other.indirect && s.delta == other.delta
}

// revocation is an entry of a list.
type revocation struct {
	Date   time.Time // when the certificate was revoked; zero if unknown
	Reason string    // the reason as RFC 5280 spells it; empty if the list gives none

	// Unconfirmed says that the list is no longer in its file as it was
	// loaded, or cannot be read, so that only the hash of the serial is known
	// to be on it.
	Unconfirmed bool
}

// parseCRL reads the DER of a list. file is where lookup reads it again; the
// errors do not repeat it. The list keeps nothing of der, but for what Ed25519
// has signed. Its signature is yet to be checked, by checkSignature.
func parseCRL(file string, der []byte) (*crl, error) {
	list, err := splitCRL(der)
	if err != nil {
		return nil, err
	}
	c := &crl{
		file:       file,
		version:    list.version,
		rawIssuer:  bytes.Clone(list.issuer),
		thisUpdate: list.thisUpdate,
		nextUpdate: list.nextUpdate,
		algorithm:  parseSignatureAlgorithm(list.algorithm),
		signature:  bytes.Clone(list.signature),
		seed:       maphash.MakeSeed(),
		source:     newCRLSource(file),
		memory:     new(crlMemory),
	}
	if c.issuer, err = ParseName(c.rawIssuer); err != nil {
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

// at is the same list in another file.
func (c *crl) at(file string) *crl {
	other := *c
	other.file, other.source = file, newCRLSource(file)
	return &other
}

// same reports whether two lists are the same, octet by octet.
func (c *crl) same(other *crl) bool {
	return bytes.Equal(c.fingerprint, other.fingerprint) && bytes.Equal(c.signature, other.signature)
}

// maxSigners bounds how many answers of checkSignature are remembered. Only
// certificates that lead to an anchor come this far.
const maxSigners = 64

// signedBy is checkSignature, asked once for each CA.
func (c *crl) signedBy(ca *x509.Certificate) error {
	m := c.memory
	m.mu.Lock()
	err, known := m.signers[string(ca.Raw)]
	m.mu.Unlock()
	if known {
		return err
	}
	err = c.checkSignature(ca)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.signers == nil || len(m.signers) >= maxSigners {
		m.signers = make(map[string]error)
	}
	m.signers[string(ca.Raw)] = err
	return err
}

// addDefect notes a defect once, and of many only the first few.
func (c *crl) addDefect(defect string) {
	const most = 5
	if len(c.defects) < most && !slices.Contains(c.defects, defect) {
		c.defects = append(c.defects, defect)
	}
}

// findDefects notes the scopes that make a list useless on its own.
func (c *crl) findDefects() {
	s := &c.scope
	switch {
	case s.delta:
		c.addDefect("it is a delta CRL, which says only what changed since another list")
	case s.indirect:
		c.addDefect("it is an indirect CRL, which may speak of other issuers")
	case s.onlyReasons:
		c.addDefect("it lists only some reasons of revocation")
	case s.onlyAttribute:
		c.addDefect("it lists only attribute certificates")
	}
}

// defect says why the list cannot tell that a certificate is good; empty if
// it can. A certificate that it names is revoked all the same.
func (c *crl) defect() string {
	if len(c.defects) == 0 {
		return ""
	}
	return c.defects[0]
}

// covers reports whether the list speaks of the certificate: by its kind,
// and, if the list names a distribution point, by the points that the
// certificate names (RFC 5280, section 6.3.3, b 2). If not, why says so. That
// the issuers agree is the caller's to check.
func (c *crl) covers(certificate *x509.Certificate) (why string, ok bool) {
	isCA := certificate.BasicConstraintsValid && certificate.IsCA
	switch {
	case c.scope.onlyUser && isCA:
		return "it lists only certificates that are no CA's", false
	case c.scope.onlyCA && !isCA:
		return "it lists only certificates of CAs", false
	case c.scope.onlyAttribute:
		return "it lists only attribute certificates", false
	case len(c.scope.points) == 0:
		return "", true
	}
	for _, name := range distributionPoints(certificate) {
		if slices.Contains(c.scope.points, name) {
			return "", true
		}
	}
	return "it is the list of a distribution point that the certificate does not name", false
}

// crlAge is how a list stands at a moment.
type crlAge int

const (
	crlCurrent crlAge = iota // between thisUpdate and nextUpdate, if there is one
	crlFuture                // before thisUpdate
	crlStale                 // at nextUpdate or after it
)

// age says how the list stands at the time now.
func (c *crl) age(now time.Time) crlAge {
	switch {
	case now.Before(c.thisUpdate):
		return crlFuture
	case !c.nextUpdate.IsZero() && !now.Before(c.nextUpdate):
		return crlStale
	}
	return crlCurrent
}

// maxConfirmed bounds how many looked-up serials are remembered. Only
// certificates that the CA has issued, and almost only revoked ones, come
// this far.
const maxConfirmed = 1024

// rereadPause is how long a list that was not found in its file is not looked
// for again. A Reload that finds another file makes another list anyway.
const rereadPause = 10 * time.Second

// lookup says whether the serial is on the list: exactly, by reading the file
// again if its hash is. If the file has changed since or cannot be read, the
// hash decides, for which a false positive has a chance of one in 10^13, and
// the revocation is marked as unconfirmed. Of an indirect list only the
// entries that speak of the list's own issuer count.
//
// Every revocation counts, certificateHold too; and removeFromCRL, which has
// no meaning but in a delta CRL.
func (c *crl) lookup(serial *big.Int) (revocation, bool) {
	if serial.Sign() < 0 {
		return revocation{}, false
	}
	key := serial.Bytes()
	if len(key) == 0 || key[0] >= 0x80 {
		key = append([]byte{0}, key...)
	}
	if _, hit := slices.BinarySearch(c.revoked, maphash.Bytes(c.seed, key)); !hit {
		return revocation{}, false
	}
	entry, known := c.memory.find(key)
	if !known {
		var err error
		if entry, err = c.confirm(key); err != nil {
			return revocation{Unconfirmed: true}, true
		}
	}
	if entry == nil {
		return revocation{}, false
	}
	return *entry, true
}

// find gives what is remembered of a serial.
func (m *crlMemory) find(key []byte) (entry *revocation, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry, known = m.confirmed[string(key)]
	return entry, known
}

// confirm looks a serial up in the file and remembers what it finds.
func (c *crl) confirm(key []byte) (*revocation, error) {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	if entry, known := c.memory.find(key); known {
		return entry, nil // somebody else has read it meanwhile
	}
	if failed := c.source.failed; !failed.IsZero() && time.Since(failed) < rereadPause {
		return nil, errors.New("the list was not found in its file a moment ago")
	}
	list, err := c.reread()
	if err != nil {
		c.source.failed = time.Now()
		return nil, err
	}
	c.source.failed = time.Time{}
	entry := c.findEntry(list.entries, key)
	m := c.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.confirmed == nil || len(m.confirmed) >= maxConfirmed {
		m.confirmed = make(map[string]*revocation)
	}
	m.confirmed[string(key)] = entry
	return entry, nil
}

// reread reads the file again and finds the same list in it.
func (c *crl) reread() (*splitList, error) {
	data, err := c.source.read()
	if err != nil {
		return nil, err
	}
	for _, block := range splitLists(data) {
		if block.err != nil {
			continue
		}
		list, err := splitCRL(block.der)
		if err == nil && bytes.Equal(c.algorithm.fingerprint(list.tbs), c.fingerprint) {
			return list, nil
		}
	}
	return nil, errors.New("the file has changed since it was loaded")
}
