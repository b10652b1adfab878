package certs_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestKeptListOfASentCA: a list goes on counting while its file is bad, also
// where the key that signed it is not installed and comes with the peer.
func TestKeptListOfASentCA(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	successor := must(root.NewSubordinate("Root", withKeyID(root)))
	for name, signer := range map[string]*certstest.CA{"a subordinate": sub, "another key of the root": successor} {
		t.Run(name, func(t *testing.T) {
			host, other := must(signer.NewHost("host.test", sound)), must(signer.NewHost("other.test", sound))
			dir := bare(t, root)
			writeList(t, dir, root, 1, current)
			file := writeList(t, dir, signer, 0, naming(current, host))
			store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
			check := func() {
				t.Helper()
				for _, mode := range []certs.CRLMode{certs.CRLRequire, certs.CRLIfPresent, certs.CRLIfValid} {
					policy := certs.Policy{CRL: mode, Namespaces: certs.NamespacesIgnore}
					_, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerClient, now, policy))
					wantRefusal(t, err, certs.CodeRevoked)
					if _, err := certs.Verify(store.Snapshot(), other.Chain, anyone(certs.PeerClient, now, policy)); err != nil {
						t.Errorf("%s: %v", mode, err)
					}
				}
			}
			check()
			for _, content := range []string{"", "junk", "-----BEGIN X509 CRL-----\n"} {
				writeFile(t, file, []byte(content), 0o644)
				reload(t, store)
				check()
				reload(t, store)
				check()
			}
			// A sound one takes its place.
			writeList(t, dir, signer, 0, naming(current, other))
			reload(t, store)
			_, err := certs.Verify(store.Snapshot(), other.Chain,
				anyone(certs.PeerClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore}))
			wantRefusal(t, err, certs.CodeRevoked)
			if _, err := certs.Verify(store.Snapshot(), host.Chain,
				anyone(certs.PeerClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore})); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestListOfASentKeyBesideAKeptOne: a CA that has changed its key publishes
// lists of the new one only, which is not installed yet. What the file held
// before stays in use, and what it holds now counts for the peers that send
// the new key's certificate.
func TestListOfASentKeyBesideAKeptOne(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	successor := must(root.NewSubordinate("Root", withKeyID(root)))
	old, young := must(root.NewHost("old.test", sound)), must(successor.NewHost("young.test", sound))
	dir := bare(t, root)
	file := writeList(t, dir, root, 0, naming(current, old))
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	writeFile(t, file, must(successor.NewCRL(naming(current, young))), 0o644)
	reload(t, store)
	for _, host := range []*certstest.Host{old, young} {
		_, err := certs.Verify(store.Snapshot(), host.Chain,
			anyone(certs.PeerClient, now, certs.Policy{Namespaces: certs.NamespacesIgnore}))
		wantRefusal(t, err, certs.CodeRevoked)
	}
}

// TestNothingGoodIsKept: of a file that held no good list, nothing stays in use.
func TestNothingGoodIsKept(t *testing.T) {
	root, stranger := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound))
	dir := bare(t, root)
	file := writeList(t, dir, stranger, 0, current)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	for range 3 {
		writeFile(t, file, nil, 0o644)
		reload(t, store)
		if problems := store.Snapshot().Problems(); len(problems) != 1 ||
			!strings.HasSuffix(problems[0].Message, "the file is empty") {
			t.Errorf("problems %v", problems)
		}
		writeList(t, dir, stranger, 0, current)
		reload(t, store)
		if lists := store.Snapshot().CAs()[0].CRLs; len(lists) != 1 {
			t.Errorf("%d lists are kept, want the latest one", len(lists))
		}
	}
}
