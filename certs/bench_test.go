package certs_test

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// manyCAs makes a CApath of n CAs, the last of which is the one that is
// returned.
func manyCAs(b *testing.B, n int, o certstest.Options) (dir string, root *certstest.CA) {
	b.Helper()
	dir = filepath.Join(b.TempDir(), "certificates")
	for i := range n - 1 {
		if err := certstest.WriteCApath(dir, must(certstest.NewCA(fmt.Sprint("CA ", i), certstest.Options{}))); err != nil {
			b.Fatal(err)
		}
	}
	root = must(certstest.NewCA("Root", o))
	if err := certstest.WriteCApath(dir, root); err != nil {
		b.Fatal(err)
	}
	return dir, root
}

// entries is a list of n entries, none of which is a certificate in use.
func entries(n int) certstest.CRLOptions {
	return certstest.CRLOptions{Mutate: func(l *x509.RevocationList) {
		for i := range n {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: new(big.Int).Lsh(big.NewInt(int64(i+1)), 60), RevocationTime: now,
			})
		}
	}}
}

// site is a CApath with a root and a subordinate that have policies and lists.
func benchSite(b *testing.B, kind certstest.KeyType, cas, listed int) (dir string, sub *certstest.CA) {
	b.Helper()
	dir, root := manyCAs(b, cas, certstest.Options{KeyType: kind})
	sub = must(root.NewSubordinate("Sub", certstest.Options{KeyType: kind}))
	if err := certstest.WriteCApath(dir, sub); err != nil {
		b.Fatal(err)
	}
	for _, ca := range []*certstest.CA{root, sub} {
		must(certstest.WriteCRL(dir, ca, entries(listed)))
		hash, _ := hashes(ca)
		writeFile(b, filepath.Join(dir, hash+".namespaces"), []byte(to("", "PERMIT", "/DC=test/DC=gtunnel/.*")), 0o644)
	}
	return dir, sub
}

// required asks for all that there is.
var required = certs.Policy{
	CRL: certs.CRLRequire, CRLGrace: 24 * time.Hour, Access: must(certs.NewAccess([]string{"db.site.test"}, nil, false)),
}

// cpuTime is what this process has used so far. Wall clock time says little
// on a machine that does other things too.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// loop runs f for the benchmark and reports its CPU time.
func loop(b *testing.B, f func()) {
	b.Helper()
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op")
}

// BenchmarkVerify judges a chain of three with lists and policies. The cost
// does not depend on how many CAs are installed, nor on how many entries the
// lists have.
func BenchmarkVerify(b *testing.B) {
	for _, kind := range []certstest.KeyType{certstest.RSA, certstest.ECDSA} {
		for _, size := range []struct{ cas, entries int }{{10, 10}, {100, 10}, {1000, 10}, {10, 1000}, {10, 100_000}} {
			b.Run(fmt.Sprintf("%s/%d CAs/%d entries", kind, size.cas, size.entries), func(b *testing.B) {
				dir, sub := benchSite(b, kind, size.cas, size.entries)
				chain := must(sub.NewHost("db.site.test", certstest.Options{KeyType: kind})).Chain
				snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
				loop(b, func() {
					if _, err := certs.Verify(snapshot, chain, held(certs.PeerClient, "db.site.test", now, required)); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
	}
}

// BenchmarkRecheck judges 10,000 sessions of 10,000 hosts again: after a
// reload that changed a list, and when nothing has changed.
func BenchmarkRecheck(b *testing.B) {
	const sessions = 10_000
	dir, sub := benchSite(b, certstest.RSA, 88, 1000)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	endpoint := &certs.Endpoint{Store: store, Policy: required}
	var open []*certs.Result
	for range sessions {
		chain := must(sub.NewHost("db.site.test", certstest.Options{KeyType: certstest.ECDSA})).Chain
		open = append(open, must(certs.Verify(store.Snapshot(), chain, anyone(certs.PeerClient, now, required))))
	}
	recheck := func(b *testing.B) {
		b.Helper()
		for i, session := range open {
			again, err := endpoint.Recheck(session, now)
			if err != nil {
				b.Fatal(err)
			}
			open[i] = again
		}
	}
	b.Run("another snapshot", func(b *testing.B) {
		var used time.Duration
		for b.Loop() {
			b.StopTimer()
			must(certstest.WriteCRL(dir, sub, entries(1000)))
			if reload(b, store).Empty() {
				b.Fatal("nothing has changed")
			}
			start := cpuTime(b)
			b.StartTimer()
			recheck(b)
			used += cpuTime(b) - start
		}
		b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
	})
	b.Run("the same snapshot", func(b *testing.B) { loop(b, func() { recheck(b) }) })
}

// BenchmarkLoad reads a CApath without lists.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("%d CAs", n), func(b *testing.B) {
			dir, _ := manyCAs(b, n, certstest.Options{})
			loop(b, func() {
				if _, err := certs.OpenStore(certs.StoreConfig{CApath: dir}); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkLoadSite reads 88 CAs with policies and with lists of 1,000
// entries each, from nothing and when nothing has changed.
func BenchmarkLoadSite(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "certificates")
	for i := range 88 {
		ca := must(certstest.NewCA(fmt.Sprint("CA ", i), certstest.Options{KeyType: certstest.RSA}))
		if err := certstest.WriteCApath(dir, ca); err != nil {
			b.Fatal(err)
		}
		must(certstest.WriteCRL(dir, ca, entries(1000)))
	}
	b.Run("from nothing", func(b *testing.B) {
		loop(b, func() {
			if _, err := certs.OpenStore(certs.StoreConfig{CApath: dir}); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("nothing has changed", func(b *testing.B) {
		store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
		loop(b, func() { reload(b, store) })
	})
}
