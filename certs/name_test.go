package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
)

// ava is one attribute of a name under test, with its string type.
type ava struct {
	oid   string
	tag   int
	value string
}

const (
	utf8String, printable, t61, ia5     = 12, 19, 20, 22
	visible, general, universal, bmp    = 26, 27, 28, 30
	cn, o, dc, uid, email, serial, role = "2.5.4.3", "2.5.4.10", "0.9.2342.19200300.100.1.25", "0.9.2342.19200300.100.1.1", "1.2.840.113549.1.9.1", "2.5.4.5", "2.5.4.72"
)

func oid(dotted string) asn1.ObjectIdentifier {
	var id asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		n, _ := new(big.Int).SetString(part, 10)
		id = append(id, int(n.Int64()))
	}
	return id
}

// encodeName makes a DER name of RDNs.
func encodeName(rdns ...[]ava) []byte {
	type pair struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type setSET []pair
	var name []setSET
	for _, rdn := range rdns {
		var set setSET
		for _, a := range rdn {
			set = append(set, pair{oid(a.oid), asn1.RawValue{Tag: a.tag, Bytes: []byte(a.value)}})
		}
		name = append(name, set)
	}
	return must(asn1.Marshal(name))
}

func one(oid string, tag int, value string) []ava { return []ava{{oid, tag, value}} }

var names = []struct {
	name     string
	der      []byte
	slash    string
	rfc4514  string
	goRefuse bool // crypto/x509 does not parse it, so no certificate can carry it here
}{
	{
		"plain", encodeName(one(dc, ia5, "org"), one(o, printable, "Site"), one(cn, utf8String, "host.site.org")),
		"/DC=org/O=Site/CN=host.site.org", "CN=host.site.org,O=Site,DC=org", false,
	},
	{"empty", encodeName(), "", "", false},
	{
		"service", encodeName(one(dc, ia5, "org"), one(cn, printable, "host/a.site.org")),
		"/DC=org/CN=host/a.site.org", "CN=host/a.site.org,DC=org", false,
	},
	{
		"case and spaces", encodeName(one(o, utf8String, "  My \t Site  "), one(cn, utf8String, "ROOT ca")),
		`/O=  My \x09 Site  /CN=ROOT ca`, `CN=ROOT ca,O=\  My \09 Site \ `, false,
	},
	{"bmp", encodeName(one(o, bmp, "\x00H\x00\xe9\x20\xac")), `/O=H\xC3\xA9\xE2\x82\xAC`, "O=Hé€", false},
	{"t61", encodeName(one(o, t61, "Universit\xe9 ")), `/O=Universit\xC3\xA9 `, `O=Université\ `, false},
	{"universal", encodeName(one(o, universal, "\x00\x00\x00H\x00\x01\xf6\x00")), `/O=H\xF0\x9F\x98\x80`, "O=H😀", true},
	{"visible", encodeName(one(o, visible, "Old Site")), "/O=Old Site", "O=Old Site", true},
	{"general", encodeName(one(o, general, "Old Site")), "/O=Old Site", "O=#1b084f6c642053697465", true},
	{"utf8", encodeName(one(cn, utf8String, "Žofie Ωmega")), `/CN=\xC5\xBDofie \xCE\xA9mega`, "CN=Žofie Ωmega", false},
	{
		"multi-valued", encodeName(one(dc, ia5, "org"), []ava{{cn, utf8String, "b"}, {uid, utf8String, "a"}}),
		"/DC=org/CN=b/UID=a", "CN=b+UID=a,DC=org", false,
	},
	{
		"email", encodeName(one(cn, printable, "x"), one(email, ia5, "Root@Site.Org")),
		"/CN=x/emailAddress=Root@Site.Org", "emailAddress=Root@Site.Org,CN=x", false,
	},
	{
		"unknown type", encodeName(one("1.3.6.1.4.1.99999.1", utf8String, "v")),
		"/1.3.6.1.4.1.99999.1=v", "1.3.6.1.4.1.99999.1=#0c0176", false,
	},
	{
		"escapes", encodeName(one(o, utf8String, `a,b+c"d\e<f>g;h`), one(cn, utf8String, "#1")),
		`/O=a,b+c"d\e<f>g;h/CN=#1`, `CN=\#1,O=a\,b\+c\"d\\e\<f\>g\;h`, false,
	},
	{"equals in value", encodeName(one(cn, utf8String, "x/O=evil")), "/CN=x/O=evil", "CN=x/O=evil", false},
	{
		"other types", encodeName(one(serial, printable, "7"), one(role, utf8String, "r")),
		"/serialNumber=7/role=r", "role=r,serialNumber=7", false,
	},
}

func TestNameForms(t *testing.T) {
	for _, test := range names {
		t.Run(test.name, func(t *testing.T) {
			name, err := certs.ParseName(test.der)
			if err != nil {
				t.Fatal(err)
			}
			if got := name.Slash(); got != test.slash {
				t.Errorf("slash form %q, want %q", got, test.slash)
			}
			if got := name.RFC4514(); got != test.rfc4514 {
				t.Errorf("RFC 4514 form %q, want %q", got, test.rfc4514)
			}
			if name.Empty() != (test.slash == "") {
				t.Errorf("Empty is %v", name.Empty())
			}
		})
	}
}

// TestNamesAsOpenSSL compares hashes and forms with the tool that named the
// files of every CApath there is.
func TestNamesAsOpenSSL(t *testing.T) {
	for _, test := range names {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "visible" || test.name == "general" {
				return // OpenSSL reads no certificate with such a name
			}
			cert := signName(test.der)
			name := must(certs.ParseName(test.der))
			out := openssl(t, cert, "x509", "-inform", "DER", "-noout", "-subject_hash", "-subject_hash_old", "-subject", "-nameopt", "compat")
			lines := strings.SplitN(strings.TrimSuffix(out, "\n"), "\n", 3)
			if lines[0] != name.Hash() {
				t.Errorf("hash %s, OpenSSL has %s", name.Hash(), lines[0])
			}
			if lines[1] != name.HashOld() {
				t.Errorf("old hash %s, OpenSSL has %s", name.HashOld(), lines[1])
			}
			subject := strings.TrimPrefix(strings.TrimPrefix(lines[2], "subject="), " ")
			if got := asOpenSSL3(name.Oneline(), subject); got != subject {
				t.Errorf("octets in slash form %q, OpenSSL has %q", got, subject)
			}
			if test.name == "unknown type" || test.name == "general" || test.name == "case and spaces" {
				return // OpenSSL writes these RFC 4514 forms in another way that is as good
			}
			out = openssl(t, cert, "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb,utf8")
			subject = strings.TrimPrefix(strings.TrimSuffix(out, "\n"), "subject=")
			if got := name.RFC4514(); sortAttributes(got) != sortAttributes(subject) {
				t.Errorf("RFC 4514 form %q, OpenSSL has %q", got, subject)
			}
		})
	}
}

// asOpenSSL3 writes a slash form as releases of OpenSSL 3 do that escape
// slashes and plus signs and join multi-valued RDNs by plus signs, if the one
// here did so.
func asOpenSSL3(slash, theirs string) string {
	if theirs == slash || slash == "" {
		return slash
	}
	start := regexp.MustCompile(`[/+][A-Za-z0-9.]+=`)
	escaped := strings.NewReplacer(`\/`, "/", `\+`, "+")
	var b strings.Builder
	for i := range theirs {
		// An unescaped plus sign before a type joins two attributes.
		if theirs[i] == '+' && i > 0 && theirs[i-1] != '\\' && start.MatchString(theirs[i:]) && start.FindStringIndex(theirs[i:])[0] == 0 {
			b.WriteByte('/')
			continue
		}
		b.WriteByte(theirs[i])
	}
	if escaped.Replace(b.String()) == slash {
		return theirs
	}
	return slash
}

// sortAttributes makes the order inside multi-valued RDNs, which is free,
// irrelevant.
func sortAttributes(name string) string {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == ',' || r == '+' })
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// signName makes a self-signed certificate of a subject by hand: for
// crypto/x509 some subjects are too old.
func signName(subject []byte) []byte {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		RawSubject: encodeName(one(cn, utf8String, "PLACE")),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return resign(der, key, func(fields []asn1.RawValue) []asn1.RawValue {
		for i, field := range fields {
			if bytes.Equal(field.FullBytes, template.RawSubject) {
				fields[i] = asn1.RawValue{FullBytes: subject}
			}
		}
		return fields
	})
}

// resign changes the fields of a certificate's TBSCertificate and signs it
// anew with ECDSA and SHA-256.
func resign(der []byte, key *ecdsa.PrivateKey, change func([]asn1.RawValue) []asn1.RawValue) []byte {
	var cert struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	must(asn1.Unmarshal(der, &cert))
	var fields []asn1.RawValue
	for rest := cert.TBS.Bytes; len(rest) > 0; {
		var field asn1.RawValue
		rest = must(asn1.Unmarshal(rest, &field))
		fields = append(fields, field)
	}
	var tbs []byte
	for _, field := range change(fields) {
		tbs = append(tbs, field.FullBytes...)
	}
	cert.TBS = asn1.RawValue{FullBytes: must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: tbs}))}
	signature := must(key.Sign(rand.Reader, sha256Sum(cert.TBS.FullBytes), sha256Hash))
	cert.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	return must(asn1.Marshal(cert))
}

func TestNameComparison(t *testing.T) {
	base := encodeName(one(o, printable, "My Site"), []ava{{cn, printable, "A b"}, {uid, printable, "u"}})
	tests := []struct {
		name  string
		der   []byte
		equal bool
	}{
		{"same", base, true},
		{"other string type", encodeName(one(o, utf8String, "My Site"), []ava{{cn, bmp, "\x00A\x00 \x00b"}, {uid, ia5, "u"}}), true},
		{"case and white space", encodeName(one(o, utf8String, " mY   sITE\t"), []ava{{cn, t61, "a  B"}, {uid, printable, "U"}}), true},
		{"order in a multi-valued RDN", encodeName(one(o, printable, "My Site"), []ava{{uid, printable, "u"}, {cn, printable, "A b"}}), true},
		{"two RDNs instead of one", encodeName(one(o, printable, "My Site"), one(cn, printable, "A b"), one(uid, printable, "u")), false},
		{"other value", encodeName(one(o, printable, "MySite"), []ava{{cn, printable, "A b"}, {uid, printable, "u"}}), false},
		{"other type", encodeName(one(role, printable, "My Site"), []ava{{cn, printable, "A b"}, {uid, printable, "u"}}), false},
		{"shorter", encodeName(one(o, printable, "My Site")), false},
		{"no string", encodeName(one(o, general, "My Site"), []ava{{cn, printable, "A b"}, {uid, printable, "u"}}), false},
	}
	first := must(certs.ParseName(base))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			second := must(certs.ParseName(test.der))
			if first.Equal(second) != test.equal || second.Equal(first) != test.equal {
				t.Errorf("Equal is not %v", test.equal)
			}
			if (first.Canonical() == second.Canonical()) != test.equal {
				t.Errorf("canonical forms: %x and %x", first.Canonical(), second.Canonical())
			}
			if test.equal != (first.Hash() == second.Hash()) {
				t.Errorf("hashes: %s and %s", first.Hash(), second.Hash())
			}
		})
	}
}

func TestMalformedNames(t *testing.T) {
	good := encodeName(one(o, printable, "x"))
	tests := map[string][]byte{
		"nothing":         {},
		"no sequence":     {0x04, 0x00},
		"trailing data":   append(bytes.Clone(good), 0),
		"cut":             good[:len(good)-1],
		"empty RDN":       {0x30, 0x02, 0x31, 0x00},
		"no type":         {0x30, 0x04, 0x31, 0x02, 0x30, 0x00},
		"no value":        {0x30, 0x09, 0x31, 0x07, 0x30, 0x05, 0x06, 0x03, 0x55, 0x04, 0x0a},
		"not UTF-8":       encodeName(one(o, utf8String, "\xff")),
		"half a BMP":      encodeName(one(o, bmp, "\x00a\x00")),
		"a surrogate":     encodeName(one(o, bmp, "\xd8\x00")),
		"a huge rune":     encodeName(one(o, universal, "\xff\xff\xff\xff")),
		"data after pair": {0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55, 0x04, 0x0a, 0x13, 0x01, 0x78, 0x13, 0x01, 0x78},
	}
	for name, der := range tests {
		t.Run(name, func(t *testing.T) {
			if parsed, err := certs.ParseName(der); err == nil {
				t.Errorf("read as %q", parsed.Slash())
			} else if !strings.HasPrefix(err.Error(), "malformed name: ") {
				t.Errorf("unclear error %q", err)
			}
		})
	}
}

var notPrintable = regexp.MustCompile(`[^ -~]`)

func FuzzName(f *testing.F) {
	for _, test := range names {
		f.Add(test.der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		name, err := certs.ParseName(der)
		if err != nil {
			return
		}
		if slash := name.Slash(); notPrintable.MatchString(slash) {
			t.Errorf("unprintable slash form %q", slash)
		}
		if form := name.RFC4514(); strings.ContainsAny(form, "\n\r\x00\x1b") {
			t.Errorf("control characters in %q", form)
		}
		// The canonical form is a name too, and its own canonical form.
		canonical := name.Canonical()
		again, err := certs.ParseName(must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: []byte(canonical)})))
		if err != nil {
			t.Fatalf("canonical form %s of %x: %v", hex.EncodeToString([]byte(canonical)), der, err)
		}
		if again.Canonical() != canonical || !again.Equal(name) {
			t.Errorf("canonical form changes: %x, then %x", canonical, again.Canonical())
		}
		if len(name.Hash()) != 8 || len(name.HashOld()) != 8 {
			t.Errorf("hashes %q, %q", name.Hash(), name.HashOld())
		}
	})
}

func FuzzNameConstraints(f *testing.F) {
	f.Add(must(hex.DecodeString("300da00b3009820765782e6e6574")))
	f.Fuzz(func(_ *testing.T, der []byte) { _ = certs.ParseConstraints(der) })
}

func pemOf(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}
