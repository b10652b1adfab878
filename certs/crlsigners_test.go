package certs_test

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
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
		anyone(certs.RoleClient, at, certs.Policy{CRL: mode, Namespaces: certs.NamespacesIgnore}))
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

// keysOfOneName are CAs of one name, of which two are joined or not.
type keysOfOneName struct {
	ours, other, stranger *certstest.CA
	sha1Root              *certstest.CA   // its certificate is signed with SHA-1
	onlyLists             *certstest.CA   // may sign lists only; ours issued it
	host                  *certstest.Host // of ours
}

func newKeysOfOneName() keysOfOneName {
	k := keysOfOneName{
		ours: must(certstest.NewCA("Root", sound)), other: must(certstest.NewCA("Root", sound)),
		stranger: must(certstest.NewCA("Root", sound)),
		sha1Root: must(certstest.NewCA("Root",
			options(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }))),
	}
	k.host = must(k.ours.NewHost("host.test", sound))
	lists := must(k.ours.NewHost("x", options(func(c *x509.Certificate) {
		c.RawSubject, c.KeyUsage, c.SubjectKeyId = k.ours.Certificate.RawSubject, x509.KeyUsageCRLSign, []byte("lists")
	})))
	k.onlyLists = &certstest.CA{Certificate: lists.Certificate, Key: lists.Key}
	return k
}

// jointCase is what may join two keys of one name.
type jointCase struct {
	name      string
	joint     *certstest.CA // beside the two roots
	signer    *certstest.CA // of the list; nil: other
	sentOnly  bool          // the joint cannot be installed
	joined    bool
	nextEvent time.Time // zero: not said
	why       string    // that they are not joined; empty: that nothing joins them
}

// rolloverCases are certificates by which a CA changes its key.
func rolloverCases(k keysOfOneName) []jointCase {
	from, until := now.Add(time.Hour).Truncate(time.Second), now.Add(2*time.Hour).Truncate(time.Second)
	limited := func(o certstest.Options) certstest.Options {
		o.NotAfter = until
		return o
	}
	ended := rollover(k.ours, k.other,
		certstest.Options{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)})
	future := rollover(k.ours, k.other, certstest.Options{NotBefore: from, NotAfter: until})
	return []jointCase{
		{name: "nothing joins them"},
		{
			name: "new with old", joint: rollover(k.ours, k.other, limited(withKeyID(k.ours))), joined: true,
			nextEvent: until.Add(1),
		},
		{name: "new with old without key identifiers", joint: rollover(k.ours, k.other, limited(sound)), joined: true},
		{
			name: "old with new", joint: rollover(k.other, k.ours, limited(withKeyID(k.other))), joined: true,
			nextEvent: until.Add(1),
		},
		{name: "old with new without key identifiers", joint: rollover(k.other, k.ours, limited(sound)), joined: true},
		{
			name: "old with new, whose root is signed with SHA-1", joint: rollover(k.sha1Root, k.ours, sound),
			signer: k.sha1Root,
			joined: true,
		},
		{name: "ended", joint: ended, why: "signed it vouched for it until "},
		{name: "not yet valid", joint: future, nextEvent: from, why: "signed it vouches for it from "},
		{name: "of a third key", joint: rollover(k.stranger, k.other, sound)},
	}
}

// otherJointCases are certificates that join nothing, or lists only.
func otherJointCases(k keysOfOneName) []jointCase {
	weak := &certstest.CA{Certificate: k.other.Certificate, Key: must(rsa.GenerateKey(rand.Reader, 1024))}
	hostOfName := must(k.ours.NewHost("x", options(func(c *x509.Certificate) {
		c.RawSubject, c.SubjectKeyId = k.ours.Certificate.RawSubject, []byte("host")
	})))
	return []jointCase{
		{
			name: "a certificate for lists only", joint: k.onlyLists,
			signer: k.onlyLists, sentOnly: true, joined: true,
		},
		{
			name:  "signed with SHA-1",
			joint: rollover(k.ours, k.other, options(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })),
		},
		{
			name: "with an unknown critical extension",
			joint: rollover(k.ours, k.other, options(func(c *x509.Certificate) {
				c.ExtraExtensions = []pkix.Extension{{Id: oid("1.2.3.4"), Critical: true, Value: []byte{5, 0}}}
			})),
		},
		{name: "a weak key", joint: rollover(k.ours, weak, sound), signer: weak, sentOnly: true},
		{
			name: "a host of the name", joint: &certstest.CA{Certificate: hostOfName.Certificate, Key: hostOfName.Key},
			signer: &certstest.CA{
				Certificate: withCRLSign(&certstest.CA{Certificate: hostOfName.Certificate}), Key: hostOfName.Key,
			},
			sentOnly: true,
		},
	}
}

// TestListCountsForItsKey: of two keys of one name, a list of the one says
// that what the other issued is good only if a certificate joins the two that
// is valid now, up to the same anchor.
func TestListCountsForItsKey(t *testing.T) {
	k := newKeysOfOneName()
	tests := slices.Concat(rolloverCases(k), otherJointCases(k))
	for _, test := range tests {
		for _, sent := range []bool{true, false} {
			if test.joint == nil && sent || test.sentOnly && !sent {
				continue
			}
			t.Run(test.name+map[bool]string{true: ", sent", false: ", installed"}[sent], func(t *testing.T) {
				k.checkJoint(t, test, sent)
			})
		}
	}
	t.Run("a certificate for lists only certifies", func(t *testing.T) {
		again := rollover(k.onlyLists, k.other, sound)
		dir := bare(t, k.ours, k.other)
		writeList(t, dir, k.other, 0, current)
		_, err := judged(dir, certs.CRLRequire, now, k.host.Certificate, k.onlyLists.Certificate, again.Certificate)
		wantRefusal(t, err, certs.CodeCRLMissing)
	})
	t.Run("a root that only the peer sends", func(t *testing.T) {
		dir := bare(t, k.ours, k.other)
		writeList(t, dir, k.stranger, 0, current)
		_, err := judged(dir, certs.CRLRequire, now, k.host.Certificate,
			rollover(k.stranger, k.ours, withKeyID(k.stranger)).Certificate, k.stranger.Certificate)
		wantRefusal(t, err, certs.CodeCRLInvalid)
	})
	t.Run("the work is bounded", func(t *testing.T) {
		installed := []*certstest.CA{k.ours, k.other}
		for range 101 {
			installed = append(installed, must(certstest.NewCA("Root", sound)))
		}
		dir := bare(t, installed...)
		writeList(t, dir, k.other, 0, current)
		_, err := judged(dir, certs.CRLRequire, now, k.host.Certificate,
			rollover(k.ours, k.other, withKeyID(k.ours)).Certificate)
		wantRefusal(t, err, certs.CodeCRLMissing)
	})
	t.Run("the joint is revoked", func(t *testing.T) {
		joint := rollover(k.ours, k.other, withKeyID(k.ours))
		dir := bare(t, k.ours, k.other)
		writeList(t, dir, k.other, 0, certstest.CRLOptions{Revoked: []*x509.Certificate{joint.Certificate}})
		_, err := judged(dir, certs.CRLRequire, now, k.host.Certificate, joint.Certificate)
		if refusal := wantRefusal(t, err, certs.CodeCRLMissing); !strings.Contains(refusal.Reason, "signed it is revoked") {
			t.Error(refusal)
		}
	})
	t.Run("the certificate for lists is revoked", k.certificateForListsIsRevoked)
}

// checkJoint judges a host by a list of another key than its CA's, of which
// the peer sends the joint or it is installed.
func (k keysOfOneName) checkJoint(t *testing.T, test jointCase, sent bool) {
	t.Helper()
	installed, chain := []*certstest.CA{k.ours, k.other, k.sha1Root}, k.host.Chain
	switch {
	case sent:
		chain = []*x509.Certificate{k.host.Certificate, test.joint.Certificate}
	case test.joint != nil:
		installed = append(installed, test.joint)
	}
	signer := k.other
	if test.signer != nil {
		signer = test.signer
	}
	dir := bare(t, installed...)
	file := writeList(t, dir, signer, 0, current)
	result, err := judged(dir, certs.CRLRequire, now, chain...)
	missing := certs.CodeCRLMissing
	if test.sentOnly {
		missing = certs.CodeCRLInvalid // no installed key signed it
	}
	if test.joined {
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Warnings) > 0 || !test.nextEvent.IsZero() && !result.NextEvent.Equal(test.nextEvent) {
			t.Errorf("warnings %v, next event %s, want %s", result.Warnings, result.NextEvent, test.nextEvent)
		}
	} else if refusal := wantRefusal(t, err, missing); refusal.File != file ||
		missing == certs.CodeCRLMissing && (!strings.Contains(refusal.Reason, "another key") ||
			!strings.Contains(refusal.Reason, cmp.Or(test.why, "no certificate vouches for that key"))) {
		t.Errorf("got %v by %s", err, refusal.File)
	}
	// A list of another key is none: that is a warning.
	result, err = judged(dir, certs.CRLIfPresent, now, chain...)
	if missing == certs.CodeCRLMissing || test.joined {
		if err != nil || (len(result.Warnings) == 0) != test.joined {
			t.Errorf("if-present: %+v, %v", result, err)
		} else if !test.nextEvent.IsZero() && !result.NextEvent.Equal(test.nextEvent) {
			t.Errorf("if-present: next event %s, want %s", result.NextEvent, test.nextEvent)
		}
	} else {
		wantRefusal(t, err, missing)
	}
	// Who is named is refused.
	writeList(t, dir, signer, 0, naming(current, k.host))
	if test.joined || !test.sentOnly {
		_, err = judged(dir, certs.CRLIfValid, now, chain...)
		wantRefusal(t, err, certs.CodeRevoked)
	}
	// A list of its own is enough, whatever lies beside it.
	writeList(t, dir, signer, 0, stale)
	writeList(t, dir, k.ours, 1, current)
	if result, err = judged(dir, certs.CRLRequire, now, k.host.Chain...); err != nil || len(result.Warnings) > 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

func (k keysOfOneName) certificateForListsIsRevoked(t *testing.T) {
	sub := must(k.ours.NewSubordinate("Sub", sound))
	lists := must(k.ours.NewHost("x", options(func(c *x509.Certificate) {
		c.RawSubject, c.KeyUsage, c.SubjectKeyId = sub.Certificate.RawSubject, x509.KeyUsageCRLSign, []byte("lists")
	})))
	dir := bare(t, k.ours)
	writeList(t, dir, k.ours, 0, naming(current, lists))
	file := writeList(t, dir, &certstest.CA{Certificate: lists.Certificate, Key: lists.Key}, 0, current)
	_, err := judged(dir, certs.CRLRequire, now, must(sub.NewHost("host.test", sound)).Certificate, sub.Certificate,
		lists.Certificate)
	if refusal := wantRefusal(t, err, certs.CodeCRLInvalid); refusal.File != file ||
		!strings.Contains(refusal.Reason, "signed it is revoked") {
		t.Error(refusal)
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
		return certs.Verify(store.Snapshot(), host.Chain, anyone(certs.RoleClient, at, policy))
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
