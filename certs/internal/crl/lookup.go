package crl

import (
	"bytes"
	"errors"
	"hash/maphash"
	"math/big"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// Revocation is an entry of a list.
type Revocation struct {
	Date   time.Time // when the certificate was revoked; zero if unknown
	Reason string    // the reason as RFC 5280 spells it; empty if the list gives none

	// Unconfirmed says that the list is no longer in its file as it was
	// loaded, or cannot be read, so that only the hash of the serial is known
	// to be on it.
	Unconfirmed bool
}

// Lookup says whether the serial is on the list: exactly, by reading the file
// again if its hash is. If the file has changed since or cannot be read, the
// hash decides, for which a false positive has a chance of one in 10^13, and
// the revocation is marked as unconfirmed. Of an indirect list only the
// entries that speak of the list's own issuer count.
//
// Every revocation counts, certificateHold too; and removeFromCRL, which has
// no meaning but in a delta CRL.
func (c *List) Lookup(serial *big.Int) (Revocation, bool) {
	if serial.Sign() < 0 {
		return Revocation{}, false
	}
	key := serial.Bytes()
	if len(key) == 0 || key[0] >= 0x80 {
		key = append([]byte{0}, key...)
	}
	if _, hit := slices.BinarySearch(c.revoked, maphash.Bytes(c.seed, key)); !hit {
		return Revocation{}, false
	}
	entry, known := c.memory.find(key)
	if !known {
		var err error
		if entry, err = c.confirm(key); err != nil {
			return Revocation{Unconfirmed: true}, true
		}
	}
	if entry == nil {
		return Revocation{}, false
	}
	return *entry, true
}

// memory is what has been found out about a list, wherever it lies.
type memory struct {
	mu        sync.Mutex             // never held while a file is read
	confirmed map[string]*Revocation // what was looked up in the file, by serial; nil: not on the list
	signers   map[string]error       // what checkSignature said, by the CA's certificate
}

// maxConfirmed bounds how many looked-up serials are remembered. Only
// certificates that the CA has issued, and almost only revoked ones, come
// this far.
const maxConfirmed = 1024

// rereadPause is how long a list that was not found in its file is not looked
// for again. A Reload that finds another file makes another list anyway.
const rereadPause = 10 * time.Second

// find gives what is remembered of a serial.
func (m *memory) find(key []byte) (entry *Revocation, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry, known = m.confirmed[string(key)]
	return entry, known
}

// confirm looks a serial up in the file and remembers what it finds.
func (c *List) confirm(key []byte) (*Revocation, error) {
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
		m.confirmed = make(map[string]*Revocation)
	}
	m.confirmed[string(key)] = entry
	return entry, nil
}

// reread reads the file again and finds the same list in it.
func (c *List) reread() (*structure, error) {
	data, err := c.source.read()
	if err != nil {
		return nil, err
	}
	for _, block := range splitFile(data) {
		if block.Err != nil {
			continue
		}
		list, err := split(block.DER)
		if err == nil && bytes.Equal(c.algorithm.fingerprint(list.tbs), c.fingerprint) {
			return list, nil
		}
	}
	return nil, errors.New("the file has changed since it was loaded")
}

// source is where a list is read again.
type source struct {
	read func() ([]byte, error)

	mu     sync.Mutex // held while the file is read: once for all who wait
	failed time.Time  // when the list was last not found there; zero: never
}

func newSource(file string) *source {
	return &source{read: func() ([]byte, error) { return files.Read(file, MaxBytes) }}
}

// reasonCodes are the names of CRLReason; 7 is not used.
var reasonCodes = []string{
	"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
	"cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise",
}

// findEntry walks the entries for a serial of the list's issuer; nil if it is
// not there.
func (c *List) findEntry(entries cryptobyte.String, serial []byte) *Revocation {
	issuer := entryIssuer{own: c.rawIssuer}
	for !entries.Empty() {
		e, ok := readEntry(&entries)
		if !ok {
			return nil
		}
		issuer.next(e.extensions)
		if issuer.other || !bytes.Equal(e.serial, serial) {
			continue
		}
		var found Revocation
		if date, ok := readTime(&e.date); ok {
			found.Date = date
		}
		for !e.extensions.Empty() {
			extension, ok := readExtension(&e.extensions)
			if !ok {
				break
			}
			var code int
			if extension.is(oidReasonCode) && extension.value.ReadASN1Enum(&code) && 0 <= code && code < len(reasonCodes) {
				found.Reason = reasonCodes[code]
			}
		}
		return &found
	}
	return nil
}
