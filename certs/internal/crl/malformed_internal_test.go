package crl

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

func TestCRLMalformed(t *testing.T) {
	t.Parallel()
	tests := slices.Concat(malformedFiles(t), malformedLists(t))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := parseOnly("f", test.data)
			if err == nil {
				t.Fatalf("parsed: %+v", c)
			}
			if !strings.Contains(err.Error(), test.message) {
				t.Errorf("error %q, want %q", err, test.message)
			}
		})
	}
}

// malformedCase is a file that is no usable list.
type malformedCase struct {
	name    string
	data    []byte
	message string
}

// soundList has one entry and a nextUpdate.
var soundList = testList{
	version: 2, nextUpdate: testThisUpdate, entries: []testEntry{{serial: []byte{3}, date: testThisUpdate}},
}

// malformedFiles hold no list, or more or less than one.
func malformedFiles(t *testing.T) []malformedCase {
	t.Helper()
	der := soundList.der(t)
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	return []malformedCase{
		{name: "empty", message: "empty"},
		{name: "html", data: []byte("<!DOCTYPE html><html>"), message: `begins with "<!DOCTYPE html><html"`},
		{name: "cut off DER", data: der[:len(der)-1], message: "cut off"},
		{name: "longer DER", data: append(bytes.Clone(der), 'x'), message: "1 bytes follow"},
		{name: "cut off PEM", data: block[:len(block)-10], message: "no END line"},
		{
			name: "other PEM", data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			message: "no PEM block X509 CRL",
		},
		{name: "not signed", data: []byte{0x30, 0}, message: "signed structure"},
	}
}

// malformedLists are signed structures with something wrong within.
func malformedLists(t *testing.T) []malformedCase {
	t.Helper()
	der := soundList.der(t)
	with := func(extensions ...testExtension) []byte {
		list := soundList
		list.extensions = extensions
		return list.der(t)
	}
	entry := func(e testEntry) []byte {
		list := soundList
		list.entries = append(slices.Clone(soundList.entries), e)
		return list.der(t)
	}
	differs := soundList
	differs.outerAlgorithm = algorithmIdentifier(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, nil)
	return []malformedCase{
		{name: "algorithms differ", data: differs.der(t), message: "algorithms differ"},
		{
			name: "extension twice",
			data: with(testExtension{oid: oidCRLNumber, value: []byte{2, 1, 1}},
				testExtension{oid: oidCRLNumber, value: []byte{2, 1, 1}}),
			message: "2.5.29.20 twice",
		},
		{
			name: "bad number", data: with(testExtension{oid: oidCRLNumber, value: []byte{2, 1}}),
			message: "2.5.29.20 cannot be read",
		},
		{
			name: "bad key identifier", data: with(testExtension{oid: oidAuthorityKeyID, value: []byte{1}}),
			message: "2.5.29.35 cannot be read",
		},
		{
			name: "bad distribution point", data: with(testExtension{oid: oidIssuingDistribution, value: []byte{0x30, 1, 0}}),
			message: "2.5.29.28 cannot be read",
		},
		{
			name:    "distribution point with a bad flag",
			data:    with(testExtension{oid: oidIssuingDistribution, value: []byte{0x30, 3, 0x81, 1, 7}}),
			message: "2.5.29.28 cannot be read",
		},
		{
			name:    "distribution point without names",
			data:    with(testExtension{oid: oidIssuingDistribution, value: []byte{0x30, 4, 0xa0, 2, 0xa0, 0}}),
			message: "2.5.29.28 cannot be read",
		},
		{name: "entry without a serial", data: entry(testEntry{date: testThisUpdate}), message: "entry 2 cannot be read"},
		{
			name: "version", data: bytes.Replace(der, []byte{2, 1, 1, 0x30}, []byte{2, 1, 2, 0x30}, 1),
			message: "neither 1 nor 2",
		},
		{
			name: "thisUpdate", data: bytes.Replace(der, []byte("260102030405Z"), []byte("269902030405Z"), 1),
			message: "thisUpdate",
		},
		{name: "nextUpdate", data: replaceSecond(der, "260102030405Z", "26010203040ZZ"), message: "nextUpdate"},
	}
}

// replaceSecond replaces the second occurrence.
func replaceSecond(data []byte, from, to string) []byte {
	data = bytes.Clone(data)
	first := bytes.Index(data, []byte(from)) + len(from)
	copy(data[first+bytes.Index(data[first:], []byte(from)):], to)
	return data
}
