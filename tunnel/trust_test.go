package tunnel_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestTrustChanges closes sessions whose peer a change of the CApath shuts
// out, and those only.
func TestTrustChanges(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t testing.TB, capath string, ca *certstest.CA)
		code   certs.Code
	}{
		"the CA is removed": {removeCA, certs.CodeUnknownCA},
		"the policy denies": {
			func(t testing.TB, capath string, ca *certstest.CA) {
				rewritePolicy(t, capath, ca, `"/DC=test/DC=gtunnel/*"`, `"/DC=test/DC=elsewhere/*"`)
			}, certs.CodePolicyDenied,
		},
		"the policy is removed": {removePolicy, certs.CodePolicyMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, q := newPKI(t), newNamedPKI(t, "Other CA")
			target, conns := held(t)
			atServer := p.party(t, serverHost, certstest.Options{}, letIn(t), q.ca)
			server := atServer.serve(t, target)
			client := q.party(t, clientHost, certstest.Options{}, certs.Policy{}, p.ca).connect(t, server)
			other := p.party(t, otherHost, certstest.Options{}, certs.Policy{}).connect(t, server)
			near, far := openSession(t, client, conns)
			otherNear, otherFar := openSession(t, other, conns)

			test.change(t, atServer.capath, q.ca)
			atServer.reload(t)
			if next := atServer.Store.NextLook(); !next.IsZero() { // a file is missing
				server.Recheck()
				exchangeAcross(t, near, far)
				time.Sleep(time.Until(next))
				atServer.reload(t)
			}
			server.Recheck()
			expectReset(t, far)
			expectReset(t, near)
			server.expectNoLongerAccepted(t, test.code, "/CN=")
			exchangeAcross(t, otherNear, otherFar)
		})
	}
}

// removeCA removes every file of the CA from a CApath.
func removeCA(t testing.TB, capath string, ca *certstest.CA) {
	t.Helper()
	removeFiles(t, capath, aliasOf(ca)+".")
}

// removePolicy removes the CA's signing policy.
func removePolicy(t testing.TB, capath string, ca *certstest.CA) {
	t.Helper()
	removeFiles(t, capath, aliasOf(ca)+".signing_policy")
}

// removeFiles removes the files whose name begins so, and the links to them.
func removeFiles(t testing.TB, folder, prefix string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	removed := 0
	for _, entry := range entries {
		file := filepath.Join(folder, entry.Name())
		link, _ := os.Readlink(file) // fails if it is no link
		if strings.HasPrefix(entry.Name(), prefix) || strings.HasPrefix(link, prefix) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			removed++
		}
	}
	if removed == 0 {
		t.Fatalf("no files of %s in %s", prefix, folder)
	}
}

// rewritePolicy changes the signing policy of the CA.
func rewritePolicy(t testing.TB, capath string, ca *certstest.CA, before, after string) {
	t.Helper()
	file := filepath.Join(capath, aliasOf(ca)+".signing_policy")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), before, after, 1)
	if changed == string(text) {
		t.Fatalf("%s holds no %q", file, before)
	}
	// As a package manager does it.
	if err := os.WriteFile(file+".new", []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// aliasOf is the name of the CA's files in a CApath.
func aliasOf(ca *certstest.CA) string {
	return strings.ReplaceAll(ca.Certificate.Subject.CommonName, " ", "-")
}
