package certs

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// element is a certificate that a path may hold, with its names taken apart.
type element struct {
	cert       *x509.Certificate
	subject    *dn.Name
	issuer     *dn.Name
	subjectKey string // canonical forms
	issuerKey  string
	hashes     [2]string // file names in a CApath, of an installed CA; see hashNames
	file       string    // where it is installed; empty if a peer sent it
	line       int
	anchor     bool // installed and self-signed: a path ends here
	fromCAfile bool // installed by the CA file: it needs no signing policy
}

func newElement(cert *x509.Certificate) (*element, error) {
	subject, err := dn.Parse(cert.RawSubject)
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	issuer, err := dn.Parse(cert.RawIssuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return &element{
		cert:       cert,
		subject:    subject,
		issuer:     issuer,
		subjectKey: subject.Canonical(),
		issuerKey:  issuer.Canonical(),
	}, nil
}

// selfIssued reports whether subject and issuer are the same name (RFC 5280,
// section 3.2).
func (e *element) selfIssued() bool { return e.subjectKey == e.issuerKey }

// selfSigned reports whether the certificate names itself as its issuer, by
// its names and, where it has them, its key identifiers: a CA that changed
// its key may have issued itself a certificate with the old one. The
// signature is not checked: roots signed with SHA-1 are as good as others,
// since they are trusted for being installed.
func (e *element) selfSigned() bool {
	if !e.selfIssued() {
		return false
	}
	return keyIdentifierRank(e, e) != 2
}

// mayBeCA reports whether a certificate says of itself that it is a CA's. Old
// roots of X.509 version 1 have no way to say it.
func (e *element) mayBeCA() bool {
	if e.cert.BasicConstraintsValid {
		return e.cert.IsCA
	}
	return e.cert.Version < 3 && e.selfSigned()
}

// isValid reports whether a time lies between the certificate's dates, both
// included.
func (e *element) isValid(now time.Time) bool {
	return !now.Before(e.cert.NotBefore) && !now.After(e.cert.NotAfter)
}

// sameKey reports whether two certificates are of one name and key, so that a
// path with both would run in a circle (RFC 4158, section 5.2).
func (e *element) sameKey(other *element) bool {
	return e.subjectKey == other.subjectKey &&
		string(e.cert.RawSubjectPublicKeyInfo) == string(other.cert.RawSubjectPublicKeyInfo)
}

// same reports whether two are one certificate.
func (e *element) same(other *element) bool { return e.cert.Equal(other.cert) }

// hashNames are the two hashes under which a CApath holds the files of a CA.
func (e *element) hashNames() [2]string {
	if e.hashes[0] != "" {
		return e.hashes
	}
	return [2]string{e.subject.Hash(), e.subject.HashOld()}
}

// formatTime is how messages write a certificate's dates.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
