package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// parseKey finds the private key of a PEM file.
func parseKey(file string, data []byte) (crypto.Signer, error) {
	certificate := false
	for _, block := range files.Blocks(data) {
		switch {
		case block.Label == "CERTIFICATE" || block.Label == "X509 CERTIFICATE":
			certificate = true
			continue
		case !strings.HasSuffix(block.Label, "PRIVATE KEY") && block.Label != "":
			continue
		case block.Err != nil:
			return nil, &setupError{
				message: fmt.Sprintf("the key %s cannot be read: %v", files.Position(file, block.Line), block.Err),
				hint:    "copy the key anew from where it was made",
				cause:   block.Err,
			}
		case block.Encrypted || block.Label == "ENCRYPTED PRIVATE KEY":
			return nil, &setupError{
				message: fmt.Sprintf("the key %s is encrypted, and nobody is there to type the pass phrase", file),
				hint: fmt.Sprintf("decrypt it once: (umask 077; openssl pkey -in %[1]s -out %[2]s), then use %[2]s",
					shellQuote(file), shellQuote(file+".plain")),
			}
		}
		return parseKeyBlock(file, block)
	}
	e := &setupError{
		message: fmt.Sprintf("no private key in %s", file),
		hint:    "give the PEM file of the host's private key with ‹key›",
	}
	if certificate {
		e.message += ": it holds a certificate"
		e.hint = "give the certificate with ‹cert› and the key with ‹key›; are the two exchanged?"
	}
	return nil, e
}

func parseKeyBlock(file string, block files.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Label {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.DER)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.DER)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.DER)
	case "":
		err = errors.New("it is not PEM")
	default:
		err = fmt.Errorf("it is a key of the kind %s", block.Label)
	}
	if err == nil {
		switch signer := key.(type) {
		case *rsa.PrivateKey:
			return signer, nil
		case *ecdsa.PrivateKey:
			return signer, nil
		case ed25519.PrivateKey:
			return signer, nil
		}
		err = fmt.Errorf("keys of the type %T cannot sign a TLS handshake", key)
	}
	e := &setupError{
		message: fmt.Sprintf("the key %s cannot be read: %v", files.Position(file, block.Line), err),
		hint:    "look at it: openssl pkey -noout -text -in " + shellQuote(file),
		cause:   err,
	}
	kind, known := keyKinds[privateKeyAlgorithm(block.DER)]
	if block.Label == "DSA PRIVATE KEY" {
		kind, known = "DSA", true
	}
	switch {
	case known:
		e.message = fmt.Sprintf("the key %s is %s, with which no TLS handshake is possible",
			files.Position(file, block.Line), kind)
		e.hint = keyHint
	case strings.Contains(err.Error(), "elliptic curve"):
		e.message = fmt.Sprintf("the key %s is of an elliptic curve with which no TLS handshake is possible",
			files.Position(file, block.Line))
		e.hint = keyHint
	case block.Label == "":
		e.hint = fmt.Sprintf("if it is a DER file: openssl pkey -inform DER -in %[1]s -out %[1]s.pem; if it is PKCS #12: "+
			"openssl pkcs12 -nodes -in %[1]s -out %[1]s.pem", shellQuote(file))
	}
	return nil, e
}

// holdsKey reports whether a PEM file has a private key.
func holdsKey(data []byte) bool {
	for _, block := range files.Blocks(data) {
		if strings.HasSuffix(block.Label, "PRIVATE KEY") {
			return true
		}
	}
	return false
}
