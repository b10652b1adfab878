package seed_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestSeedMethods: a method that copies nothing, or that nobody knows, is refused
// before a server is asked.
func TestSeedMethods(t *testing.T) {
	for method, code := range map[journal.SeedMethod]string{journal.SeedNone: "no-seed", "by post": "seed-method"} {
		position, err := (&seed.Seed{Method: method}).Run(t.Context())
		if !finding.HasCode(err, code) || !position.IsZero() {
			t.Errorf("%q gave %v, %v", method, position, err)
		}
	}
}

// TestSeedCheckMethods finds what the methods cannot do that others can.
func TestSeedCheckMethods(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			const database = "seed_`method`"
			master.Exec(t, "DROP DATABASE IF EXISTS `seed_``method```", "CREATE DATABASE `seed_``method```",
				"CREATE TABLE `seed_``method```.t (id INT PRIMARY KEY)")
			defer master.Exec(t, "DROP DATABASE `seed_``method```")
			check := func(method journal.SeedMethod, change func(*seed.Seed), problem, warning string) {
				t.Helper()
				s := newSeed(t, master, slave, database)
				s.Method = method
				change(s)
				found, err := s.Check(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if problem != "" && pairs.ProblemOf(found.Problems, problem) == nil ||
					warning != "" && pairs.ProblemOf(found.Warnings, warning) == nil {
					t.Errorf("%s: no %s, %s in\n%s%s", method, problem, warning,
						pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
				}
			}
			table := func(s *seed.Seed) { s.Databases, s.Tables = nil, []string{database + ".t"} }
			check(journal.SeedMydumper, func(*seed.Seed) {}, "seed-method", "")
			check(journal.SeedMydumper, table, "seed-method", "")
			if pair == pairs.MySQL {
				check(journal.SeedClone, table, "seed-method", "")
			} else {
				check(journal.SeedClone, table, "no-clone", "")
			}
		})
	}
}
