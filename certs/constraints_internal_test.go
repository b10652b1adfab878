package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
)

// TestAlternativeNamesStructure: crypto/x509 reads some of these.
func TestAlternativeNamesStructure(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		value   []byte
		message string
	}{
		"sound":                {[]byte{0x30, 3, 0x82, 1, 'x'}, ""},
		"none":                 {[]byte{0x30, 0}, ""},
		"a SET":                {[]byte{0x31, 3, 0x82, 1, 'x'}, "malformed subjectAltName"},
		"more":                 {[]byte{0x30, 3, 0x82, 1, 'x', 5, 0}, "malformed subjectAltName"},
		"a name ends too late": {[]byte{0x30, 2, 0x82, 9}, "subjectAltName: malformed general name"},
		"no GeneralName":       {[]byte{0x30, 3, 2, 1, 'x'}, "subjectAltName: a general name with the unknown tag 0x2"},
		"of a kind to come":    {[]byte{0x30, 3, 0x89, 1, 'x'}, "subjectAltName: a general name with the unknown tag 0x89"},
	} {
		names, err := alternativeNames(&x509.Certificate{
			Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: test.value}},
		})
		if test.message == "" {
			if err != nil || len(names) > 0 != (about == "sound") {
				t.Errorf("%s: %v, %v", about, names, err)
			}
		} else if err == nil || err.Error() != test.message {
			t.Errorf("%s: %v, want %q", about, err, test.message)
		}
	}
	if inside, err := ipWithin([]byte{192, 0, 2}, make([]byte, 8), false); err == nil {
		t.Errorf("an address of three octets: %t", inside)
	}
}
