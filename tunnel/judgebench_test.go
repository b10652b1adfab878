package tunnel_test

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

// BenchmarkJudgeAll judges 10,000 open sessions again, each with a host
// certificate of its own below a subordinate CA, with CRLs of 1,000 entries:
// after a reload that brought a new CRL, and when nothing has changed.
func BenchmarkJudgeAll(b *testing.B) {
	const sessions = 10_000
	for _, kind := range []certstest.KeyType{certstest.ECDSA, certstest.RSA} {
		p := newPKI(b)
		subordinate, err := p.ca.NewSubordinate("Subordinate", certstest.Options{KeyType: kind})
		if err != nil {
			b.Fatal(err)
		}
		access, err := certs.NewAccess(nil, nil, true)
		if err != nil {
			b.Fatal(err)
		}
		atServer := p.party(b, serverHost, certstest.Options{}, certs.Policy{Access: access, CRL: certs.CRLRequire},
			subordinate)
		list := func() {
			atServer.list(b, p.ca, certstest.CRLOptions{})
			atServer.list(b, subordinate, certstest.CRLOptions{Revoked: strangers(1000)})
			atServer.reload(b)
		}
		list()
		server := serverWithSessions(b, atServer, subordinate, sessions)
		judge := func(b *testing.B) {
			b.Helper()
			before := cpuTime(b)
			server.JudgeAll()
			b.ReportMetric((cpuTime(b) - before).Seconds(), "cpu-s/op")
			if n := len(server.Status().Sessions); n != sessions {
				b.Fatalf("%d sessions are left", n)
			}
		}
		b.Run(fmt.Sprintf("%s, after a reload", kind), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				list()
				b.StartTimer()
				judge(b)
			}
		})
		b.Run(fmt.Sprintf("%s, nothing new", kind), func(b *testing.B) {
			for b.Loop() {
				judge(b)
			}
		})
	}
}

// serverWithSessions is a server with open sessions of hosts of a CA.
func serverWithSessions(b *testing.B, at *party, ca *certstest.CA, sessions int) *tunnel.Tunnel {
	b.Helper()
	server, err := tunnel.New(tunnel.Config{
		Role: tunnel.Server, Accept: address(b, "127.0.0.1:0"), Connect: []tunnel.Address{address(b, "127.0.0.1:1")},
		Endpoint: at.Endpoint,
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := range sessions {
		h, err := ca.NewHost(fmt.Sprintf("host%d.domain.two", i), certstest.Options{})
		if err != nil {
			b.Fatal(err)
		}
		result, err := certs.Verify(at.Store.Snapshot(), h.Chain, certs.VerifyOptions{
			Role: certs.PeerClient, Anyone: true, Policy: at.Policy,
		})
		if err != nil {
			b.Fatal(err)
		}
		near, far := net.Pipe()
		b.Cleanup(func() { near.Close(); far.Close() })
		server.AddSession(near, result)
	}
	return server
}

// strangers are certificates of which a CRL knows the serial numbers.
func strangers(n int) []*x509.Certificate {
	list := make([]*x509.Certificate, n)
	for i := range list {
		list[i] = &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1))}
	}
	return list
}

// cpuTime is what the process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
