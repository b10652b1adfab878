package certs

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// edited changes one element of a DER structure, found by its number at each
// level, and writes the lengths around it anew.
func edited(tb testing.TB, der []byte, change func(element []byte) []byte, path ...int) []byte {
	tb.Helper()
	if len(path) == 0 {
		return change(der)
	}
	input := cryptobyte.String(der)
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !input.ReadAnyASN1(&content, &tag) {
		tb.Fatalf("no DER: %x", der)
	}
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for i := 0; !content.Empty(); i++ {
			var element cryptobyte.String
			if !content.ReadAnyASN1Element(&element, &tag) {
				tb.Fatalf("no DER: %x", content)
			}
			if i == path[0] {
				element = edited(tb, element, change, path[1:]...)
			}
			b.AddBytes(element)
		}
	})
	return builtBytes(tb, &b)
}

// Changes of an element.
func replaced(by ...byte) func([]byte) []byte { return func([]byte) []byte { return by } }
func followed(element []byte) []byte          { return append(bytes.Clone(element), 5, 0) }
func retagged(tag byte) func([]byte) []byte {
	return func(element []byte) []byte { return append([]byte{tag}, element[1:]...) }
}

var null, overlong = replaced(5, 0), replaced(0x30, 0x84, 0xff, 0xff, 0xff, 0xff)

// TestCRLStructure: no part of a list may be anything but what RFC 5280,
// section 5.1, says, and nothing may follow it.
func TestCRLStructure(t *testing.T) {
	t.Parallel()
	der := testList{
		version: 2, nextUpdate: testThisUpdate.AddDate(0, 1, 0),
		entries:    []testEntry{{serial: []byte{3}, date: testThisUpdate, extensions: []testExtension{reason(1)}}},
		extensions: []testExtension{{oid: oidCRLNumber, value: []byte{2, 1, 1}}},
	}.der(t)
	if _, err := parseCRL("f", edited(t, der, slices.Clone[[]byte], 0, 6, 0, 0)); err != nil {
		t.Fatal(err)
	}
	const notSigned, entry = "not a signed structure", "its entry 1 cannot be read"
	for name, test := range map[string]struct {
		change  func([]byte) []byte
		path    []int
		message string
	}{
		"a SET":                             {retagged(0x31), nil, "cut off or is no DER"},
		"something after the list":          {followed, nil, "2 bytes follow"},
		"what is signed is a SET":           {retagged(0x31), []int{0}, notSigned},
		"no outer algorithm":                {null, []int{1}, notSigned},
		"a signature that is no BIT STRING": {retagged(4), []int{2}, notSigned},
		"something after the signature":     {followed, []int{2}, notSigned},
		"an empty signature":                {replaced(3, 0), []int{2}, notSigned},
		"a signature of half an octet":      {replaced(3, 2, 4, 0xf0), []int{2}, notSigned},
		"a version that is no DER":          {replaced(2, 2, 0, 1), []int{0, 0}, "neither 1 nor 2"},
		"version 1 that is written":         {replaced(2, 1, 0), []int{0, 0}, "neither 1 nor 2"},
		"no algorithm":                      {null, []int{0, 1}, "no signature algorithm"},
		"no issuer":                         {null, []int{0, 2}, "no issuer"},
		"thisUpdate":                        {null, []int{0, 3}, "thisUpdate"},
		"entries that end too late":         {overlong, []int{0, 5}, "entries are no sequence"},
		"extensions that end too late":      {replaced(0xa0, 0x84, 0xff, 0xff, 0xff, 0xff), []int{0, 6}, "extensions are no sequence"},
		"extensions that are none":          {null, []int{0, 6, 0}, "extensions are no sequence"},
		"something beside the extensions":   {followed, []int{0, 6, 0}, "extensions are no sequence"},
		"something after the extensions":    {followed, []int{0, 6}, "something follows its extensions"},
		"an extension that is none":         {null, []int{0, 6, 0, 0}, "an extension cannot be read"},
		"an entry that is none":             {null, []int{0, 5, 0}, entry},
		"an entry that ends too late":       {overlong, []int{0, 5, 0}, entry},
		"a serial that is no INTEGER":       {retagged(4), []int{0, 5, 0, 0}, entry},
		"a serial that is empty":            {replaced(2, 0), []int{0, 5, 0, 0}, entry},
		"an entry without a date":           {replaced(0x30, 3, 2, 1, 3), []int{0, 5, 0}, entry},
		"a date that is none":               {null, []int{0, 5, 0, 1}, entry},
		"entry extensions that end late":    {overlong, []int{0, 5, 0, 2}, entry},
		"something after an entry":          {followed, []int{0, 5, 0, 2}, entry},
		"an entry extension that is none":   {null, []int{0, 5, 0, 2, 0}, entry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := parseCRL("f", edited(t, der, test.change, test.path...))
			if err == nil {
				t.Fatalf("parsed: %+v", c)
			}
			if !strings.Contains(err.Error(), test.message) {
				t.Errorf("error %q, want %q", err, test.message)
			}
		})
	}
}

// TestCRLExtensionStructure: an extension that is understood and malformed is
// no reason to believe the rest of the list.
func TestCRLExtensionStructure(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		oid   asn1.ObjectIdentifier
		value []byte
	}{
		"key identifier: a SET":         {oidAuthorityKeyID, []byte{0x31, 0}},
		"key identifier: more":          {oidAuthorityKeyID, []byte{0x30, 0, 5, 0}},
		"key identifier: ends too late": {oidAuthorityKeyID, []byte{0x30, 2, 0x80, 9}},
		"number: more":                  {oidCRLNumber, []byte{2, 1, 1, 5, 0}},
		"scope: a SET":                  {oidIssuingDistribution, []byte{0x31, 0}},
		"scope: more":                   {oidIssuingDistribution, []byte{0x30, 0, 5, 0}},
		"scope: more inside":            {oidIssuingDistribution, []byte{0x30, 2, 5, 0}},
		"scope: point ends too late":    {oidIssuingDistribution, []byte{0x30, 2, 0xa0, 9}},
		"scope: onlyUser":               {oidIssuingDistribution, []byte{0x30, 3, 0x81, 1, 7}},
		"scope: onlyUser of no octet":   {oidIssuingDistribution, []byte{0x30, 2, 0x81, 0}},
		"scope: onlyUser of two octets": {oidIssuingDistribution, []byte{0x30, 4, 0x81, 2, 0xff, 0}},
		"scope: onlyUser ends too late": {oidIssuingDistribution, []byte{0x30, 2, 0x81, 9}},
		"scope: onlyCA":                 {oidIssuingDistribution, []byte{0x30, 3, 0x82, 1, 7}},
		"scope: reasons end too late":   {oidIssuingDistribution, []byte{0x30, 2, 0x83, 9}},
		"scope: indirect":               {oidIssuingDistribution, []byte{0x30, 3, 0x84, 1, 7}},
		"scope: attributes":             {oidIssuingDistribution, []byte{0x30, 3, 0x85, 1, 7}},
		"point: of no kind":             {oidIssuingDistribution, []byte{0x30, 6, 0xa0, 4, 0x85, 2, 0x86, 0}},
		"point: more":                   {oidIssuingDistribution, []byte{0x30, 9, 0xa0, 7, 0xa0, 3, 0x86, 1, 'x', 5, 0}},
		"point: a name ends too late":   {oidIssuingDistribution, []byte{0x30, 6, 0xa0, 4, 0xa0, 2, 0x86, 9}},
		"relative point: more":          {oidIssuingDistribution, []byte{0x30, 17, 0xa0, 15, 0xa1, 11, 0x30, 9, 6, 3, 0x55, 4, 3, 0x0c, 2, 'x', 'x', 5, 0}},
		"relative point: no attribute":  {oidIssuingDistribution, []byte{0x30, 6, 0xa0, 4, 0xa1, 2, 5, 0}},
		"relative point: ends too late": {oidIssuingDistribution, []byte{0x30, 4, 0xa0, 2, 0xa1, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			der := testList{version: 2, extensions: []testExtension{{oid: test.oid, value: test.value}}}.der(t)
			c, err := parseCRL("f", der)
			if err == nil {
				t.Fatalf("parsed: %+v", c)
			}
			if want := "its extension " + test.oid.String() + " cannot be read"; !strings.Contains(err.Error(), want) {
				t.Errorf("error %q, want %q", err, want)
			}
		})
	}
}

// TestCRLExtensionIdentifiers: an identifier is compared in full, and one that
// is malformed is shown as it is.
func TestCRLExtensionIdentifiers(t *testing.T) {
	t.Parallel()
	for shown, oid := range map[string][]byte{
		"2.5":                            {0x55},
		"2.5.29.20.1":                    {0x55, 0x1d, 20, 1},
		"2.4.29.20":                      {0x54, 0x1d, 20},
		"2.5.30.20":                      {0x55, 0x1e, 20},
		"of the malformed identifier 80": {0x80},
	} {
		der := testList{version: 2, extensions: []testExtension{{oid: oidCRLNumber, critical: true, value: []byte{5, 0}}}}.der(t)
		der = edited(t, der, replaced(append([]byte{6, byte(len(oid))}, oid...)...), 0, 4, 0, 0, 0)
		c, err := parseCRL("f", der)
		if err != nil {
			t.Errorf("%s: %v", shown, err)
		} else if want := "the critical extension " + shown + ", which is not understood"; !strings.Contains(c.defect(), want) {
			t.Errorf("the defect %q, want %q", c.defect(), want)
		}
	}
}

// TestMalformedEntryIssuers: an entry whose issuer cannot be read in full
// speaks of the list's own.
func TestMalformedEntryIssuers(t *testing.T) {
	t.Parallel()
	other := []byte{0xa4, 0x0e, 0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 6, 3, 0x55, 4, 3, 0x0c, 1, 'X'} // CN=X
	for name, test := range map[string]struct {
		value   []byte
		revoked bool
	}{
		"another":                 {append([]byte{0x30, 0x10}, other...), false},
		"another, and more":       {append(append([]byte{0x30, 0x10}, other...), 5, 0), true},
		"another, and half":       {append(append([]byte{0x30, 0x12}, other...), 0xa4, 9), true},
		"another, and half a URI": {append(append([]byte{0x30, 0x12}, other...), 0x86, 9), true},
		"a SET":                   {append([]byte{0x31, 0x10}, other...), true},
		"a name that is no name":  {[]byte{0x30, 4, 0xa4, 2, 5, 0}, true},
		"nobody":                  {[]byte{0x30, 0}, true},
	} {
		c := testList{version: 2, entries: []testEntry{{
			serial: []byte{1}, date: testThisUpdate,
			extensions: []testExtension{{oid: oidCertificateIssuer, critical: true, value: test.value}},
		}}}.parse(t)
		if _, revoked := c.lookup(big.NewInt(1)); revoked != test.revoked {
			t.Errorf("%s: revoked is %t", name, revoked)
		}
	}
}

// TestRelativePointInDamage: a certificate that cannot be read is looked
// through for a relative point, whatever it is.
func TestRelativePointInDamage(t *testing.T) {
	t.Parallel()
	extension := slices.Concat([]byte{0x30, 20, 6, 3, 0x55, 0x1d, 31, 4, 13, 0x30, 11, 0x30, 9, 0xa0, 7, 0xa1, 5, 0x30, 3, 6, 1, 42})
	wrap := func(tag byte, content ...byte) []byte { return append([]byte{tag, byte(len(content))}, content...) }
	certificate := func(extensions ...byte) []byte {
		return wrap(0x30, wrap(0x30, append([]byte{2, 1, 1}, wrap(0xa3, extensions...)...)...)...)
	}
	for name, test := range map[string]struct {
		der  []byte
		want bool
	}{
		"sound":                         {certificate(wrap(0x30, extension...)...), true},
		"after another":                 {certificate(wrap(0x30, append([]byte{0x30, 6, 6, 1, 42, 4, 1, 0}, extension...)...)...), true},
		"after half an extension":       {certificate(wrap(0x30, append([]byte{0x30, 0}, extension...)...)...), false},
		"extensions in a SET":           {certificate(wrap(0x31, extension...)...), false},
		"no extensions":                 {wrap(0x30, wrap(0x30, 2, 1, 1)...), false},
		"no certificate":                {wrap(0x30), false},
		"a SET":                         {append([]byte{0x31}, certificate(wrap(0x30, extension...)...)[1:]...), false},
		"a SET in the place of a field": {wrap(0x30, wrap(0x31, wrap(0xa3, wrap(0x30, extension...)...)...)...), false},
		"nothing":                       {nil, false},
	} {
		if got := hasRelativePoint(test.der); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
