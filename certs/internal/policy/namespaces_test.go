package policy_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// ca is the CA of the policies.
const ca = "/O=Grid/CN=CA"

func permit(regex string) string {
	return `TO Issuer "/O=Grid/CN=CA" PERMIT Subject "` + regex + `"` + "\n"
}

func deny(regex string) string {
	return `TO Issuer "/O=Grid/CN=CA" DENY Subject "` + regex + `"` + "\n"
}

// namespacesVerdicts are namespaces files and what they say of a subject.
var namespacesVerdicts = []struct {
	name, content   string
	issuer, subject string
	want            policy.Verdict
	line            int
}{
	{"permit", policy.GoodNamespaces, ca, "/O=Grid/CN=host", policy.Permits, 4},
	{"no permit", policy.GoodNamespaces, ca, "/O=Other/CN=host", policy.Denies, 4},
	{"other issuer", policy.GoodNamespaces, "/O=Grid/CN=CA2", "/O=Grid/CN=host", policy.Silent, 0},
	{"case of the issuer", policy.GoodNamespaces, "/o=grid/cn=ca", "/O=Grid/CN=host", policy.Permits, 4},
	{"case of the subject", policy.GoodNamespaces, ca, "/o=GRID/CN=host", policy.Permits, 4},
	{"CRLF", strings.ReplaceAll(policy.GoodNamespaces, "\n", "\r\n"), ca, "/O=Grid/CN=host", policy.Permits, 4},
	{"no line end", strings.TrimSpace(policy.GoodNamespaces), ca, "/O=Grid/CN=host", policy.Permits, 4},
	{"keywords in any case", `to ISSUER "/O=Grid/CN=CA" permit SUBJECT "/x"`, ca, "/x", policy.Permits, 1},
	{"tabs", "\tTO\tIssuer\t\"/O=Grid/CN=CA\"\tPERMIT\tSubject\t\"/x\"\t", ca, "/x", policy.Permits, 1},
	{
		"continued between all words", "\n\nTO \\\nIssuer \\\n\"/O=Grid/CN=CA\" \\\nPERMIT \\\r\nSubject \\\n\"/x\"", ca,
		"/x", policy.Permits, 3,
	},
	{
		"continued in quotes", "TO Issuer \"/O=Grid/CN=CA\" PERMIT Subject \"/O=\\\nGrid/.*\"", ca, "/O=Grid/x",
		policy.Permits, 1,
	},
	{
		"comment after a statement", permit("/x") + `TO Issuer "/a" PERMIT Subject "/b" # why`, "/a", "/b", policy.Permits,
		2,
	},
	{"hash sign in quotes", permit("/CN=a#b"), ca, "/CN=a#b", policy.Permits, 1},
	{"comment that ends with a backslash", "# not continued \\\n" + permit("/x"), ca, "/x", policy.Permits, 2},
	{"whole match, longer", permit("/O=Grid/CN=x"), ca, "/O=Grid/CN=xy", policy.Denies, 1},
	{"whole match, prefix", permit("/O=Grid/CN=x"), ca, "/C=A/O=Grid/CN=x", policy.Denies, 1},
	{"whole match of alternatives", permit("/CN=a|/CN=b"), ca, "/CN=b/CN=c", policy.Denies, 1},
	{"alternatives", permit("/CN=a|/CN=b"), ca, "/CN=b", policy.Permits, 1},
	{"anchors", permit("^/CN=a$"), ca, "/CN=a", policy.Permits, 1},
	{"deny wins after", permit("/O=Grid/.*") + deny("/O=Grid/CN=evil"), ca, "/O=Grid/CN=evil", policy.Denies, 2},
	{"deny wins before", deny("/O=Grid/CN=evil") + permit("/O=Grid/.*"), ca, "/O=Grid/CN=evil", policy.Denies, 1},
	{"deny of another", deny("/O=Grid/CN=evil") + permit("/O=Grid/.*"), ca, "/O=Grid/CN=good", policy.Permits, 2},
	{"deny ignores case", deny("/O=Grid/CN=evil") + permit("/O=Grid/.*"), ca, "/O=Grid/CN=EVIL", policy.Denies, 1},
	{
		"deny of another issuer", `TO Issuer "/CN=B" DENY Subject ".*"` + "\n" + permit("/O=Grid/.*"), ca, "/O=Grid/x",
		policy.Permits, 2,
	},
	{"deny only", deny("/O=Grid/CN=evil"), ca, "/O=Grid/CN=good", policy.Denies, 1},
	{"second permit", permit("/O=A/.*") + permit("/O=B/.*"), ca, "/O=B/x", policy.Permits, 2},
	{"class keeps its case", permit("/CN=[A-Z]+"), ca, "/CN=abc", policy.Permits, 1},
	{"negated class ignores case", permit("/CN=[^A-Z]+"), ca, "/CN=abc", policy.Denies, 1},
	{"escape keeps its case", permit(`/CN=\D+`), ca, "/CN=123", policy.Denies, 1},
	{"escape, other", permit(`/CN=\d+`), ca, "/CN=123", policy.Permits, 1},
	{"escape not a word", permit(`/CN=\W`), ca, "/CN=w", policy.Denies, 1},
	{"posix class", permit(`/CN=[[:digit:].]+`), ca, "/CN=1.2", policy.Permits, 1},
	{"class with a bracket first", permit(`/CN=[]x]+`), ca, "/CN=]x", policy.Permits, 1},
	{"negated class with a bracket first", permit(`/CN=[^]x]+`), ca, "/CN=ab", policy.Permits, 1},
	{"escaped bracket in a class", permit(`/CN=[\[\]]+`), ca, "/CN=[]", policy.Permits, 1},
	{"escaped dot", permit(`/CN=a\.b`), ca, "/CN=a.b", policy.Permits, 1},
	{"escaped dot, not", permit(`/CN=a\.b`), ca, "/CN=axb", policy.Denies, 1},
	{"escaped quote", permit(`/CN=\"a\"`), ca, `/CN="a"`, policy.Permits, 1},
	{"groups", permit(`/CN=(host/)?(?:[a-z0-9-]+\.)+example\.org`), ca, "/CN=host/a.b.Example.org", policy.Permits, 1},
	{"repetition", permit(`/CN=\d{2,3}`), ca, "/CN=1234", policy.Denies, 1},
	{"byte as \\x", permit(`/CN=J\xc3\xB6rg`), ca, `/CN=J\xC3\xB6rg`, policy.Permits, 1},
	{"byte as an escaped \\x", permit(`/CN=J\\xC3\\xB6rg`), ca, `/CN=J\xC3\xB6rg`, policy.Permits, 1},
	{"byte as it is", permit("/CN=J\xc3\xb6rg"), ca, `/CN=J\xC3\xB6rg`, policy.Permits, 1},
	{"byte as it is, repeated", permit("/CN=\xc3\xb6+"), ca, `/CN=\xC3\xB6\xC3\xB6`, policy.Permits, 1},
	{"byte that is no UTF-8", permit("/CN=\xf6"), ca, `/CN=\xF6`, policy.Permits, 1},
	{"printable as \\x", permit(`/CN=\x41`), ca, `/CN=A`, policy.Permits, 1},
	{"Email for emailAddress", permit("/Email=a@b"), ca, "/emailAddress=a@b", policy.Permits, 1},
	{"E for emailAddress", permit("/E=a@b"), ca, "/emailAddress=a@b", policy.Permits, 1},
	{"USERID for UID", permit("/USERID=a"), ca, "/UID=a", policy.Permits, 1},
	{"uid is not UID", permit("/UID=a"), ca, "/uid=a", policy.Denies, 1},
	{"uid is uniqueIdentifier", permit("/uniqueIdentifier=a"), ca, "/uid=a", policy.Permits, 1},
	{"both", permit("/E=a/USERID=a"), ca, "/emailAddress=a/UID=a", policy.Permits, 1},
	{"deny by another spelling", deny("/Email=.*") + permit(".*"), ca, "/emailAddress=x", policy.Denies, 1},
	{
		"issuer with Email", `TO Issuer "/CN=CA/Email=a@b" PERMIT Subject "/x"`, "/CN=CA/emailAddress=a@b", "/x",
		policy.Permits, 1,
	},
	{"issuer with bytes", `TO Issuer "/CN=J\xC3\xB6" PERMIT Subject "/x"`, `/CN=J\xC3\xB6`, "/x", policy.Permits, 1},
	{"issuer is no expression", `TO Issuer "/CN=.*" PERMIT Subject "/x"`, "/CN=CA", "/x", policy.Silent, 0},
	{"version without a space", "#NAMESPACES-VERSION:1.0\n" + permit("/x"), ca, "/x", policy.Permits, 2},
	{"version with spaces", "# namespaces-version :  1.0 \n" + permit("/x"), ca, "/x", policy.Permits, 2},
}

func TestNamespacesJudge(t *testing.T) {
	t.Parallel()
	for _, test := range namespacesVerdicts {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file, problems := policy.Parse(policy.Namespaces, "ca.namespaces", []byte(test.content))
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			got := file.JudgeSlash(test.issuer, test.subject, false)
			if got.Verdict != test.want || got.Line != test.line || got.File != "ca.namespaces" {
				t.Errorf("judge(%q, %q) = %+v, want verdict %d at line %d", test.issuer, test.subject, got, test.want, test.line)
			}
			if (got.Reason == "") != (got.Verdict == policy.Silent) {
				t.Errorf("reason %q of verdict %d", got.Reason, got.Verdict)
			}
		})
	}
}

func TestNamespacesSelf(t *testing.T) {
	t.Parallel()
	file, problems := policy.Parse(policy.Namespaces, "f",
		[]byte("TO Issuer self PERMIT Subject \"/O=A/.*\"\nTO Issuer \"/CN=CA\" DENY Subject \"/O=A/CN=evil\"\n"))
	if problems != nil {
		t.Fatal(problems)
	}
	for _, test := range []struct {
		issuer, subject string
		own             bool
		want            policy.Verdict
		line            int
	}{
		{"/CN=CA", "/O=A/CN=x", true, policy.Permits, 1},
		{"/CN=CA", "/O=A/CN=evil", true, policy.Denies, 2},
		{"/CN=CA", "/O=A/CN=x", false, policy.Denies, 2},
		{"/CN=Sub", "/O=A/CN=x", false, policy.Silent, 0},
		{"/CN=Any", "/O=B/CN=x", true, policy.Denies, 1},
	} {
		if got := file.JudgeSlash(test.issuer, test.subject, test.own); got.Verdict != test.want || got.Line != test.line {
			t.Errorf("judge(%q, %q, %t) = %+v, want verdict %d at line %d", test.issuer, test.subject, test.own, got, test.want,
				test.line)
		}
	}
}

// statementHead begins a statement, which a subject ends.
const statementHead = `TO Issuer "/CN=A" PERMIT Subject `

// malformedNamespaces are files that cannot be read, and why.
var malformedNamespaces = []struct {
	name, content string
	line          int
	message       string // a part of it
}{
	{"empty", "", 0, "says nothing"},
	{"comments only", "# one\n\n", 0, "says nothing"},
	{"version", "\n#NAMESPACES-VERSION: 2.0\n" + policy.GoodNamespaces, 2, `version "2.0"`},
	{"version without a number", "#NAMESPACES-VERSION\n" + policy.GoodNamespaces, 1, "version"},
	{"version after a statement", policy.GoodNamespaces + "#NAMESPACES-VERSION: 1.1", 6, "version"},
	{"html", policy.GoodNamespaces + "<html>", 6, "expected TO"},
	{"no issuer word", `TO "/CN=A" PERMIT Subject "x"`, 1, "expected Issuer"},
	{"issuer without quotes", `TO Issuer /CN=A PERMIT Subject "x"`, 1, "in double quotes, or SELF"},
	{"self in quotes is a name", `TO Issuer "" PERMIT Subject "x"`, 1, "empty"},
	{"no verb", `TO Issuer "/CN=A" Subject "x"`, 1, "expected PERMIT or DENY"},
	{"verb in quotes", `TO Issuer "/CN=A" "PERMIT" Subject "x"`, 1, "expected PERMIT or DENY"},
	{"no subject word", `TO Issuer "/CN=A" PERMIT "x"`, 1, "expected Subject"},
	{"subject without quotes", statementHead + `/x`, 1, "in double quotes"},
	{"more words", statementHead + `"/x" "/y"`, 1, "expected the end of the line"},
	{"not continued", "\nTO Issuer \"/CN=A\"\n", 2, "ends with a backslash"},
	{"comment in the middle", "TO Issuer \"/CN=A\" \\\n# why\nPERMIT Subject \"/x\"", 1, "ends with a backslash"},
	{"white space after the backslash", "\nTO Issuer \"/CN=A\" \\ \n PERMIT Subject \"/x\"", 2, "white space follows"},
	{"quote open", statementHead + `"/x`, 1, "not closed"},
	{"quote open at a line end", statementHead + "\"/x\n" + policy.GoodNamespaces, 1, "not closed on its line"},
	{"words without space", `TO Issuer "/CN=A"PERMIT Subject "x"`, 1, "white space is missing"},
	{"quote in a word", `TO Issuer"/CN=A" PERMIT Subject "x"`, 1, "white space is missing"},
	{"issuer with a bad \\x", `TO Issuer "/CN=\xZZ" PERMIT Subject "x"`, 1, "hexadecimal"},
	{"empty expression", statementHead + `""`, 1, "empty"},
	{"lookahead", statementHead + `"(?=x).*"`, 1, "lookahead"},
	{"negative lookahead", statementHead + `"(?!x).*"`, 1, "lookahead"},
	{"lookbehind", statementHead + `".*(?<=x)"`, 1, "lookbehind"},
	{"negative lookbehind", statementHead + `".*(?<!x)"`, 1, "lookbehind"},
	{"atomic group", statementHead + `"(?>x).*"`, 1, "atomic"},
	{"possessive", statementHead + `"x*+"`, 1, "`*+`"},
	{"backreference", statementHead + `"(x)\1"`, 1, "backreference"},
	{"octal", statementHead + `"\012"`, 1, "octal"},
	{"octal that looks like a backreference", statementHead + `"\12"`, 1, "octal"},
	{"quoting", statementHead + `"\Q.\E"`, 1, "quoting"},
	{"intersection", statementHead + `"[a-z&&[^b]]"`, 1, "intersection"},
	{"nested class", statementHead + `"[a[b]]"`, 1, "in a class"},
	{"collating element", statementHead + `"[[.a.]]"`, 1, "in a class"},
	{"byte in a class", statementHead + "\"[\xc3]\"", 1, "outside ASCII in a class"},
	{"escaped byte in a class", statementHead + `"[\xc3]"`, 1, "outside ASCII in a class"},
	{"bad \\x", statementHead + `"\xZ"`, 1, "hexadecimal"},
	{"escaped byte", statementHead + "\"\\\xc3\"", 1, "outside ASCII"},
	{"unknown escape", statementHead + `"\h"`, 1, "invalid escape"},
	{"parenthesis open", statementHead + `"(x"`, 1, "missing closing )"},
	{"parentheses that pair with the anchors", statementHead + `"x)|(y"`, 1, "unexpected )"},
	{"class open", statementHead + `"[a-z"`, 1, "missing closing ]"},
	{"posix class open", statementHead + `"[[:digit"`, 1, "not closed by :]"},
	{"star at the start", statementHead + `"*"`, 1, "missing argument"},
	{"too many repetitions", statementHead + `"x{2000}"`, 1, "invalid repeat count"},
	{"too large an expression", statementHead + `".{999}.{999}.{999}.{999}.{999}"`, 1, "too large"},
	{
		"too many statements", strings.Repeat(statementHead+`"x"`+"\n", policy.MaxStatements+1), policy.MaxStatements + 1,
		"more than",
	},
	{"NUL", statementHead + "\"\x00\"", 1, "NUL"},
	{"NUL between words", "\x00", 1, "NUL"},
	{"escaped NUL", statementHead + "\"\\\x00\"", 1, "NUL"},
	{"too large", strings.Repeat("#\n", policy.MaxBytes), 0, "larger"},
}

func TestNamespacesMalformed(t *testing.T) {
	t.Parallel()
	for _, test := range malformedNamespaces {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file, problems := policy.Parse(policy.Namespaces, "ca.namespaces", []byte(test.content))
			if file != nil || len(problems) == 0 {
				t.Fatalf("policy %v, problems %v, want none and some", file, problems)
			}
			p := problems[0]
			if p.File != "ca.namespaces" || p.Line != test.line || !strings.Contains(p.Message, test.message) {
				t.Errorf("problem %+v, want line %d with %q", p, test.line, test.message)
			}
		})
	}
}

// Every bad statement is reported, each once, and no more than a screenful.
func TestNamespacesProblems(t *testing.T) {
	t.Parallel()
	content := "TO Issuer \"/CN=A\"\n" + policy.GoodNamespaces +
		"TO Issuer \"/CN=A\"PERMIT \\\nSubject \"/x\"\nTO Issuer \"/CN=A\" PERMIT Subject \"(\"\n"
	_, problems := policy.Parse(policy.Namespaces, "f", []byte(content))
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if len(lines) != 3 || lines[0] != 1 || lines[1] != 7 || lines[2] != 9 {
		t.Errorf("problems %+v, want lines 1, 7, 9", problems)
	}
	if _, problems := policy.Parse(policy.Namespaces, "f", []byte(strings.Repeat("bad\n", 100))); len(problems) !=
		policy.MaxProblems {
		t.Errorf("%d problems, want %d", len(problems), policy.MaxProblems)
	}
}
