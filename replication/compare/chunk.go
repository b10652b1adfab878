package compare

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gtunnel/gtunnel/replication/server"
)

// keyValue is a row's values of the columns of a key, as key.selected gives them:
// strings in hexadecimal. Nil stands for no row.
type keyValue []string

// keyRange is the rows after one key and up to another, which it holds. A nil
// bound is open.
type keyRange struct{ after, upto keyValue }

// chunkOrError is what the splitter sends.
type chunkOrError struct {
	keyRange
	last bool // of the table
	err  error
}

// splitIntoChunks sends a range of a table in parts, in order, and closes the channel. It
// asks size for each chunk's rows just before it looks for its end, and stops early, but not
// in the middle of a query, when stop is closed.
func splitIntoChunks(
	ctx context.Context, stop <-chan struct{}, s *session, t *tableShape, k *key, rest keyRange, size func() uint64,
	chunks chan<- chunkOrError,
) {
	defer close(chunks)
	for last := false; !last; {
		chunk := chunkOrError{keyRange: rest, last: k == nil}
		if k != nil {
			chunk.upto, chunk.err = s.findKey(ctx, k, k.boundaryQuery(t, rest, size()-1))
		}
		if chunk.upto == nil && chunk.err == nil {
			chunk.upto, chunk.last = rest.upto, true
		}
		select {
		case chunks <- chunk:
		case <-stop:
			return
		}
		last = chunk.last || chunk.err != nil
		rest.after = chunk.upto
	}
}

// findKey runs a query that gives one key; nil if it gives none.
func (s *session) findKey(ctx context.Context, k *key, query string) (keyValue, error) {
	rows, err := s.query(ctx, query)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return k.value(rows[0]), nil
}

// boundaryQuery gives the key of the row that has so many rows of the range
// before it.
func (k *key) boundaryQuery(t *tableShape, r keyRange, offset uint64) string {
	return fmt.Sprintf("%s%s FROM %s%s ORDER BY %s LIMIT 1 OFFSET %d",
		t.read(), k.selected(), t.quoted(), k.clause(r), k.order(t, false), offset)
}

// endQuery gives the first key of the range, or the last one.
func (k *key) endQuery(t *tableShape, r keyRange, last bool) string {
	return fmt.Sprintf("%s%s FROM %s%s ORDER BY %s LIMIT 1",
		t.read(), k.selected(), t.quoted(), k.clause(r), k.order(t, last))
}

// listQuery gives the keys of the range, each with the row's number h, in
// order.
func (k *key) listQuery(t *tableShape, r keyRange, hash string) string {
	return fmt.Sprintf("%s%s, %s AS h FROM %s%s ORDER BY %s",
		t.read(), k.selected(), hash, t.quoted(), k.clause(r), k.order(t, false)+", h")
}

// selected is the list of expressions that give a keyValue.
func (k *key) selected() string {
	list := make([]string, len(k.columns))
	for i, c := range k.columns {
		name := server.QuoteName(c.name)
		if c.isText() || c.isBinary() {
			name = "HEX(" + name + ")"
		}
		list[i] = fmt.Sprintf("%s AS k%d", name, i)
	}
	return strings.Join(list, ", ")
}

// value reads a row of selected.
func (k *key) value(r server.Record) keyValue {
	v := make(keyValue, len(k.columns))
	for i := range v {
		v[i] = r["k"+strconv.Itoa(i)]
	}
	return v
}

// order is what ORDER BY needs to go along the key, or backwards. The table's
// name keeps the columns apart from what is selected.
func (k *key) order(t *tableShape, backwards bool) string {
	list := make([]string, len(k.columns))
	for i, c := range k.columns {
		list[i] = t.quoted() + "." + server.QuoteName(c.name)
		if backwards {
			list[i] += " DESC"
		}
	}
	return strings.Join(list, ", ")
}

// clause names the index and the range after a table's name. A nil key has no
// ranges.
func (k *key) clause(r keyRange) string {
	if k == nil {
		return ""
	}
	clause := " FORCE INDEX (" + server.QuoteName(k.name) + ")"
	var conditions []string
	if r.after != nil {
		conditions = append(conditions, k.beyond(">", r.after))
	}
	if r.upto != nil {
		conditions = append(conditions, k.beyond("<", r.upto))
	}
	if len(conditions) > 0 {
		clause += " WHERE " + strings.Join(conditions, " AND ")
	}
	return clause
}

// beyond is the condition that a row comes after a key (">"), or does not come
// after it ("<"), in a form for which the servers use an index of many columns:
// they read the whole index for (a, b) > (1, 2).
func (k *key) beyond(operator string, v keyValue) string {
	last := len(k.columns) - 1
	condition := server.QuoteName(k.columns[last].name) + " " + operator
	if operator == "<" {
		condition += "=" // the bound itself
	}
	condition += " " + k.columns[last].literal(v[last])
	for i := last - 1; i >= 0; i-- {
		name, value := server.QuoteName(k.columns[i].name), k.columns[i].literal(v[i])
		condition = fmt.Sprintf("(%s %s %s OR (%s = %s AND %s))", name, operator, value, name, value, condition)
	}
	return condition
}

// literal makes a literal of a value from a keyValue. A text has the column's
// character set and leaves the collation to the column, so that the index is
// used.
func (c column) literal(value string) string {
	switch {
	case c.isNumber():
		return value
	case c.isText():
		return "_" + c.serverCharset + " X'" + value + "'"
	case c.isBinary():
		return "X'" + value + "'"
	}
	return server.QuoteString(value)
}

// names are the key's columns for people: id, or (a, b).
func (k *key) names() string {
	list := make([]string, len(k.columns))
	for i, c := range k.columns {
		list[i] = c.name
	}
	return parenthesized(list)
}

// shown is a key for people.
func (k *key) shown(v keyValue) string {
	list := make([]string, len(v))
	for i, c := range k.columns {
		list[i] = c.shown(v[i])
	}
	return parenthesized(list)
}

func parenthesized(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// shown is a value from a keyValue for people.
func (c column) shown(value string) string {
	if !c.isText() && !c.isBinary() {
		return value
	}
	bytes, err := hex.DecodeString(value)
	if err != nil {
		return value
	}
	text := string(bytes)
	if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return "0x" + value
}

// isText reports whether literals of the column's values are texts.
func (c column) isText() bool { return c.kind == "char" || c.kind == "varchar" }

// isBinary reports whether they are bytes.
func (c column) isBinary() bool { return c.kind == "binary" || c.kind == "varbinary" }

// isNumber reports whether they are numbers.
func (c column) isNumber() bool {
	switch c.kind {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year":
		return true
	}
	return false
}
