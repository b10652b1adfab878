package main

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover"
)

// TestEventText: a line of the journal has all of an event.
func TestEventText(t *testing.T) {
	e := failover.Event{Name: "hook has run", Fields: map[string]any{"hook": "fence", "took": 2, "output": "two\nlines"}}
	if got, want := eventText(e), `hook has run hook="fence" output="two\nlines" took="2"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
