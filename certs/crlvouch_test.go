package certs_test

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestWhoVouchesForLists: a key is joined to a CA by the name of the CA and a
// certificate of one, and nobody is unseated by a list that no key of the CA
// has signed.
func TestWhoVouchesForLists(t *testing.T) {
	ours, other, stranger := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound)),
		must(certstest.NewCA("Root", sound))
	host := must(ours.NewHost("host.test", sound))
	joint := rollover(ours, other, sound)
	named := certstest.CRLOptions{Revoked: []*x509.Certificate{joint.Certificate}}
	plain := must(certstest.NewCA("Alias", sound))
	alias := &certstest.CA{
		Certificate: recertify(plain, plain.Certificate, ours.Key.Public(), now.AddDate(1, 0, 0)), Key: ours.Key,
	}
	hostOfName := must(ours.NewHost("x", options(func(c *x509.Certificate) {
		c.RawSubject, c.SubjectKeyId, c.KeyUsage = ours.Certificate.RawSubject, []byte("host"), 0
	})))
	signer := &certstest.CA{
		Certificate: withCRLSign(&certstest.CA{Certificate: hostOfName.Certificate}), Key: hostOfName.Key,
	}
	tests := []struct {
		name   string
		joint  *x509.Certificate
		signer *certstest.CA // of the list by which the host is judged
		named  *certstest.CA // whose list names the joint
		want   certs.Code
	}{
		{name: "joined", joint: joint.Certificate, signer: other},
		{
			name: "by another name of the key", joint: rollover(alias, other, sound).Certificate, signer: other,
			want: certs.CodeCRLMissing,
		},
		{name: "by a host without a key usage", joint: hostOfName.Certificate, signer: signer, want: certs.CodeCRLInvalid},
		{name: "named by a stranger's list", joint: joint.Certificate, signer: other, named: stranger},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := bare(t, ours, other)
			writeList(t, dir, test.signer, 0, current)
			if test.named != nil {
				writeList(t, dir, test.named, 1, named)
			}
			_, err := judged(dir, certs.CRLRequire, now, host.Certificate, test.joint)
			if test.want != "" {
				wantRefusal(t, err, test.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestListsShownOfAnotherKey: what a person is told of a list of another key
// is what a verdict makes of it.
func TestListsShownOfAnotherKey(t *testing.T) {
	ours, other := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound))
	joint := rollover(ours, other, sound)
	sub, twin := must(ours.NewSubordinate("Sub", sound)), must(ours.NewSubordinate("Sub", sound))
	outside := must(must(certstest.NewCA("Root", sound)).NewSubordinate("Sub", sound))
	named := func(c *certstest.CA) certstest.CRLOptions {
		return certstest.CRLOptions{Revoked: []*x509.Certificate{c.Certificate}}
	}
	tests := []struct {
		name      string
		of        *certstest.CA // who is asked about
		installed []*certstest.CA
		lists     map[*certstest.CA]certstest.CRLOptions
		want      certs.Code
	}{
		{"joined", ours, []*certstest.CA{ours, joint}, map[*certstest.CA]certstest.CRLOptions{other: current}, ""},
		{
			"not joined", ours,
			[]*certstest.CA{ours, other},
			map[*certstest.CA]certstest.CRLOptions{other: current},
			certs.CodeCRLMissing,
		},
		{
			"joined by the CA above", sub,
			[]*certstest.CA{ours, sub, twin},
			map[*certstest.CA]certstest.CRLOptions{twin: current},
			"",
		},
		{
			"the joint is revoked", sub,
			[]*certstest.CA{ours, sub, twin},
			map[*certstest.CA]certstest.CRLOptions{twin: current, ours: named(twin)},
			certs.CodeCRLMissing,
		},
		{
			"of another CA of the name above", sub,
			[]*certstest.CA{ours, outside.Parent, sub, outside},
			map[*certstest.CA]certstest.CRLOptions{outside: current},
			certs.CodeCRLMissing,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := bare(t, test.installed...)
			n := 0
			for ca, o := range test.lists {
				writeList(t, dir, ca, n, o)
				n++
			}
			cas := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot().CAs()
			i := slices.IndexFunc(cas, func(ca *certs.CA) bool { return ca.Certificate.Equal(test.of.Certificate) })
			if code, why := cas[i].CRLState(now); code != test.want {
				t.Errorf("%s: %s, want %q", code, why, test.want)
			}
		})
	}
}

// TestListOfACAThatIsNotInstalled: it counts for a path with the key that
// signed it, and for nobody else.
func TestListOfACAThatIsNotInstalled(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub, stranger := must(root.NewSubordinate("Sub", sound)), must(certstest.NewCA("Sub", sound))
	host := must(sub.NewHost("host.test", sound))
	for name, test := range map[string]struct {
		signer *certstest.CA
		code   certs.Code
	}{
		"its own": {sub, certs.CodeRevoked}, "a stranger's": {stranger, ""},
		"the root's, by its name": {&certstest.CA{Certificate: sub.Certificate, Key: root.Key}, ""},
	} {
		dir := bare(t, root)
		writeList(t, dir, test.signer, 0, naming(current, host))
		_, err := judged(dir, certs.CRLIfValid, now, host.Chain...)
		if test.code == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantRefusal(t, err, test.code)
	}
}
