package certs_test

import (
	"fmt"
	"path/filepath"
	"testing"

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

// BenchmarkVerify judges a chain of three. The cost does not depend on how
// many CAs are installed.
func BenchmarkVerify(b *testing.B) {
	for _, kind := range []certstest.KeyType{certstest.RSA, certstest.ECDSA} {
		for _, n := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d CAs", kind, n), func(b *testing.B) {
				dir, root := manyCAs(b, n, certstest.Options{KeyType: kind})
				sub := must(root.NewSubordinate("Sub", certstest.Options{KeyType: kind}))
				chain := must(sub.NewHost("db.site.test", certstest.Options{KeyType: kind})).Chain
				snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
				policy := certs.Policy{Access: must(certs.NewAccess([]string{"db.site.test"}, nil, false))}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := certs.Verify(snapshot, chain, certs.RoleClient, "db.site.test", now, policy); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkLoad reads a CApath.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("%d CAs", n), func(b *testing.B) {
			dir, _ := manyCAs(b, n, certstest.Options{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := certs.OpenStore(certs.StoreConfig{CApath: dir}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
