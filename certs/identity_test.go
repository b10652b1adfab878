package certs_test

import (
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

var (
	noSAN        = []string{}
	longestLabel = strings.Repeat("a", 63)
	longestName  = strings.Repeat(longestLabel+".", 3) + strings.Repeat("b", 61) // 253 octets
)

// hostIdentities are names in certificates and the hosts that they prove.
var hostIdentities = []struct {
	name     string
	cn       string
	sans     []string
	ips      []string
	mode     certs.HostMode
	hosts    string // proven, with spaces between
	rule     string
	proves   []string
	rejected []string
}{
	{
		name: "SAN", cn: "other.test", sans: []string{"A.test", "b.test"}, hosts: "a.test b.test", rule: "subjectAltName",
		proves:   []string{"a.test", "A.TEST", "b.test", "a.test."},
		rejected: []string{"other.test", "a", "test", "x.a.test", "a.test.x", "a.test..", "127.0.0.1"},
	},
	{
		name: "common name", cn: "a.site.test", sans: noSAN, hosts: "a.site.test", rule: "common name",
		proves: []string{"a.site.test"}, rejected: []string{"a", "b.site.test"},
	},
	{
		name: "host/", cn: "host/A.site.test", sans: noSAN, hosts: "a.site.test", rule: "common name",
		proves: []string{"a.site.test"},
	},
	{
		name: "service/", cn: "mysql/a.site.test", sans: noSAN, hosts: "a.site.test", rule: "common name",
		proves: []string{"a.site.test"},
	},
	{name: "host/ with a short name", cn: "host/a", sans: noSAN, hosts: "a", rule: "common name", proves: []string{"a"}},
	{name: "a person", cn: "alice", sans: noSAN, rule: "subjectAltName", rejected: []string{"alice"}},
	{
		name: "a person with spaces", cn: "Alice B. Site", sans: noSAN, rule: "subjectAltName",
		rejected: []string{"alice b. site"},
	},
	{
		name: "san-only ignores the common name", cn: "a.site.test", sans: noSAN, mode: certs.HostModeSANOnly,
		rule: "subjectAltName", rejected: []string{"a.site.test"},
	},
	{
		name: "wildcard", cn: "x", sans: []string{"*.site.test"}, hosts: "*.site.test", rule: "subjectAltName",
		proves:   []string{"a.site.test"},
		rejected: []string{"site.test", "a.b.site.test", "*.site.test", ".site.test", "10.site.testx"},
	},
	{
		name: "wildcard in part of a label", cn: "x", sans: []string{"a*.site.test", "ok.test"}, hosts: "ok.test",
		rule: "subjectAltName", rejected: []string{"ab.site.test"},
	},
	{
		name: "wildcard of a top level", cn: "x", sans: []string{"*.test", "ok.test"}, hosts: "ok.test",
		rule: "subjectAltName", rejected: []string{"a.test"},
	},
	{
		name: "wildcard in the common name", cn: "*.site.test", sans: noSAN, rule: "subjectAltName",
		rejected: []string{"a.site.test"},
	},
	{
		name: "NUL", cn: "a.site.test\x00.evil.test", sans: noSAN, rule: "subjectAltName",
		rejected: []string{"a.site.test", "a.site.test\x00.evil.test"},
	},
	{
		name: "address in the common name", cn: "192.0.2.1", sans: noSAN, rule: "subjectAltName",
		rejected: []string{"192.0.2.1"},
	},
	{
		name: "address as dNSName", cn: "x", sans: []string{"192.0.2.1"}, rule: "subjectAltName",
		rejected: []string{"192.0.2.1"},
	},
	{
		name: "addresses", cn: "a.site.test", sans: noSAN, ips: []string{"192.0.2.1", "2001:db8::1"}, hosts: "a.site.test",
		rule:   "common name",
		proves: []string{"192.0.2.1", "2001:db8::1", "2001:DB8:0::1", "::ffff:192.0.2.1", "a.site.test"}, rejected: []string{
			"192.0.2.2", "2001:db8::2",
		},
	},
	{
		name: "two slashes", cn: "a/b/c.site.test", sans: noSAN, rule: "subjectAltName",
		rejected: []string{"c.site.test", "b/c.site.test"},
	},
	{
		name: "service in capitals", cn: "MySQL/a.site.test", sans: noSAN, hosts: "a.site.test", rule: "common name",
		proves: []string{"a.site.test"},
	},
	{
		name: "service of two words", cn: "my sql/a.site.test", sans: noSAN, rule: "subjectAltName",
		rejected: []string{"a.site.test"},
	},
	{
		name: "service beyond ASCII", cn: "é/a.site.test", sans: noSAN, rule: "subjectAltName",
		rejected: []string{"a.site.test"},
	},
	{
		name: "labels", cn: "x", rule: "subjectAltName",
		sans: []string{
			longestLabel + ".test", longestLabel + "x.test", "-a.test", "a-.test", "a..test", ".a.test",
			"*." + longestLabel + "x.test", "*.-a.test", "*.a-.test", "*..test",
		},
		hosts: longestLabel + ".test", proves: []string{longestLabel + ".test"},
		rejected: []string{longestLabel + "x.test", "-a.test", "a-.test", "a..test", ".a.test", "b.-a.test"},
	},
	{
		name: "length", cn: "x", sans: []string{longestName, longestName + "b"}, hosts: longestName, rule: "subjectAltName",
		proves: []string{longestName}, rejected: []string{longestName + "b"},
	},
	{name: "empty service", cn: "/a.site.test", sans: noSAN, rule: "subjectAltName", rejected: []string{"a.site.test"}},
	{
		name: "hyphens and underscores", cn: "host/my-db_1.site.test", sans: noSAN, hosts: "my-db_1.site.test",
		rule: "common name", proves: []string{"my-db_1.site.test"},
	},
}

func TestHostIdentity(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	for _, test := range hostIdentities {
		t.Run(test.name, func(t *testing.T) {
			host := must(root.NewHost("x", certstest.Options{CommonName: test.cn, DNSNames: test.sans, IPs: test.ips}))
			identity := must(certs.Identify(host.Certificate, test.mode))
			if got := strings.Join(identity.Hosts, " "); got != test.hosts {
				t.Errorf("proves %q, want %q", got, test.hosts)
			}
			if identity.Rule != test.rule {
				t.Errorf("by the rule %q, want %q", identity.Rule, test.rule)
			}
			policy := certs.Policy{HostMode: test.mode}
			for _, name := range test.proves {
				if _, err := certs.Verify(snapshot, host.Chain, held(certs.PeerServer, name, now, policy)); err != nil {
					t.Errorf("%q: %v", name, err)
				}
			}
			for _, name := range test.rejected {
				_, err := certs.Verify(snapshot, host.Chain, held(certs.PeerServer, name, now, policy))
				wantRefusal(t, err, certs.CodeWrongHost)
			}
		})
	}
}

// TestLastCommonName: of several common names the last one counts.
func TestLastCommonName(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	host := must(root.NewHost("x", options(func(c *x509.Certificate) {
		c.DNSNames = nil
		c.RawSubject = encodeName(one(cn, utf8String, "first.site.test"), one(o, utf8String, "o"),
			one(cn, bmp, "\x00l\x00.\x00s\x00.\x00t"))
	})))
	if hosts := must(certs.Identify(host.Certificate, certs.HostModeGrid)).Hosts; !slices.Equal(hosts, []string{"l.s.t"}) {
		t.Errorf("hosts %v", hosts)
	}
}

func TestWrongHostIsExplained(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	snapshot := openStore(t, root).Snapshot()
	tests := []struct {
		name, asked string
		host        certstest.Options
		reason      string
		cure        string
	}{
		{
			"short name", "server1",
			certstest.Options{DNSNames: []string{"db.domain.one", "server1.domain.one"}},
			"must be server1, and the certificate proves db.domain.one, server1.domain.one", "‹server-name› server1.domain.one.",
		},
		{
			"other name", "server1.x",
			certstest.Options{DNSNames: []string{"db.domain.one"}},
			"proves db.domain.one",
			"‹server-name› db.domain.one.",
		},
		{
			"address", "192.0.2.1",
			certstest.Options{DNSNames: []string{"db.domain.one"}},
			"must be 192.0.2.1",
			"‹server-name› db.domain.one.",
		},
		{
			"name of an address", "db.domain.one",
			certstest.Options{DNSNames: []string{}, CommonName: "box", IPs: []string{"192.0.2.1"}},
			"proves 192.0.2.1",
			"‹server-name› 192.0.2.1.",
		},
		{
			"nothing proven", "db.domain.one",
			certstest.Options{DNSNames: []string{}, CommonName: "Alice"},
			"proves no host name", "subjectAltName",
		},
		{
			"wildcard", "db.domain.one",
			certstest.Options{DNSNames: []string{"*.domain.two"}},
			"proves *.domain.two",
			"Connect to a name that the certificate proves",
		},
		{
			"many", "db.domain.one",
			certstest.Options{DNSNames: []string{"a.t.x", "b.t.x", "c.t.x", "d.t.x", "e.t.x", "f.t.x"}},
			"e.t.x and 1 more", "‹server-name› a.t.x",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			host := must(root.NewHost("x", test.host))
			_, err := certs.Verify(snapshot, host.Chain, held(certs.PeerServer, test.asked, now, certs.Policy{}))
			refusal := wantRefusal(t, err, certs.CodeWrongHost)
			if !strings.Contains(refusal.Reason, test.reason) || !strings.Contains(refusal.Cure, test.cure) {
				t.Errorf("got %q, %q", refusal.Reason, refusal.Cure)
			}
		})
	}
}

func TestCredentialIdentity(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	host := must(root.NewHost("db.site.test", certstest.Options{IPs: []string{"127.0.0.1"}}))
	c := credential(t, host)
	identity := c.Identity()
	if identity.DN != "/DC=test/DC=gtunnel/O=hosts/CN=db.site.test" ||
		identity.RFC4514 != "CN=db.site.test,O=hosts,DC=gtunnel,DC=test" ||
		!slices.Equal(identity.Hosts, []string{"db.site.test"}) ||
		!slices.Equal(identity.IPs, []string{net.IPv4(127, 0, 0, 1).String()}) {
		t.Errorf("got %+v", identity)
	}
	if !c.Certificate().Equal(host.Certificate) {
		t.Error("another certificate")
	}
}
