package dn_test

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/dertest"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// one is an RDN of one attribute, encode a name of RDNs.
var one, encode = dertest.RDN, dertest.Name

// must gives the value of a call that may not fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

const (
	utf8String, printable, t61, ia5  = 12, 19, 20, 22
	visible, general, universal, bmp = 26, 27, 28, 30
	cn, o, serial, role              = "2.5.4.3", "2.5.4.10", "2.5.4.5", "2.5.4.72"
	dc, uid, email                   = "0.9.2342.19200300.100.1.25", "0.9.2342.19200300.100.1.1", "1.2.840.113549.1.9.1"
)

var names = []struct {
	name    string
	der     []byte
	slash   string
	rfc4514 string
}{
	{
		"plain", encode(one(dc, ia5, "org"), one(o, printable, "Site"), one(cn, utf8String, "host.site.org")),
		"/DC=org/O=Site/CN=host.site.org", "CN=host.site.org,O=Site,DC=org",
	},
	{"empty", encode(), "", ""},
	{
		"service", encode(one(dc, ia5, "org"), one(cn, printable, "host/a.site.org")),
		"/DC=org/CN=host/a.site.org", "CN=host/a.site.org,DC=org",
	},
	{
		"case and spaces", encode(one(o, utf8String, "  My \t Site  "), one(cn, utf8String, "ROOT ca")),
		`/O=  My \x09 Site  /CN=ROOT ca`, `CN=ROOT ca,O=\  My \09 Site \ `,
	},
	{"bmp", encode(one(o, bmp, "\x00H\x00\xe9\x20\xac")), `/O=H\xC3\xA9\xE2\x82\xAC`, "O=Hé€"},
	{"t61", encode(one(o, t61, "Universit\xe9 ")), `/O=Universit\xC3\xA9 `, `O=Université\ `},
	{"universal", encode(one(o, universal, "\x00\x00\x00H\x00\x01\xf6\x00")), `/O=H\xF0\x9F\x98\x80`, "O=H😀"},
	{"visible", encode(one(o, visible, "Old Site")), "/O=Old Site", "O=Old Site"},
	{"general", encode(one(o, general, "Old Site")), "/O=Old Site", "O=#1b084f6c642053697465"},
	{"utf8", encode(one(cn, utf8String, "Žofie Ωmega")), `/CN=\xC5\xBDofie \xCE\xA9mega`, "CN=Žofie Ωmega"},
	{
		"multi-valued", encode(one(dc, ia5, "org"), slices.Concat(one(cn, utf8String, "b"), one(uid, utf8String, "a"))),
		"/DC=org/CN=b/UID=a", "CN=b+UID=a,DC=org",
	},
	{
		"email", encode(one(cn, printable, "x"), one(email, ia5, "Root@Site.Org")),
		"/CN=x/emailAddress=Root@Site.Org", "emailAddress=Root@Site.Org,CN=x",
	},
	{
		"unknown type", encode(one("1.3.6.1.4.1.99999.1", utf8String, "v")),
		"/1.3.6.1.4.1.99999.1=v", "1.3.6.1.4.1.99999.1=#0c0176",
	},
	{
		"escapes", encode(one(o, utf8String, `a,b+c"d\e<f>g;h`), one(cn, utf8String, "#1")),
		`/O=a,b+c"d\e<f>g;h/CN=#1`, `CN=\#1,O=a\,b\+c\"d\\e\<f\>g\;h`,
	},
	{"equals in value", encode(one(cn, utf8String, "x/O=evil")), "/CN=x/O=evil", "CN=x/O=evil"},
	{
		"other types", encode(one(serial, printable, "7"), one(role, utf8String, "r")),
		"/serialNumber=7/role=r", "role=r,serialNumber=7",
	},
}

func TestNameForms(t *testing.T) {
	for _, test := range names {
		t.Run(test.name, func(t *testing.T) {
			name, err := dn.Parse(test.der)
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
			cert := dertest.SelfSigned(test.der)
			name := must(dn.Parse(test.der))
			out := openssl(t, cert, "x509", "-inform", "DER", "-noout", "-subject_hash", "-subject_hash_old", "-subject",
				"-nameopt", "compat")
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
		if theirs[i] == '+' && i > 0 && theirs[i-1] != '\\' && start.MatchString(theirs[i:]) &&
			start.FindStringIndex(theirs[i:])[0] == 0 {
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

func TestNameComparison(t *testing.T) {
	base := encode(one(o, printable, "My Site"), slices.Concat(one(cn, printable, "A b"), one(uid, printable, "u")))
	tests := []struct {
		name  string
		der   []byte
		equal bool
	}{
		{"same", base, true},
		{
			"other string type",
			encode(one(o, utf8String, "My Site"), slices.Concat(one(cn, bmp, "\x00A\x00 \x00b"), one(uid, ia5, "u"))), true,
		},
		{
			"case and white space",
			encode(one(o, utf8String, " mY   sITE\t"), slices.Concat(one(cn, t61, "a  B"), one(uid, printable, "U"))), true,
		},
		{
			"order in a multi-valued RDN",
			encode(one(o, printable, "My Site"), slices.Concat(one(uid, printable, "u"), one(cn, printable, "A b"))), true,
		},
		{
			"two RDNs instead of one", encode(one(o, printable, "My Site"), one(cn, printable, "A b"), one(uid, printable, "u")),
			false,
		},
		{
			"other value",
			encode(one(o, printable, "MySite"), slices.Concat(one(cn, printable, "A b"), one(uid, printable, "u"))), false,
		},
		{
			"other type",
			encode(one(role, printable, "My Site"), slices.Concat(one(cn, printable, "A b"), one(uid, printable, "u"))), false,
		},
		{"shorter", encode(one(o, printable, "My Site")), false},
		{
			"no string", encode(one(o, general, "My Site"), slices.Concat(one(cn, printable, "A b"), one(uid, printable, "u"))),
			false,
		},
	}
	first := must(dn.Parse(base))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			second := must(dn.Parse(test.der))
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
	good := encode(one(o, printable, "x"))
	tests := map[string][]byte{
		"nothing":       {},
		"no sequence":   {0x04, 0x00},
		"trailing data": append(bytes.Clone(good), 0),
		"cut":           good[:len(good)-1],
		"empty RDN":     {0x30, 0x02, 0x31, 0x00},
		"no type":       {0x30, 0x04, 0x31, 0x02, 0x30, 0x00},
		"no value":      {0x30, 0x09, 0x31, 0x07, 0x30, 0x05, 0x06, 0x03, 0x55, 0x04, 0x0a},
		"not UTF-8":     encode(one(o, utf8String, "\xff")),
		"half a BMP":    encode(one(o, bmp, "\x00a\x00")),
		"a surrogate":   encode(one(o, bmp, "\xd8\x00")),
		"a huge rune":   encode(one(o, universal, "\xff\xff\xff\xff")),
		"data after pair": {
			0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55, 0x04, 0x0a, 0x13, 0x01, 0x78, 0x13, 0x01, 0x78,
		},
	}
	for name, der := range tests {
		t.Run(name, func(t *testing.T) {
			if parsed, err := dn.Parse(der); err == nil {
				t.Errorf("read as %q", parsed.Slash())
			} else if !strings.HasPrefix(err.Error(), "malformed name: ") {
				t.Errorf("unclear error %q", err)
			}
		})
	}
}

// TestNameStructure: what is no name says which part of it is none.
func TestNameStructure(t *testing.T) {
	t.Parallel()
	name := encode(one(o, printable, "Grid"), one(cn, printable, "CA"))
	if _, err := dn.Parse(dertest.Edit(name, slices.Clone[[]byte], 1, 0, 1)); err != nil {
		t.Fatal(err)
	}
	for about, test := range map[string]struct {
		change  func([]byte) []byte
		path    []int
		message string
	}{
		"a SET":                       {dertest.Retagged(0x31), nil, "not a SEQUENCE of RDNs"},
		"something after it":          {dertest.Followed, nil, "not a SEQUENCE of RDNs"},
		"an RDN that is no SET":       {dertest.Retagged(0x30), []int{1}, "RDN 2 is not a SET of attributes"},
		"an RDN without an attribute": {dertest.Replaced(0x31, 0), []int{1}, "RDN 2 is not a SET of attributes"},
		"an attribute that is a SET":  {dertest.Retagged(0x31), []int{1, 0}, "RDN 2: an attribute without a type"},
		"a type that is none":         {dertest.Retagged(4), []int{1, 0, 0}, "RDN 2: an attribute without a type"},
		"no value":                    {dertest.Replaced(), []int{1, 0, 1}, "RDN 2: an attribute without a value"},
		"two values":                  {dertest.Followed, []int{1, 0, 1}, "RDN 2: an attribute without a value"},
		"a value that ends too late":  {dertest.Overlong, []int{1, 0, 1}, "RDN 2: an attribute without a value"},
		"half a character": {
			dertest.Replaced(30, 1, 0), []int{1, 0, 1}, "RDN 2: CN: a string cut inside a character",
		},
		"a character beyond " +
			"Unicode": {
			dertest.Replaced(28, 4, 0, 0x11, 0, 0), []int{1, 0, 1}, "RDN 2: CN: a string with the invalid character 0x110000",
		},
	} {
		if got, err := dn.Parse(dertest.Edit(name, test.change, test.path...)); err == nil {
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
	parse := func(rdns ...string) *dn.Name {
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
		name, err := dn.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	parent := parse("O=Site", "CN=Alice")
	for _, test := range []struct {
		name           *dn.Name
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
		if test.name.Within(parent) != test.below || test.name.Extends(parent) != test.extends {
			t.Errorf("%s: below %t, extends %t", test.name.Slash(), test.name.Within(parent), test.name.Extends(parent))
		}
	}
}

var notPrintable = regexp.MustCompile(`[^ -~]`)

func FuzzName(f *testing.F) {
	for _, test := range names {
		f.Add(test.der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		name, err := dn.Parse(der)
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
		again, err := dn.Parse(must(asn1.Marshal(asn1.RawValue{
			Tag: asn1.TagSequence, IsCompound: true, Bytes: []byte(canonical),
		})))
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

// openssl runs the command line tool; tests that need it fail in CI where it
// is missing.
func openssl(t testing.TB, stdin []byte, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed: ", err)
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Stdin = strings.NewReader(string(stdin))
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
