package crl

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// SignatureError is why a CA has not signed a list, or may not.
type SignatureError struct {
	Reason string // a clause
	Fault  Fault
}

// Error gives the reason.
func (e *SignatureError) Error() string { return e.Reason }

// Fault says where the fault lies, if the CA has not signed a list.
type Fault int

// The faults. But for the first, fetching the list again does not help.
const (
	FaultList      Fault = iota // the list is another key's, or was altered
	FaultAlgorithm              // lists that are signed so are refused
	FaultKeyUsage               // the CA's certificate does not let it sign lists
)

// SignedBy says why the CA has not signed the list, or may not: its key made
// the signature, and its keyUsage, if it has one, includes cRLSign. That the
// names agree is the caller's to check. The error is a *SignatureError; nil if
// the CA has. The signature is checked once for each CA.
func (c *List) SignedBy(ca *x509.Certificate) error {
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

// maxSigners bounds how many answers of checkSignature are remembered. Only
// certificates that lead to an anchor come this far.
const maxSigners = 64

// checkSignature does the work of SignedBy.
//
// SHA-1 is accepted here, unlike in certificates: several roots in use sign
// their lists with it, forging one needs a second preimage, as the CA alone
// chooses what a list says, and to go without a list would be worse. MD5 is
// refused.
func (c *List) checkSignature(ca *x509.Certificate) error {
	switch {
	case c.algorithm.refused != "":
		return &SignatureError{Reason: c.algorithm.refused, Fault: FaultAlgorithm}
	case c.algorithm.key != kindOfKey(ca.PublicKey, c.algorithm.key):
		return &SignatureError{
			Reason: fmt.Sprintf("the CRL is signed by %s, but the CA's key is %v", c.algorithm.name, ca.PublicKeyAlgorithm),
		}
	case !c.signatureIsOf(ca.PublicKey):
		return &SignatureError{Reason: "the signature is not of this CA's key, or the CRL was altered"}
	case ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCRLSign == 0:
		return &SignatureError{Reason: "the CA may not sign CRLs: its keyUsage lacks cRLSign", Fault: FaultKeyUsage}
	}
	return nil
}

// kindOfKey says which kind of signature a public key checks; an RSA key
// checks both of its kinds, so that wanted decides.
func kindOfKey(key any, wanted keyKind) keyKind {
	switch key.(type) {
	case *rsa.PublicKey:
		if wanted == keyRSAPSS {
			return keyRSAPSS
		}
		return keyRSA
	case *ecdsa.PublicKey:
		return keyECDSA
	case ed25519.PublicKey:
		return keyEd25519
	}
	return keyUnknown
}

// signatureIsOf reports whether a key, which is of the right kind, made the
// signature.
func (c *List) signatureIsOf(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if c.algorithm.key == keyRSAPSS {
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return rsa.VerifyPSS(key, c.algorithm.hash, c.fingerprint, c.signature, options) == nil
		}
		return rsa.VerifyPKCS1v15(key, c.algorithm.hash, c.fingerprint, c.signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, c.fingerprint, c.signature)
	case ed25519.PublicKey:
		return ed25519.Verify(key, c.signed, c.signature)
	}
	return false
}
