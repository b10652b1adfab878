package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// countedConn counts what is read from it.
type countedConn struct {
	net.Conn
	read int
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read += n
	return n, err
}

// TestFlightIsBounded: the certificates of a peer are refused for their size
// before they are held, and the largest that are judged get through together
// with data that follow at once.
func TestFlightIsBounded(t *testing.T) {
	s := newSite(t)
	host := must(s.root.NewHost("client.test", certstest.Options{}))
	bulky := func(size int) []byte {
		ca := must(s.root.NewSubordinate("Bulky", options(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, size)}}
		})))
		return ca.Certificate.Raw
	}
	data := bytes.Repeat([]byte("gtunnel"), 20<<10)
	for _, test := range []struct {
		name  string
		above []byte
		code  certs.Code // empty: accepted
		most  int        // octets that the server reads
	}{
		{"62 KB", bulky(62 << 10), "", 0},
		{"66 KB", bulky(66 << 10), certs.CodeTooMuchWork, 120 << 10},
		{"250 KB", bulky(250 << 10), certs.CodeTooMuchWork, 120 << 10},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(test.name+" "+tls.VersionName(version), func(t *testing.T) {
				accepted, dialled := tcpPair(t)
				sent := make(chan error, 1)
				go func() {
					client := tls.Client(dialled, &tls.Config{
						InsecureSkipVerify: true, MaxVersion: version,
						Certificates: []tls.Certificate{{Certificate: [][]byte{host.Certificate.Raw, test.above}, PrivateKey: host.Key}},
					})
					_, err := client.Write(data)
					sent <- err
				}()
				counted := &countedConn{Conn: accepted}
				conn, _, err := s.server.Server(t.Context(), counted)
				if test.code == "" {
					if err != nil {
						t.Fatal(err)
					}
					got := make([]byte, len(data))
					if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, data) {
						t.Errorf("the data did not arrive: %v", err)
					}
				} else {
					accepted.Close()
					wantRefusal(t, err, test.code)
					if counted.read > test.most {
						t.Errorf("%d octets were read before the refusal, more than %d", counted.read, test.most)
					}
				}
				if err := <-sent; test.code == "" && err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestFlightOfTinyRecords: a peer cannot send more by many records.
func TestFlightOfTinyRecords(t *testing.T) {
	s := newSite(t)
	// The header of a message of 64 KB, and the rest of it in tiny records.
	endless := "\x16\x03\x01\x40\x00\x01\x00\xff\xf0" + strings.Repeat("x", 16<<10-4) +
		strings.Repeat("\x16\x03\x01\x00\x01x", 40<<10)
	accepted, dialled := tcpPair(t)
	go func() { _, _ = io.WriteString(dialled, endless) }()
	counted := &countedConn{Conn: accepted}
	_, _, err := s.server.Server(t.Context(), counted)
	if err == nil || counted.read > 120<<10 {
		t.Errorf("the server read %d octets: %v", counted.read, err)
	}
	refusal, ok := errors.AsType[*certs.Refusal](err)
	if !ok || refusal.Code != certs.CodeTooMuchWork || !strings.Contains(refusal.Reason, "in the handshake") {
		t.Errorf("got %v, want a refusal that says it", err)
	}
}
