package seed_test

import (
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestSeedHoldsLine counts what comes from the master by each method: no more than the rate
// allows, and much less where it is compressed. A clone is counted in TestSeedByClone.
func TestSeedHoldsLine(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	const rows, size = 3000, 1000
	master.Exec(t, "DROP DATABASE IF EXISTS seed_line", "CREATE DATABASE seed_line",
		"CREATE TABLE seed_line.t (id INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(1000))",
		"INSERT INTO seed_line.t (pad) SELECT REPEAT('x', 1000) FROM ("+numbers(rows-1)+") seq")
	for _, method := range []journal.SeedMethod{journal.SeedDump, journal.SeedMydumper} {
		for _, compress := range []bool{false, true} {
			if method == journal.SeedMydumper {
				needMydumper(t)
			}
			s := newSeed(t, master, slave, "seed_line")
			s.Method, s.Compress, s.MaxRate = method, compress, 4<<20
			var copied uint64
			s.Progress = func(p seed.Progress) { copied = p.Bytes }
			begun := time.Now()
			if _, err := s.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			took, passed := time.Since(begun), s.Passed()
			if most := uint64(took.Seconds()*float64(s.MaxRate)) + s.MaxRate/10; passed > most {
				t.Errorf("%s: %d bytes came in %v, and %d may", method, passed, took, most)
			}
			if compress && passed > rows*size/4 || !compress && passed < rows*size {
				t.Errorf("%s, compressed: %t: %d bytes came from the master", method, compress, passed)
			}
			if copied < rows*size {
				t.Errorf("%s, compressed: %t: %d bytes are said to be copied", method, compress, copied)
			}
			if n := slave.Count(t, "seed_line.t", "LENGTH(pad) = 1000"); n != rows {
				t.Errorf("%s: %d rows are there", method, n)
			}
		}
	}
}

// mustHoldLine fails if a clone has not come by the way that is held to a rate, or not
// compressed: the spaces for undo alone have 32 MB, of zeros.
func mustHoldLine(t *testing.T, s *seed.Seed) {
	t.Helper()
	if most := uint64(20 << 20); s.Passed() == 0 || s.Passed() > most {
		t.Errorf("%d bytes came by the way that is held to a rate, and compressed there are at most %d", s.Passed(), most)
	}
}
