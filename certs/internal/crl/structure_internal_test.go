package crl

import (
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

// TestCRLStructure: no part of a list may be anything but what RFC 5280,
// section 5.1, says, and nothing may follow it.
func TestCRLStructure(t *testing.T) {
	t.Parallel()
	der := testList{
		version: 2, nextUpdate: testThisUpdate.AddDate(0, 1, 0),
		entries:    []testEntry{{serial: []byte{3}, date: testThisUpdate, extensions: []testExtension{reason(1)}}},
		extensions: []testExtension{{oid: oidCRLNumber, value: []byte{2, 1, 1}}},
	}.der(t)
	if _, err := parse("f", dertest.Edit(der, slices.Clone[[]byte], 0, 6, 0, 0)); err != nil {
		t.Fatal(err)
	}
	const notSigned, entry = "not a signed structure", "its entry 1 cannot be read"
	for name, test := range map[string]struct {
		change  func([]byte) []byte
		path    []int
		message string
	}{
		"a SET":                             {dertest.Retagged(0x31), nil, "cut off or is no DER"},
		"something after the list":          {dertest.Followed, nil, "2 bytes follow"},
		"what is signed is a SET":           {dertest.Retagged(0x31), []int{0}, notSigned},
		"no outer algorithm":                {dertest.Replaced(5, 0), []int{1}, notSigned},
		"a signature that is no BIT STRING": {dertest.Retagged(4), []int{2}, notSigned},
		"something after the signature":     {dertest.Followed, []int{2}, notSigned},
		"an empty signature":                {dertest.Replaced(3, 0), []int{2}, notSigned},
		"a signature of half an octet":      {dertest.Replaced(3, 2, 4, 0xf0), []int{2}, notSigned},
		"a version that is no DER":          {dertest.Replaced(2, 2, 0, 1), []int{0, 0}, "neither 1 nor 2"},
		"version 1 that is written":         {dertest.Replaced(2, 1, 0), []int{0, 0}, "neither 1 nor 2"},
		"no algorithm":                      {dertest.Replaced(5, 0), []int{0, 1}, "no signature algorithm"},
		"no issuer":                         {dertest.Replaced(5, 0), []int{0, 2}, "no issuer"},
		"thisUpdate":                        {dertest.Replaced(5, 0), []int{0, 3}, "thisUpdate"},
		"entries that end too late":         {dertest.Overlong, []int{0, 5}, "entries are no sequence"},
		"extensions that end too late": {
			dertest.Replaced(0xa0, 0x84, 0xff, 0xff, 0xff, 0xff), []int{0, 6}, "extensions are no sequence",
		},
		"extensions that are none":        {dertest.Replaced(5, 0), []int{0, 6, 0}, "extensions are no sequence"},
		"something beside the extensions": {dertest.Followed, []int{0, 6, 0}, "extensions are no sequence"},
		"something after the extensions":  {dertest.Followed, []int{0, 6}, "something follows its extensions"},
		"an extension that is none":       {dertest.Replaced(5, 0), []int{0, 6, 0, 0}, "an extension cannot be read"},
		"an entry that is none":           {dertest.Replaced(5, 0), []int{0, 5, 0}, entry},
		"an entry that ends too late":     {dertest.Overlong, []int{0, 5, 0}, entry},
		"a serial that is no INTEGER":     {dertest.Retagged(4), []int{0, 5, 0, 0}, entry},
		"a serial that is empty":          {dertest.Replaced(2, 0), []int{0, 5, 0, 0}, entry},
		"an entry without a date":         {dertest.Replaced(0x30, 3, 2, 1, 3), []int{0, 5, 0}, entry},
		"a date that is none":             {dertest.Replaced(5, 0), []int{0, 5, 0, 1}, entry},
		"entry extensions that end late":  {dertest.Overlong, []int{0, 5, 0, 2}, entry},
		"something after an entry":        {dertest.Followed, []int{0, 5, 0, 2}, entry},
		"an entry extension that is none": {dertest.Replaced(5, 0), []int{0, 5, 0, 2, 0}, entry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := parse("f", dertest.Edit(der, test.change, test.path...))
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
		"relative point: more": {
			oidIssuingDistribution, []byte{0x30, 17, 0xa0, 15, 0xa1, 11, 0x30, 9, 6, 3, 0x55, 4, 3, 0x0c, 2, 'x', 'x', 5, 0},
		},
		"relative point: no attribute":  {oidIssuingDistribution, []byte{0x30, 6, 0xa0, 4, 0xa1, 2, 5, 0}},
		"relative point: ends too late": {oidIssuingDistribution, []byte{0x30, 4, 0xa0, 2, 0xa1, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			der := testList{version: 2, extensions: []testExtension{{oid: test.oid, value: test.value}}}.der(t)
			c, err := parse("f", der)
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
		der := testList{
			version: 2, extensions: []testExtension{{oid: oidCRLNumber, critical: true, value: []byte{5, 0}}},
		}.der(t)
		der = dertest.Edit(der, dertest.Replaced(append([]byte{6, byte(len(oid))}, oid...)...), 0, 4, 0, 0, 0)
		c, err := parse("f", der)
		if err != nil {
			t.Errorf("%s: %v", shown, err)
		} else if want := "the critical extension " + shown + ", which is not " +
			"understood"; !strings.Contains(c.Defect(), want) {
			t.Errorf("the defect %q, want %q", c.Defect(), want)
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
		if _, revoked := c.Lookup(big.NewInt(1)); revoked != test.revoked {
			t.Errorf("%s: revoked is %t", name, revoked)
		}
	}
}

// TestRelativePointInDamage: a certificate that cannot be read is looked
// through for a relative point, whatever it is.
func TestRelativePointInDamage(t *testing.T) {
	t.Parallel()
	extension := slices.Concat([]byte{
		0x30, 20, 6, 3, 0x55, 0x1d, 31, 4, 13, 0x30, 11, 0x30, 9, 0xa0, 7, 0xa1, 5, 0x30, 3, 6, 1, 42,
	})
	wrap := func(tag byte, content ...byte) []byte { return append([]byte{tag, byte(len(content))}, content...) }
	certificate := func(extensions ...byte) []byte {
		return wrap(0x30, wrap(0x30, append([]byte{2, 1, 1}, wrap(0xa3, extensions...)...)...)...)
	}
	for name, test := range map[string]struct {
		der  []byte
		want bool
	}{
		"sound": {certificate(wrap(0x30, extension...)...), true},
		"after another": {
			certificate(wrap(0x30, append([]byte{0x30, 6, 6, 1, 42, 4, 1, 0}, extension...)...)...), true,
		},
		"after half an extension":       {certificate(wrap(0x30, append([]byte{0x30, 0}, extension...)...)...), false},
		"extensions in a SET":           {certificate(wrap(0x31, extension...)...), false},
		"no extensions":                 {wrap(0x30, wrap(0x30, 2, 1, 1)...), false},
		"no certificate":                {wrap(0x30), false},
		"a SET":                         {append([]byte{0x31}, certificate(wrap(0x30, extension...)...)[1:]...), false},
		"a SET in the place of a field": {wrap(0x30, wrap(0x31, wrap(0xa3, wrap(0x30, extension...)...)...)...), false},
		"nothing":                       {nil, false},
	} {
		if got := HasRelativePoint(test.der); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
