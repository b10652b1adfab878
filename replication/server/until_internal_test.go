package server

import "testing"

// TestUntil: where a slave was told to stop, which is nowhere after MySQL's own recovery
// from a crash.
func TestUntil(t *testing.T) {
	for condition, want := range map[string]string{
		"None": "", "DONE": "", "": "", "Master": "bin.000001:4", "Source": "bin.000001:4", "Gtid": "Gtid",
	} {
		r := Record{"until_condition": condition, "until_log_file": "bin.000001", "until_log_pos": "4"}
		if got := until(r); got != want {
			t.Errorf("%q: %q, want %q", condition, got, want)
		}
	}
}
