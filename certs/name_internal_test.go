package certs

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
)

// TestNameStructure: what is no name says which part of it is none.
func TestNameStructure(t *testing.T) {
	t.Parallel()
	name := testIssuer(t) // O, CN
	if _, err := ParseName(edited(t, name, slices.Clone[[]byte], 1, 0, 1)); err != nil {
		t.Fatal(err)
	}
	for about, test := range map[string]struct {
		change  func([]byte) []byte
		path    []int
		message string
	}{
		"a SET":                       {retagged(0x31), nil, "not a SEQUENCE of RDNs"},
		"something after it":          {followed, nil, "not a SEQUENCE of RDNs"},
		"an RDN that is no SET":       {retagged(0x30), []int{1}, "RDN 2 is not a SET of attributes"},
		"an RDN without an attribute": {replaced(0x31, 0), []int{1}, "RDN 2 is not a SET of attributes"},
		"an attribute that is a SET":  {retagged(0x31), []int{1, 0}, "RDN 2: an attribute without a type"},
		"a type that is none":         {retagged(4), []int{1, 0, 0}, "RDN 2: an attribute without a type"},
		"no value":                    {replaced(), []int{1, 0, 1}, "RDN 2: an attribute without a value"},
		"two values":                  {followed, []int{1, 0, 1}, "RDN 2: an attribute without a value"},
		"a value that ends too late":  {overlong, []int{1, 0, 1}, "RDN 2: an attribute without a value"},
		"half a character":            {replaced(30, 1, 0), []int{1, 0, 1}, "RDN 2: CN: a string cut inside a character"},
		"a character beyond Unicode":  {replaced(28, 4, 0, 0x11, 0, 0), []int{1, 0, 1}, "RDN 2: CN: a string with the invalid character 0x110000"},
	} {
		if got, err := ParseName(edited(t, name, test.change, test.path...)); err == nil {
			t.Errorf("%s: read as %s", about, got.Slash())
		} else if want := "malformed name: " + test.message; err.Error() != want {
			t.Errorf("%s: %q, want %q", about, err, want)
		}
	}
}

// TestNamesBelow: a name extends another by one common name, and lies in its
// subtree with whatever follows.
func TestNamesBelow(t *testing.T) {
	t.Parallel()
	parse := func(rdns ...string) *Name {
		var sequence pkix.RDNSequence
		for _, rdn := range rdns {
			key, value, _ := strings.Cut(rdn, "=")
			oid := map[string][]int{"O": {2, 5, 4, 10}, "CN": {2, 5, 4, 3}}[key]
			sequence = append(sequence, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: value}})
		}
		der, err := asn1.Marshal(sequence)
		if err != nil {
			t.Fatal(err)
		}
		name, err := ParseName(der)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	parent := parse("O=Site", "CN=Alice")
	for _, test := range []struct {
		name           *Name
		below, extends bool
	}{
		{parse("O=Site", "CN=Alice", "CN=1"), true, true},
		{parse("O=Site", "CN=alice", "CN=1"), true, true},
		{parse("O=Site", "CN=Alice", "O=1"), true, false},
		{parse("O=Site", "CN=Alice", "CN=1", "CN=2"), true, false},
		{parse("O=Site", "CN=Alice"), true, false},
		{parse("O=Site", "CN=Bob", "CN=1"), false, false},
		{parse("O=Site"), false, false},
		{parse(), false, false},
	} {
		if test.name.hasPrefix(parent) != test.below || test.name.extends(parent) != test.extends {
			t.Errorf("%s: below %t, extends %t", test.name.Slash(), test.name.hasPrefix(parent), test.name.extends(parent))
		}
	}
}
