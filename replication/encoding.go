package replication

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// sampledRows are as many rows of a table as are looked at.
	sampledRows = 5000
	// sampledBytes are as many bytes of a value.
	sampledBytes = 200
)

// mislabelledCode is the code of the warning of such columns.
const mislabelledCode = "latin1-holds-utf8"

// agreeOnBytes has the administrator agree to what a copy does with columns that
// hold another encoding than they say: it is the first step, and asked about as
// all are. --yes covers it, because nothing is lost: copy and replication leave
// every byte as it is, and the columns can be mended on the master at any time.
func (p *Plan) agreeOnBytes() {
	for _, w := range p.Warnings {
		if w.Code == mislabelledCode {
			p.Steps = slices.Insert(p.Steps, 0, &Step{
				Name: "keep-bytes", On: Slave, What: "copy these byte by byte, as they are: " + w.Text,
				Why: "only on the master can it be mended, before or after this; say no to do it before",
				run: func(context.Context, *Applier) error { return nil },
			})
			return
		}
	}
}

// mislabelled finds the columns that are said to be latin1 and hold UTF-8, as
// "database.table.column", by a sample of their rows: text in latin1 beyond
// ASCII is hardly ever valid UTF-8. Applications that never said SET NAMES have
// made such columns since MySQL 4.1.
func mislabelled(ctx context.Context, s *Server, databases []string) ([]string, error) {
	columns, err := s.query(ctx, s.db,
		"SELECT c.table_schema AS d, c.table_name AS t, c.column_name AS c"+
			" FROM information_schema.columns c"+joinTables+
			" WHERE c.character_set_name = 'latin1' AND t.table_type IN ("+tableTypes+")"+
			" AND c.table_schema IN ("+quoteExactly(databases)+") ORDER BY CAST(c.table_schema AS BINARY), CAST(c.table_name AS BINARY), c.ordinal_position")
	if err != nil {
		return nil, err
	}
	var found []string
	for len(columns) > 0 {
		n := 1 // those of one table
		for n < len(columns) && columns[n]["d"] == columns[0]["d"] && columns[n]["t"] == columns[0]["t"] {
			n++
		}
		inTable, err := mislabelledIn(ctx, s, columns[:n])
		if err != nil {
			return nil, err
		}
		found = append(found, inTable...)
		columns = columns[n:]
	}
	return found, nil
}

// mislabelledIn looks at the columns of one table. It fetches the values that
// are not plain ASCII only.
func mislabelledIn(ctx context.Context, s *Server, columns []record) ([]string, error) {
	var names, values, beyondASCII []string
	for i, column := range columns {
		name := quoteName(column["c"])
		names = append(names, name)
		values = append(values, fmt.Sprintf("HEX(LEFT(%s, %d)) AS c%d", name, sampledBytes, i))
		beyondASCII = append(beyondASCII, fmt.Sprintf("HEX(LEFT(%s, %d)) REGEXP '^(..)*[89A-F]'", name, sampledBytes))
	}
	rows, err := s.query(ctx, s.db, fmt.Sprintf("SELECT %s FROM (SELECT %s FROM %s LIMIT %d) AS s WHERE %s",
		strings.Join(values, ", "), strings.Join(names, ", "), quoteTable(columns[0]["d"], columns[0]["t"]),
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

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// validUTF8 tells whether the sample of a value is UTF-8, but for a last
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
