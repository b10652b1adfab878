package certs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNamespacesModeText(t *testing.T) {
	t.Parallel()
	var zero NamespacesMode
	if zero.String() != "eugridpma-and-globus-require" {
		t.Errorf("the zero value is %v", zero)
	}
	for mode := NamespacesEUGridPMAAndGlobusRequire; mode <= NamespacesIgnore; mode++ {
		text, err := mode.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back NamespacesMode
		if err := back.UnmarshalText(text); err != nil || back != mode {
			t.Errorf("%q reads as %v, %v", text, back, err)
		}
	}
	if len(namespacesModes) != int(NamespacesIgnore)+1 {
		t.Errorf("%d names", len(namespacesModes))
	}
	var mode NamespacesMode
	if err := mode.UnmarshalText([]byte("GLOBUS")); err == nil || !strings.Contains(err.Error(), "globus-eugridpma") {
		t.Errorf("error %v", err)
	}
	for _, bad := range []NamespacesMode{-1, NamespacesIgnore + 1} {
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
	tests := map[NamespacesMode]string{
		NamespacesEUGridPMAAndGlobusRequire: "dpdpdpddd",
		NamespacesEUGridPMAAndGlobus:        "-pdpdpddd",
		NamespacesGlobusRequire:             "dpdddppdd",
		NamespacesGlobus:                    "-pd--ppdd",
		NamespacesEUGridPMARequire:          "dddpdpdpd",
		NamespacesEUGridPMA:                 "---pdpdpd",
		NamespacesGlobusEUGridPMARequire:    "dpdpdppdd",
		NamespacesGlobusEUGridPMA:           "-pdpdppdd",
		NamespacesEUGridPMAGlobusRequire:    "dpdpdpdpd",
		NamespacesEUGridPMAGlobus:           "-pdpdpdpd",
		NamespacesIgnore:                    "---------",
		NamespacesIgnore + 1:                "dpdpdpddd",
	}
	letters := []byte{policySilent: '-', policyPermits: 'p', policyDenies: 'd'}
	answer := func(letter byte, file string) policyDecision {
		return policyDecision{Verdict: policyVerdict(slices.Index(letters, letter)), File: file, Line: 1}
	}
	for mode, row := range tests {
		for i, column := range columns {
			asked := make(map[string]int)
			ask := func(at int, file string) func() policyDecision {
				return func() policyDecision {
					asked[file]++
					return answer(column[at], file)
				}
			}
			got := mode.decide(ask(0, "signing"), ask(1, "names"))
			if letters[got.Verdict] != row[i] {
				t.Errorf("%v of %s = %c, want %c", mode, column, letters[got.Verdict], row[i])
			}
			if asked["signing"] > 1 || asked["names"] > 1 {
				t.Errorf("%v of %s asks twice", mode, column)
			}
			switch {
			case got.Verdict == policySilent && got != policyDecision{}:
				t.Errorf("%v of %s: silent, but %+v", mode, column, got)
			case got.File == "" && got.Verdict == policyDenies && got.Reason == "":
				t.Errorf("%v of %s: denies without a file or a reason", mode, column)
			case got.File == "signing" && letters[got.Verdict] != column[0], got.File == "names" && letters[got.Verdict] != column[1]:
				t.Errorf("%v of %s: %+v did not say so", mode, column, got)
			}
		}
	}
}

func TestMalformedPolicy(t *testing.T) {
	t.Parallel()
	got := malformedPolicy(Problem{File: "f", Line: 3, Message: "is wrong"})
	if got.Verdict != policyDenies || got.File != "f" || got.Line != 3 || !strings.Contains(got.Reason, "is wrong") {
		t.Errorf("decision %+v", got)
	}
}
