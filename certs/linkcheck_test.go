package certs_test

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// checksOf writes the checks of a result, a line for each: depth, name, base
// name and line of the file, text.
func checksOf(result *certs.Result) string {
	var b strings.Builder
	for depth, checks := range result.Checks() {
		for _, c := range checks {
			fmt.Fprintf(&b, "%d %s [%s:%d] %s\n", depth, c.Name, filepath.Ext(c.File), c.Line, c.Text)
		}
	}
	return b.String()
}

// wantChecks asks for lines that match, in this order.
func wantChecks(t *testing.T, result *certs.Result, lines ...string) {
	t.Helper()
	said := checksOf(result)
	rest := said
	for _, line := range lines {
		at := regexp.MustCompile("(?m)^" + line + "$").FindStringIndex(rest)
		if at == nil {
			t.Errorf("no %q, in its place, in:\n%s", line, said)
			return
		}
		rest = rest[at[1]:]
	}
}

// installed makes a CApath of CAs with their signing policies.
func installed(t *testing.T, cas ...*certstest.CA) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, cas...); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestLinkChecks: a chain of three with all that there is.
func TestLinkChecks(t *testing.T) {
	root := must(certstest.NewCA("Root", pathLength(1)))
	sub := must(root.NewSubordinate("Sub", options(func(c *x509.Certificate) {
		c.PermittedDNSDomains = []string{"site.test"}
	})))
	dir := installed(t, root, sub)
	for _, ca := range []*certstest.CA{root, sub} {
		must(certstest.WriteCRL(dir, ca, certstest.CRLOptions{}))
		hash, _ := hashes(ca)
		writeFile(t, filepath.Join(dir, hash+".namespaces"), []byte(to("", "PERMIT", "/DC=test/DC=gtunnel/.*")), 0o644)
	}
	host := must(sub.NewHost("db.site.test", usages(x509.ExtKeyUsageServerAuth)))
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	policy := required
	result, err := certs.Verify(snapshot, host.Chain, held(certs.PeerServer, "db.site.test", now, policy))
	if err != nil {
		t.Fatal(err)
	}
	date := `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`
	list := `not on the list of ` + date + `, the next one due on ` + date
	wantChecks(t, result,
		`0 signature \[.0:1\] ECDSA-SHA256 by the key of /DC=test/DC=gtunnel/CN=Sub`,
		`0 dates \[:0\] from `+date+` to `+date,
		`0 key \[:0\] ECDSA P-256`,
		`0 critical-extensions \[:0\] none that is not understood`,
		`0 basic-constraints \[:0\] it is no CA`,
		`0 key-usage \[:0\] digitalSignature`,
		`0 extended-key-usage \[:0\] serverAuth`,
		`0 policy \[.signing_policy:\d\] the signing policy permits "/DC=test/DC=gtunnel/\*"`,
		`0 policy \[.namespaces:1\] the namespaces permit "/DC=test/DC=gtunnel/\.\*"`,
		`0 revocation \[.r0:0\] `+list,
		`0 host \[:0\] it proves db.site.test by subjectAltName`,
		`0 access \[:0\] an access rule names it`,
		`1 signature \[.0:1\] ECDSA-SHA256 by the key of /DC=test/DC=gtunnel/CN=Root`,
		`1 basic-constraints \[:0\] it is a CA`,
		`1 path-length \[:0\] not limited`,
		`1 key-usage \[:0\] keyCertSign`,
		`1 extended-key-usage \[:0\] not limited`,
		`1 name-constraints \[.0:1\] they allow every name below it`,
		`1 policy \[.signing_policy:\d\] .*`,
		`1 revocation \[.r0:0\] `+list,
		`2 signature \[.0:1\] not checked: a root is trusted for being installed`,
		`2 path-length \[:0\] 1 allowed below it, 1 here`,
		`2 name-constraints \[:0\] it has none`,
	)
	if said := checksOf(result); strings.Contains(said, "2 policy") || strings.Contains(said, "2 revocation") {
		t.Errorf("something is asked about the anchor:\n%s", said)
	}
	for _, checks := range result.Checks() {
		for _, c := range checks {
			if c.File != "" && !strings.HasPrefix(c.File, dir) {
				t.Errorf("the file %s is not in %s", c.File, dir)
			}
		}
	}
}

// TestLinkChecksTolerated: what is not asked for, and what is tolerated, says so.
func TestLinkChecksTolerated(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	host := must(root.NewHost("host.test", sound))
	verify := func(config certs.StoreConfig, options certs.VerifyOptions) *certs.Result {
		t.Helper()
		result, err := certs.Verify(must(certs.OpenStore(config)).Snapshot(), host.Chain, options)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	dir := installed(t, root)
	inPath := certs.StoreConfig{CApath: dir}
	t.Run("nothing asked", func(t *testing.T) {
		policy := certs.Policy{CRL: certs.CRLIgnore, Namespaces: certs.NamespacesIgnore}
		wantChecks(t, verify(inPath, anyone(certs.PeerAny, now, policy)),
			`0 key-usage \[:0\] not asked for: the peer's role is not said`,
			`0 extended-key-usage \[:0\] not asked for: the peer's role is not said`,
			`0 policy \[:0\] not asked: ‹namespaces› ignore`,
			`0 revocation \[:0\] not asked: ‹crl› ignore`,
			`0 host \[:0\] no name is asked for`,
		)
	})
	t.Run("list missing", func(t *testing.T) {
		policy := certs.Policy{Access: must(certs.NewAccess(nil, nil, true))}
		wantChecks(t, verify(inPath, anyone(certs.PeerClient, now, policy)),
			`0 extended-key-usage \[:0\] clientAuth and serverAuth`,
			`0 revocation \[:0\] tolerated by ‹crl› if-present: crl-missing: there is no list of /DC=test/DC=gtunnel/CN=Root`,
			`0 access \[:0\] every host is admitted`,
		)
	})
	t.Run("CA file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "ca.pem")
		writeFile(t, file, pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
		wantChecks(t, verify(certs.StoreConfig{CAfile: file}, anyone(certs.PeerClient, now, certs.Policy{})),
			`0 signature \[.pem:1\] ECDSA-SHA256 .*`,
			`0 policy \[.pem:0\] not bound: the CAs of this file may sign anything`,
			`1 signature \[.pem:1\] not checked: .*`,
		)
	})
	t.Run("no policy", func(t *testing.T) {
		hash, old := hashes(root)
		for _, name := range []string{hash, old} {
			if err := os.Remove(filepath.Join(dir, name+".signing_policy")); err != nil {
				t.Fatal(err)
			}
		}
		policy := certs.Policy{Namespaces: policy.Globus}
		wantChecks(t, verify(inPath, anyone(certs.PeerClient, now, policy)),
			`0 policy \[:0\] no file speaks of the CA, and ‹namespaces› globus asks for none`)
	})
}

// TestLinkChecksOfRecheck: an open session's checks say what is tolerated for
// it, though a new connection would be refused.
func TestLinkChecksOfRecheck(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	dir := installed(t, root)
	must(certstest.WriteCRL(dir, root, certstest.CRLOptions{NextUpdate: now.Add(time.Hour)}))
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	endpoint := &certs.Endpoint{Store: store, Policy: certs.Policy{
		CRL: certs.CRLRequire, CRLGrace: 24 * time.Hour, Access: must(certs.NewAccess(nil, nil, true)),
	}}
	host := must(root.NewHost("host.test", sound))
	result := must(certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerClient, now, endpoint.Policy)))
	wantChecks(t, result, `0 revocation \[.r0:0\] not on the list of .*`)
	again, err := endpoint.Recheck(result, now.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	wantChecks(t, again, `0 revocation \[.r0:0\] tolerated by ‹crl› require: crl-expired: .*`)
	names := func(r *certs.Result) (names []string) {
		for _, check := range r.Checks()[0] {
			names = append(names, check.Name)
		}
		return names
	}
	if !slices.Equal(names(result), names(again)) {
		t.Errorf("other checks: %q, %q", names(result), names(again))
	}
	if checks := new(certs.Result).Checks(); checks != nil {
		t.Errorf("checks of nothing: %v", checks)
	}
}
