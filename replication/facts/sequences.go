package facts

import (
	"context"
	"strconv"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Sequences gives where the sequences of databases stand: "database.sequence" to the first
// number that is not reserved yet; none on a server that has no sequences. One that is
// dropped meanwhile is left out, and so is one beyond 63 bits.
func Sequences(ctx context.Context, s *server.Server, on server.Execer, databases []string) (map[string]int64, error) {
	if !s.Version.AtLeast(server.MariaDB, 10, 3, 0) || len(databases) == 0 {
		return nil, nil //nolint:nilnil // it has none
	}
	rows, err := s.Query(ctx, on, "SELECT table_schema AS d, table_name AS t FROM information_schema.tables"+
		" WHERE table_type = 'SEQUENCE' AND table_schema IN ("+server.QuoteExactly(databases)+") ORDER BY 1, 2")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	const noTable = 1146
	next := make([]string, len(rows))
	err = server.Each(ctx, s, on, rows, func(ctx context.Context, i int, r server.Record) (err error) {
		next[i], err = s.Value(ctx, on, "SELECT next_not_cached_value AS next FROM "+server.QuoteTable(r["d"], r["t"]))
		if server.ErrorNumber(err) == noTable {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	places := map[string]int64{}
	for i, r := range rows {
		if number, err := strconv.ParseInt(next[i], 10, 64); err == nil {
			places[r["d"]+"."+r["t"]] = number
		}
	}
	return places, nil
}
