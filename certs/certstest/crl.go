package certstest

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"time"
)

// CRLOptions shape a revocation list. The zero value is a sound list that
// revokes nothing and is good for a month.
type CRLOptions struct {
	Revoked    []*x509.Certificate
	RevokedAt  time.Time // zero: an hour ago
	Reason     int       // the CRLReason of every entry (RFC 5280, section 5.3.1)
	ThisUpdate time.Time // zero: an hour ago
	NextUpdate time.Time // zero: a month from now
	Number     int64     // zero: the time of making, in nanoseconds

	Mutate func(*x509.RevocationList) // changes the template last
}

// NewCRL makes a revocation list of the CA, DER encoded.
func (c *CA) NewCRL(o CRLOptions) ([]byte, error) {
	soon := func(t time.Time) time.Time {
		if t.IsZero() {
			return time.Now().Add(-time.Hour)
		}
		return t
	}
	template := &x509.RevocationList{
		ThisUpdate: soon(o.ThisUpdate),
		NextUpdate: o.NextUpdate,
		Number:     big.NewInt(o.Number),
	}
	if o.NextUpdate.IsZero() {
		template.NextUpdate = time.Now().AddDate(0, 1, 0)
	}
	if o.Number == 0 {
		template.Number = big.NewInt(time.Now().UnixNano())
	}
	for _, certificate := range o.Revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: certificate.SerialNumber, RevocationTime: soon(o.RevokedAt), ReasonCode: o.Reason,
		})
	}
	if o.Mutate != nil {
		o.Mutate(template)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("make a CRL of %s: %w", c.Certificate.Subject, err)
	}
	return der, nil
}

// WriteCRL makes a revocation list of the CA and writes it into dir as
// fetch-crl does: one file under each hash name, HASH.r0, in PEM, each
// replaced in one step. It returns their paths, the one by the new hash
// first.
func WriteCRL(dir string, ca *CA, o CRLOptions) (files []string, err error) {
	der, err := ca.NewCRL(o)
	if err != nil {
		return nil, err
	}
	oldHash, newHash, err := subjectHashes(ca.Certificate.RawSubject)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for _, hash := range []string{newHash, oldHash} {
		file := filepath.Join(dir, hash+".r0")
		if err := writeFile(file, text, 0o644); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}
