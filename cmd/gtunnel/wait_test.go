package main_test

import (
	"testing"
	"time"
)

// waitUntil waits until something is so. state says how it is meanwhile.
func waitUntil(t testing.TB, patience time.Duration, what string, is func() (state string, ok bool)) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(patience)
	for {
		state, ok := is()
		if ok {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("no %s: %s", what, state)
		}
	}
}
