package compare

import (
	"context"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// What is looked at and reported of a table that differs.
const (
	fewDifferences  = 20      // that are listed of a table, unless all are wanted
	mostDifferences = 10_000  // that are listed then
	listRows        = 500     // a range of so many rows is compared row by row
	splitParts      = 8       // a longer one is split into so many
	mostListed      = 100_000 // rows to compare one by one; then whole ranges are reported
)

// differences collects ranges in the order of the key, and makes one of those
// that follow each other.
type differences struct {
	key  *key // nil: the table has none
	most int  // that are listed
	list []Difference
	more int  // ranges beyond the list
	open bool // the last range of the list may grow
}

// full reports whether no further range will be listed.
func (d *differences) full() bool { return len(d.list) == d.most && !d.open }

// end says that the next rows are equal.
func (d *differences) end() { d.open = false }

// add adds a range of rows that follows what was added before.
func (d *differences) add(kind DifferenceKind, from, to keyValue, master, slave uint64) {
	if d.open {
		last := &d.list[len(d.list)-1]
		if last.Kind == kind {
			last.To, last.span.upto = d.key.shown(to), to
			last.MasterRows += master
			last.SlaveRows += slave
			return
		}
	}
	if len(d.list) == d.most {
		d.more++
		d.open = false
		return
	}
	difference := Difference{Kind: kind, MasterRows: master, SlaveRows: slave}
	if d.key != nil {
		difference.Key, difference.From, difference.To = d.key.names(), d.key.shown(from), d.key.shown(to)
		difference.span = keyRange{after: from, upto: to}
	}
	d.list = append(d.list, difference)
	d.open = true
}

// locate finds the rows that differ in a range that does.
func (w *tableWork) locate(ctx context.Context, r keyRange, master, slave checksum) error {
	longest := max(master.rows, slave.rows)
	switch {
	case w.masterKey == nil:
		w.found.add(Differs, nil, nil, master.rows, slave.rows)
		return nil
	case w.found.full():
		w.found.more++
		return nil
	case master.rows == 0:
		return w.whole(ctx, Extra, r, master, slave)
	case slave.rows == 0:
		return w.whole(ctx, Missing, r, master, slave)
	case w.listed > mostListed:
		return w.whole(ctx, Differs, r, master, slave)
	case longest > listRows:
		return w.divide(ctx, r, master, slave)
	}
	w.listed += longest
	return w.list(ctx, r)
}

// divide looks for the differences of a range in its parts. They need no limit of their own:
// each is an eighth of what was summed up within one.
func (w *tableWork) divide(ctx context.Context, r keyRange, master, slave checksum) error {
	parts, err := w.split(ctx, r, master, slave)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if w.compared && w.isOld() {
			return errLegOver
		}
		m, s, err := w.checksums(ctx, part, w.hash)
		switch {
		case err != nil:
			return err
		case m == s:
			w.found.end()
		case m == master && s == slave: // no parts: all rows have the same key
			return w.whole(ctx, Differs, r, master, slave)
		default:
			if err := w.locate(ctx, part, m, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole reports a range as one difference.
func (w *tableWork) whole(ctx context.Context, kind DifferenceKind, r keyRange, master, slave checksum) error {
	s := w.fuller(master, slave)
	t, k := w.at(s)
	from, err := s.findKey(ctx, k, k.endQuery(t, r, false))
	if err != nil {
		return err
	}
	to, err := s.findKey(ctx, k, k.endQuery(t, r, true))
	if err != nil {
		return err
	}
	w.found.add(kind, from, to, master.rows, slave.rows)
	return nil
}

// fuller is the end with more rows.
func (w *tableWork) fuller(master, slave checksum) *session {
	if master.rows >= slave.rows {
		return w.ends.master
	}
	return w.ends.slave
}

// split cuts a range into parts of about the same number of rows.
func (w *tableWork) split(ctx context.Context, r keyRange, master, slave checksum) ([]keyRange, error) {
	s := w.fuller(master, slave)
	t, k := w.at(s)
	step := max(max(master.rows, slave.rows)/splitParts, 1)
	var parts []keyRange
	rest := r
	for len(parts) < splitParts {
		next, err := s.findKey(ctx, k, k.boundaryQuery(t, rest, step-1))
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		parts = append(parts, keyRange{after: rest.after, upto: next})
		rest.after = next
	}
	return append(parts, rest), nil
}

// list compares a range row by row.
func (w *tableWork) list(ctx context.Context, r keyRange) error {
	var master, slave []listedRow
	err := w.ends.inBoth(func(s *session) error {
		rows := &slave
		if s == w.ends.master {
			rows = &master
		}
		t, k := w.at(s)
		records, err := s.query(ctx, k.listQuery(t, r, w.hash))
		*rows = listRecords(k, records)
		return err
	})
	if err != nil {
		return err
	}
	onSlave := make(map[string]int, len(slave))
	for i, row := range slave {
		onSlave[row.id] = i
	}
	next := 0 // the first row of the slave that has not been looked at
	extraBefore := func(end int) {
		for _, row := range slave[min(next, end):end] {
			w.found.add(Extra, row.key, row.key, 0, row.rows)
		}
		next = max(next, end)
	}
	for _, row := range master {
		i, ok := onSlave[row.id]
		if !ok {
			w.found.add(Missing, row.key, row.key, row.rows, 0)
			continue
		}
		extraBefore(i)
		next = i + 1
		if slave[i].hashes == row.hashes {
			w.found.end()
		} else {
			w.found.add(Differs, row.key, row.key, row.rows, slave[i].rows)
		}
	}
	extraBefore(len(slave))
	return nil
}

// listedRow is a row as list compares it, or several of the same key if that
// is not unique.
type listedRow struct {
	key    keyValue
	id     string // key, in one
	rows   uint64
	hashes string
}

// listRecords reads the rows of listQuery.
func listRecords(k *key, records []server.Record) []listedRow {
	var rows []listedRow
	for _, r := range records {
		key := k.value(r)
		id := strings.Join(key, "\x00")
		if last := len(rows) - 1; last >= 0 && rows[last].id == id {
			rows[last].rows++
			rows[last].hashes += " " + r["h"]
			continue
		}
		rows = append(rows, listedRow{key: key, id: id, rows: 1, hashes: r["h"]})
	}
	return rows
}
