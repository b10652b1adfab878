package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/files"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

func TestNamespacesModeText(t *testing.T) {
	t.Parallel()
	var zero policy.Mode
	if zero.String() != "eugridpma-and-globus-require" {
		t.Errorf("the zero value is %v", zero)
	}
	for mode := policy.EUGridPMAAndGlobusRequire; mode <= policy.Ignore; mode++ {
		text, err := mode.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back policy.Mode
		if err := back.UnmarshalText(text); err != nil || back != mode {
			t.Errorf("%q reads as %v, %v", text, back, err)
		}
	}
	if len(policy.Modes) != int(policy.Ignore)+1 {
		t.Errorf("%d names", len(policy.Modes))
	}
	var mode policy.Mode
	if err := mode.UnmarshalText([]byte("GLOBUS")); err == nil || !strings.Contains(err.Error(), "globus-eugridpma") {
		t.Errorf("error %v", err)
	}
	for _, bad := range []policy.Mode{-1, policy.Ignore + 1} {
		if _, err := bad.MarshalText(); err == nil {
			t.Errorf("%v has a name", bad)
		}
		if got, want := bad.String(), fmt.Sprintf("NamespacesMode(%d)", int(bad)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Every mode with every pair of answers: p permits, d denies, - is silent.
func TestNamespacesModeDecide(t *testing.T) {
	t.Parallel()
	// The columns are the answers of signing_policy and namespaces.
	columns := []string{"--", "p-", "d-", "-p", "-d", "pp", "pd", "dp", "dd"}
	tests := map[policy.Mode]string{
		policy.EUGridPMAAndGlobusRequire: "dpdpdpddd",
		policy.EUGridPMAAndGlobus:        "-pdpdpddd",
		policy.GlobusRequire:             "dpdddppdd",
		policy.Globus:                    "-pd--ppdd",
		policy.EUGridPMARequire:          "dddpdpdpd",
		policy.EUGridPMA:                 "---pdpdpd",
		policy.GlobusEUGridPMARequire:    "dpdpdppdd",
		policy.GlobusEUGridPMA:           "-pdpdppdd",
		policy.EUGridPMAGlobusRequire:    "dpdpdpdpd",
		policy.EUGridPMAGlobus:           "-pdpdpdpd",
		policy.Ignore:                    "---------",
		policy.Ignore + 1:                "dpdpdpddd",
	}
	letters := []byte{policy.Silent: '-', policy.Permits: 'p', policy.Denies: 'd'}
	answer := func(letter byte, file string) policy.Decision {
		return policy.Decision{Verdict: policy.Verdict(slices.Index(letters, letter)), File: file, Line: 1}
	}
	for mode, row := range tests {
		for i, column := range columns {
			asked := make(map[string]int)
			ask := func(at int, file string) func() policy.Decision {
				return func() policy.Decision {
					asked[file]++
					return answer(column[at], file)
				}
			}
			got := mode.Decide(ask(0, "signing"), ask(1, "names"))
			if letters[got.Verdict] != row[i] {
				t.Errorf("%v of %s = %c, want %c", mode, column, letters[got.Verdict], row[i])
			}
			if asked["signing"] > 1 || asked["names"] > 1 {
				t.Errorf("%v of %s asks twice", mode, column)
			}
			switch {
			case got.Verdict == policy.Silent && got != policy.Decision{}:
				t.Errorf("%v of %s: silent, but %+v", mode, column, got)
			case got.File == "" && got.Verdict == policy.Denies && got.Reason == "":
				t.Errorf("%v of %s: denies without a file or a reason", mode, column)
			case got.File == "signing" && letters[got.Verdict] != column[0],
				got.File == "names" && letters[got.Verdict] != column[1]:
				t.Errorf("%v of %s: %+v did not say so", mode, column, got)
			}
		}
	}
}

func TestMalformedPolicy(t *testing.T) {
	t.Parallel()
	got := policy.Unreadable(files.Problem{File: "f", Line: 3, Message: "is wrong"})
	if got.Verdict != policy.Denies || got.File != "f" || got.Line != 3 || !strings.Contains(got.Reason, "is wrong") {
		t.Errorf("decision %+v", got)
	}
}
