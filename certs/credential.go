package certs

import "errors"

// Credential is the host's own certificate chain and private key.
type Credential struct{}

// LoadCredential reads a certificate chain and its key from PEM files (they
// may be the same file). It refuses a key that others than its owner may
// read, one that does not belong to the certificate, an encrypted key and an
// expired certificate, and says in each case what to do.
func LoadCredential(certFile, keyFile string) (*Credential, error) { return nil, errors.ErrUnsupported }

// Identity is who the credential says that this host is.
func (c *Credential) Identity() Identity { return Identity{} }
