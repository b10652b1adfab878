package certs_test

import (
	"path/filepath"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestNoPolicyBelowTheCAfile: a subordinate of the CA file may sign what it
// likes, though the root above it is one of the CApath and bound.
func TestNoPolicyBelowTheCAfile(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	host := must(sub.NewHost("host.test", sound))
	dir := bare(t, root)
	hash, _ := hashes(root)
	writeFile(t, filepath.Join(dir, hash+".signing_policy"), []byte(signing("Root", `"/DC=test/DC=gtunnel/CN=Sub"`)),
		0o644)
	file := writeFile(t, filepath.Join(t.TempDir(), "sub.pem"), pemOf("CERTIFICATE", sub.Certificate.Raw), 0o644)
	for about, test := range map[string]struct {
		config certs.StoreConfig
		code   certs.Code
	}{
		"from the CA file": {certs.StoreConfig{CApath: dir, CAfile: file}, ""},
		"sent":             {certs.StoreConfig{CApath: dir}, certs.CodePolicyMissing},
	} {
		_, err := certs.Verify(must(certs.OpenStore(test.config)).Snapshot(), host.Chain,
			anyone(certs.PeerClient, now, certs.Policy{}))
		if test.code != "" {
			wantRefusal(t, err, test.code)
		} else if err != nil {
			t.Errorf("%s: %v", about, err)
		}
	}
}
