package compare

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Rows are compared by a number for each row, which every server computes
// alike: CRC32, which all have (MySQL 9 has no MD5), of a text of the row.
//
// CRC32 alone is linear: for rows (1, 'a'), (2, 'b') whose values were swapped
// the four checksums cancel each other in an exclusive or, and often in a sum.
// CRC32 of the decimal digits of CRC32 is not. A changed row is missed once in
// four billion times.

// checksum is what one end says of a range of rows.
type checksum struct {
	rows uint64
	sum  string // a number of any size
}

// rowText is an expression whose value tells a row from all others: the text
// of its columns, of which each can be found again in the whole. What is NULL
// is said at the beginning. Between the columns is a byte that is in no number
// and in no text of UTF-8; other strings have their lengths before them.
//
// The separator makes the whole text binary, so that nothing is converted to
// another character set or compared by a collation. Strings that may be long
// go in by their own CRC32, which keeps the text below every server's
// max_allowed_packet: beyond it CONCAT_WS would give NULL.
//
// A float goes in as the server shows it, in six digits, which is all that a dump
// carries; exactly, it is the number that the server calculates with.
func rowText(columns []column, across, exactly bool) string {
	var flags, numbers, strs []string
	for _, c := range columns {
		name := server.QuoteName(c.name)
		if c.generated == "ROW START" || c.generated == "ROW END" {
			continue // when the server itself wrote the row
		}
		if c.nullable {
			flags = append(flags, "ISNULL("+name+")")
		}
		switch c.kind {
		case "char", "varchar", "binary", "varbinary":
			if c.octets <= longString {
				if !c.isUTF8() {
					strs = append(strs, "LENGTH("+name+")")
				}
				strs = append(strs, name)
				continue
			}
			numbers = append(numbers, "CRC32("+name+")")
		case "bit", "enum", "set":
			numbers = append(numbers, name+"+0")
		case "float":
			if exactly {
				name += "+0e0"
			}
			numbers = append(numbers, name)
		case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "double",
			"date", "time", "datetime", "timestamp", "year", "uuid", "inet4", "inet6":
			numbers = append(numbers, name)
		default:
			if across && c.typeFor(true) == "json" {
				numbers = append(numbers, "JSON_LENGTH("+name+")", "JSON_DEPTH("+name+")")
				continue
			}
			numbers = append(numbers, "CRC32("+name+")")
		}
	}
	if len(flags) > 0 {
		flags = []string{"CONCAT(" + strings.Join(flags, ", ") + ")"}
	}
	parts := append(append(flags, numbers...), strs...)
	return "CONCAT_WS(CAST(X'FF' AS BINARY), " + strings.Join(parts, ", ") + ")"
}

// isUTF8 reports whether values of the column, a string, are of UTF-8.
func (c column) isUTF8() bool {
	switch c.charset {
	case "utf8mb4", "utf8mb3":
		return true
	}
	return false
}

// longString is the longest string, in bytes, that goes into a row's text as
// it is.
const longString = 1024

// rowHash is an expression for a row's number, with floats exactly or as they are
// shown.
func rowHash(columns []column, across, exactly bool) string {
	return "CRC32(CRC32(" + rowText(columns, across, exactly) + "))"
}

// checksumQuery gives the rows and the sum of a range of a table. Where no two
// rows can be equal, and cancel each other, the sum is an exclusive or, which
// is faster.
func checksumQuery(t *tableShape, k *key, r keyRange, hash string) string {
	sum := "SUM"
	if k != nil && k.unique {
		sum = "BIT_XOR"
	}
	return fmt.Sprintf("%sCOUNT(*) AS n, %s(%s) AS s FROM %s%s", t.read(), sum, hash, t.quoted(), k.clause(r))
}

// checksum sums a range of rows.
func (s *session) checksum(ctx context.Context, query string) (checksum, error) {
	rows, err := s.query(ctx, query)
	if err != nil {
		return checksum{}, err
	}
	n, err := strconv.ParseUint(rows[0]["n"], 10, 64)
	if err != nil {
		return checksum{}, fmt.Errorf("%s: %w", query, err)
	}
	return checksum{rows: n, sum: rows[0]["s"]}, nil
}
