package compare

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Result is what a comparison found. Its JSON keys are stable.
type Result struct {
	At      server.Position `json:"at"`    // of the master's binary log: where the comparison began
	Until   server.Position `json:"until"` // where its last piece was compared; At, if it has one only
	Tables  []TableResult   `json:"tables"`
	Objects []string        `json:"objects"` // differences of views, sequences, triggers, routines and events, in words
	Skipped []string        `json:"skipped"` // what was not compared, and why, in words
	Rows    uint64          `json:"rows"`    // of the master
	Bytes   uint64          `json:"bytes"`   // of data, as the master estimates
	Took    time.Duration   `json:"-"`       // took_seconds of the JSON

	ObjectsEqual int `json:"objects_equal"` // views, sequences, triggers, routines and events that are

	again []string // sequences that may turn out otherwise at a later position
}

// TableResult is what was found of one table.
type TableResult struct {
	Table       string       `json:"table"` // "database.table"
	Rows        uint64       `json:"rows"`  // of the master
	Bytes       uint64       `json:"bytes"` // of data, as the master estimates
	At          []string     `json:"at"`    // the position, file:offset, at which each of its pieces was compared
	Differences []Difference `json:"differences"`
	More        int          `json:"more"`      // chunks with differences that are not listed
	Structure   []string     `json:"structure"` // how the tables themselves differ, in words
	Problem     string       `json:"problem"`   // why the rows were not compared; empty if they were
	Note        string       `json:"note"`      // what to know of the result; may be empty

	again bool // the result may be another one at a later position
}

// Difference is a range of rows that are not the same on both ends.
type Difference struct {
	Kind       DifferenceKind `json:"kind"`
	Key        string         `json:"key"`  // its columns; empty, as From and To: the table has none
	From       string         `json:"from"` // the first row's key
	To         string         `json:"to"`   // the last row's key
	MasterRows uint64         `json:"master_rows"`
	SlaveRows  uint64         `json:"slave_rows"`

	span keyRange // from the first row on, which is in it here, to the last; zero: the table has no key
}

// DifferenceKind is how rows differ.
type DifferenceKind string

// The kinds.
const (
	Missing DifferenceKind = "missing" // on the slave
	Extra   DifferenceKind = "extra"   // on the slave
	Differs DifferenceKind = "differs"
)

// String is the difference in words, such as "id 1001 to 1100: differs".
func (d Difference) String() string {
	var where string
	switch {
	case d.Key == "":
		where = fmt.Sprintf("the whole table (%d rows on the master, %d on the slave)", d.MasterRows, d.SlaveRows)
	case d.From == d.To:
		where = d.Key + " " + d.From
	default:
		where = d.Key + " " + d.From + " to " + d.To
	}
	switch d.Kind {
	case Missing:
		return where + ": missing on the slave"
	case Extra:
		return where + ": only on the slave"
	default:
		return where + ": differs"
	}
}

// Equal reports whether the table is the same on both ends.
func (t *TableResult) Equal() bool {
	return t.Problem == "" && len(t.Structure) == 0 && len(t.Differences) == 0 && t.More == 0
}

// NotCompared is how much was not compared: tables, and what Skipped says.
func (r *Result) NotCompared() int {
	n := len(r.Skipped)
	for _, t := range r.Tables {
		if t.Problem != "" {
			n++
		}
	}
	return n
}

// skip notes what is not compared, and why, once.
func (r *Result) skip(text string) {
	if !slices.Contains(r.Skipped, text) {
		r.Skipped = append(r.Skipped, text)
	}
}

// total counts the rows and bytes of all tables.
func (r *Result) total() {
	for _, t := range r.Tables {
		r.Rows += t.Rows
		r.Bytes += t.Bytes
	}
}

// Equal reports whether nothing differs of what was compared, and every table could
// be.
func (r *Result) Equal() bool {
	return len(r.Objects) == 0 && !slices.ContainsFunc(r.Tables, func(t TableResult) bool { return !t.Equal() })
}

// MarshalJSON writes the verdict, too, and the time in seconds.
func (r *Result) MarshalJSON() ([]byte, error) {
	type plain Result // without this method
	return json.Marshal(struct {
		Equal bool `json:"equal"`
		*plain
		NotCompared int     `json:"not_compared"`
		Took        float64 `json:"took_seconds"`
	}{Equal: r.Equal(), plain: (*plain)(r), NotCompared: r.NotCompared(), Took: r.Took.Seconds()})
}

// replace takes the tables and sequences of a second round, and forgets those of its tables
// that have been dropped meanwhile.
func (r *Result) replace(again []string, second *Result) {
	r.Objects = append(r.Objects, second.Objects...)
	for _, text := range second.Skipped {
		r.skip(text)
	}
	r.Until = second.Until
	r.Tables = slices.DeleteFunc(r.Tables, func(t TableResult) bool { return slices.Contains(again, t.Table) })
	for _, t := range second.Tables {
		t.Note = strings.TrimPrefix(t.Note+"; compared again at "+second.At.String(), "; ")
		r.Tables = append(r.Tables, t)
	}
	r.sort()
}

// sort orders the tables by their names.
func (r *Result) sort() {
	slices.SortStableFunc(r.Tables, func(a, b TableResult) int { return strings.Compare(a.Table, b.Table) })
}
