package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// writeHostile makes the certificates of attackers below folder: a chain whose
// names lead to the CA named issuer and whose checks cost as much as any, and
// one of 250 KB.
func writeHostile(folder string, issuer *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a hostile key: %w", err)
	}
	signer, err := newCostlyKey()
	if err != nil {
		return fmt.Errorf("make a hostile key: %w", err)
	}
	claimed := &x509.Certificate{RawSubject: issuer.RawSubject, SubjectKeyId: issuer.SubjectKeyId}
	const above = 18
	var costly [][]byte
	for n := range above + 1 {
		template, parent := hostileTemplate(fmt.Sprintf("Hostile %d", n), 0),
			hostileTemplate(fmt.Sprintf("Hostile %d", n+1), 0)
		public := signer.Public()
		if n == 0 {
			template.IsCA, template.KeyUsage, public = false, x509.KeyUsageDigitalSignature, &key.PublicKey
		}
		if n == above {
			parent = claimed
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
		if err != nil {
			return fmt.Errorf("make a hostile certificate: %w", err)
		}
		costly = append(costly, der)
	}
	bulky, err := x509.CreateCertificate(rand.Reader, hostileTemplate("Bulky", 240<<10), claimed, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("make a hostile certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("make a hostile key: %w", err)
	}
	for name, chain := range map[string][][]byte{"costly": costly, "bulky": {costly[0], bulky}} {
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
		for _, der := range chain {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		if err := os.WriteFile(filepath.Join(folder, name+".pem"), text, 0o600); err != nil {
			return fmt.Errorf("write a hostile chain: %w", err)
		}
	}
	return nil
}

// loadHostile reads what writeHostile made.
func loadHostile(folder, name string) (tls.Certificate, error) {
	file := filepath.Join(folder, name+".pem")
	return tls.LoadX509KeyPair(file, file)
}

// hostileTemplate is a CA's certificate, with so many bytes of ballast.
func hostileTemplate(name string, ballast int) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if ballast > 0 {
		t.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, ballast)}}
	}
	return t
}

// costlyKey is an RSA key of 8192 bits with the largest exponent that Go
// accepts: a check takes as long as a hundred of common keys. It is a product
// of many primes, which are found in a moment.
type costlyKey struct {
	public *rsa.PublicKey
	primes []*big.Int
}

func newCostlyKey() (*costlyKey, error) {
	const bits, primes, exponent = 8192, 8, 1<<31 - 1
	k := &costlyKey{public: &rsa.PublicKey{N: big.NewInt(1), E: exponent}}
	for len(k.primes) < primes {
		p, err := rand.Prime(rand.Reader, bits/primes)
		if err != nil {
			return nil, err
		}
		k.primes = append(k.primes, p)
		k.public.N.Mul(k.public.N, p)
	}
	if k.public.N.BitLen() < bits-primes {
		return nil, fmt.Errorf("a modulus of %d bits", k.public.N.BitLen())
	}
	return k, nil
}

// Public is the key that a certificate holds.
func (k *costlyKey) Public() crypto.PublicKey { return k.public }

// digestInfo comes before a SHA-256 digest in a signature of PKCS #1 v1.5 (RFC
// 8017, section 9.2).
const digestInfo = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

// Sign signs a SHA-256 digest, by the Chinese remainder theorem.
func (k *costlyKey) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	size := k.public.Size()
	padded := make([]byte, size)
	tail := append([]byte(digestInfo), digest...)
	for i := range padded {
		padded[i] = 0xff
	}
	padded[0], padded[1], padded[size-len(tail)-1] = 0, 1, 0
	copy(padded[size-len(tail):], tail)
	message, signature := new(big.Int).SetBytes(padded), new(big.Int)
	for _, p := range k.primes {
		order := new(big.Int).Sub(p, big.NewInt(1))
		exponent := new(big.Int).ModInverse(big.NewInt(int64(k.public.E)), order)
		if exponent == nil {
			return nil, fmt.Errorf("a prime does not go with the exponent %d", k.public.E)
		}
		part := new(big.Int).Exp(message, exponent, p)
		others := new(big.Int).Div(k.public.N, p)
		part.Mul(part, others).Mul(part, new(big.Int).ModInverse(others, p))
		signature.Add(signature, part)
	}
	signature.Mod(signature, k.public.N)
	return signature.FillBytes(make([]byte, size)), nil
}
