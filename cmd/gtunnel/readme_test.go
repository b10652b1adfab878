package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	gtunnel "github.com/gtunnel/gtunnel/cmd/gtunnel"
)

// TestREADMETables holds the README's tables of codes and modes against the
// program.
func TestREADMETables(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := func(header string) []string {
		_, table, ok := strings.Cut(string(data), "\n"+header+"\n")
		if !ok {
			t.Fatalf("README.md has no table %s", header)
		}
		var rows []string
		for line := range strings.Lines(table) {
			if !strings.HasPrefix(line, "|") {
				break
			}
			rows = append(rows, strings.TrimSpace(line))
		}
		return rows[1:] // the rule
	}
	var want []string
	for _, c := range certs.Codes() {
		want = append(want, "| `"+string(c.Code)+"` | "+c.Meaning+" |")
	}
	if got := rows("| code | meaning |"); !slices.Equal(got, want) {
		t.Errorf("the table of codes is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	word := regexp.MustCompile("`([a-z-]+)`")
	modes := func(header string) []string {
		var found []string
		for _, row := range rows(header) {
			cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			for _, match := range word.FindAllStringSubmatch(cell, -1) {
				found = append(found, match[1])
			}
		}
		return found
	}
	if got, want := modes("| `--crl` | a CA of the path without a current, verified list |"), gtunnel.CRLModes(); !slices.Equal(got, want) {
		t.Errorf("--crl: %q, want %q", got, want)
	}
	if got, want := modes("| `--namespaces` | which files |"), gtunnel.NamespacesModes(); !slices.Equal(got, want) {
		t.Errorf("--namespaces: %q, want %q", got, want)
	}
}
