package seed_test

import (
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/servertest/corpus"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestParallelCorpus copies the schemas of services by several dumps, and goes on with that
// copy after their later versions have come: the slave has what one dump would have brought.
func TestParallelCorpus(t *testing.T) {
	for _, pair := range pairs.Usual() {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			schemas, err := corpus.Schemas(pair.Master, 12)
			if err != nil {
				t.Fatal(err)
			}
			scheduler := master.Values(t, "SELECT @@event_scheduler")[0]
			master.Exec(t, "SET GLOBAL event_scheduler=OFF") // whose events would write between the copies
			defer master.Exec(t, "SET GLOBAL event_scheduler="+scheduler)
			var databases []string
			for _, schema := range schemas {
				databases = append(databases, schema.Databases...)
				if err := corpus.Paste(t.Context(), master.Server, schema.Create); err != nil {
					t.Fatalf("%s: %v", schema.Name, err)
				}
			}
			s := newSeed(t, master, slave, databases...)
			s.Method, s.GoOn = journal.SeedParallel, true
			s.Waiting = func(text string) { t.Error(text) }
			if _, err := s.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, schema := range schemas {
				if err := corpus.Paste(t.Context(), master.Server, schema.Change); err != nil {
					t.Fatalf("%s: %v", schema.Name, err)
				}
			}
			copied := func() []string {
				if _, err := s.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				return describe(t, slave, databases, false)
			}
			byParts := copied()
			s.Method = journal.SeedDump
			byOne := copied()
			for _, line := range byOne {
				if !slices.Contains(byParts, line) {
					t.Errorf("several dumps do not bring %.2000s", line)
				}
			}
			for _, line := range byParts {
				if !slices.Contains(byOne, line) {
					t.Errorf("several dumps alone bring %.2000s", line)
				}
			}
			for _, database := range databases {
				master.Exec(t, "DROP DATABASE `"+database+"`")
				slave.Exec(t, "DROP DATABASE `"+database+"`")
			}
		})
	}
}
