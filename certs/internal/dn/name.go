package dn

import (
	"crypto/md5"  // #nosec G501 -- the old file names of a CApath, not a signature
	"crypto/sha1" // #nosec G505 -- the new file names of a CApath, not a signature
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Name is a distinguished name (DN), taken apart from its DER encoding. It is
// immutable.
type Name struct {
	raw  []byte
	rdns []rdn
}

// Parse reads a DER encoded name (RFC 5280, section 4.1.2.4), such as the
// RawSubject of a certificate.
func Parse(der []byte) (*Name, error) {
	input := cryptobyte.String(der)
	var sequence cryptobyte.String
	if !input.ReadASN1(&sequence, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, errors.New("malformed name: not a SEQUENCE of RDNs")
	}
	name := &Name{raw: der}
	for !sequence.Empty() {
		var set cryptobyte.String
		if !sequence.ReadASN1(&set, cbasn1.SET) || set.Empty() {
			return nil, fmt.Errorf("malformed name: RDN %d is not a SET of attributes", len(name.rdns)+1)
		}
		r, err := parseRDN(set)
		if err != nil {
			return nil, fmt.Errorf("malformed name: RDN %d: %w", len(name.rdns)+1, err)
		}
		name.rdns = append(name.rdns, r)
	}
	return name, nil
}

// Canonical is the form by which names are compared (RFC 5280, section 7.1,
// as OpenSSL does it): the RDNs with every string as UTF8String, in lower
// case and with white space folded, in DER without the outer SEQUENCE. Two
// names are equal if and only if these strings are.
func (n *Name) Canonical() string {
	var b strings.Builder
	for _, r := range n.rdns {
		b.WriteString(r.canonical)
	}
	return b.String()
}

// Equal reports whether two names are the same by their canonical forms.
func (n *Name) Equal(other *Name) bool {
	return slices.EqualFunc(n.rdns, other.rdns, func(a, b rdn) bool { return a.canonical == b.canonical })
}

// Empty reports whether the name has no RDN.
func (n *Name) Empty() bool { return len(n.rdns) == 0 }

// Within reports whether the name lies in the subtree of another: it is that
// name, or begins with its RDNs (RFC 5280, section 4.2.1.10).
func (n *Name) Within(subtree *Name) bool {
	return len(n.rdns) >= len(subtree.rdns) &&
		(&Name{rdns: n.rdns[:len(subtree.rdns)]}).Equal(subtree)
}

// Extends reports whether the name is parent with one RDN more, a common name,
// as proxy certificates are named (RFC 3820, section 3.4).
func (n *Name) Extends(parent *Name) bool {
	return len(n.rdns) == len(parent.rdns)+1 && n.Within(parent) &&
		n.rdns[len(n.rdns)-1].attributes[0].oid == oidCommonName
}

// Hash is the name that a certificate of this subject has in a CApath since
// OpenSSL 1.0: eight hexadecimal digits of the SHA-1 of the canonical form.
func (n *Name) Hash() string {
	digest := sha1.Sum([]byte(n.Canonical())) // #nosec G401 -- a file name
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(digest[:]))
}

// HashOld is the name that a certificate of this subject had in a CApath
// before OpenSSL 1.0: eight hexadecimal digits of the MD5 of the encoding.
func (n *Name) HashOld() string {
	digest := md5.Sum(n.raw) // #nosec G401 -- a file name
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(digest[:]))
}

// HasHash reports whether a file name's hash is one of the name's two.
func (n *Name) HasHash(hash string) bool { return hash == n.Hash() || hash == n.HashOld() }

// CommonName is the last common name (CN) in the encoded order; empty if there
// is none, or if it is no text.
func (n *Name) CommonName() string {
	for _, r := range slices.Backward(n.rdns) {
		for _, a := range slices.Backward(r.attributes) {
			if a.oid == oidCommonName {
				return a.text
			}
		}
	}
	return ""
}

// LastCommonNames are the common names of the last RDN, in lower case and with
// white space folded.
func (n *Name) LastCommonNames() []string {
	var names []string
	if len(n.rdns) > 0 {
		for _, a := range n.rdns[len(n.rdns)-1].attributes {
			if a.oid == oidCommonName {
				names = append(names, foldString(a.text))
			}
		}
	}
	return names
}

// Emails are the values of the attributes emailAddress; what is no text is an
// empty one.
func (n *Name) Emails() []string {
	var values []string
	for _, r := range n.rdns {
		for _, a := range r.attributes {
			if a.oid == oidEmailAddress {
				values = append(values, a.text)
			}
		}
	}
	return values
}
