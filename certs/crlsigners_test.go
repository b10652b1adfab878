package certs_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// rollover has one key of a CA certify another: a self-issued certificate for
// the key of of.
func rollover(by, of *certstest.CA, o certstest.Options) *certstest.CA {
	template := *must(by.NewSubordinate("Root", o)).Certificate
	template.SubjectKeyId = nil
	template.ExtraExtensions = slices.DeleteFunc(template.Extensions,
		func(e pkix.Extension) bool { return !e.Id.Equal(oid("1.2.3.4")) })
	der := must(x509.CreateCertificate(rand.Reader, &template, by.Certificate, of.Key.Public(), by.Key))
	return &certstest.CA{Certificate: must(x509.ParseCertificate(der)), Key: of.Key, Parent: by}
}

// withKeyID names the key of the issuer, which Go's certificates of a CA for
// itself do not.
func withKeyID(ca *certstest.CA) certstest.Options {
	return options(func(c *x509.Certificate) { c.AuthorityKeyId = ca.Certificate.SubjectKeyId })
}

// judged verifies a chain by the lists of a CApath.
func judged(dir string, mode certs.CRLMode, at time.Time, chain ...*x509.Certificate) (*certs.Result, error) {
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	return certs.Verify(snapshot, chain,
		anyone(certs.PeerClient, at, certs.Policy{CRL: mode, Namespaces: certs.NamespacesIgnore}))
}

// TestSelfIssuedIsRevocable: a list that names the certificate by which a CA
// changes its key refuses it, sent or installed, with or without key
// identifiers. It only needs no list.
func TestSelfIssuedIsRevocable(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	for name, o := range map[string]certstest.Options{"key identifiers": withKeyID(root), "none": sound} {
		successor := must(root.NewSubordinate("Root", o))
		host := must(successor.NewHost("host.test", sound))
		named := certstest.CRLOptions{Revoked: []*x509.Certificate{successor.Certificate}}
		namedStale := stale
		namedStale.Revoked = named.Revoked
		for place, installed := range map[string][]*certstest.CA{"sent": {root}, "installed": {root, successor}} {
			t.Run(name+" "+place, func(t *testing.T) {
				for _, o := range []certstest.CRLOptions{named, namedStale} {
					dir := bare(t, installed...)
					file := writeList(t, dir, root, 0, o)
					writeList(t, dir, successor, 1, current)
					for _, mode := range []certs.CRLMode{certs.CRLRequire, certs.CRLIfPresent, certs.CRLIfValid} {
						_, err := judged(dir, mode, now, host.Chain...)
						if refusal := wantRefusal(t, err, certs.CodeRevoked); refusal.Depth != 1 || refusal.File != file ||
							!strings.Contains(refusal.Cure, "changed its key") {
							t.Errorf("%s: %v at depth %d by %s; cure %s", mode, err, refusal.Depth, refusal.File, refusal.Cure)
						}
					}
					if _, err := judged(dir, certs.CRLIgnore, now, host.Chain...); err != nil {
						t.Error(err)
					}
				}
				dir := bare(t, installed...)
				writeList(t, dir, successor, 0, current) // none of the key that signed the successor
				if _, err := judged(dir, certs.CRLRequire, now, host.Chain...); err != nil {
					t.Errorf("without a list: %v", err)
				}
				writeList(t, dir, root, 1, stale)
				_, err := judged(dir, certs.CRLRequire, now, host.Chain...)
				if refusal := wantRefusal(t, err, certs.CodeCRLExpired); refusal.Depth != 1 {
					t.Errorf("a stale list: %v at depth %d", err, refusal.Depth)
				}
				writeList(t, dir, root, 2, current)
				if _, err := judged(dir, certs.CRLRequire, now, host.Chain...); err != nil {
					t.Errorf("a current list: %v", err)
				}
			})
		}
	}
}

// TestListOfAnotherSubordinateKey: a subordinate that the same CA certified
// anew with another key vouches; one of the same name below another root does
// not. What is shown of the CAs is what is judged.
func TestListOfAnotherSubordinateKey(t *testing.T) {
	root, elsewhere := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Elsewhere", sound))
	sub, again, twin := must(root.NewSubordinate("Sub", sound)), must(root.NewSubordinate("Sub", sound)),
		must(elsewhere.NewSubordinate("Sub", sound))
	host := must(sub.NewHost("host.test", sound))
	for name, test := range map[string]struct {
		other *certstest.CA
		want  certs.Code
	}{"re-keyed": {again, ""}, "another anchor": {twin, certs.CodeCRLMissing}} {
		t.Run(name, func(t *testing.T) {
			dir := bare(t, root, elsewhere, sub, test.other)
			writeList(t, dir, root, 0, current)
			writeList(t, dir, elsewhere, 0, current)
			writeList(t, dir, test.other, 0, current)
			_, err := judged(dir, certs.CRLRequire, now, host.Chain...)
			if test.want == "" && err != nil {
				t.Error(err)
			} else if test.want != "" {
				wantRefusal(t, err, test.want)
			}
			for _, ca := range must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot().CAs() {
				want := certs.Code("")
				if ca.Certificate.Equal(sub.Certificate) {
					want = test.want
				}
				if code, why := ca.CRLState(now); code != want {
					t.Errorf("%s is shown as %q: %s; want %q", ca.Subject.Slash(), code, why, want)
				}
			}
		})
	}
}

// TestStaleUnderIfPresent: a list that merely went stale is a warning for a
// while, for new connections as for open ones; then it refuses.
func TestStaleUnderIfPresent(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	host := must(root.NewHost("host.test", certstest.Options{NotAfter: now.AddDate(0, 1, 0)}))
	due := now.Add(time.Hour).Truncate(time.Second)
	const grace = 24 * time.Hour
	dir := bare(t, root)
	file := writeList(t, dir, root, 0, certstest.CRLOptions{NextUpdate: due})
	policy := certs.Policy{
		CRLGrace: grace, Namespaces: certs.NamespacesIgnore, Access: must(certs.NewAccess(nil, nil, true)),
	}
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	verify := func(at time.Time) (*certs.Result, error) {
		return certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerClient, at, policy))
	}
	recheck := func(at time.Time) (*certs.Result, error) {
		session, err := verify(now)
		if err != nil {
			return nil, err
		}
		return (&certs.Endpoint{Store: store, Policy: policy}).Recheck(session, at)
	}
	for name, judge := range map[string]func(time.Time) (*certs.Result, error){"new": verify, "open": recheck} {
		t.Run(name, func(t *testing.T) {
			for _, at := range []time.Time{due, due.Add(grace - time.Second)} {
				result, err := judge(at)
				if err != nil {
					t.Fatal(err)
				}
				if len(result.Warnings) != 1 || result.Warnings[0].Code != certs.CodeCRLExpired ||
					result.Warnings[0].File != file ||
					!strings.Contains(result.Warnings[0].Text, "refused from "+due.Add(grace).UTC().Format(time.DateTime)) {
					t.Errorf("warnings %v", result.Warnings)
				}
				if !result.NextEvent.Equal(due.Add(grace)) {
					t.Errorf("next event %s, want the end of the grace %s", result.NextEvent, due.Add(grace))
				}
			}
			_, err := judge(due.Add(grace))
			wantRefusal(t, err, certs.CodeCRLExpired)
		})
	}
	writeList(t, dir, root, 1, stale) // a leftover that is staler
	reload(t, store)
	if result, err := verify(due); err != nil || len(result.Warnings) != 1 || result.Warnings[0].File != file {
		t.Errorf("beside a leftover: %+v, %v", result, err)
	}
	writeList(t, dir, root, 1, certstest.CRLOptions{NextUpdate: due.AddDate(0, 0, 7)})
	reload(t, store)
	if result, err := verify(due.Add(grace)); err != nil || len(result.Warnings) > 0 {
		t.Errorf("beside a current one: %+v, %v", result, err)
	}
	if err := os.Remove(filepath.Join(dir, strings.Replace(filepath.Base(file), ".r0", ".r1", 1))); err != nil {
		t.Fatal(err)
	}
	reload(t, store)
	secondLook(t, store)
	policy.CRLGrace = 0
	_, err := verify(due)
	wantRefusal(t, err, certs.CodeCRLExpired)
}
