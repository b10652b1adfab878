package certs_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

func TestAccess(t *testing.T) {
	const dn = "/DC=test/DC=gtunnel/O=hosts/CN=db.site.test"
	tests := []struct {
		name    string
		hosts   []string
		dns     []string
		all     bool
		allowed bool
	}{
		{name: "nobody"},
		{name: "all", all: true, allowed: true},
		{name: "host", hosts: []string{"other.test", "DB.site.test."}, allowed: true},
		{name: "other host", hosts: []string{"db2.site.test", "site.test", "db"}},
		{name: "address", hosts: []string{"192.0.2.7"}, allowed: true},
		{name: "bracketed address", hosts: []string{"[2001:db8::7]"}, allowed: true},
		{name: "other address", hosts: []string{"192.0.2.8"}},
		{name: "DN", dns: []string{dn}, allowed: true},
		{name: "DN in quotes", dns: []string{`"` + dn + `"`}, allowed: true},
		{name: "DN in other letters", dns: []string{"/dc=TEST/dc=GTUNNEL/o=Hosts/cn=DB.site.test"}, allowed: true},
		{name: "beginning of a DN", dns: []string{"/DC=test/DC=gtunnel/O=hosts/*"}, allowed: true},
		{name: "beginning inside a value", dns: []string{"/DC=test/DC=gtunnel/O=hosts/CN=db.*"}, allowed: true},
		{name: "whole DN and a star", dns: []string{dn + "*"}, allowed: true},
		{name: "beginning of a DN without star", dns: []string{"/DC=test/DC=gtunnel/O=hosts"}},
		{name: "other beginning", dns: []string{"/DC=test/DC=other/*", "/O=hosts/*"}},
		{name: "reversed", dns: []string{"/CN=db.site.test/O=hosts/DC=gtunnel/DC=test"}},
		{name: "one rule of several", hosts: []string{"no.test"}, dns: []string{"/CN=no", dn}, allowed: true},
	}
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	host := must(root.NewHost("db.site.test", certstest.Options{IPs: []string{"192.0.2.7", "2001:db8::7"}}))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			access, err := certs.NewAccess(test.hosts, test.dns, test.all)
			if err != nil {
				t.Fatal(err)
			}
			_, err = certs.Verify(snapshot, host.Chain,
				anyone(certs.PeerClient, now, certs.Policy{Access: access, Namespaces: certs.NamespacesIgnore}))
			if test.allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefusal(t, err, certs.CodeNotAllowed)
		})
	}
	t.Run("zero value", func(t *testing.T) {
		_, err := certs.Verify(snapshot, host.Chain,
			anyone(certs.PeerClient, now, certs.Policy{Access: new(certs.Access), Namespaces: certs.NamespacesIgnore}))
		refusal := wantRefusal(t, err, certs.CodeNotAllowed)
		if !strings.Contains(refusal.Cure, "‹allow-host› db.site.test.") {
			t.Errorf("the cure %q does not give the flag", refusal.Cure)
		}
	})
}

// TestAccessSpellings: a DN of every spelling that grid tools have used names
// the same certificate.
func TestAccessSpellings(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	tests := []struct {
		name    string
		subject []byte
		rules   []string
		cure    string
	}{
		{
			"email", encodeName(one(o, printable, "Site"), one(cn, printable, "x"), one(email, ia5, "a@b")),
			[]string{"/O=Site/CN=x/emailAddress=a@b", "/O=Site/CN=x/Email=a@b", "/O=Site/CN=x/E=a@b", "/O=Site/CN=x/email=A@B"},
			`‹allow-dn› '/O=Site/CN=x/emailAddress=a@b'.`,
		},
		{
			"user id", encodeName(one(o, printable, "Site"), one(uid, utf8String, "u")),
			[]string{"/O=Site/UID=u", "/O=Site/USERID=u", "/O=Site/userId=u"},
			`‹allow-dn› '/O=Site/UID=u'.`,
		},
		{
			"service", encodeName(one(o, printable, "Site"), one(cn, printable, "mysql/db")),
			[]string{"/O=Site/CN=mysql/db", `/O=Site/CN=mysql\/db`},
			"‹allow-host› db.",
		},
		{
			"multi-valued", encodeName(one(o, printable, "Site"),
				slices.Concat(one(cn, printable, "x"), one(uid, utf8String, "u"))),
			[]string{"/O=Site/CN=x/UID=u", "/O=Site/CN=x+UID=u"},
			`‹allow-dn› '/O=Site/CN=x/UID=u'.`,
		},
		{
			"UTF-8", encodeName(one(o, utf8String, "Žofie"), one(cn, printable, "it's")),
			[]string{`/O=\xC5\xBDofie/CN=it's`, `/O=\xc5\xbdofie/CN=it's`, "/O=Žofie/CN=it's"},
			`‹allow-dn› '/O=\xC5\xBDofie/CN=it'\''s'.`,
		},
		{
			"unknown type", encodeName(one("1.3.6.1.4.1.99999.1", utf8String, "v")),
			[]string{"/1.3.6.1.4.1.99999.1=v"},
			`‹allow-dn› '/1.3.6.1.4.1.99999.1=v'.`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			host := must(root.NewHost("x", options(func(c *x509.Certificate) { c.DNSNames, c.RawSubject = nil, test.subject })))
			for _, rule := range test.rules {
				access, err := certs.NewAccess(nil, []string{rule}, false)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := certs.Verify(snapshot, host.Chain,
					anyone(certs.PeerClient, now, certs.Policy{Access: access, Namespaces: certs.NamespacesIgnore})); err != nil {
					t.Errorf("%s: %v", rule, err)
				}
			}
			_, err := certs.Verify(snapshot, host.Chain,
				anyone(certs.PeerClient, now, certs.Policy{Access: new(certs.Access), Namespaces: certs.NamespacesIgnore}))
			if refusal := wantRefusal(t, err, certs.CodeNotAllowed); !strings.Contains(refusal.Cure, test.cure) {
				t.Errorf("the cure %q is not %q", refusal.Cure, test.cure)
			}
		})
	}
}

// TestAllowAllIsForHosts: a person's certificate is no host's.
func TestAllowAllIsForHosts(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	person := certstest.Options{CommonName: "Alice Smith", DNSNames: []string{}, Mutate: func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection}
		c.EmailAddresses = []string{"alice@site.test"}
	}}
	verify := func(o certstest.Options, dns ...string) error {
		policy := certs.Policy{Access: must(certs.NewAccess(nil, dns, true)), Namespaces: certs.NamespacesIgnore}
		_, err := certs.Verify(snapshot, must(root.NewHost("x", o)).Chain, anyone(certs.PeerClient, now, policy))
		return err
	}
	refusal := wantRefusal(t, verify(person), certs.CodeNotAllowed)
	if !strings.Contains(refusal.Reason, "‹allow-all› admits hosts only") ||
		!strings.Contains(refusal.Cure, "‹allow-dn› '/DC=test/DC=gtunnel/O=hosts/CN=Alice Smith'") {
		t.Errorf("reason %q, cure %q", refusal.Reason, refusal.Cure)
	}
	if err := verify(person, "/DC=test/DC=gtunnel/O=hosts/CN=Alice Smith"); err != nil {
		t.Error(err)
	}
	for _, host := range []certstest.Options{
		{DNSNames: []string{"*.site.test"}},
		{CommonName: "mysql/db.site.test", DNSNames: []string{}},
		{CommonName: "Alice Smith", DNSNames: []string{}, IPs: []string{"192.0.2.7"}},
	} {
		if err := verify(host); err != nil {
			t.Error(err)
		}
	}
}

// TestBorderOfPrefix: the beginning of a DN ends where its rule ends, and no
// value borrows a '/' of it; and the two types that differ by case alone are
// two.
func TestBorderOfPrefix(t *testing.T) {
	const uniqueIdentifier = "0.9.2342.19200300.100.1.44"
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	site := one(dc, ia5, "two")
	hosts := encodeName(site, one(o, utf8String, "hosts"), one(cn, utf8String, "x"))
	tests := []struct {
		rule    string
		subject []byte
		allowed bool
	}{
		{"/DC=two/O=hosts/*", hosts, true},
		{"/DC=two/O=hosts/C*", hosts, true},
		{"/DC=two/O=hosts/CN=*", hosts, true},
		{"/DC=two/O=hosts*", hosts, true},
		{"/DC=two/O=hosts/CN=x*", hosts, true},
		{"/DC=two/*", hosts, true},
		{"/O=hosts/*", hosts, false},
		{"/O=hosts/CN=*", hosts, false},
		{"/CN=x*", hosts, false},
		{"/D*", hosts, true},
		{"/DC=two/O=hosts/CN=x/*", hosts, false},
		{"/DC=two/O=hosts/*", encodeName(site, one(o, utf8String, "hosts/evil"), one(cn, utf8String, "x")), false},
		{"/DC=two/O=hosts/C*", encodeName(site, one(o, utf8String, "hosts/Cevil"), one(cn, utf8String, "x")), false},
		{"/DC=two/O=hosts/*", encodeName(site, one(o, utf8String, "hosts/"), one(cn, utf8String, "x")), false},
		{"/DC=two/O=a/b/*", encodeName(site, one(o, utf8String, "a/b"), one(cn, utf8String, "x")), true},
		{"/DC=two/O=hosts*", encodeName(site, one(o, utf8String, "hosts/evil"), one(cn, utf8String, "x")), true},
		{"/DC=two/CN=host/*", encodeName(site, one(cn, utf8String, "host/x")), true},
		{"/DC=two/CN=host/d*", encodeName(site, one(cn, utf8String, "host/db")), true},
		{"/DC=two/CN=host/*", encodeName(site, one(cn, utf8String, "hosts/x")), false},
		{"/DC=two/UID=u", encodeName(site, one(uid, utf8String, "u")), true},
		{"/DC=two/UserID=u", encodeName(site, one(uid, utf8String, "u")), true},
		{"/DC=two/uid=u", encodeName(site, one(uid, utf8String, "u")), false},
		{"/DC=two/UID=u", encodeName(site, one(uniqueIdentifier, utf8String, "u")), false},
		{"/DC=two/UserID=u", encodeName(site, one(uniqueIdentifier, utf8String, "u")), false},
		{"/DC=two/uid=u", encodeName(site, one(uniqueIdentifier, utf8String, "u")), true},
		{"/DC=two/uniqueIdentifier=u", encodeName(site, one(uniqueIdentifier, utf8String, "u")), true},
	}
	for _, test := range tests {
		host := must(root.NewHost("x", options(func(c *x509.Certificate) { c.DNSNames, c.RawSubject = nil, test.subject })))
		policy := certs.Policy{
			Access: must(certs.NewAccess(nil, []string{test.rule}, false)), Namespaces: certs.NamespacesIgnore,
		}
		_, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, now, policy))
		if test.allowed {
			if err != nil {
				t.Errorf("%s: %v", test.rule, err)
			}
			continue
		}
		wantRefusal(t, err, certs.CodeNotAllowed)
	}
}

// TestNoRuleForADN: where no rule can be made of a DN, the reason says why, and
// the cure names none.
func TestNoRuleForADN(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	for value, why := range map[string]string{
		"a\x07b": "its DN holds control characters", "a*": "its DN holds a '*'", "*a": "its DN holds a '*'",
	} {
		host := must(root.NewHost("x",
			options(func(c *x509.Certificate) { c.DNSNames, c.RawSubject = nil, encodeName(one(cn, utf8String, value)) })))
		_, err := certs.Verify(snapshot, host.Chain,
			anyone(certs.PeerClient, now, certs.Policy{Access: new(certs.Access), Namespaces: certs.NamespacesIgnore}))
		refusal := wantRefusal(t, err, certs.CodeNotAllowed)
		if !strings.HasSuffix(refusal.Reason, "no ‹allow-dn› can name it alone: "+why) ||
			strings.Contains(refusal.Cure, "‹allow-dn›") {
			t.Errorf("%q: reason %q, cure %q", value, refusal.Reason, refusal.Cure)
		}
		if refusal.Cure != "Ask the CA for a certificate with the host's name as subjectAltName." {
			t.Errorf("%q: cure %q", value, refusal.Cure)
		}
		wildcard := must(root.NewHost("x", options(func(c *x509.Certificate) {
			c.DNSNames, c.RawSubject = []string{"*.site.test"}, encodeName(one(cn, utf8String, value))
		})))
		_, err = certs.Verify(snapshot, wildcard.Chain,
			anyone(certs.PeerClient, now, certs.Policy{Access: new(certs.Access), Namespaces: certs.NamespacesIgnore}))
		if refusal := wantRefusal(t, err, certs.CodeNotAllowed); !strings.HasSuffix(refusal.Cure,
			"add ‹allow-host› with its name below site.test.") {
			t.Errorf("%q with a wildcard: cure %q", value, refusal.Cure)
		}
	}
}

// TestAmbiguousDN: a value that looks like another attribute, or like an
// escaped octet, cannot borrow another's DN.
func TestAmbiguousDN(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	tests := []struct {
		rule    string
		subject []byte
	}{
		{"/O=Site/CN=db", encodeName(one(o, utf8String, "Site/CN=db"))},
		{"/O=Site/CN=db", encodeName(one(o, utf8String, "Site+CN=db"))},
		{"/O=Site/*", encodeName(one(o, utf8String, "Site/1.2.3=x"))},
		{"/O=Ž", encodeName(one(o, utf8String, `\xC5\xBD`))},
	}
	for _, test := range tests {
		host := must(root.NewHost("x", options(func(c *x509.Certificate) { c.DNSNames, c.RawSubject = nil, test.subject })))
		access := must(certs.NewAccess(nil, []string{test.rule}, false))
		_, err := certs.Verify(snapshot, host.Chain,
			anyone(certs.PeerClient, now, certs.Policy{Access: access, Namespaces: certs.NamespacesIgnore}))
		if refusal := wantRefusal(t, err, certs.CodeNotAllowed); !strings.Contains(refusal.Reason, "stands for other names") {
			t.Errorf("%s: reason %q", test.rule, refusal.Reason)
		}
	}
}

// TestAccessBMPString: a certificate whose octets spell another name is shown
// as what it says, and refused; what is shown makes a rule.
func TestAccessBMPString(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	subject := func(value string) certstest.Options {
		return options(func(c *x509.Certificate) { c.DNSNames, c.RawSubject = nil, encodeName(one(cn, bmp, value)) })
	}
	verify := func(o certstest.Options, rule string) error {
		policy := certs.Policy{Access: must(certs.NewAccess(nil, []string{rule}, false)), Namespaces: certs.NamespacesIgnore}
		_, err := certs.Verify(snapshot, must(root.NewHost("x", o)).Chain, anyone(certs.PeerClient, now, policy))
		return err
	}
	refusal := wantRefusal(t, verify(subject("server"), "/CN=server"), certs.CodeNotAllowed)
	const shown = `/CN=\xE7\x8D\xA5\xE7\x89\xB6\xE6\x95\xB2`
	if refusal.Subject != shown || !strings.Contains(refusal.Cure, "‹allow-dn› '"+shown+"'") {
		t.Errorf("subject %s, cure %s", refusal.Subject, refusal.Cure)
	}
	if err := verify(subject("server"), shown); err != nil {
		t.Error(err)
	}
	if err := verify(subject(dertest.BMP("server")), "/CN=server"); err != nil {
		t.Error(err)
	}
}

// TestAccessWithoutDN: the refusal of a certificate without a name says so.
func TestAccessWithoutDN(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	host := must(root.NewHost("x", options(func(c *x509.Certificate) { c.DNSNames, c.RawSubject = nil, encodeName() })))
	_, err := certs.Verify(snapshot, host.Chain,
		anyone(certs.PeerClient, now, certs.Policy{Access: new(certs.Access), Namespaces: certs.NamespacesIgnore}))
	refusal := wantRefusal(t, err, certs.CodeNotAllowed)
	if !strings.Contains(refusal.Error(), "the certificate of (empty DN) is refused") ||
		!strings.Contains(refusal.Reason, "its DN is empty") {
		t.Error(refusal)
	}
}

func TestAccessRulesThatMatchNobody(t *testing.T) {
	tests := []struct{ host, dn, words, hint string }{
		{host: "", words: `""`, hint: "‹allow-host›"},
		{host: "server 2", words: `"server 2"`, hint: "‹allow-host›"},
		{host: "*.domain.one", words: `"*.domain.one"`, hint: "an ‹allow-host› of its own"},
		{host: "server2.domain.one:3307", words: "3307", hint: "leave the port away: ‹allow-host› server2.domain.one"},
		{host: "server 2:3307", words: "3307", hint: "give the host's full name"},
		{host: "/DC=org/CN=x", words: "/DC=org", hint: "‹allow-dn› '/DC=org/CN=x'"},
		{host: "-x.test", words: "-x.test", hint: "‹allow-host›"},
		{dn: "*", words: `"*"`, hint: "‹allow-all›"},
		{dn: "/*", words: `"/*"`, hint: "‹allow-all›"},
		{dn: `""`, words: "it is empty", hint: "‹allow-dn› '/DC="},
		{dn: "/DC=*/CN=x", words: "only at the end", hint: "‹allow-dn› '/DC="},
		{dn: "CN=x,DC=org", words: "not a DN in slash form", hint: "gtunnel certs show"},
		{dn: "db.site.test", words: "not a DN in slash form", hint: "‹allow-dn›"},
		{dn: "DC=org/CN=x", words: "not a DN in slash form", hint: "‹allow-dn›"},
		{dn: "/hosts", words: "not a DN in slash form", hint: "‹allow-dn›"},
		{dn: "/hosts/CN=x", words: "not a DN in slash form", hint: "‹allow-dn›"},
		{dn: "/hosts/CN=x*", words: "not a DN in slash form", hint: "‹allow-dn›"},
		{dn: `"/DC=org/CN=x`, words: "quotes", hint: "‹allow-dn›"},
		{dn: "/DC=org/CN=", words: "no value", hint: "‹allow-dn›"},
		{dn: "+DC=org", words: "not a DN in slash form", hint: "‹allow-dn›"},
	}
	for _, test := range tests {
		var hosts, dns []string
		if test.dn != "" {
			dns = []string{"/CN=good", test.dn}
		} else {
			hosts = []string{"good.test", test.host}
		}
		access, err := certs.NewAccess(hosts, dns, false)
		if access != nil {
			t.Errorf("%q%q: rules in spite of the error", test.host, test.dn)
		}
		wantHint(t, err, test.words, test.hint)
	}
	_, err := certs.NewAccess([]string{"a b"}, []string{"c"}, true)
	if err == nil || !strings.Contains(err.Error(), `"a b"`) || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("not all wrong rules are named: %v", err)
	}
}
