package compare

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// schema is what databases of one server hold, as far as it is compared.
type schema struct {
	server  *server.Server
	tables  []*tableShape
	byName  map[string]*tableShape // the same
	objects map[string]*objects    // by kind
	granted granted                // to the login

	defaults map[string]string   // database -> default collation
	unseen   map[string][]string // kind of what tables are -> databases of which the login does not see all
}

// tableShape is one table's definition.
type tableShape struct {
	database, name string
	engine         string
	bytes          uint64 // of data, an estimate
	rowBytes       uint64 // of a row, an estimate
	columns        []column
	keys           []key
	collation      string // of new columns
	versioned      bool   // by MariaDB's system versioning
	foreignKeys    []constraint
	checks         []constraint
	partitions     string // how its rows are divided, in words; empty: they are not
	comment        string
	broken         string // why the server cannot open it; empty: it can
}

// column is a column of a table, with words of which servers have several
// brought to one.
type column struct {
	name          string
	kind          string // DATA_TYPE, as in varchar
	columnType    string // COLUMN_TYPE, as in varchar(20)
	charset       string // empty: not a text
	serverCharset string // the same, in the server's own word
	collation     string
	octets        uint64 // the longest value of a string
	nullable      bool
	generated     string
	fallback      string // the default
	extra         string
	comment       string
}

// key is an index. Its columns are those from the first on by which rows can
// be told apart in ranges.
type key struct {
	name    string
	columns []column
	parts   string // all its columns, in words
	sort    string // its type, and if it is unique
	unique  bool   // columns names one row
	ended   bool   // there are parts that are no use for ranges
}

// String is "database.table".
func (t *tableShape) String() string { return t.database + "." + t.name }

func (t *tableShape) quoted() string { return server.QuoteTable(t.database, t.name) }

// read begins a query of the table's rows. A server without row locks would
// have it wait behind every write that waits.
func (t *tableShape) read() string {
	if t.transactional() {
		return "SELECT "
	}
	return "SELECT HIGH_PRIORITY "
}

func (t *tableShape) transactional() bool { return facts.IsTransactional(t.engine) }

// table gives a table by "database.table"; nil if there is none.
func (s *schema) table(name string) *tableShape { return s.byName[name] }

// locked gives the quoted names of the tables without transactions, of all or
// of those in the list.
func (s *schema) locked(only []string) []string {
	wanted := setOf(only)
	var names []string
	for _, t := range s.tables {
		if !t.transactional() && (len(wanted) == 0 || wanted[t.String()]) {
			names = append(names, t.quoted())
		}
	}
	return names
}

// reading asks a server for a part of a schema, and gives what puts that in. The parts are
// asked for at once, and put in one after the other.
type reading func(ctx context.Context, opened *session) (put func() error, err error)

// readSchema reads what the databases hold; of tables in a list that is not empty, no more
// than they are.
func readSchema(ctx context.Context, opened *session, databases, only []string) (*schema, error) {
	s := &schema{server: opened.server, byName: map[string]*tableShape{}, objects: map[string]*objects{}}
	in := " IN (" + server.QuoteExactly(databases) + ")"
	inTables := in
	if len(only) > 0 {
		names := make([]string, len(only))
		for i, name := range only {
			_, names[i] = server.SplitTable(name, databases)
		}
		inTables += " AND table_name IN (" + server.QuoteList(names) + ")"
	}
	readings := []reading{
		s.readGranted(databases), s.readTables(inTables), s.readColumns(inTables), s.readKeys(inTables),
		s.readPartitions(inTables), s.readForeignKeys(in, inTables), s.readChecks(in),
	}
	if len(only) == 0 {
		readings = append(readings, s.readDefaults(in), s.readParts(databases))
	}
	return s, s.readAll(ctx, opened, readings)
}

// readAll asks for parts of a schema, and puts them in in their order.
func (s *schema) readAll(ctx context.Context, opened *session, readings []reading) error {
	puts := make([]func() error, len(readings))
	err := server.Each(ctx, s.server, opened.conn, readings,
		func(ctx context.Context, i int, read reading) (err error) {
			puts[i], err = read(ctx, opened)
			return err
		})
	for _, put := range puts {
		if err == nil {
			err = put()
		}
	}
	return err
}

// reads makes a reading of one query, whose rows are put in.
func reads(query string, put func(rows []server.Record) error) reading {
	return func(ctx context.Context, opened *session) (func() error, error) {
		rows, err := opened.query(ctx, query)
		return func() error { return put(rows) }, err
	}
}

// readTables reads the tables.
func (s *schema) readTables(in string) reading {
	return reads("SELECT table_schema AS d, table_name AS t, table_type AS k, engine AS e, table_collation AS c,"+
		" data_length AS bytes, avg_row_length AS r, table_comment AS comment FROM information_schema.tables"+
		" WHERE table_type IN ("+facts.TableTypes+") AND table_schema"+in+" ORDER BY table_schema, table_name",
		func(rows []server.Record) error {
			for _, r := range rows {
				t := &tableShape{
					database: r["d"], name: r["t"], engine: r["e"], collation: utf8mb3(r["c"]),
					versioned: r["k"] == "SYSTEM VERSIONED", bytes: r.Number("bytes"), rowBytes: r.Number("r"),
					comment: r["comment"],
				}
				if _, opens := r["e"]; !opens {
					t.broken, t.comment = r["comment"], ""
				}
				if other := s.byName[t.String()]; other != nil {
					return finding.New(s.server.Role, "same-name", "compare them apart, by --databases",
						"%s and %s are written alike", other.quoted(), t.quoted())
				}
				s.tables = append(s.tables, t)
				s.byName[t.String()] = t
			}
			return nil
		})
}

// readColumns reads the columns of the tables: all that is known of them, as older servers
// lack some.
func (s *schema) readColumns(in string) reading {
	return reads("SELECT * FROM information_schema.columns WHERE table_schema"+in+
		" ORDER BY table_schema, table_name, ordinal_position", func(rows []server.Record) error {
		for _, r := range rows {
			if t := s.table(r["table_schema"] + "." + r["table_name"]); t != nil {
				t.columns = append(t.columns, newColumn(r))
			}
		}
		return nil
	})
}

// newColumn reads a row of information_schema.columns.
func newColumn(r server.Record) column {
	fallback, ok := r["column_default"]
	if !ok {
		fallback = "NULL"
	}
	return column{
		name:          r["column_name"],
		kind:          strings.ToLower(r["data_type"]),
		columnType:    plainType(r["column_type"]),
		charset:       utf8mb3(r["character_set_name"]),
		serverCharset: r["character_set_name"],
		collation:     utf8mb3(r["collation_name"]),
		octets:        r.Number("character_octet_length"), // 0 but for strings
		nullable:      r["is_nullable"] == "YES",
		generated:     r["generation_expression"],
		fallback:      fallback,
		extra:         strings.ToLower(r["extra"]),
		comment:       r["column_comment"],
	}
}

// The display width of an integer, which MySQL 8 has dropped and which changes
// nothing but with zerofill; and what comes in a comment.
var (
	displayWidth = regexp.MustCompile(`^(tinyint|smallint|mediumint|int|bigint|year)\(\d+\)( unsigned)?$`)
	typeComment  = regexp.MustCompile(` ?/\*.*\*/`)
)

// plainType is a column's type without what the servers write in different
// ways.
func plainType(columnType string) string {
	plain := typeComment.ReplaceAllString(columnType, "")
	plain = displayWidth.ReplaceAllString(plain, "$1$2")
	if plain == "geomcollection" {
		return "geometrycollection"
	}
	return plain
}

// utf8mb3 gives the new name of the character set utf8 and its collations.
func utf8mb3(name string) string {
	if rest, ok := strings.CutPrefix(name, "utf8"); ok && (rest == "" || rest[0] == '_') {
		return "utf8mb3" + rest
	}
	return name
}

// readKeys reads the indexes and finds which tell rows apart in ranges.
func (s *schema) readKeys(in string) reading {
	return reads("SELECT * FROM information_schema.statistics WHERE table_schema"+in+
		" ORDER BY table_schema, table_name, index_name, seq_in_index", func(rows []server.Record) error {
		for _, r := range rows {
			if t := s.table(r["table_schema"] + "." + r["table_name"]); t != nil {
				t.addKeyPart(r)
			}
		}
		return nil
	})
}

// addKeyPart adds the next part of an index: a row of
// information_schema.statistics.
func (t *tableShape) addKeyPart(r server.Record) {
	if len(t.keys) == 0 || t.keys[len(t.keys)-1].name != r["index_name"] {
		sort := r["index_type"]
		if r["non_unique"] == "0" {
			sort = "UNIQUE " + sort
		}
		t.keys = append(t.keys, key{
			name:   r["index_name"],
			sort:   sort,
			unique: r["non_unique"] == "0",
			ended:  r["index_type"] != "BTREE" || r["is_visible"] == "NO" || r["ignored"] == "YES",
		})
	}
	k := &t.keys[len(t.keys)-1]
	part := r["column_name"] + r["expression"]
	if r["sub_part"] != "" {
		part += "(" + r["sub_part"] + ")"
	}
	k.parts = strings.TrimPrefix(k.parts+", "+part, ", ")
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == r["column_name"] })
	if k.ended || i < 0 || r["sub_part"] != "" || r["collation"] == "D" || !t.columns[i].ranged() {
		k.ended, k.unique = true, false
		return
	}
	k.columns = append(k.columns, t.columns[i])
}

// readPartitions reads how rows are divided.
func (s *schema) readPartitions(in string) reading {
	return reads("SELECT table_schema AS d, table_name AS t, partition_name AS p, CONCAT_WS(' ', partition_method,"+
		" partition_expression, subpartition_method, subpartition_expression) AS how, CONCAT_WS(' ', partition_name,"+
		" subpartition_name, partition_description) AS part FROM information_schema.partitions"+
		" WHERE partition_name IS NOT NULL AND table_schema"+in+
		" ORDER BY table_schema, table_name, partition_ordinal_position, subpartition_ordinal_position",
		func(rows []server.Record) error {
			for _, r := range rows {
				if t := s.table(r["d"] + "." + r["t"]); t != nil {
					if t.partitions == "" {
						t.partitions = r["how"] + ":"
					}
					t.partitions += " " + r["part"] + ","
				}
			}
			return nil
		})
}

// ranged reports whether ranges of the column's values mean the same in an index
// and in a condition.
func (c column) ranged() bool {
	if c.nullable {
		return false
	}
	switch c.kind {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal",
		"date", "time", "datetime", "timestamp", "year",
		"char", "varchar", "binary", "varbinary", "uuid", "inet4", "inet6":
		return true
	}
	return false // floats are not what their text says, ENUM and SET sort by number
}
