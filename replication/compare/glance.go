package compare

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Glance is what the tables of databases hold on one server, by "database.table". It is of
// no position: two servers of which one follows the other are alike sooner or later, if
// they are, and a Comparison tells for sure.
type Glance struct {
	Tables map[string]TableGlance
	Left   []string // were not looked at, as they are too large
}

// TableGlance is a table's rows, with a number that tells them from others.
type TableGlance struct {
	Rows uint64
	Sum  string // of the rows
	Kind string // its columns
}

// TakeGlance looks at databases without stopping anybody, and at no more than that many
// bytes: the smallest tables come first.
func TakeGlance(ctx context.Context, s *server.Server, databases []string, most uint64) (*Glance, error) {
	opened, err := openSession(ctx, s)
	if err != nil {
		return nil, err
	}
	defer opened.close(ctx)
	if err := opened.mustHold(); err != nil {
		return nil, err
	}
	schema, err := readSchema(ctx, opened, databases, nil)
	if err != nil {
		return nil, err
	}
	glance := &Glance{Tables: map[string]TableGlance{}}
	var tables []*tableShape
	for _, t := range bySize(schema.tables) {
		if t.broken != "" || t.bytes > most {
			glance.Left = append(glance.Left, t.String())
			continue
		}
		most -= t.bytes
		tables = append(tables, t)
	}
	sums := make([]checksum, len(tables))
	err = server.Each(ctx, s, opened.conn, tables, func(ctx context.Context, i int, t *tableShape) (err error) {
		sums[i], err = opened.checksum(ctx, checksumQuery(t, nil, keyRange{}, rowHash(t.columns, false, false)))
		if err != nil {
			err = s.Explain("read the table "+t.String(), err)
		}
		return err
	})
	for i, t := range tables {
		glance.Tables[t.String()] = TableGlance{Rows: sums[i].rows, Sum: sums[i].sum, Kind: kindOf(t)}
	}
	return glance, err
}

// kindOf is what the columns of a table are.
func kindOf(t *tableShape) string {
	columns := make([]string, len(t.columns))
	for i, c := range t.columns {
		columns[i] = fmt.Sprintf("%s %s %s %t", c.name, c.columnType, c.collation, c.nullable)
	}
	return strings.Join(columns, ", ")
}

// bySize orders tables by their size, the smallest first.
func bySize(tables []*tableShape) []*tableShape {
	return slices.SortedStableFunc(slices.Values(tables), func(a, b *tableShape) int {
		return cmp.Compare(a.bytes, b.bytes)
	})
}
