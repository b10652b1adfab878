package dn_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/dertest"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// TestReadings: a name reads as text and, where they differ, by its octets; for
// these a permission counts only if they spell no other text.
func TestReadings(t *testing.T) {
	for _, test := range []struct {
		about           string
		tag             int
		value           string
		octets          string // empty: they read like the text
		permits, latin1 bool
	}{
		{"UTF8String", utf8String, "db", "", false, false},
		{"white space", utf8String, " d  b", "/CN= d  b", true, true},
		{"T61String", t61, "J\xf6rg", `/CN=J\xF6rg`, true, true},
		{"T61String that reads like UTF-8", t61, "\xc3\xb6", `/CN=\xC3\xB6`, false, false},
		{"BMPString", bmp, dertest.BMP("db"), `/CN=\x00d\x00b`, true, false},
		{"BMPString that spells another name", bmp, "db", "/CN=db", false, false},
	} {
		forms := must(dn.Parse(encode(one(cn, test.tag, test.value)))).Forms()
		if why := forms.Ambiguous(); why != "" {
			t.Errorf("%s: %s", test.about, why)
		}
		all, latin1 := forms.Readings(false), forms.Readings(true)
		if !all[0].Permits || len(all) > 1 != (test.octets != "") {
			t.Errorf("%s: %+v", test.about, all)
		}
		if len(all) > 1 && (all[1].Slash != test.octets || all[1].Permits != test.permits ||
			latin1[1].Permits != test.latin1) {
			t.Errorf("%s: %+v, of Latin-1 %+v", test.about, all, latin1)
		}
	}
	forms := must(dn.Parse(encode(one(o, utf8String, "Site/CN=db")))).Forms()
	if why := forms.Ambiguous(); !strings.Contains(why, "the value of O looks as if another attribute began inside it") {
		t.Errorf("a value like two attributes: %q", why)
	}
}

// TestPartsOfNames: what certificates are asked for of their names.
func TestPartsOfNames(t *testing.T) {
	name := must(dn.Parse(encode(one(cn, utf8String, "first"), one(email, ia5, "a@b"), one(o, utf8String, "Site"),
		one(cn, printable, "  Limited   PROXY"))))
	if got := name.CommonName(); got != "  Limited   PROXY" {
		t.Errorf("common name %q", got)
	}
	if got := name.LastCommonNames(); len(got) != 1 || got[0] != "limited proxy" {
		t.Errorf("common names of the last RDN %q", got)
	}
	if got := name.Emails(); len(got) != 1 || got[0] != "a@b" {
		t.Errorf("addresses %q", got)
	}
	if !name.HasHash(name.Hash()) || !name.HasHash(name.HashOld()) || name.HasHash("00000000") {
		t.Errorf("hashes %s, %s", name.Hash(), name.HashOld())
	}
	none := must(dn.Parse(encode()))
	if none.CommonName() != "" || none.LastCommonNames() != nil || none.Emails() != nil || none.Brief() != "(empty DN)" {
		t.Errorf("an empty name: %q, %q, %q, %q", none.CommonName(), none.LastCommonNames(), none.Emails(), none.Brief())
	}
}

// TestShortened: what messages quote is no longer than they may be, and cut
// between characters.
func TestShortened(t *testing.T) {
	long := must(dn.Parse(encode(one(cn, utf8String, strings.Repeat("x", 1000)))))
	if got, want := long.Brief(), long.Slash()[:dn.MaxQuoted]+"… (1004 bytes)"; got != want {
		t.Errorf("%s", got)
	}
	if got := dn.Shorten("aöb", 2); got != "a… (4 bytes)" {
		t.Errorf("%q", got)
	}
	if got := dn.Excerpt([]byte("a\x00")); got != `a\x00` {
		t.Errorf("%q", got)
	}
	if dn.Show("/CN=x") != "/CN=x" || dn.Show("") != "(empty DN)" {
		t.Errorf("%q, %q", dn.Show("/CN=x"), dn.Show(""))
	}
}
