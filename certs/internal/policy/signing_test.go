package policy_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// entry is a signing policy of patterns, on one line.
func entry(patterns string) string {
	return "access_id_CA X509 '/O=Grid/CN=CA' pos_rights globus CA:sign cond_subjects globus '" + patterns + "'"
}

// signingPolicyVerdicts are signing policies and what they say of a subject.
var signingPolicyVerdicts = []struct {
	name, content   string
	issuer, subject string
	want            policy.Verdict
	line            int
}{
	{"star", policy.GoodSigningPolicy, ca, "/O=Grid/CN=host", policy.Permits, 4},
	{"other subject", policy.GoodSigningPolicy, ca, "/O=Other/CN=host", policy.Denies, 4},
	{"other issuer", policy.GoodSigningPolicy, "/O=Grid/CN=CA 2", "/O=Grid/CN=host", policy.Silent, 0},
	{"issuer is no prefix", policy.GoodSigningPolicy, "/O=Grid", "/O=Grid/CN=host", policy.Silent, 0},
	{"case of issuer and subject", policy.GoodSigningPolicy, "/o=GRID/cn=ca", "/o=gRID/CN=host", policy.Permits, 4},
	{"star is one character or more", entry(`"/O=Grid/*"`), ca, "/O=Grid/", policy.Denies, 1},
	{"star after one character", entry(`"/O=Grid/*"`), ca, "/O=Grid/x", policy.Permits, 1},
	{"star alone", entry(`"*"`), ca, "/C=XX/CN=any", policy.Permits, 1},
	{"star in the middle is itself", entry(`"/O=*/CN=x"`), ca, "/O=Grid/CN=x", policy.Denies, 1},
	{"star in the middle of a literal", entry(`"/CN=*.grid/*"`), ca, "/CN=*.grid/O=x", policy.Permits, 1},
	{"escaped star is itself", entry(`"/O=Grid/\*"`), ca, "/O=Grid/CN=x", policy.Denies, 1},
	{"escaped star matches a star", entry(`"/O=Grid/\*"`), ca, "/O=Grid/*", policy.Permits, 1},
	{"escaped backslash before star", entry(`"/CN=a\\*"`), ca, `/CN=a\b`, policy.Permits, 1},
	{"question mark is itself", entry(`"/CN=?"`), ca, "/CN=x", policy.Denies, 1},
	{"question mark literal", entry(`"/CN=?"`), ca, "/CN=?", policy.Permits, 1},
	{"no star, exact", entry(`"/O=Grid/CN=Sub"`), ca, "/O=Grid/CN=Sub", policy.Permits, 1},
	{"no star, longer", entry(`"/O=Grid/CN=Sub"`), ca, "/O=Grid/CN=Sub/CN=proxy", policy.Denies, 1},
	{"no star, shorter", entry(`"/O=Grid/CN=Sub"`), ca, "/O=Grid/CN=Su", policy.Denies, 1},
	{"second pattern", entry(`"/O=A/*" "/O=B/*"`), ca, "/O=B/CN=x", policy.Permits, 1},
	{"patterns without space", entry(`"/O=A/*""/O=B/*"`), ca, "/O=B/CN=x", policy.Permits, 1},
	{"patterns on several lines", entry("\"/O=A/*\"\n\t\"/O=B/*\"\r\n"), ca, "/O=B/CN=x", policy.Permits, 1},
	{"pattern without double quotes", entry(`/O=My Grid/*`), ca, "/O=My Grid/CN=x", policy.Permits, 1},
	{
		"value without quotes",
		"access_id_CA X509 /O=Grid/CN=CA pos_rights globus CA:sign cond_subjects globus \"/O=Grid/*\"", ca, "/O=Grid/CN=x",
		policy.Permits, 1,
	},
	{"quoted apostrophe", entry(`"/O=L\'Aquila/*"`), ca, "/O=L'Aquila/CN=x", policy.Permits, 1},
	{"quoted quote", entry(`"/O=The \"Grid\"/*"`), ca, `/O=The "Grid"/CN=x`, policy.Permits, 1},
	{"bytes as \\x", entry(`"/CN=J\xC3\xB6rg"`), ca, `/CN=J\xC3\xB6rg`, policy.Permits, 1},
	{"bytes as an escaped \\x", entry(`"/CN=J\\xC3\\xB6rg"`), ca, `/CN=J\xC3\xB6rg`, policy.Permits, 1},
	{"bytes as they are", entry("\"/CN=J\xc3\xb6rg\""), ca, `/CN=J\xC3\xB6rg`, policy.Permits, 1},
	{"printable as \\x", entry(`"/CN=\x41b"`), ca, `/CN=Ab`, policy.Permits, 1},
	{"UID is USERID", entry(`"/O=Grid/USERID=x"`), ca, "/O=Grid/UID=x", policy.Permits, 1},
	{"USERID is UID", entry(`"/O=Grid/Uid=x"`), ca, "/O=Grid/USERID=x", policy.Permits, 1},
	{"uid is not UID", entry(`"/O=Grid/UID=x"`), ca, "/O=Grid/uid=x", policy.Denies, 1},
	{"UID is not uid", entry(`"/O=Grid/uid=x"`), ca, "/O=Grid/UID=x", policy.Denies, 1},
	{"uid is uniqueIdentifier", entry(`"/O=Grid/uniqueIdentifier=x"`), ca, "/O=Grid/uid=x", policy.Permits, 1},
	{"Email is emailAddress", entry(`"/O=Grid/Email=a@b"`), ca, "/O=Grid/emailAddress=a@b", policy.Permits, 1},
	{"E is emailAddress", entry(`"/O=Grid/E=a@b"`), ca, "/O=Grid/emailAddress=a@b", policy.Permits, 1},
	{"emailAddress is Email", entry(`"/O=Grid/emailAddress=a@b"`), ca, "/O=Grid/Email=a@b", policy.Permits, 1},
	{
		"issuer with Email", "access_id_CA X509 '/CN=CA/Email=a@b' pos_rights globus CA:sign cond_subjects globus '\"*\"'",
		"/CN=CA/emailAddress=a@b", "/CN=x", policy.Permits, 1,
	},
	{
		"issuer with a star is a name", "access_id_CA X509 '/CN=*' pos_rights globus CA:sign cond_subjects globus '\"*\"'",
		"/CN=CA", "/CN=x", policy.Silent, 0,
	},
	{"dot is no wildcard", entry(`"/O=Gr.d/*"`), ca, "/O=Grid/CN=x", policy.Denies, 1},
	{"comment sign in a word", entry(`"/CN=a#b"`), ca, "/CN=a#b", policy.Permits, 1},
	{
		"tokens on lines of their own",
		"access_id_CA\nX509\n'/O=Grid/CN=CA'\n# " +
			"between\npos_rights\nglobus\nCA:sign\ncond_subjects\nglobus\n'\"/O=Grid/*\"'", ca, "/O=Grid/x", policy.Permits, 8,
	},
	{"CRLF", strings.ReplaceAll(policy.GoodSigningPolicy, "\n", "\r\n"), ca, "/O=Grid/CN=host", policy.Permits, 4},
	{
		"two blocks, first",
		policy.GoodSigningPolicy + "access_id_CA X509 '/CN=B'\npos_rights globus CA:sign\ncond_subjects globus '\"/CN=b*\"'",
		ca, "/O=Grid/x", policy.Permits, 4,
	},
	{
		"two blocks, second",
		policy.GoodSigningPolicy + "access_id_CA X509 '/CN=B'\npos_rights globus CA:sign\ncond_subjects globus '\"/CN=b*\"'",
		"/CN=B", "/CN=b1", policy.Permits, 7,
	},
	{
		"two blocks do not mix",
		policy.GoodSigningPolicy + "access_id_CA X509 '/CN=B'\npos_rights globus CA:sign\ncond_subjects globus '\"/CN=b*\"'",
		"/CN=B", "/O=Grid/x", policy.Denies, 7,
	},
	{
		"same issuer twice",
		policy.GoodSigningPolicy + "access_id_CA X509 '/o=grid/cn=ca'\npos_rights globus CA:sign\ncond_subjects globus " +
			"'\"/O=New/*\"'", ca, "/O=New/x", policy.Permits, 7,
	},
	{
		"same issuer twice, first still",
		policy.GoodSigningPolicy + "access_id_CA X509 '/o=grid/cn=ca'\npos_rights globus CA:sign\ncond_subjects globus " +
			"'\"/O=New/*\"'", ca, "/O=Grid/x", policy.Permits, 4,
	},
	{
		"two rights", entry(`"/O=A/*"`) + "\npos_rights globus CA:sign\ncond_subjects globus '\"/O=B/*\"'", ca, "/O=B/x",
		policy.Permits, 3,
	},
	{
		"all conditions hold", entry(`"/O=A/*"`) + "\ncond_subjects globus '\"/O=A/OU=B/*\"'", ca, "/O=A/OU=B/x",
		policy.Permits, 1,
	},
	{
		"one condition does not hold", entry(`"/O=A/*"`) + "\ncond_subjects globus '\"/O=A/OU=B/*\"'", ca, "/O=A/OU=C/x",
		policy.Denies, 1,
	},
	{
		"two principals",
		"access_id_CA X509 '/CN=A'\naccess_id_CA X509 '/CN=B'\npos_rights globus CA:sign\ncond_subjects globus '\"/CN=x\"'",
		"/CN=B", "/CN=x", policy.Permits, 4,
	},
	{
		"users do not matter",
		"access_id_USER X509 '/CN=u'\naccess_id_ANYBODY\npos_rights globus CA:sign\ncond_subjects globus '\"*\"'\n" +
			policy.GoodSigningPolicy, "/CN=u", "/CN=x", policy.Silent, 0,
	},
	{
		"another right gives nothing", "access_id_CA X509 '/CN=A'\npos_rights globus CA:create\ncond_time x y", "/CN=A",
		"/CN=x", policy.Denies, 1,
	},
	{
		"another authority gives nothing",
		"access_id_CA X509 '/CN=A'\npos_rights other CA:sign\ncond_subjects globus '\"*\"'", "/CN=A", "/CN=x", policy.Denies,
		1,
	},
	{
		"rights share conditions",
		"access_id_CA X509 '/CN=A'\npos_rights globus CA:create\npos_rights globus CA:sign\ncond_subjects globus " +
			"'\"/CN=x\"'", "/CN=A", "/CN=y", policy.Denies, 4,
	},
}

func TestSigningPolicyJudge(t *testing.T) {
	t.Parallel()
	for _, test := range signingPolicyVerdicts {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file, problems := policy.Parse(policy.SigningPolicy, "ca.signing_policy", []byte(test.content))
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			got := file.JudgeSlash(test.issuer, test.subject, false)
			if got.Verdict != test.want || got.Line != test.line || got.File != "ca.signing_policy" {
				t.Errorf("judge(%q, %q) = %+v, want verdict %d at line %d", test.issuer, test.subject, got, test.want, test.line)
			}
			if (got.Reason == "") != (got.Verdict == policy.Silent) {
				t.Errorf("reason %q of verdict %d", got.Reason, got.Verdict)
			}
		})
	}
}

// TestSigningPolicyStars: a refusal says that a '*' before the end is no
// wildcard, where the file has one.
func TestSigningPolicyStars(t *testing.T) {
	t.Parallel()
	for patterns, told := range map[string]bool{
		`"/O=*/CN=x"`: true, `"/O=a*/CN=*"`: true, `"/O=A/*"`: false, `"/O=A" "/O=*b"`: true,
	} {
		file, problems := policy.Parse(policy.SigningPolicy, "ca.signing_policy",
			[]byte("access_id_CA X509 '/CN=CA'\npos_rights globus CA:sign\ncond_subjects globus '"+patterns+"'\n"))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got := file.JudgeSlash("/CN=CA", "/O=Grid/CN=x", false)
		if got.Verdict != policy.Denies ||
			strings.Contains(got.Reason, "a '*' that is not at the end of a pattern stands for itself") != told {
			t.Errorf("%s: %+v", patterns, got)
		}
	}
}

// malformedSigningPolicies are files that cannot be read, and why.
var malformedSigningPolicies = []struct {
	name, content string
	line          int
	message       string // a part of it
}{
	{"empty", "", 1, "says nothing"},
	{"comments only", "# one\n# two\n", 3, "says nothing"},
	{"html", "<html>\n", 1, "expected access_id_CA"},
	{"wrong case", "ACCESS_ID_CA X509 '/CN=A'", 1, "expected access_id_CA"},
	{"authority", "access_id_CA\nX510 '/CN=A' pos_rights globus CA:sign cond_subjects globus " +
		"'\"*\"'", 2, "expected X509"},
	{"no rights", "access_id_CA X509 '/CN=A'\n", 2, "expected pos_rights"},
	{"no rights before the end", "access_id_CA X509 '/CN=A'\n", 2, "the end of the file"},
	{"cut off after the principal", "\naccess_id_CA X509", 2, "its value is missing"},
	{"cut off after the kind", "\naccess_id_CA", 2, "its authority and its value are missing"},
	{"kind in quotes", "'access_id_CA' X509 '/CN=A'", 1, "expected access_id_CA"},
	{"rights in quotes", "access_id_CA X509 '/CN=A'\n'pos_rights' globus CA:sign", 2, "expected pos_rights"},
	{
		"condition in quotes", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\n'cond_subjects' globus '\"*\"'", 2,
		"no cond_subjects",
	},
	{"no condition", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\n", 2, "no cond_subjects"},
	{
		"no condition before another entry",
		"access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\n" + policy.GoodSigningPolicy, 2, "no cond_subjects",
	},
	{
		"condition cut off", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects globus", 3, "not complete",
	},
	{"neg_rights", "access_id_CA X509 '/CN=A'\nneg_rights globus CA:sign", 2, "neg_rights"},
	{"neg_rights after good ones", policy.GoodSigningPolicy + "neg_rights globus CA:sign", 5, "neg_rights"},
	{
		"neg_rights among others", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\nneg_rights globus x", 3,
		"neg_rights",
	},
	{
		"other condition", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_time globus '8-17'", 3,
		"cannot judge the condition",
	},
	{
		"condition of another authority",
		"access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects other '\"*\"'", 3, "cannot judge the condition",
	},
	{"single quote open", "access_id_CA X509 '/CN=A\npos_rights globus CA:sign", 1, "single quote is not closed"},
	{
		"single quote eats a line", "access_id_CA X509 '/CN=A\npos_rights globus CA:sign\ncond_subjects globus '\"*\"'", 1,
		"white space is missing",
	},
	{
		"double quote open", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects globus '\"/O=Grid/*'", 3,
		"double quote is not closed",
	},
	{
		"pattern over two lines",
		"access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects globus '\"/O=\nGrid/*\"'", 3, "beyond its line",
	},
	{
		"word between patterns",
		"access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects globus '\"/O=A/*\" or \"/O=B/*\"'", 3,
		"double quotes",
	},
	{"empty pattern", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects globus '\"\"'", 3, "empty"},
	{"empty value", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects globus ''", 3, "empty"},
	{"empty issuer", "access_id_CA X509 ''\npos_rights globus CA:sign\ncond_subjects globus '\"*\"'", 1, "empty"},
	{
		"bad \\x", "access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects globus '\"/CN=\\xZZ\"'", 3,
		"hexadecimal",
	},
	{
		"spaces without quotes",
		"access_id_CA X509 '/CN=A'\npos_rights globus CA:sign\ncond_subjects globus \"/O=My Grid/*\"", 3,
		"double quote is not closed",
	},
	{"garbage at the end", policy.GoodSigningPolicy + "garbage", 5, "expected cond_subjects"},
	{"NUL", "access_id_CA X509 '/CN=A\x00'", 1, "NUL"},
	{"NUL in a word", "access\x00id", 1, "NUL"},
	{"too large", strings.Repeat("#\n", policy.MaxBytes), 0, "larger"},
}

func TestSigningPolicyMalformed(t *testing.T) {
	t.Parallel()
	for _, test := range malformedSigningPolicies {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file, problems := policy.Parse(policy.SigningPolicy, "ca.signing_policy", []byte(test.content))
			if file != nil || len(problems) != 1 {
				t.Fatalf("policy %v, problems %v, want none and one", file, problems)
			}
			p := problems[0]
			if p.File != "ca.signing_policy" || p.Line != test.line || !strings.Contains(p.Message, test.message) {
				t.Errorf("problem %+v, want line %d with %q", p, test.line, test.message)
			}
		})
	}
}

func TestSigningPolicyReason(t *testing.T) {
	t.Parallel()
	file, problems := policy.Parse(policy.SigningPolicy, "f",
		[]byte(`access_id_CA X509 '/CN=A' pos_rights globus CA:sign cond_subjects globus '"/a" "/b" "/c" "/d" "/e"'`))
	if problems != nil {
		t.Fatal(problems)
	}
	want := `the signing policy permits this CA to sign only "/a", "/b", "/c" and 2 more`
	if got := file.JudgeSlash("/CN=A", "/x", false).Reason; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}
