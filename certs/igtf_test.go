package certs_test

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// Where Debian's igtf-policy packages install the CAs, and where the files
// are that the names there lead to.
const (
	igtfCApath = "/etc/grid-security/certificates"
	igtfFiles  = "/usr/share/igtf-policy/"
)

// copyIGTF copies the CAs of igtf-policy-classic, -mics, -slcs and -iota into
// a directory that a test may change: each file, and links under the hash
// names. What else lies in the system's directory stays there.
func copyIGTF(t testing.TB) (dir string, cas int) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "certificates")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(igtfCApath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		file, err := filepath.EvalSymlinks(filepath.Join(igtfCApath, name))
		if err != nil || !strings.HasPrefix(file, igtfFiles) {
			continue // of another package
		}
		if alias := filepath.Base(file); alias != name {
			if err := os.Symlink(alias, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		writeFile(t, filepath.Join(dir, name), must(os.ReadFile(file)), 0o644)
		if filepath.Ext(name) == ".pem" {
			cas++
		}
	}
	if cas < 50 {
		const missing = "the CAs of igtf-policy-classic, -mics, -slcs and -iota are not installed"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return dir, cas
}

// TestIGTF: every CA of the bundle loads without a problem, under both hash
// names, with its policies; expired ones too.
func TestIGTF(t *testing.T) {
	dir, cas := copyIGTF(t)
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	if problems := snapshot.Problems(); len(problems) > 0 {
		t.Errorf("problems %v", problems)
	}
	if len(snapshot.CAs()) != cas {
		t.Errorf("%d CAs of %d files", len(snapshot.CAs()), cas)
	}
	expired, anchors, withNamespaces := 0, 0, 0
	for _, ca := range snapshot.CAs() {
		dn := ca.Subject.Slash()
		var names []string
		for _, file := range ca.Files {
			names = append(names, strings.TrimSuffix(filepath.Base(file), ".0"))
		}
		want := []string{ca.Subject.Hash(), ca.Subject.HashOld()}
		slices.Sort(names)
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s is found as %v, and its hashes are %v", dn, names, want)
		}
		if len(ca.Policies) == 0 || ca.Policies[0].Kind != "signing_policy" {
			t.Errorf("%s has the policies %+v", dn, ca.Policies)
		}
		for _, policy := range ca.Policies {
			if len(policy.Files) != 2 || policy.Problem != nil {
				t.Errorf("%s has the policy %+v", dn, policy)
			}
		}
		if len(ca.Problems) > 0 {
			t.Errorf("%s has the problems %v", dn, ca.Problems)
		}
		if ca.Anchor {
			anchors++
		}
		if len(ca.Policies) > 1 {
			withNamespaces++
		}
		if time.Now().After(ca.Certificate.NotAfter) {
			expired++
		}
	}
	t.Logf("%d CAs, %d anchors, %d with namespaces, %d expired", len(snapshot.CAs()), anchors, withNamespaces, expired)
	if anchors < cas/2 || withNamespaces < cas*3/4 {
		t.Error("too few anchors or namespaces")
	}
}

// TestPublicWebIsKeptOut: some anchors of the bundle are roots of the public
// web. Only their policies keep a web server's certificate from being a grid
// host's.
func TestPublicWebIsKeptOut(t *testing.T) {
	tests := []struct{ alias, sub, good, bad string }{
		{
			"DigiCertAssuredIDRootCA-Root", "/C=US/O=DigiCert, Inc./CN=DigiCert Assured ID Grid TLS RSA2048 SHA256 2022 CA1",
			"/DC=com/DC=DigiCert-Grid/O=Site/CN=host.site.test", "/C=US/O=Web Shop/CN=www.shop.test",
		},
	}
	for _, test := range tests {
		t.Run(test.alias, func(t *testing.T) {
			dir, _ := copyIGTF(t)
			installed := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot().CAs()
			file := filepath.Join(dir, test.alias+".pem")
			original := must(certs.ReadCertificates(file))[0]
			// A root of the same name whose key is at hand.
			root := must(certstest.NewCA("x", options(func(c *x509.Certificate) { c.RawSubject = original.RawSubject })))
			writeFile(t, file, pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
			// Likewise for its grid subordinate, as the peer sends it.
			i := slices.IndexFunc(installed, func(ca *certs.CA) bool { return ca.Subject.Slash() == test.sub })
			if i < 0 {
				t.Fatalf("%s is not in the bundle", test.sub)
			}
			named := func(raw []byte) certstest.Options {
				return options(func(c *x509.Certificate) { c.RawSubject = raw })
			}
			gridSub := must(root.NewSubordinate("x", named(installed[i].Certificate.RawSubject)))
			webSub := must(root.NewSubordinate("x", named(slashName("/C=US/O=Web CA/CN=Web CA 1"))))
			store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
			verify := func(host *certstest.Host, mode certs.NamespacesMode) error {
				_, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerServer, now, certs.Policy{Namespaces: mode}))
				return err
			}
			host := func(ca *certstest.CA, dn string) *certstest.Host {
				return must(ca.NewHost("x.test", named(slashName(dn))))
			}
			const strict = policy.EUGridPMAAndGlobusRequire
			for name, web := range map[string]*certstest.Host{
				"by the root": host(root, test.bad), "by a subordinate of the web": host(webSub, test.bad),
				"with a grid name by a subordinate of the web": host(webSub, test.good),
				"by the grid's subordinate":                    host(gridSub, test.bad),
			} {
				refusal := wantRefusal(t, verify(web, strict), certs.CodePolicyDenied)
				if !strings.HasPrefix(refusal.File, dir) || refusal.Line == 0 {
					t.Errorf("%s: decided by %s:%d", name, refusal.File, refusal.Line)
				}
				if err := verify(web, certs.NamespacesIgnore); err != nil {
					t.Errorf("%s, without policies: %v", name, err)
				}
			}
			if err := verify(host(gridSub, test.good), strict); err != nil {
				t.Errorf("a grid host of the subordinate: %v", err)
			}
		})
	}
}

// TestEveryAnchorIsBound replaces every anchor of the bundle by one of its
// name whose key is at hand: none of them may sign a web server.
func TestEveryAnchorIsBound(t *testing.T) {
	dir, _ := copyIGTF(t)
	web := make(map[string]*certstest.Host)
	for _, ca := range must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot().CAs() {
		if !ca.Anchor {
			continue
		}
		root := must(certstest.NewCA("x", options(func(c *x509.Certificate) { c.RawSubject = ca.Certificate.RawSubject })))
		alias := must(os.Readlink(ca.Files[0]))
		writeFile(t, filepath.Join(dir, alias), pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
		web[ca.Subject.Slash()] = must(root.NewHost("www.shop.test", options(func(c *x509.Certificate) {
			c.RawSubject = slashName("/C=US/O=Web Shop/CN=www.shop.test")
		})))
	}
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	for dn, host := range web {
		_, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerServer, time.Now(), certs.Policy{}))
		if refusal, ok := errors.AsType[*certs.Refusal](err); !ok || refusal.Code != certs.CodePolicyDenied {
			t.Errorf("%s: %v", dn, err)
		}
	}
	t.Logf("%d anchors", len(web))
}

// slashName encodes a name that is written in slash form with common types.
func slashName(dn string) []byte {
	var rdns [][]dertest.Attribute
	for part := range strings.SplitSeq(dn[1:], "/") {
		kind, value, _ := strings.Cut(part, "=")
		tag := utf8String
		if kind == "DC" {
			tag = ia5
		}
		rdns = append(rdns,
			one(map[string]string{"DC": dc, "C": "2.5.4.6", "O": o, "OU": "2.5.4.11", "CN": cn}[kind], tag, value))
	}
	return encodeName(rdns...)
}
