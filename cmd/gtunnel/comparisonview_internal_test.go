package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
)

// TestComparisonOfManyTables: of many tables those that differ are shown, last and alone,
// and --all shows every one.
func TestComparisonOfManyTables(t *testing.T) {
	t.Parallel()
	const many = 657
	r := &compare.Result{Skipped: []string{"history of d.v"}}
	for i := range many {
		r.Tables = append(r.Tables, compare.TableResult{Table: fmt.Sprintf("d.t%03d", i), Rows: 1})
	}
	r.Tables[5].Note = "compared as it is shown"
	r.Tables[9].Differences = []compare.Difference{{Kind: compare.Missing, Key: "id", From: "7", To: "7"}}
	for _, all := range []bool{false, true} {
		var out bytes.Buffer
		m := &Main{Stdout: &out}
		if err := m.writeComparison(r, all); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		lines := strings.Count(text, "\n")
		if all && lines < many || !all && lines > 8 {
			t.Errorf("all=%v: %d lines:\n%.500s", all, lines, text)
		}
		at := strings.Index(text, "d.t009")
		if rest := text[max(at, 0):]; at < 0 || strings.Contains(rest, "d.t010") ||
			!strings.Contains(rest, "id 7: missing on the slave") || !strings.Contains(rest, "656 of 657 tables equal") {
			t.Errorf("all=%v: what differs is not last:\n%s", all, text[max(len(text)-500, 0):])
		}
		for _, want := range []string{"d.t005", "compared as it is shown", "history of d.v", "NOT compared: 1 thing"} {
			if !strings.Contains(text, want) {
				t.Errorf("all=%v: no %q", all, want)
			}
		}
	}
}
