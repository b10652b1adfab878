package compare

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// value is a column's value in a row, as selected by carry: exactly, and such that
// literal makes the same of it again.
type value struct {
	text string
	null bool
}

// rowValues is a row, by its key.
type rowValues struct {
	key    keyValue
	values []value // of all columns of the master's table
}

// rowSet are rows in the order in which they were read.
type rowSet struct {
	rows []*rowValues
	byID map[string]*rowValues // by the key in one
}

// add adds a row, once.
func (s *rowSet) add(r *rowValues) {
	if s.byID == nil {
		s.byID = map[string]*rowValues{}
	}
	id := r.id()
	if s.byID[id] == nil {
		s.byID[id] = r
		s.rows = append(s.rows, r)
	}
}

func (r *rowValues) id() string { return strings.Join(r.key, "\x00") }

// carry is the expression of a column's value, exactly.
func (c column) carry(v server.Version) string {
	name := server.QuoteName(c.name)
	switch {
	case c.isNumber():
		return name
	case c.kind == "float" || c.kind == "double":
		return name + "*1e0" // all digits of the number, and its sign if it is zero
	case c.kind == "bit" || c.kind == "enum" || c.kind == "set":
		return name + "+0"
	case c.isPlain():
		return name
	case c.json(v):
		return "HEX(CAST(" + name + " AS CHAR CHARACTER SET utf8mb4))"
	}
	return "HEX(" + name + ")"
}

// isPlain reports whether a column's text is all of its value.
func (c column) isPlain() bool {
	switch c.kind {
	case "date", "time", "datetime", "timestamp", "uuid", "inet4", "inet6":
		return true
	}
	return false
}

// write makes a literal of a value that carry has given: of a text with the character set
// of the column, so that nothing is converted.
func (c column) write(v server.Version, is value) string {
	switch {
	case is.null:
		return "NULL"
	case c.isNumber(), c.kind == "bit", c.kind == "enum", c.kind == "set":
		return is.text
	case c.isPlain(), c.kind == "float", c.kind == "double":
		return server.QuoteString(is.text)
	case c.json(v):
		return "CAST(_utf8mb4 X'" + is.text + "' AS JSON)"
	case c.serverCharset != "":
		return "_" + c.serverCharset + " X'" + is.text + "'"
	}
	return "X'" + is.text + "'"
}

// lost is a value for those who may want it back.
func (c column) lost(is value) *string {
	if is.null {
		return nil
	}
	text := is.text
	switch c.kind {
	case "float", "double", "bit", "enum", "set":
		return &text
	}
	if c.isNumber() || c.isPlain() {
		return &text
	}
	bytes, err := hex.DecodeString(text)
	plain := string(bytes)
	isASCII := !strings.ContainsFunc(plain, func(r rune) bool { return r > unicode.MaxASCII || r == 0 })
	if err == nil && utf8.ValidString(plain) && (c.isUTF8() || c.charset != "" && isASCII || c.kind == "json") {
		return &plain
	}
	text = "0x" + text
	return &text
}

// selectRows gives rows of a table with all columns. Condition is what follows the
// table's name. A value that the server cannot give, because it is too long, is a NULL
// that nIs does not say, and what JSON text cannot say is in j.
func (p *rowPair) selectRows(t *tableShape, k *key, v server.Version, condition string) string {
	selected := []string{k.selected()}
	for i, c := range p.master.columns {
		name := server.QuoteName(c.name)
		selected = append(selected, fmt.Sprintf("%s AS c%d", c.carry(v), i))
		if c.nullable {
			selected = append(selected, fmt.Sprintf("ISNULL(%s) AS n%d", name, i))
		}
		if c.json(v) {
			selected = append(selected, fmt.Sprintf("%s AS j%d", seed.LosesJSON(v, c.name), i))
		}
	}
	return "SELECT " + strings.Join(selected, ", ") + " FROM " + t.quoted() + condition
}

// read reads rows into a set.
func (p *rowPair) read(ctx context.Context, s *session, condition string, into *rowSet) error {
	t, k := p.at(s)
	records, err := s.query(ctx, p.selectRows(t, k, s.server.Version, condition))
	if err != nil {
		return s.server.Explain("read rows of "+p.String(), err)
	}
	for _, r := range records {
		row := &rowValues{key: k.value(r), values: make([]value, len(p.master.columns))}
		for i, c := range p.master.columns {
			n := strconv.Itoa(i)
			text, there := r["c"+n]
			row.values[i] = value{text: text, null: !there}
			switch {
			case !there && (!c.nullable || r["n"+n] == "0"):
				return p.inexact(k, row.key, "has a value in %s that is too long for max_allowed_packet of the %s",
					c.name, s.server.Role)
			case r["j"+n] == "1" && s.server.Role == finding.Master:
				return p.inexact(k, row.key, "has in %s what JSON text cannot say, as DECIMAL", c.name)
			}
		}
		into.add(row)
	}
	return nil
}

// readKeys reads the rows of some keys. Lock is what else the statements say, as FOR UPDATE.
func (p *rowPair) readKeys(ctx context.Context, s *session, keys []keyValue, lock string, into *rowSet) error {
	spans := make([]keyRange, len(keys))
	for i, v := range keys {
		spans[i] = keyRange{after: v, upto: v}
	}
	return p.readSpans(ctx, s, spans, lock, into)
}

// readSpans reads the rows from the first to the last of each span: of as many at a time
// as make a statement and an answer of a fair size.
func (p *rowPair) readSpans(ctx context.Context, s *session, spans []keyRange, lock string, into *rowSet) error {
	_, k := p.at(s)
	for len(spans) > 0 {
		n := min(len(spans), p.batch())
		conditions := make([]string, n)
		for i, span := range spans[:n] {
			conditions[i] = k.span(span)
		}
		condition := " FORCE INDEX (" + server.QuoteName(k.name) + ") WHERE " + strings.Join(conditions, " OR ") + lock
		if err := p.read(ctx, s, condition, into); err != nil {
			return err
		}
		spans = spans[n:]
	}
	return nil
}

// batch is how many rows are read or written at a time.
func (p *rowPair) batch() int {
	const most, size = 200, 4 << 20
	return int(min(max(size/max(p.master.rowBytes, 1), 1), most))
}

// oneOf is the condition that a row has one of some keys.
func (k *key) oneOf(keys []keyValue) string {
	rows := make([]string, len(keys))
	for i, v := range keys {
		rows[i] = k.is(v)
	}
	return strings.Join(rows, " OR ")
}

// is is the condition that a row has a key.
func (k *key) is(v keyValue) string {
	parts := make([]string, len(v))
	for i, c := range k.columns {
		parts[i] = server.QuoteName(c.name) + " = " + c.literal(v[i])
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

// span is the condition that a row is one from the first to the last of a span.
func (k *key) span(r keyRange) string {
	if strings.Join(r.after, "\x00") == strings.Join(r.upto, "\x00") {
		return k.is(r.upto)
	}
	return "(" + k.is(r.after) + " OR (" + k.beyond(">", r.after) + " AND " + k.beyond("<", r.upto) + "))"
}

// rowDifference is a row that is not the same on both ends. One that an end lacks is nil
// there.
type rowDifference struct{ master, slave *rowValues }

// differing are the rows that are not the same.
func differing(master, slave *rowSet) []rowDifference {
	var list []rowDifference
	for _, m := range master.rows {
		s := slave.byID[m.id()]
		if s == nil || !sameValues(m, s) {
			list = append(list, rowDifference{master: m, slave: s})
		}
	}
	for _, s := range slave.rows {
		if master.byID[s.id()] == nil {
			list = append(list, rowDifference{slave: s})
		}
	}
	return list
}

// sameValues reports whether two rows are the same.
func sameValues(m, s *rowValues) bool {
	for i := range m.values {
		if m.values[i] != s.values[i] {
			return false
		}
	}
	return true
}

// look reads what differs in the spans of a table, or refuses it.
func (p *rowPair) look(
	ctx context.Context, ends *snapshotEnds, spans []keyRange,
) (*TableRows, *finding.Problem, error) {
	if p.refused != nil {
		return nil, p.refused, nil
	}
	var master, slave rowSet
	err := ends.inBoth(func(s *session) error {
		into := &slave
		if s == ends.master {
			into = &master
		}
		return p.readSpans(ctx, s, spans, "", into)
	})
	if refused, ok := errors.AsType[*finding.Problem](err); ok && refused.Code == inexactRows {
		return nil, refused, nil
	}
	if err != nil {
		return nil, nil, err
	}
	rows := p.tableRows(differing(&master, &slave))
	if n := uint64(len(rows.Rows)); n > mostRepaired || n*p.master.rowBytes > mostRepairedBytes {
		return nil, refusedRows(tooManyRows, p.String(), "%d rows differ, of some %s: at most %d rows, and %s, are put"+
			" right one by one", n, finding.FormatBytes(n*p.master.rowBytes), mostRepaired,
			finding.FormatBytes(mostRepairedBytes)), nil
	}
	return rows, nil, nil
}

// tableRows is what differs, for people, and how it is put right.
func (p *rowPair) tableRows(differ []rowDifference) *TableRows {
	rows := &TableRows{Table: p.String(), Key: p.masterKey.names(), LocksMaster: !p.transactional()}
	var deleted, inserted []keyValue
	for _, d := range differ {
		k, c := p.masterKey, RowChange{}
		switch {
		case d.slave == nil:
			c.Kind, c.Key = Missing, k.keyed(d.master.key)
			inserted = append(inserted, d.master.key)
		case d.master == nil:
			c.Kind, c.Key, c.Lost = Extra, k.keyed(d.slave.key), map[string]*string{}
			for i, column := range p.master.columns {
				c.Lost[column.name] = column.lost(d.slave.values[i])
			}
			deleted = append(deleted, d.slave.key)
		default:
			c.Kind, c.Key, c.Lost = Differs, k.keyed(d.master.key), map[string]*string{}
			for i, column := range p.master.columns {
				if d.master.values[i] != d.slave.values[i] {
					c.Columns, c.Lost[column.name] = append(c.Columns, column.name), column.lost(d.slave.values[i])
				}
			}
			deleted, inserted = append(deleted, d.slave.key), append(inserted, d.master.key)
		}
		rows.Rows = append(rows.Rows, c)
	}
	for _, d := range differ {
		if d.master != nil {
			rows.keys = append(rows.keys, d.master.key)
		} else {
			rows.keys = append(rows.keys, d.slave.key)
		}
	}
	if len(deleted) > 0 {
		rows.Statements = append(rows.Statements, server.Encoded(
			"DELETE FROM "+p.slave.quoted()+" WHERE "+p.masterKey.shownKeys(deleted), ""))
	}
	if len(inserted) > 0 {
		rows.Statements = append(rows.Statements, server.Encoded(
			"INSERT INTO "+p.slave.quoted()+" the master's rows "+p.masterKey.shownKeys(inserted), ""))
	}
	return rows
}

// shownKeys are keys for people: the first of them, if they are many.
func (k *key) shownKeys(keys []keyValue) string {
	const most = 20
	list := make([]string, min(len(keys), most))
	for i := range list {
		list[i] = k.shown(keys[i])
	}
	if more := len(keys) - most; more > 0 {
		list = append(list, fmt.Sprintf("... and %d more", more))
	}
	return k.names() + " IN (" + strings.Join(list, ", ") + ")"
}
