package servertest

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Writer changes a database at random: rows, alone and in transactions of
// several tables, of which some are rolled back, and its tables themselves. It
// uses only tables that it made, so that several can work side by side, and
// makes the same of the same seed on servers of one kind. A Writer is for one
// goroutine.
type Writer struct {
	Database string // must exist
	Seed     uint64 // also in the names of its tables
	// SameSchema keeps it from changing tables after its first run, which
	// some dumps do not survive.
	SameSchema bool

	random *rand.Rand
	tables []*writtenTable
	made   int // tables and columns so far
}

// writtenTable is a table of a Writer.
type writtenTable struct {
	name    string
	columns []writtenColumn
	indexed []string // columns with an index of their own
}

// writtenColumn is a column beside the first two, n and word.
type writtenColumn struct {
	name string
	kind columnKind
}

// columnKind is a type with values for it.
type columnKind struct {
	definition string
	index      string // what follows the name in an index; "-": there can be none
	value      func(*rand.Rand) any
}

var columnKinds = []columnKind{
	{definition: "INT", index: "", value: func(r *rand.Rand) any { return r.Int32() }},
	{
		definition: "BIGINT UNSIGNED NOT NULL DEFAULT 18446744073709551615", index: "",
		value: func(r *rand.Rand) any { return r.Uint64() },
	},
	{
		definition: "VARCHAR(200) CHARACTER SET utf8mb4", index: "(50)",
		value: func(r *rand.Rand) any { return words(r, 12) },
	},
	{
		definition: "VARCHAR(100) CHARACTER SET latin1 NOT NULL DEFAULT 'ü''s'", index: "",
		value: func(r *rand.Rand) any { return "Größe " + fmt.Sprint(r.IntN(1000)) },
	},
	{definition: "VARBINARY(60)", index: "", value: func(r *rand.Rand) any { return noise(r, 60) }},
	{definition: "TEXT CHARACTER SET utf8mb4", index: "(20)", value: func(r *rand.Rand) any { return words(r, 200) }},
	{definition: "MEDIUMBLOB", index: "(16)", value: func(r *rand.Rand) any { return noise(r, 3000) }},
	{definition: "DATETIME(6)", index: "", value: func(r *rand.Rand) any { return moment(r) }},
	{definition: "TIMESTAMP NULL", index: "", value: func(r *rand.Rand) any { return moment(r) }},
	{
		definition: "DECIMAL(30,10) NOT NULL DEFAULT -0.5", index: "",
		value: func(r *rand.Rand) any { return fmt.Sprintf("%d.%010d", r.Int64()-r.Int64(), r.Uint32()) },
	},
	{definition: "DOUBLE", index: "", value: func(r *rand.Rand) any { return r.NormFloat64() * 1e9 }},
	{
		definition: "ENUM('a','b','it''s') NOT NULL DEFAULT 'b'", index: "",
		value: func(r *rand.Rand) any { return 1 + r.IntN(3) },
	},
	{definition: "SET('x','y','z')", index: "", value: func(r *rand.Rand) any { return r.IntN(8) }},
	{definition: "BIT(10)", index: "", value: func(r *rand.Rand) any { return r.IntN(1024) }},
	{definition: "JSON", index: "-", value: func(r *rand.Rand) any {
		return fmt.Sprintf(`{"n": %d, "w": "%s", "l": [1, null, true]}`, r.IntN(1000), pieces[r.IntN(4)])
	}},
}

// pieces are what words are made of; only the first four may stand in JSON.
var pieces = []string{"plain", "Größe", "😀", "Ω", "it's", `back\slash`, "\n", "\x00", "%_", `"`}

// words makes text of up to most pieces.
func words(r *rand.Rand, most int) string {
	var b strings.Builder
	for range r.IntN(most) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// noise makes up to most bytes.
func noise(r *rand.Rand, most int) []byte {
	b := make([]byte, r.IntN(most))
	for i := range b {
		b[i] = byte(r.Uint32()) //nolint:gosec // the low one
	}
	return b
}

// moment makes a time that has a name in every time zone.
func moment(r *rand.Rand) string {
	return time.Unix(1+r.Int64N(2e9), 1000*r.Int64N(1e6)).UTC().Format("2006-01-02 15:04:05.000000")
}

const (
	// mostRows bounds tables, which have no key sometimes.
	mostRows = 300
	// mostColumns keeps rows below InnoDB's limit.
	mostColumns = 8
	// tablesAtFirst are made before the first operation.
	tablesAtFirst = 4
)

// Run does n operations: statements, or transactions of some. It makes the
// tables at its first run, and goes on where it was at a later one. After an
// error it must not be used again.
func (w *Writer) Run(ctx context.Context, db *sql.DB, n int) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer discard(conn)
	// Values of one length too much and zero dates are no concern of ours.
	for _, statement := range []string{
		"SET NAMES utf8mb4, sql_mode = '', time_zone = '+00:00'", "USE " + quote(w.Database),
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if w.random == nil {
		w.random = rand.New(rand.NewPCG(w.Seed, 0)) //nolint:gosec // it is to be the same each time
		for range tablesAtFirst {
			if err := w.createTable(ctx, conn); err != nil {
				return err
			}
		}
	}
	for range n {
		if err := w.operation(ctx, conn); err != nil {
			return fmt.Errorf("writer %d: %w", w.Seed, err)
		}
	}
	return nil
}

// operation does one of the things that a Writer does.
func (w *Writer) operation(ctx context.Context, conn *sql.Conn) error {
	switch chance := w.random.IntN(100); {
	case chance < 4 && !w.SameSchema:
		return w.changeTable(ctx, conn)
	case chance < 6 && !w.SameSchema:
		return w.changeTables(ctx, conn)
	case chance < 30:
		return w.transaction(ctx, conn)
	default:
		return w.change(ctx, conn)
	}
}

// execer runs statements: a session, or a transaction of it.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func do(ctx context.Context, on execer, query string, args ...any) error {
	if _, err := on.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

// transaction changes several tables at once, or in the end none.
func (w *Writer) transaction(ctx context.Context, conn *sql.Conn) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing, if it is committed
	for range 2 + w.random.IntN(5) {
		if err := w.change(ctx, tx); err != nil {
			return err
		}
	}
	if w.random.IntN(4) == 0 {
		if err := do(ctx, tx, "SAVEPOINT s"); err != nil {
			return err
		}
		if err := w.change(ctx, tx); err != nil {
			return err
		}
		if err := do(ctx, tx, "ROLLBACK TO s"); err != nil {
			return err
		}
	}
	if w.random.IntN(4) == 0 {
		return tx.Rollback()
	}
	return tx.Commit()
}

// change changes rows of a table.
func (w *Writer) change(ctx context.Context, on execer) error {
	t := w.tables[w.random.IntN(len(w.tables))]
	low := w.random.IntN(mostRows)
	high := low + w.random.IntN(10)
	switch w.random.IntN(10) {
	case 0, 1, 2:
		query, args := w.insert(t, "INSERT", 1+w.random.IntN(10))
		return do(ctx, on, query+" ON DUPLICATE KEY UPDATE n = VALUES(n)", args...)
	case 3, 4:
		query, args := w.insert(t, "REPLACE", 1+w.random.IntN(3))
		return do(ctx, on, query, args...)
	case 5:
		return do(ctx, on, "DELETE FROM "+quote(t.name)+" WHERE n BETWEEN ? AND ?", low, high+mostRows/20)
	default:
		if len(t.columns) == 0 {
			return do(ctx, on, "UPDATE IGNORE "+quote(t.name)+" SET n = ? WHERE n BETWEEN ? AND ?",
				w.random.IntN(mostRows), low, high)
		}
		c := t.columns[w.random.IntN(len(t.columns))]
		return do(ctx, on, "UPDATE "+quote(t.name)+" SET "+quote(c.name)+" = ? WHERE n BETWEEN ? AND ?",
			w.value(c), low, high)
	}
}

// insert makes a statement for some rows.
func (w *Writer) insert(t *writtenTable, verb string, rows int) (string, []any) {
	names, args := []string{"n", "word"}, []any(nil)
	for _, c := range t.columns {
		names = append(names, quote(c.name))
	}
	row := "(?" + strings.Repeat(", ?", len(names)-1) + ")"
	for range rows {
		args = append(args, w.random.IntN(mostRows), pieces[w.random.IntN(len(pieces))])
		for _, c := range t.columns {
			args = append(args, w.value(c))
		}
	}
	return verb + " INTO " + quote(t.name) + " (" + strings.Join(names, ", ") + ") VALUES " + row +
		strings.Repeat(", "+row, rows-1), args
}

// value makes a value of a column, now and then NULL where it may be.
func (w *Writer) value(c writtenColumn) any {
	if w.random.IntN(10) == 0 && !strings.Contains(c.kind.definition, "NOT NULL") {
		return nil
	}
	return c.kind.value(w.random)
}

// changeTable changes columns, indexes or all rows of a table.
func (w *Writer) changeTable(ctx context.Context, conn *sql.Conn) error {
	t := w.tables[w.random.IntN(len(w.tables))]
	alter := "ALTER TABLE " + quote(t.name) + " "
	switch w.random.IntN(10) {
	case 0, 1, 2, 3:
		if len(t.columns) == mostColumns {
			return w.dropColumn(ctx, conn, t)
		}
		c := w.newColumn()
		where := []string{"", " FIRST", " AFTER n"}[w.random.IntN(3)]
		t.columns = append(t.columns, c)
		return do(ctx, conn, alter+"ADD COLUMN "+quote(c.name)+" "+c.kind.definition+where)
	case 4, 5:
		return w.dropColumn(ctx, conn, t)
	case 6, 7:
		for _, c := range t.columns {
			if c.kind.index != "-" && !slices.Contains(t.indexed, c.name) {
				t.indexed = append(t.indexed, c.name)
				return do(ctx, conn, alter+"ADD INDEX "+quote(c.name)+" ("+quote(c.name)+c.kind.index+")")
			}
		}
		return do(ctx, conn, alter+"COMMENT = 'all columns have an index'")
	case 8:
		if len(t.indexed) == 0 {
			return do(ctx, conn, alter+"COMMENT = 'there''s no index'")
		}
		name := t.indexed[0]
		t.indexed = t.indexed[1:]
		return do(ctx, conn, alter+"DROP INDEX "+quote(name))
	default:
		return do(ctx, conn, "TRUNCATE TABLE "+quote(t.name))
	}
}

// dropColumn drops a column, and so its index.
func (w *Writer) dropColumn(ctx context.Context, conn *sql.Conn, t *writtenTable) error {
	if len(t.columns) == 0 {
		return nil
	}
	i := w.random.IntN(len(t.columns))
	name := t.columns[i].name
	t.columns = slices.Delete(t.columns, i, i+1)
	t.indexed = slices.DeleteFunc(t.indexed, func(indexed string) bool { return indexed == name })
	return do(ctx, conn, "ALTER TABLE "+quote(t.name)+" DROP COLUMN "+quote(name))
}

// changeTables makes, drops or renames a table.
func (w *Writer) changeTables(ctx context.Context, conn *sql.Conn) error {
	i := w.random.IntN(len(w.tables))
	t := w.tables[i]
	switch w.random.IntN(3) {
	case 0:
		return w.createTable(ctx, conn)
	case 1:
		if len(w.tables) <= tablesAtFirst {
			return w.createTable(ctx, conn)
		}
		w.tables = slices.Delete(w.tables, i, i+1)
		return do(ctx, conn, "DROP TABLE "+quote(t.name))
	default:
		old := t.name
		t.name = w.newName("renamed")
		return do(ctx, conn, "RENAME TABLE "+quote(old)+" TO "+quote(t.name))
	}
}

// createTable makes a table with one of the sorts of keys.
func (w *Writer) createTable(ctx context.Context, conn *sql.Conn) error {
	t := &writtenTable{name: w.newName("table")}
	var definitions []string
	switch w.random.IntN(4) {
	case 0:
		definitions = append(definitions, "PRIMARY KEY (n, word)")
	case 1: // no key
	default:
		definitions = append(definitions, "id BIGINT AUTO_INCREMENT PRIMARY KEY", "KEY (n)")
	}
	for range 1 + w.random.IntN(5) {
		c := w.newColumn()
		t.columns = append(t.columns, c)
		definitions = append(definitions, quote(c.name)+" "+c.kind.definition)
	}
	w.tables = append(w.tables, t)
	return do(ctx, conn, "CREATE TABLE "+quote(t.name)+
		" (n INT NOT NULL, word VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, "+
		strings.Join(definitions, ", ")+") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")
}

func (w *Writer) newColumn() writtenColumn {
	w.made++
	return writtenColumn{name: fmt.Sprintf("c %d", w.made), kind: columnKinds[w.random.IntN(len(columnKinds))]}
}

func (w *Writer) newName(sort string) string {
	w.made++
	return fmt.Sprintf("%s_%d %d", sort, w.Seed, w.made)
}
