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
	objects map[string]map[string]string // kind -> "database.name" -> definition; without kinds that cannot be seen

	defaults    map[string]string // database -> default collation
	constrained bool              // the login sees the foreign keys and CHECKs
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
}

// key is an index. Its columns are those from the first on by which rows can
// be told apart in ranges.
type key struct {
	name    string
	columns []column
	parts   string // all its columns, in words
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
func (s *schema) table(name string) *tableShape {
	i := slices.IndexFunc(s.tables, func(t *tableShape) bool { return t.String() == name })
	if i < 0 {
		return nil
	}
	return s.tables[i]
}

// locked gives the quoted names of the tables without transactions, of all or
// of those in the list.
func (s *schema) locked(only []string) []string {
	var names []string
	for _, t := range s.tables {
		if !t.transactional() && (len(only) == 0 || slices.Contains(only, t.String())) {
			names = append(names, t.quoted())
		}
	}
	return names
}

// readSchema reads what the databases hold.
func readSchema(ctx context.Context, end *server.Server, databases []string) (*schema, error) {
	session, err := openSession(ctx, end)
	if err != nil {
		return nil, err
	}
	defer session.close(ctx)
	if err := end.FreshSizes(ctx, session.conn); err != nil {
		return nil, err
	}
	s := &schema{server: end, objects: map[string]map[string]string{}}
	in := " IN (" + server.QuoteExactly(databases) + ")"
	if err := s.readTables(ctx, session, in); err != nil {
		return nil, err
	}
	if err := s.readKeys(ctx, session, in); err != nil {
		return nil, err
	}
	if err := s.readDefaults(ctx, session, databases); err != nil {
		return nil, err
	}
	if err := s.readConstraints(ctx, session, databases); err != nil {
		return nil, err
	}
	return s, s.readObjects(ctx, session, databases)
}

// readTables reads the tables with their columns.
func (s *schema) readTables(ctx context.Context, session *session, in string) error {
	tables, err := session.query(ctx,
		"SELECT table_schema AS d, table_name AS t, table_type AS k, engine AS e, table_collation AS c,"+
			" data_length AS bytes, avg_row_length AS r FROM information_schema.tables"+
			" WHERE table_type IN ("+facts.TableTypes+") AND table_schema"+in+" ORDER BY table_schema, table_name")
	if err != nil {
		return err
	}
	byName := make(map[string]*tableShape, len(tables))
	for _, r := range tables {
		t := &tableShape{
			database: r["d"], name: r["t"], engine: r["e"], collation: utf8mb3(r["c"]),
			versioned: r["k"] == "SYSTEM VERSIONED", bytes: r.Number("bytes"), rowBytes: r.Number("r"),
		}
		if other := byName[t.String()]; other != nil {
			return finding.New(s.server.Role, "same-name", "compare them apart, by --databases",
				"%s and %s are written alike", other.quoted(), t.quoted())
		}
		s.tables = append(s.tables, t)
		byName[t.String()] = t
	}
	// All columns: older servers lack some.
	columns, err := session.query(ctx,
		"SELECT * FROM information_schema.columns WHERE table_schema"+in+
			" ORDER BY table_schema, table_name, ordinal_position")
	if err != nil {
		return err
	}
	for _, r := range columns {
		if t := byName[r["table_schema"]+"."+r["table_name"]]; t != nil {
			t.columns = append(t.columns, newColumn(r))
		}
	}
	return nil
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
func (s *schema) readKeys(ctx context.Context, session *session, in string) error {
	rows, err := session.query(ctx, "SELECT * FROM information_schema.statistics WHERE table_schema"+in+
		" ORDER BY table_schema, table_name, index_name, seq_in_index")
	if err != nil {
		return err
	}
	var t *tableShape
	for _, r := range rows {
		if t == nil || t.database != r["table_schema"] || t.name != r["table_name"] {
			if t = s.table(r["table_schema"] + "." + r["table_name"]); t == nil {
				continue
			}
		}
		t.addKeyPart(r)
	}
	return nil
}

// addKeyPart adds the next part of an index: a row of
// information_schema.statistics.
func (t *tableShape) addKeyPart(r server.Record) {
	if len(t.keys) == 0 || t.keys[len(t.keys)-1].name != r["index_name"] {
		t.keys = append(t.keys, key{
			name:   r["index_name"],
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

// sequenceKind is the kind of MariaDB's sequences, routineKind that of procedures
// and functions.
const (
	sequenceKind = "sequence"
	routineKind  = "routine"
)

// noTable is the server's error of a table that is not there.
const noTable = 1146

// objectKinds are what a database holds besides its tables. The privileges are
// those without which a login does not see all of a kind.
var objectKinds = []struct {
	kind       string
	privileges []string
	query      string // gives d, n and the definition b, for a list of databases to follow
}{
	{
		kind: "view", privileges: []string{"SELECT"},
		query: "SELECT table_schema AS d, table_name AS n," +
			" IF(view_definition = '', '', CONCAT_WS(' ', security_type, check_option, view_definition)) AS b" +
			" FROM information_schema.views WHERE table_schema",
	},
	{
		kind: sequenceKind, privileges: []string{"SELECT"},
		query: "SELECT table_schema AS d, table_name AS n FROM information_schema.tables" + // see readSequence
			" WHERE table_type = 'SEQUENCE' AND table_schema",
	},
	{
		kind: "trigger", privileges: []string{"TRIGGER"},
		query: "SELECT trigger_schema AS d, trigger_name AS n," +
			" CONCAT_WS(' ', action_timing, event_manipulation, event_object_table, action_statement) AS b" +
			" FROM information_schema.triggers WHERE trigger_schema",
	},
	{
		kind:       routineKind,
		privileges: []string{"EXECUTE", "ALTER ROUTINE", "SHOW_ROUTINE", "SHOW CREATE ROUTINE", "SELECT ON proc"},
		query: "SELECT routine_schema AS d, routine_name AS n, IF(routine_definition IS NULL, '', CONCAT_WS(' '," +
			" routine_type, security_type, sql_data_access, is_deterministic, routine_definition)) AS b" +
			" FROM information_schema.routines WHERE routine_schema",
	},
	{
		kind: "event", privileges: []string{"EVENT"},
		query: "SELECT event_schema AS d, event_name AS n, event_definition AS b" +
			" FROM information_schema.events WHERE event_schema",
	},
}

// readObjects reads what there is besides tables, as far as the login sees it.
func (s *schema) readObjects(ctx context.Context, session *session, databases []string) error {
	granted, err := readGranted(ctx, session)
	if err != nil {
		return err
	}
	for _, kind := range objectKinds {
		if !granted.all(databases, kind.privileges) {
			continue
		}
		rows, err := session.query(ctx, kind.query+" IN ("+server.QuoteExactly(databases)+")")
		if err != nil {
			return err
		}
		s.objects[kind.kind] = make(map[string]string, len(rows))
		for _, r := range rows {
			if kind.kind == sequenceKind {
				if r["b"], err = readSequence(ctx, session, server.QuoteTable(r["d"], r["n"])); err != nil {
					return err
				}
			}
			s.objects[kind.kind][r["d"]+"."+r["n"]] = strings.Join(strings.Fields(r["b"]), " ")
		}
		if kind.kind == routineKind {
			if err := addParameters(ctx, session, s.objects[kind.kind], databases); err != nil {
				return err
			}
		}
	}
	return nil
}

// readSequence gives the definition of a sequence of MariaDB's; empty if it was
// dropped meanwhile.
func readSequence(ctx context.Context, session *session, name string) (string, error) {
	rows, err := session.query(ctx, "SHOW CREATE SEQUENCE "+name)
	if server.ErrorNumber(err) == noTable || err == nil && len(rows) == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return rows[0]["create table"], nil
}

// granted are the privileges of a login: "*" for all databases. "SELECT ON proc"
// is one on mysql.proc, which has the routines of all.
type granted map[string]map[string]bool

// readGranted reads what the login may do.
func readGranted(ctx context.Context, session *session) (granted, error) {
	rows, err := session.query(ctx,
		"SELECT '*' AS d, privilege_type AS p FROM information_schema.user_privileges WHERE "+server.OwnGrantee+
			" UNION ALL SELECT table_schema, privilege_type FROM information_schema.schema_privileges WHERE "+
			server.OwnGrantee+
			" UNION ALL SELECT '*', CONCAT(privilege_type, ' ON proc') FROM information_schema.table_privileges"+
			" WHERE table_schema = 'mysql' AND table_name = 'proc' AND "+server.OwnGrantee)
	g := granted{}
	for _, r := range rows {
		if g[r["d"]] == nil {
			g[r["d"]] = map[string]bool{}
		}
		g[r["d"]][r["p"]] = true
	}
	return g, err
}

// all reports whether one of the privileges is there on each of the databases.
func (g granted) all(databases, privileges []string) bool {
	has := func(where string) bool {
		return slices.ContainsFunc(privileges, func(p string) bool { return g[where][p] })
	}
	return has("*") ||
		!slices.ContainsFunc(databases, func(d string) bool { return !has(d) && !has(server.EscapePattern(d)) })
}
