package certs_test

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

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
