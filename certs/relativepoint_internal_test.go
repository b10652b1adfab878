package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRelativePointIsNotSupported: crypto/x509 takes such a certificate for
// malformed. In a file and in a handshake it is said what it is.
func TestRelativePointIsNotSupported(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// cRLDistributionPoints: one, [0] distributionPoint, [1] nameRelativeToCRLIssuer, CN=CRL 1.
	points := append([]byte{0x30, 0x14, 0x30, 0x12, 0xa0, 0x10, 0xa1, 0x0e, 0x30, 0x0c, 6, 3, 0x55, 4, 3, 12, 5},
		"CRL 1"...)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "host"}, NotBefore: testThisUpdate,
		NotAfter:        testThisUpdate.AddDate(10, 0, 0),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: points}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hostcert.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ReadCertificates(file)
	refusal, refused := errors.AsType[*Refusal](err)
	if err == nil || !strings.Contains(err.Error(), "nameRelativeToCRLIssuer") || !refused ||
		refusal.Code != CodeMalformed || refusal.Cure != relativePointCure {
		t.Errorf("error %v, refusal %+v", err, refusal)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		_ = tls.Server(conn, config).HandshakeContext(t.Context()) // fails
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		_ = conn.Close()
	}
	_ = listener.Close()
	<-done
	explained, ok := errors.AsType[*HandshakeError](explainProtocol(err))
	if !ok || !strings.Contains(explained.Cure, "relative to the name") {
		t.Errorf("the handshake with it ended: %v: %+v", err, explained)
	}
}
