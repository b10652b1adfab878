package certs_test

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// bare installs CAs without any policy file.
func bare(t testing.TB, cas ...*certstest.CA) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, cas...); err != nil {
		t.Fatal(err)
	}
	for _, file := range must(filepath.Glob(filepath.Join(dir, "*.signing_policy"))) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// signing is a signing_policy in which the CA may sign what the patterns say.
func signing(ca, patterns string) string {
	return fmt.Sprintf(
		"access_id_CA X509 '/DC=test/DC=gtunnel/CN=%s'\npos_rights globus CA:sign\ncond_subjects globus '%s'\n", ca, patterns,
	)
}

// to is a statement of a namespaces file.
func to(ca, verb, pattern string) string {
	issuer := `"/DC=test/DC=gtunnel/CN=` + ca + `"`
	if ca == "" {
		issuer = "SELF"
	}
	return fmt.Sprintf("TO Issuer %s \\\n  %s Subject \"%s\"\n", issuer, verb, pattern)
}

// Patterns of subjects, as the two kinds of policies write them.
const (
	hostsPattern     = `"/DC=test/DC=gtunnel/O=hosts/*"`
	allPattern       = `"/DC=test/DC=gtunnel/*"`
	elsewherePattern = `"/DC=org/*"`
	hostsExpression  = "/DC=test/DC=gtunnel/O=hosts/.*"
	allExpression    = "/DC=test/.*"
)

// policyCases are the policy files of a CApath and what they permit.
var policyCases = []struct {
	name    string
	sub     bool              // the host is below a subordinate
	files   map[string]string // by CA and kind: "Root.signing_policy", "Sub.namespaces"
	mode    certs.NamespacesMode
	code    certs.Code // empty: accepted
	decided string     // the file that decided, as in files
	line    int
	depth   int
	reason  string
}{
	{
		name: "both permit",
		files: map[string]string{
			"Root.signing_policy": signing("Root", hostsPattern), "Root.namespaces": to("Root", "PERMIT", hostsExpression),
		},
	},
	{name: "signing_policy alone", files: map[string]string{"Root.signing_policy": signing("Root", hostsPattern)}},
	{name: "namespaces alone", files: map[string]string{"Root.namespaces": to("", "PERMIT", hostsExpression)}},
	{name: "neither", code: certs.CodePolicyMissing, reason: "neither a signing_policy nor a namespaces file"},
	{name: "neither, not required", mode: policy.EUGridPMAAndGlobus},
	{name: "neither, ignored", mode: certs.NamespacesIgnore},
	{
		name: "signing_policy denies",
		files: map[string]string{
			"Root.signing_policy": "# a comment\n" + signing("Root", elsewherePattern),
			"Root.namespaces":     to("Root", "PERMIT", hostsExpression),
		},
		code: certs.CodePolicyDenied, decided: "Root.signing_policy", line: 4, reason: `only "/DC=org/*"`,
	},
	{
		name: "namespaces deny",
		files: map[string]string{
			"Root.signing_policy": signing("Root", hostsPattern), "Root.namespaces": to("Root", "PERMIT", "/DC=org/.*"),
		},
		code: certs.CodePolicyDenied, decided: "Root.namespaces", line: 1, reason: `only "/DC=org/.*"`,
	},
	{
		name: "DENY wins",
		files: map[string]string{
			"Root.signing_policy": signing("Root", hostsPattern),
			"Root.namespaces": to("Root", "PERMIT", hostsExpression) + to("Root", "DENY", ".*/CN=host\\.test") +
				to("Root", "PERMIT", ".*"),
		},
		code: certs.CodePolicyDenied, decided: "Root.namespaces", line: 3, reason: "deny",
	},
	{
		name: "DENY does not matter to the other kind's mode", mode: policy.GlobusEUGridPMARequire,
		files: map[string]string{
			"Root.signing_policy": signing("Root", hostsPattern),
			"Root.namespaces":     to("Root", "DENY", ".*"),
		},
	},
	{
		name: "first to speak", mode: policy.EUGridPMAGlobusRequire,
		files: map[string]string{
			"Root.signing_policy": signing("Root", elsewherePattern), "Root.namespaces": to("Root", "PERMIT", hostsExpression),
		},
	},
	{
		name: "malformed signing_policy beside sound namespaces",
		files: map[string]string{
			"Root.signing_policy": "access_id_CA X509\n\n'/CN", "Root.namespaces": to("Root", "PERMIT", hostsExpression),
		},
		code: certs.CodePolicyMalformed, decided: "Root.signing_policy", line: 3, reason: "not closed",
	},
	{
		name: "malformed namespaces, not required", mode: policy.EUGridPMAAndGlobus,
		files: map[string]string{"Root.signing_policy": signing("Root", hostsPattern), "Root.namespaces": "TO Issuer\n"},
		code:  certs.CodePolicyMalformed, decided: "Root.namespaces", line: 1,
	},
	{
		name: "empty file", files: map[string]string{"Root.signing_policy": ""}, code: certs.CodePolicyMalformed,
		decided: "Root.signing_policy", line: 1,
	},
	{
		name: "malformed and not asked", mode: policy.GlobusRequire,
		files: map[string]string{"Root.signing_policy": signing("Root", hostsPattern), "Root.namespaces": "TO"},
	},
	{
		name: "a file that speaks of others",
		files: map[string]string{
			"Root.signing_policy": signing("Other", `"*"`), "Root.namespaces": to("Other", "PERMIT", ".*"),
		},
		code: certs.CodePolicyMissing,
	},

	{
		name: "sent subordinate without policy", sub: true,
		files: map[string]string{"Root.signing_policy": signing("Root", allPattern)},
		code:  certs.CodePolicyMissing, reason: "CN=Sub may not sign it",
	},
	{
		name: "sent subordinate with its own policy", sub: true,
		files: map[string]string{
			"Root.signing_policy": signing("Root", allPattern),
			"Sub.signing_policy":  signing("Sub", hostsPattern),
		},
	},
	{
		name: "sent subordinate denied by its own policy", sub: true,
		files: map[string]string{
			"Root.signing_policy": signing("Root", allPattern), "Sub.signing_policy": signing("Sub", elsewherePattern),
		},
		code: certs.CodePolicyDenied, decided: "Sub.signing_policy", line: 3,
	},
	{
		name: "sent subordinate that its root may not sign", sub: true,
		files: map[string]string{
			"Root.signing_policy": signing("Root", hostsPattern),
			"Sub.signing_policy":  signing("Sub", hostsPattern),
		},
		code: certs.CodePolicyDenied, decided: "Root.signing_policy", line: 3, depth: 1, reason: "CN=Root may not sign it",
	},
	{
		name: "the root's file speaks of the subordinate", sub: true,
		files: map[string]string{
			"Root.signing_policy": signing("Root", allPattern),
			"Root.namespaces":     to("Root", "PERMIT", allExpression) + to("Sub", "PERMIT", hostsExpression),
		},
	},
	{
		name: "the root's file denies the subordinate", sub: true,
		files: map[string]string{
			"Root.signing_policy": signing("Root", allPattern),
			"Root.namespaces":     to("Root", "PERMIT", allExpression) + to("Sub", "DENY", hostsExpression),
		},
		code: certs.CodePolicyDenied, decided: "Root.namespaces", line: 3,
	},
	{
		name: "the subordinate's own file comes first", sub: true,
		files: map[string]string{
			"Root.namespaces": to("Root", "PERMIT", allExpression) + to("Sub", "DENY", ".*"),
			"Sub.namespaces":  to("Sub", "PERMIT", hostsExpression),
		},
	},
	{
		name: "SELF is an installed CA", sub: true,
		files: map[string]string{
			"Root.namespaces": to("", "PERMIT", allExpression),
			"Sub.namespaces":  to("", "PERMIT", ".*"),
		},
		code: certs.CodePolicyMissing,
	},
	{
		name: "SELF in the root's file is the root", sub: true,
		files: map[string]string{"Root.namespaces": to("", "PERMIT", allExpression)},
		code:  certs.CodePolicyMissing,
	},
	{
		name: "malformed file of the root", sub: true,
		files: map[string]string{"Root.namespaces": "?", "Sub.namespaces": to("", "PERMIT", hostsExpression)},
		code:  certs.CodePolicyMalformed, decided: "Root.namespaces", line: 1, depth: 1,
	},
}

// TestPolicies judges a host below a root, or below a subordinate that the
// peer sends, by the policy files of the CApath.
func TestPolicies(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	hashOf := map[string]string{}
	for _, ca := range []*certstest.CA{root, sub} {
		hash, _ := hashes(ca)
		hashOf[ca.Certificate.Subject.CommonName] = hash
	}
	rename := func(file string) string {
		ca, kind, _ := strings.Cut(file, ".")
		return hashOf[ca] + "." + kind
	}
	for _, test := range policyCases {
		t.Run(test.name, func(t *testing.T) {
			dir := bare(t, root)
			for file, text := range test.files {
				writeFile(t, filepath.Join(dir, rename(file)), []byte(text), 0o644)
			}
			snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
			chain := must(root.NewHost("host.test", sound)).Chain
			if test.sub {
				chain = must(sub.NewHost("host.test", sound)).Chain
			}
			_, err := certs.Verify(snapshot, chain, anyone(certs.PeerClient, now, certs.Policy{Namespaces: test.mode}))
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			refusal := wantRefusal(t, err, test.code)
			file := ""
			if test.decided != "" {
				file = filepath.Join(dir, rename(test.decided))
			}
			if refusal.File != file || refusal.Line != test.line {
				t.Errorf("decided by %s:%d, want %s:%d", refusal.File, refusal.Line, file, test.line)
			}
			if refusal.Depth != test.depth || !strings.Contains(refusal.Reason, test.reason) {
				t.Errorf("at depth %d: %v; want depth %d and the words %q", refusal.Depth, refusal, test.depth, test.reason)
			}
			if file != "" && !strings.Contains(refusal.Error(), fmt.Sprintf("%s:%d", file, test.line)) {
				t.Errorf("%q does not name %s:%d", refusal, file, test.line)
			}
		})
	}
}

// TestPolicyExemptions: self-issued certificates, and what a CA of the CA
// file issued, also by a subordinate that it did.
func TestPolicyExemptions(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	successor := must(root.NewSubordinate("Root", sound)) // self-issued, with a new key
	sub := must(root.NewSubordinate("Sub", sound))
	below := func(ca *certstest.CA) []*x509.Certificate { return must(ca.NewHost("host.test", sound)).Chain }

	dir := bare(t, root)
	hash, oldHash := hashes(root)
	file := writeFile(t, filepath.Join(dir, hash+".signing_policy"),
		[]byte(signing("Root", `"/DC=test/DC=gtunnel/O=hosts/*"`)), 0o644)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	if _, err := certs.Verify(store.Snapshot(), below(successor), anyone(certs.PeerClient, now, certs.Policy{})); err !=
		nil {
		t.Errorf("below a self-issued CA: %v", err)
	}

	// Two files for the two hashes must agree.
	other := writeFile(t, filepath.Join(dir, oldHash+".signing_policy"), []byte(signing("Root", `"/DC=org/*"`)), 0o644)
	if _, err := store.Reload(); err != nil {
		t.Fatal(err)
	}
	_, err := certs.Verify(store.Snapshot(), below(root), anyone(certs.PeerClient, now, certs.Policy{}))
	if refusal := wantRefusal(t, err, certs.CodePolicyDenied); refusal.File != other {
		t.Errorf("decided by %s, want %s and not %s", refusal.File, other, file)
	}

	cafile := writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
	for _, config := range []certs.StoreConfig{{CAfile: cafile}, {CAfile: cafile, CApath: bare(t, root)}} {
		snapshot := must(certs.OpenStore(config)).Snapshot()
		for _, chain := range [][]*x509.Certificate{below(root), below(sub)} {
			if _, err := certs.Verify(snapshot, chain, anyone(certs.PeerClient, now, certs.Policy{})); err != nil {
				t.Errorf("%+v: %v", config, err)
			}
		}
	}
	// A subordinate of the CApath stays bound.
	snapshot := must(certs.OpenStore(certs.StoreConfig{CAfile: cafile, CApath: bare(t, sub)})).Snapshot()
	_, err = certs.Verify(snapshot, below(sub), anyone(certs.PeerClient, now, certs.Policy{}))
	wantRefusal(t, err, certs.CodePolicyMissing)
}

// TestAmbiguousNameDenied: a value that holds "/O=" could pass for a name
// that the policy permits.
func TestAmbiguousNameDenied(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	host := must(root.NewHost("x", options(func(c *x509.Certificate) {
		c.RawSubject = encodeName(one(dc, ia5, "test/DC=gtunnel/O=hosts"), one(cn, utf8String, "host.test"))
	})))
	snapshot := openStore(t, root).Snapshot()
	_, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, now, certs.Policy{}))
	if refusal := wantRefusal(t, err, certs.CodePolicyDenied); !strings.Contains(refusal.Reason, "another one") {
		t.Errorf("got %v", err)
	}
}

// TestPolicyProblems: what is wrong is told once for both hash names, and
// shown with its CA.
func TestPolicyProblems(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	other := must(certstest.NewCA("Other", sound))
	dir := bare(t, root, other)
	writeFile(t, filepath.Join(dir, "Root.namespaces"), []byte("PERMIT\n"), 0o644)
	hash, oldHash := hashes(root)
	for _, name := range []string{hash, oldHash} {
		if err := os.Symlink("Root.namespaces", filepath.Join(dir, name+".namespaces")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("gone", filepath.Join(dir, name+".signing_policy")); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	if problems := snapshot.Problems(); len(problems) != 3 {
		t.Errorf("problems %v, want the namespaces once and each dangling link", problems)
	}
	for _, ca := range snapshot.CAs() {
		if isRoot := ca.Subject.Slash() == "/DC=test/DC=gtunnel/CN=Root"; !isRoot {
			if len(ca.Problems)+len(ca.Policies) > 0 {
				t.Errorf("%s has the problems %v and the policies %v", ca.Subject.Slash(), ca.Problems, ca.Policies)
			}
			continue
		}
		if len(ca.Problems) != 3 {
			t.Errorf("problems %v", ca.Problems)
		}
		var shown []string
		for _, policy := range ca.Policies {
			shown = append(shown, fmt.Sprint(policy.Kind, len(policy.Files), policy.Problem != nil))
		}
		if got, want := strings.Join(shown, " "), "signing_policy1 true signing_policy1 true namespaces2 true"; got != want {
			t.Errorf("policies %s, want %s", got, want)
		}
	}
	_, err := certs.Verify(snapshot, must(root.NewHost("host.test", sound)).Chain,
		anyone(certs.PeerClient, now, certs.Policy{Namespaces: policy.GlobusRequire}))
	if refusal := wantRefusal(t, err, certs.CodePolicyMalformed); !strings.Contains(refusal.Reason,
		"gone, which does not exist") {
		t.Errorf("got %v", err)
	}
}
