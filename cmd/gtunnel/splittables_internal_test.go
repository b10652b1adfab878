package main

import (
	"slices"
	"testing"
)

// TestSplitTables: several tables in one flag, and a comma in the name of one.
func TestSplitTables(t *testing.T) {
	got := splitTables([]string{"voms.a, voms.b", "voms.c", "voms.with,comma"})
	if want := []string{"voms.a", "voms.b", "voms.c", "voms.with,comma"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
