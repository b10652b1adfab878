package certs_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestRenamedCA: a CA may certify its own key by another name; a path with both
// runs in no circle.
func TestRenamedCA(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Renamed", sound))
	renamed := &certstest.CA{
		Certificate: recertify(root, sub.Certificate, root.Key.Public(), now.AddDate(1, 0, 0)), Key: root.Key, Parent: root,
	}
	host := must(renamed.NewHost("host.test", sound))
	snapshot := openStore(t, root).Snapshot()
	result, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, now, unbound))
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Path) != 3 || !result.Path[1].Certificate.Equal(renamed.Certificate) {
		t.Errorf("the path %v", result.Path)
	}
}
