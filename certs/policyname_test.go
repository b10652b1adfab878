package certs_test

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

const (
	within    = "/DC=test/DC=gtunnel/"
	allWithin = within + ".*"
	latin     = "J\xf6rg"
)

// names is a namespaces file of the statements, by its suffix.
func names(statements ...string) map[string]string {
	return map[string]string{".namespaces": strings.Join(statements, "")}
}

// signs is a signing policy of the pattern, by its suffix.
func signs(pattern string) map[string]string {
	return map[string]string{".signing_policy": signing("Root", `"`+pattern+`"`)}
}

var denyBad = names(to("Root", "DENY", within+"O=Bad/.*"), to("Root", "DENY", within+".*CN=bad.*"),
	to("Root", "PERMIT", allWithin))

// policyNameForms are policies and names whose forms differ from theirs.
var policyNameForms = []struct {
	name     string
	files    map[string]string
	org      []dertest.Attribute
	host     []dertest.Attribute
	accepted bool
}{
	{"good", denyBad, one(o, utf8String, "Good"), one(cn, utf8String, "host.test"), true},
	{"denied", denyBad, one(o, utf8String, "Bad"), one(cn, utf8String, "host.test"), false},
	{"denied, BMPString", denyBad, one(o, bmp, dertest.BMP("Bad")), one(cn, utf8String, "host.test"), false},
	{"denied, space after", denyBad, one(o, utf8String, "Bad "), one(cn, utf8String, "host.test"), false},
	{"denied, space before", denyBad, one(o, utf8String, "Good"), one(cn, utf8String, " bad.test"), false},
	{"denied, BMPString host", denyBad, one(o, utf8String, "Good"), one(cn, bmp, dertest.BMP("bad.test")), false},
	{
		"denied, spaces within", names(to("Root", "DENY", ".*O=Very Bad/.*"), to("Root", "PERMIT", allWithin)),
		one(o, utf8String, "Very   Bad"), one(cn, utf8String, "x"), false,
	},
	{
		"denied, spaces in the policy", names(to("Root", "DENY", ".*O=Very  Bad/.*"), to("Root", "PERMIT", allWithin)),
		one(o, utf8String, "Very Bad"), one(cn, utf8String, "x"), false,
	},
	{
		"denied by its octets", names(to("Root", "DENY", `.*O=\x00B.*`), to("Root", "PERMIT", allWithin)),
		one(o, bmp, dertest.BMP("Bad")), one(cn, utf8String, "x"), false,
	},
	{
		"denied, Latin-1", names(to("Root", "DENY", ".*O=Jörg/.*"), to("Root", "PERMIT", allWithin)), one(o, t61, latin),
		one(cn, utf8String, "x"), false,
	},

	{
		"permitted, BMPString", names(to("Root", "PERMIT", within+"O=Good/.*")), one(o, bmp, dertest.BMP("Good")),
		one(cn, utf8String, "x"), true,
	},
	{
		"permitted, Latin-1 as text", names(to("Root", "PERMIT", within+"O=Jörg/.*")), one(o, t61, latin),
		one(cn, utf8String, "x"), true,
	},
	{
		"permitted, Latin-1 as octets", names(to("Root", "PERMIT", within+`O=J\xF6rg/.*`)), one(o, t61, latin),
		one(cn, utf8String, "x"), true,
	},
	{
		"permitted, spaces in the policy", names(to("Root", "PERMIT", within+"O=My  Site/.*")),
		one(o, utf8String, "My  Site"), one(cn, utf8String, "x"), true,
	},
	{
		"octets that spell another name", names(to("Root", "PERMIT", within+"O=Good/.*")), one(o, bmp, "Good"),
		one(cn, utf8String, "x"), false,
	},
	{
		"expression that matches the octets of any character", names(to("Root", "PERMIT", within+"O=[^G].*")),
		one(o, bmp, dertest.BMP("Good")), one(cn, utf8String, "x"), false,
	},
	{
		"octets that are UTF-8 of another text", names(to("Root", "PERMIT", within+"O=ö/.*")), one(o, t61, "\xc3\xb6"),
		one(cn, utf8String, "x"), false,
	},
	{
		"signing_policy, octets of a BMPString", signs(within + `O=\\x00G\\x00o*`), one(o, bmp, dertest.BMP("Good")),
		one(cn, utf8String, "x"), true,
	},
	{
		"text that looks like two attributes", denyBad, one(o, bmp, dertest.BMP("Good/CN=x")), one(cn, utf8String, "x"),
		false,
	},

	{
		"signing_policy, BMPString", signs(within + "O=Good/*"), one(o, bmp, dertest.BMP("Good")), one(cn, utf8String, "x"),
		true,
	},
	{
		"signing_policy, spaces", signs(within + "O=My  Site/*"), one(o, utf8String, "My  Site "), one(cn, utf8String, "x"),
		true,
	},
	{
		"signing_policy, space at the end", signs(within + "O=My *"), one(o, utf8String, "My  Site"),
		one(cn, utf8String, "x"), true,
	},
	{
		"signing_policy, space at the end of another", signs(within + "O=My *"), one(o, utf8String, "Mysite"),
		one(cn, utf8String, "x"), false,
	},
	{
		"signing_policy, octets that spell another name", signs(within + "O=Good/*"), one(o, bmp, "Good"),
		one(cn, utf8String, "x"), false,
	},
}

// TestPolicyNameForms: a policy speaks of a name whatever its string types
// and white space are.
func TestPolicyNameForms(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	hash, _ := hashes(root)
	for _, test := range policyNameForms {
		t.Run(test.name, func(t *testing.T) {
			dir := bare(t, root)
			for suffix, text := range test.files {
				writeFile(t, filepath.Join(dir, hash+suffix), []byte(text), 0o644)
			}
			snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
			host := must(root.NewHost("host.test", options(func(c *x509.Certificate) {
				c.RawSubject = encodeName(one(dc, ia5, "test"), one(dc, ia5, "gtunnel"), test.org, test.host)
			})))
			_, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, now, certs.Policy{}))
			if test.accepted {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefusal(t, err, certs.CodePolicyDenied)
		})
	}
}

// TestPolicyIssuerForms: the file of a CA names it as text or by its octets.
func TestPolicyIssuerForms(t *testing.T) {
	for _, test := range []struct {
		name     string
		tag      int
		value    string
		issuer   string
		accepted bool
	}{
		{"BMPString as text", bmp, dertest.BMP("Zürich"), "/CN=Zürich", true},
		{"BMPString as octets", bmp, dertest.BMP("Root"), `/CN=\x00R\x00o\x00o\x00t`, true},
		{"Latin-1 as text", t61, "Z\xfcrich", `/CN=Z\xC3\xBCrich`, true},
		{"Latin-1 as octets", t61, "Z\xfcrich", `/CN=Z\xFCrich`, true},
		{"spaces", utf8String, "My  CA", "/CN=My  CA", true},
		{"spaces in the certificate", utf8String, "My  CA", "/CN=My CA", true},
		{"octets that spell another name", bmp, "Root", "/CN=Root", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := must(certstest.NewCA("Root", options(func(c *x509.Certificate) {
				c.RawSubject = encodeName(one(cn, test.tag, test.value))
			})))
			hash, _ := hashes(root)
			chain := must(root.NewHost("host.test", sound)).Chain
			for suffix, text := range map[string]string{
				".namespaces": "TO Issuer \"" + test.issuer + "\" PERMIT Subject \".*\"\n",
				".signing_policy": "access_id_CA X509 '" + test.issuer +
					"'\npos_rights globus CA:sign\ncond_subjects globus '\"*\"'\n",
			} {
				dir := t.TempDir()
				writeFile(t, filepath.Join(dir, hash+".0"), pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
				writeFile(t, filepath.Join(dir, hash+suffix), []byte(text), 0o644)
				snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
				_, err := certs.Verify(snapshot, chain, anyone(certs.PeerClient, now, certs.Policy{}))
				if !test.accepted {
					wantRefusal(t, err, certs.CodePolicyMissing)
				} else if err != nil {
					t.Errorf("%s: %v", suffix, err)
				}
			}
		})
	}
}

// TestPolicyBelowCAfile: what a peer sends below a CA of the CA file is bound
// where its name, or one above it, is that of a CA or a policy of the CApath.
func TestPolicyBelowCAfile(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	twin := must(root.NewSubordinate("Sub", sound)) // another certificate of the name
	below := must(sub.NewSubordinate("Below", sound))
	belowTwin := must(twin.NewSubordinate("Below", sound))
	free := must(root.NewSubordinate("Free", sound))
	hash, _ := hashes(sub)
	cafile := writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
	installed := bare(t, sub)
	writeFile(t, filepath.Join(installed, hash+".signing_policy"), []byte(signing("Sub", `"/DC=org/*"`)), 0o644)
	policyAlone := bare(t, root)
	writeFile(t, filepath.Join(policyAlone, hash+".signing_policy"), []byte(signing("Sub", `"/DC=org/*"`)), 0o644)
	for _, test := range []struct {
		name   string
		capath string
		issuer *certstest.CA
		code   certs.Code
	}{
		{"installed", installed, sub, certs.CodePolicyDenied},
		{"twin of an installed one", installed, twin, certs.CodePolicyDenied},
		{"below an installed one", installed, below, certs.CodePolicyDenied},
		{"below a twin", installed, belowTwin, certs.CodePolicyDenied},
		{"no policy at all", bare(t, sub), twin, certs.CodePolicyMissing},
		{"policy without the CA", policyAlone, sub, certs.CodePolicyDenied},
		{"of no concern to the CApath", installed, free, ""},
		{"no CApath", "", below, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			snapshot := must(certs.OpenStore(certs.StoreConfig{CAfile: cafile, CApath: test.capath})).Snapshot()
			chain := must(test.issuer.NewHost("host.test", sound)).Chain
			_, err := certs.Verify(snapshot, chain, anyone(certs.PeerClient, now, certs.Policy{}))
			if test.code != "" {
				wantRefusal(t, err, test.code)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPolicySelfIssuedHost: a host that bears the name of its CA is bound like
// any other.
func TestPolicySelfIssuedHost(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	hash, _ := hashes(root)
	dir := bare(t, root)
	writeFile(t, filepath.Join(dir, hash+".signing_policy"), []byte(signing("Root", `"/DC=test/DC=gtunnel/O=hosts/*"`)),
		0o644)
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	host := must(root.NewHost("host.test",
		options(func(c *x509.Certificate) { c.RawSubject = root.Certificate.RawSubject })))
	_, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, now, certs.Policy{}))
	wantRefusal(t, err, certs.CodePolicyDenied)
}

// TestPolicyByteOrderMark: a BOM at the start of a policy file is no part of
// it.
func TestPolicyByteOrderMark(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	hash, _ := hashes(root)
	dir := bare(t, root)
	writeFile(t, filepath.Join(dir, hash+".signing_policy"), []byte("\ufeff"+signing("Root", `"/DC=test/*"`)), 0o644)
	writeFile(t, filepath.Join(dir, hash+".namespaces"), []byte("\ufeff"+to("Root", "PERMIT", "/DC=test/.*")), 0o644)
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	if problems := snapshot.Problems(); len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := certs.Verify(snapshot, must(root.NewHost("host.test", sound)).Chain,
		anyone(certs.PeerClient, now, certs.Policy{})); err != nil {
		t.Error(err)
	}
}
