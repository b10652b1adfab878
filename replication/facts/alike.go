package facts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Alike is what both hosts of a pair must have alike in its databases, and one may lack: it
// was made before the replication began, with sql_log_bin=0, or on the slave by hand.
type Alike struct {
	Sequences map[string]Sequence // by "database.sequence"
	Events    map[string]string   // a digest of what an event does, and when, by "database.event"
}

// Sequence is how a sequence of MariaDB's counts, and where it stands.
type Sequence struct {
	Options string // as CREATE SEQUENCE and ALTER SEQUENCE have them
	Next    string // the first number that is not reserved yet
	Cycles  uint64 // how often it has begun again
	Down    bool   // it counts down
}

// Before reports whether a sequence has not come as far as another.
func (s Sequence) Before(other Sequence) bool {
	if s.Cycles != other.Cycles {
		return s.Cycles < other.Cycles
	}
	mine, ok := new(big.Int).SetString(s.Next, 10)
	theirs, both := new(big.Int).SetString(other.Next, 10)
	return ok && both && (s.Down && mine.Cmp(theirs) > 0 || !s.Down && mine.Cmp(theirs) < 0)
}

// IsBehind reports whether a slave has not come as far as its master in something that it
// may be about to replicate.
func (a *Alike) IsBehind(master *Alike) bool {
	if a == nil {
		return false
	}
	for name, want := range master.Sequences {
		if is, there := a.Sequences[name]; !there || is.Options == want.Options && is.Before(want) {
			return true
		}
	}
	for name := range master.Events {
		if _, there := a.Events[name]; !there {
			return true
		}
	}
	return false
}

// ReadAlike reads it of databases; nil if the login may not see it.
func ReadAlike(ctx context.Context, s *server.Server, databases []string) (*Alike, error) {
	if len(databases) == 0 {
		return &Alike{}, nil
	}
	a := &Alike{Events: map[string]string{}}
	in := server.QuoteExactly(databases)
	rows, err := s.Query(ctx, s.DB, "SELECT event_schema AS d, event_name AS e, definer, event_definition AS body,"+
		" COALESCE(interval_value, '') AS every, COALESCE(interval_field, '') AS unit,"+
		" COALESCE(execute_at, '') AS at, on_completion AS done"+
		" FROM information_schema.events WHERE event_schema IN ("+in+")")
	if err != nil {
		return nil, unlessDenied(err)
	}
	for _, r := range rows {
		of := []string{r["definer"], r["body"], r["every"], r["unit"], r["at"], r["done"]}
		digest := sha256.Sum256([]byte(strings.Join(of, "\x00")))
		a.Events[r["d"]+"."+r["e"]] = hex.EncodeToString(digest[:])
	}
	a.Sequences, err = readSequences(ctx, s, in)
	if err != nil {
		return nil, unlessDenied(err)
	}
	return a, nil
}

// unlessDenied is an error that is not one of rights.
func unlessDenied(err error) error {
	if server.IsDenied(err) {
		return nil
	}
	return err
}

// readSequences reads the sequences of the databases in a list.
func readSequences(ctx context.Context, s *server.Server, in string) (map[string]Sequence, error) {
	if !s.Version.AtLeast(server.MariaDB, 10, 3, 0) {
		return nil, nil //nolint:nilnil // it has none
	}
	rows, err := s.Query(ctx, s.DB, "SELECT table_schema AS d, table_name AS t FROM information_schema.tables"+
		" WHERE table_type = 'SEQUENCE' AND table_schema IN ("+in+") ORDER BY 1, 2")
	if err != nil {
		return nil, err
	}
	const noTable = 1146
	found := make([][]server.Record, len(rows))
	err = server.Each(ctx, s, s.DB, rows, func(ctx context.Context, i int, r server.Record) (err error) {
		found[i], err = server.ReadRecords(ctx, s.DB, "SELECT next_not_cached_value AS next, cycle_count AS cycles,"+
			" increment AS step, CONCAT('START WITH ', start_value, ' MINVALUE ', minimum_value, ' MAXVALUE ',"+
			" maximum_value, ' INCREMENT BY ', increment, IF(cache_size = 0, ' NOCACHE', CONCAT(' CACHE ', cache_size)),"+
			" IF(cycle_option, ' CYCLE', ' NOCYCLE')) AS options FROM "+server.QuoteTable(r["d"], r["t"]))
		if err == nil || server.ErrorNumber(err) == noTable {
			return nil
		}
		return s.Explain("read the sequence "+r["d"]+"."+r["t"], err)
	})
	if err != nil {
		return nil, err
	}
	sequences := map[string]Sequence{}
	for i, r := range rows {
		if len(found[i]) == 0 {
			continue // it was dropped meanwhile
		}
		f := found[i][0]
		sequences[r["d"]+"."+r["t"]] = Sequence{
			Options: f["options"], Next: f["next"], Cycles: f.Number("cycles"), Down: strings.HasPrefix(f["step"], "-"),
		}
	}
	return sequences, nil
}
