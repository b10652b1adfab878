package certstest

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"
)

// Renew makes another certificate of the CA with its key and its parent. Of
// the Options only the dates and Mutate count.
func (c *CA) Renew(o Options) (*CA, error) {
	template := *c.Certificate
	template.SerialNumber = new(big.Int).Add(c.Certificate.SerialNumber, big.NewInt(1))
	template.NotBefore, template.NotAfter = o.NotBefore, o.NotAfter
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().AddDate(1, 0, 0)
	}
	if o.Mutate != nil {
		o.Mutate(&template)
	}
	issuer, signer := &template, c.Key
	if c.Parent != nil {
		issuer, signer = c.Parent.Certificate, c.Parent.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, issuer, c.Key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("renew the CA %s: %w", c.Certificate.Subject, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("renew the CA %s: %w", c.Certificate.Subject, err)
	}
	return &CA{Certificate: certificate, Key: c.Key, Parent: c.Parent}, nil
}
