package certs_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

// subtree is one base of name constraints, by the tag of its GeneralName.
type subtree struct {
	tag   int
	value []byte
	more  []byte // what follows the base
}

func dns(s string) subtree     { return subtree{tag: 2, value: []byte(s)} }
func mailbox(s string) subtree { return subtree{tag: 1, value: []byte(s)} }
func uri(s string) subtree     { return subtree{tag: 6, value: []byte(s)} }
func ip(octets ...byte) subtree {
	return subtree{tag: 7, value: octets}
}

// mapped is the IPv6 form of an IPv4 address, ::ffff:a.b.c.d.
func mapped(octets ...byte) []byte {
	return append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, octets...)
}

// slash96 is the subtree of the IPv6 forms of IPv4 addresses, with a mask for
// the last four octets.
func slash96(address, mask []byte) subtree {
	return ip(slices.Concat(mapped(address...), bytes.Repeat([]byte{0xff}, 12), mask)...)
}

func directory(rdns ...[]dertest.Attribute) subtree {
	return subtree{tag: 4, value: encodeName(rdns...)}
}

// generalNameDER encodes a GeneralName.
func (s subtree) generalNameDER() []byte {
	return must(asn1.Marshal(asn1.RawValue{
		Class: asn1.ClassContextSpecific, Tag: s.tag, IsCompound: s.tag == 4 || s.tag == 0, Bytes: s.value,
	}))
}

// nameConstraints makes the options of a CA with constraints.
func nameConstraints(permitted, excluded []subtree) certstest.Options {
	var value []byte
	for tag, list := range [][]subtree{permitted, excluded} {
		var subtrees []byte
		for _, s := range list {
			subtrees = append(subtrees,
				must(asn1.Marshal(asn1.RawValue{
					Tag: asn1.TagSequence, IsCompound: true, Bytes: append(s.generalNameDER(), s.more...),
				}))...)
		}
		if len(list) > 0 {
			value = append(value,
				must(asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: subtrees}))...)
		}
	}
	return extensionOption("2.5.29.30", true,
		must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: value})))
}

// alternative makes the options of a host with subjectAltNames of any kind.
func alternative(names ...subtree) certstest.Options {
	var value []byte
	for _, name := range names {
		value = append(value, name.generalNameDER()...)
	}
	o := extensionOption("2.5.29.17", false,
		must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: value})))
	o.DNSNames = []string{}
	return o
}

// only permits names in the subtrees.
func only(s ...subtree) certstest.Options { return nameConstraints(s, nil) }

// not excludes names in the subtrees.
func not(s ...subtree) certstest.Options { return nameConstraints(nil, s) }

// commonName makes the options of a host without subjectAltNames.
func commonName(name string) certstest.Options {
	return certstest.Options{CommonName: name, DNSNames: []string{}}
}

var testDC = [][]dertest.Attribute{one(dc, ia5, "test")}

// nameConstraintCases are constraints of a CA and what its host may bear.
var nameConstraintCases = []struct {
	name    string
	ca      certstest.Options
	host    certstest.Options
	allowed bool
	words   string
}{
	{"dNSName inside", only(dns("site.test")), alternative(dns("db.Site.test"), dns("site.test")), true, ""},
	{
		"dNSName outside", only(dns("site.test")), alternative(dns("db.site.test"), dns("db.other.test")), false,
		"db.other.test lies in none",
	},
	{"dNSName that only ends alike", only(dns("site.test")), alternative(dns("evilsite.test")), false, "lies in none"},
	{
		"dNSName excluded", not(dns("site.test")), alternative(dns("a.db.site.test")), false,
		"lies in the excluded dNSName site.test",
	},
	{"dNSName not excluded", not(dns("site.test")), alternative(dns("db.other.test")), true, ""},
	{"subdomains only", only(dns(".site.test")), alternative(dns("db.site.test")), true, ""},
	{"not the domain itself", only(dns(".site.test")), alternative(dns("site.test")), false, "lies in none"},
	{
		"longer than the domain and not below it", only(dns(".site.test")), alternative(dns("db.longer.other.test")), false,
		"lies in none",
	},
	{"everything excluded", not(dns("")), alternative(dns("db.site.test")), false, "excluded"},
	{"wildcard inside", only(dns("site.test")), alternative(dns("*.site.test")), true, ""},
	{
		"wildcard that covers an excluded host", not(dns("db.site.test")), alternative(dns("*.site.test")), false,
		"excluded",
	},
	{
		"wildcard above a permitted host", only(dns("db.site.test")), alternative(dns("*.site.test")), false, "lies in none",
	},
	{"wildcard beside an excluded host", not(dns("db.other.test")), alternative(dns("*.site.test")), true, ""},
	{
		"permitted and excluded", nameConstraints([]subtree{dns("site.test")}, []subtree{dns("db.site.test")}),
		alternative(dns("db.site.test")), false, "excluded",
	},
	{"dNSName that is none", not(dns("site.test")), alternative(dns("a b.test")), false, "not a host name"},
	{"dNSName with a dot at the end", not(dns("site.test")), alternative(dns("db.site.test.")), false, "excluded"},
	{"dNSName with a dot at the end inside", only(dns("site.test")), alternative(dns("db.site.test.")), true, ""},
	{"dNSName that is an address", not(dns("site.test")), alternative(dns("192.0.2.1")), false, "not a host name"},
	{
		"dNSName that is an address as a number", not(dns("site.test")), alternative(dns("0xc0000201")), false,
		"not a host name",
	},
	{"host in the common name inside", only(dns("site.test")), commonName("host/db.site.test"), true, ""},
	{"host in the common name outside", only(dns("site.test")), commonName("host/db.other.test"), false, "db.other.test"},
	{"host in the common name excluded", not(dns("site.test")), commonName("db.site.test"), false, "excluded"},

	{"address inside", only(ip(192, 0, 2, 0, 255, 255, 255, 0)), alternative(ip(192, 0, 2, 77)), true, ""},
	{"address outside", only(ip(192, 0, 2, 0, 255, 255, 255, 0)), alternative(ip(192, 0, 3, 77)), false, "192.0.3.77"},
	{
		"address excluded", not(ip(192, 0, 2, 0, 255, 255, 255, 0)), alternative(ip(192, 0, 2, 77)), false,
		"192.0.2.0/255.255.255.0",
	},
	{
		"address of the other family", only(ip(192, 0, 2, 0, 255, 255, 255, 0)),
		alternative(ip(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)), false, "2001:db8::1",
	},
	{
		"IPv6 form of an excluded address", not(ip(192, 0, 2, 0, 255, 255, 255, 0)),
		alternative(ip(mapped(192, 0, 2, 77)...)), false, "lies in the excluded",
	},
	{
		"IPv6 form of an address beside", not(ip(192, 0, 2, 0, 255, 255, 255, 0)), alternative(ip(mapped(192, 0, 3, 77)...)),
		true, "",
	},
	{
		"IPv6 form of an address inside", only(ip(192, 0, 2, 0, 255, 255, 255, 0)),
		alternative(ip(mapped(192, 0, 2, 77)...)), true, "",
	},
	{
		"IPv6 form of an address outside", only(ip(192, 0, 2, 0, 255, 255, 255, 0)),
		alternative(ip(mapped(192, 0, 3, 77)...)), false, "lies in none",
	},
	{
		"IPv6 form where IPv6 is permitted", only(ip(make([]byte, 32)...)), alternative(ip(mapped(192, 0, 2, 77)...)), false,
		"lies in none",
	},
	{
		"IPv6 form where IPv6 is excluded", not(ip(make([]byte, 32)...)), alternative(ip(mapped(192, 0, 2, 77)...)), false,
		"excluded",
	},
	{"address where IPv6 is excluded", not(ip(make([]byte, 32)...)), alternative(ip(192, 0, 2, 77)), true, ""},
	{
		"subtree in IPv6 form excluded", not(slash96([]byte{192, 0, 2, 0}, []byte{255, 255, 255, 0})),
		alternative(ip(192, 0, 2, 77)), false, "lies in the excluded",
	},
	{
		"subtree in IPv6 form and address in IPv6 form", not(slash96([]byte{192, 0, 2, 0}, []byte{255, 255, 255, 0})),
		alternative(ip(mapped(192, 0, 2, 77)...)), false, "lies in the excluded",
	},
	{
		"subtree in IPv6 form permitted", only(slash96([]byte{192, 0, 2, 0}, []byte{255, 255, 255, 0})),
		alternative(ip(192, 0, 2, 77)), true, "",
	},
	{
		"all of IPv4 in IPv6 form excluded", not(slash96(make([]byte, 4), make([]byte, 4))), alternative(ip(192, 0, 2, 77)),
		false, "excluded",
	},
	{"name beside an address", only(ip(192, 0, 2, 0, 255, 255, 255, 0)), alternative(dns("db.site.test")), true, ""},

	{"directory inside", only(directory(testDC...)), sound, true, ""},
	{
		"directory in other letters",
		only(directory(one(dc, utf8String, " TEST "), one(dc, bmp, "\x00G\x00t\x00u\x00n\x00n\x00e\x00l"))), sound, true, "",
	},
	{"directory outside", only(directory(one(dc, ia5, "other"))), sound, false, "lies in none of the permitted subtrees"},
	{"directory excluded", not(directory(testDC...)), sound, false, "directoryName /DC=test"},
	{
		"directory as SAN outside", only(directory(testDC...)), alternative(directory(one(dc, ia5, "other"))), false,
		"/DC=other",
	},
	{
		"directory longer than the subject",
		only(directory(one(dc, ia5, "test"), one(dc, ia5, "gtunnel"), one(o, utf8String, "hosts"),
			one(cn, utf8String, "host.test"), one(cn, utf8String, "1"))), sound, false, "lies in none",
	},

	{"mailbox", only(mailbox("root@site.test")), alternative(mailbox("root@SITE.test")), true, ""},
	{"other mailbox", only(mailbox("root@site.test")), alternative(mailbox("Root@site.test")), false, "Root@site.test"},
	{
		"mailbox of another host", only(mailbox("root@site.test")), alternative(mailbox("root@other.test")), false,
		"root@other.test",
	},
	{"mailbox of the host", only(mailbox("site.test")), alternative(mailbox("x@site.test")), true, ""},
	{
		"mailbox of a subdomain", only(mailbox("site.test")), alternative(mailbox("x@db.site.test")), false,
		"x@db.site.test",
	},
	{"mailbox of the domain", only(mailbox(".site.test")), alternative(mailbox("x@db.site.test")), true, ""},
	{"emailAddress in the subject", not(mailbox("site.test")), options(func(c *x509.Certificate) {
		c.RawSubject = encodeName(one(cn, utf8String, "x"), one(email, ia5, "x@site.test"))
	}), false, "x@site.test"},
	{"emailAddress without a host", not(mailbox("site.test")), options(func(c *x509.Certificate) {
		c.RawSubject = encodeName(one(cn, utf8String, "x"), one(email, ia5, "x@"))
	}), false, "x@ is not a mailbox"},
	{"emailAddress without at", not(mailbox("site.test")), options(func(c *x509.Certificate) {
		c.RawSubject = encodeName(one(cn, utf8String, "x"), one(email, ia5, "x"))
	}), false, "not a mailbox"},

	{"URI", only(uri("site.test")), alternative(uri("https://site.test:8443/x")), true, ""},
	{
		"URI of a subdomain", only(uri("site.test")), alternative(uri("https://db.site.test/")), false,
		"https://db.site.test/",
	},
	{"URI of the domain", only(uri(".site.test")), alternative(uri("https://db.site.test/")), true, ""},
	{"URI where all are permitted", only(uri("")), alternative(uri("https://db.site.test/")), true, ""},
	{"URI excluded", not(uri(".site.test")), alternative(uri("https://db.site.test/")), false, "excluded"},
	{"URI without host", not(uri("site.test")), alternative(uri("urn:x:y")), false, "no host"},
	{
		"URI with an address", not(uri("site.test")), alternative(uri("https://192.0.2.1/")), false,
		"192.0.2.1 is not a host name",
	},
	{
		"URI with an IPv6 address", not(uri("site.test")), alternative(uri("https://[2001:db8::1]/")), false,
		"not a host name",
	},
	{
		"URI with an address as a number", not(uri("site.test")), alternative(uri("https://3221225985/")), false,
		"not a host name",
	},
	{
		"URI with a hexadecimal address", not(uri("site.test")), alternative(uri("https://0xC0000201/")), false,
		"not a host name",
	},
	{"URI with a short address", not(uri("site.test")), alternative(uri("https://192.513/")), false, "not a host name"},
	{"mailbox with a dot at the end", not(mailbox("site.test")), alternative(mailbox("x@site.test.")), false, "excluded"},
	{"mailbox at an address", not(mailbox("site.test")), alternative(mailbox("x@[192.0.2.1]")), false, "not a host name"},

	{
		"kind that is not supported", only(subtree{tag: 8, value: []byte{1, 2}}),
		alternative(subtree{tag: 8, value: []byte{1, 2}}), false, "registeredID are not supported",
	},
	{"kind that is not supported and not used", only(subtree{tag: 8, value: []byte{1, 2}}), sound, true, ""},
	{
		"minimum", only(subtree{tag: 2, value: []byte("test"), more: []byte{0x80, 1, 1}}), sound, false,
		"minimum or maximum",
	},
}

func TestNameConstraints(t *testing.T) {
	for _, test := range nameConstraintCases {
		t.Run(test.name, func(t *testing.T) {
			for _, place := range []string{"root", "subordinate"} {
				i := below(test.host, test.ca, sound)
				if place == "subordinate" {
					i = below(test.host, sound, test.ca)
				}
				_, err := certs.Verify(openStore(t, i.installed...).Snapshot(), i.chain, anyone(certs.PeerClient, now, unbound))
				if test.allowed {
					if err != nil {
						t.Errorf("%s: %v", place, err)
					}
					continue
				}
				refusal := wantRefusal(t, err, certs.CodeNameConstraints)
				if !strings.Contains(refusal.Reason, test.words) {
					t.Errorf("%s: reason %q does not say %q", place, refusal.Reason, test.words)
				}
				if (place == "root") != (refusal.File != "") {
					t.Errorf("%s: the file that decided is %q", place, refusal.File)
				}
			}
		})
	}
}

// TestConstraintsOfSubordinates: constraints bind CAs too, but not those that
// a CA issued to itself.
func TestConstraintsOfSubordinates(t *testing.T) {
	limited := nameConstraints([]subtree{
		directory(one(dc, ia5, "test"), one(dc, ia5, "gtunnel"), one(o, utf8String, "hosts")),
	}, nil)
	root := must(certstest.NewCA("Root", limited))
	sub := must(root.NewSubordinate("Sub", sound))
	_, err := certs.Verify(openStore(t, root).Snapshot(), must(sub.NewHost("host.test", sound)).Chain,
		anyone(certs.PeerAny, now, certs.Policy{}))
	if refusal := wantRefusal(t, err, certs.CodeNameConstraints); refusal.Depth != 1 {
		t.Errorf("depth %d, want the subordinate's", refusal.Depth)
	}
	i := selfIssued(limited)
	if _, err := certs.Verify(
		openStore(t, i.installed...).Snapshot(), i.chain, anyone(certs.PeerAny, now, certs.Policy{}),
	); err != nil {
		t.Error(err)
	}
}

func TestMalformedConstraints(t *testing.T) {
	const malformed = "malformed extension"
	for _, test := range []struct {
		der   []byte
		words string
	}{
		{nil, malformed},
		{[]byte{0x30, 0}, malformed},
		{[]byte{0x30, 2, 0xa0, 0}, malformed},
		{[]byte{0x30, 4, 0xa0, 2, 0x30, 0}, "malformed general name"},
		{[]byte{0x31, 0}, malformed},
		{[]byte{0x30, 7, 0xa0, 5, 0x30, 3, 0x82, 1, 'x', 5, 0}, malformed},
		{[]byte{0x30, 9, 0xa0, 5, 0x30, 3, 0x82, 1, 'x', 5, 0}, malformed},
		{[]byte{0x30, 2, 0xa0, 9}, malformed},
		{[]byte{0x30, 2, 0xa1, 9}, malformed},
		{[]byte{0x30, 4, 0xa0, 2, 5, 0}, malformed},
		{[]byte{0x30, 7, 0xa0, 5, 0x30, 3, 0x89, 1, 'x'}, "unknown tag 0x89"},
		{[]byte{0x30, 7, 0xa0, 5, 0x30, 3, 0x87, 1, 1}, "no address and mask"},
		{[]byte{0x30, 8, 0xa0, 6, 0x30, 4, 0x87, 2, 1, 1}, "no address and mask"},
		{[]byte{0x30, 14, 0xa0, 12, 0x30, 10, 0x87, 8, 192, 0, 2, 0, 255, 0, 255, 0}, "not contiguous"},
		{[]byte{0x30, 15, 0xa0, 13, 0x30, 11, 0x87, 9, 192, 0, 2, 0, 255, 255, 255, 0, 0}, "no address and mask"},
		{[]byte{0x30, 7, 0xa0, 5, 0x30, 3, 0xa4, 1, 1}, "malformed name"},
		{[]byte{0x30, 7, 0xa0, 5, 0x30, 3, 0x0c, 1, 'x'}, "unknown tag 0xc"},
		{[]byte{0x30, 7, 0xa0, 5, 0x30, 3, 2, 1, 'x'}, "unknown tag 0x2"},
	} {
		if err := certs.ParseConstraints(test.der); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%x: %v, want %q", test.der, err, test.words)
		}
	}
}

func FuzzNameConstraints(f *testing.F) {
	f.Add(must(hex.DecodeString("300da00b3009820765782e6e6574")))
	f.Fuzz(func(_ *testing.T, der []byte) { _ = certs.ParseConstraints(der) })
}
