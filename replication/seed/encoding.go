package seed

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

const (
	// sampledRows are as many rows of a table as are looked at.
	sampledRows = 5000
	// sampledBytes are as many bytes of a value.
	sampledBytes = 200
)

// MislabelledCode is the code of the warning of such columns.
const MislabelledCode = "latin1-holds-utf8"

// mislabelled finds the columns that are said to be latin1 and hold UTF-8, as
// "database.table.column", by a sample of their rows: text in latin1 beyond
// ASCII is hardly ever valid UTF-8. Applications that never said SET NAMES have
// made such columns since MySQL 4.1.
func mislabelled(ctx context.Context, s *server.Server, databases []string) ([]string, error) {
	columns, err := s.Query(ctx, s.DB,
		"SELECT c.table_schema AS d, c.table_name AS t, c.column_name AS c"+
			" FROM information_schema.columns c"+joinTables+
			" WHERE c.character_set_name = 'latin1' AND t.table_type IN ("+facts.TableTypes+")"+
			" AND c.table_schema IN ("+server.QuoteExactly(databases)+
			") ORDER BY CAST(c.table_schema AS BINARY), CAST(c.table_name AS BINARY), c.ordinal_position")
	if err != nil {
		return nil, err
	}
	var tables [][]server.Record // the columns of each
	for len(columns) > 0 {
		n := 1
		for n < len(columns) && columns[n]["d"] == columns[0]["d"] && columns[n]["t"] == columns[0]["t"] {
			n++
		}
		tables, columns = append(tables, columns[:n]), columns[n:]
	}
	found := make([][]string, len(tables))
	err = server.Each(ctx, s, s.DB, tables, func(ctx context.Context, i int, columns []server.Record) (err error) {
		found[i], err = mislabelledIn(ctx, s, columns)
		return err
	})
	return slices.Concat(found...), err
}

// mislabelledIn looks at the columns of one table. It fetches the values that
// are not plain ASCII only.
func mislabelledIn(ctx context.Context, s *server.Server, columns []server.Record) ([]string, error) {
	var names, values, beyondASCII []string
	for i, column := range columns {
		name := server.QuoteName(column["c"])
		names = append(names, name)
		values = append(values, fmt.Sprintf("HEX(LEFT(%s, %d)) AS c%d", name, sampledBytes, i))
		beyondASCII = append(beyondASCII, fmt.Sprintf("HEX(LEFT(%s, %d)) REGEXP '^(..)*[89A-F]'", name, sampledBytes))
	}
	rows, err := s.Query(ctx, s.DB, fmt.Sprintf("SELECT %s FROM (SELECT %s FROM %s LIMIT %d) AS s WHERE %s",
		strings.Join(values, ", "), strings.Join(names, ", "), server.QuoteTable(columns[0]["d"], columns[0]["t"]),
		sampledRows, strings.Join(beyondASCII, " OR ")))
	if err != nil {
		return nil, err
	}
	var found []string
	for i, column := range columns {
		var valid, invalid int
		for _, r := range rows {
			switch text, err := hex.DecodeString(r[fmt.Sprintf("c%d", i)]); {
			case err != nil:
				return nil, fmt.Errorf("HEX of %s: %w", column["c"], err)
			case isASCII(text):
			case validUTF8(text):
				valid++
			default:
				invalid++
			}
		}
		if valid > 10*invalid {
			found = append(found, column["d"]+"."+column["t"]+"."+column["c"])
		}
	}
	return found, nil
}

// isASCII reports whether no byte is beyond ASCII.
func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// validUTF8 reports whether the sample of a value is UTF-8, but for a last
// character that the sample has cut.
func validUTF8(text []byte) bool {
	cut := len(text) == sampledBytes
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			return cut && len(text) < utf8.UTFMax && !utf8.FullRune(text)
		}
		text = text[size:]
	}
	return true
}

// joinTables joins information_schema.tables as t to another list, c, of what
// tables have. The second condition tells upper and lower case apart; the first
// one is for speed.
const joinTables = " JOIN information_schema.tables t" +
	" ON t.table_schema = c.table_schema AND t.table_name = c.table_name" +
	" AND CAST(t.table_schema AS BINARY) = CAST(c.table_schema AS BINARY)" +
	" AND CAST(t.table_name AS BINARY) = CAST(c.table_name AS BINARY)"
