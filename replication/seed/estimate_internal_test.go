package seed

import (
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/journal"
)

// TestEstimate holds the estimate to what copies took.
func TestEstimate(t *testing.T) {
	for name, test := range map[string]struct {
		extent
		least, most time.Duration
	}{
		"nothing":           {extent{}, 0, 0},
		"one table of 1 GB": {extent{bytes: 1e9, tables: 1}, 80 * time.Second, 120 * time.Second},
		"657 small tables":  {extent{bytes: 44e6, tables: 657}, 14 * time.Second, 50 * time.Second},
		"657 larger ones":   {extent{bytes: 84e6, tables: 657}, 30 * time.Second, 60 * time.Second},
		"657 from 30 ms away": {
			extent{bytes: 44e6, tables: 657, trip: 30 * time.Millisecond}, 200 * time.Second, 7 * time.Minute,
		},
		"a rate that is a limit":     {extent{bytes: 1e8, tables: 1, maxRate: 1e6}, 100 * time.Second, 101 * time.Second},
		"a rate that is no limit":    {extent{bytes: 1e8, tables: 1, maxRate: 1e9}, 8 * time.Second, 12 * time.Second},
		"many tables without a byte": {extent{tables: 10_000}, 150 * time.Second, 8 * time.Minute},
	} {
		if got := test.estimate(); got < test.least || got > test.most {
			t.Errorf("%s: %v, and not between %v and %v", name, got, test.least, test.most)
		}
	}
}

// TestLongWay names the other way where a copy would mostly wait, and nowhere else.
func TestLongWay(t *testing.T) {
	const trip = 60 * time.Millisecond
	for name, test := range map[string]struct {
		extent
		seed Seed
		says bool
	}{
		"100 tables from 60 ms away": {extent: extent{tables: 100, trip: trip}, says: true},
		"several dumps": {
			extent: extent{tables: 100, trip: trip, several: true}, seed: Seed{Method: journal.SeedParallel},
		},
		"several dumps of many tables": {
			extent: extent{tables: 640, trip: trip, several: true}, seed: Seed{Method: journal.SeedParallel}, says: true,
		},
		"by the name of the method": {
			extent: extent{tables: 100, trip: trip}, seed: Seed{Method: journal.SeedDump}, says: true,
		},
		"by mydumper": {extent: extent{tables: 100, trip: trip}, seed: Seed{Method: journal.SeedMydumper}},
		"some tables": {extent: extent{tables: 100, trip: trip}, seed: Seed{Tables: []string{"a.t"}}},
		"few tables":  {extent: extent{tables: 15, trip: trip}},
		"near":        {extent: extent{tables: 100, trip: time.Millisecond}},
	} {
		c := seedCheck{seed: &test.seed, extent: test.extent}
		c.longWay()
		if said := len(c.Warnings) == 1 && c.Warnings[0].Code == "long-way"; said != test.says {
			t.Errorf("%s: %v", name, c.Warnings)
		}
	}
}
