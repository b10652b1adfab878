package failover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// Errant is what a server's own binary log has and the master does not: transactions
// that came too late to reach the slave which was promoted. They are judged by what is in
// them, and not by how many there are.
type Errant struct {
	Transactions int
	GTIDs        []string // in the log's order
	First, Last  time.Time
	Tables       []ErrantTable // in order of their names
	Touched      []string      // those of the pair's databases that have something of it, or may have
	Unclear      []string      // events that are not understood: they count as of the pair
}

// ErrantTable is what there is of a table, or of statements.
type ErrantTable struct {
	Name       string // "database.table"; of a statement that names none: its default database, or empty
	Rows       int    // inserted, changed and deleted
	Statements int
}

// OfPair reports whether anything in it is of the pair's databases, or may be.
func (e *Errant) OfPair() bool { return e != nil && len(e.Touched)+len(e.Unclear) > 0 }

// String is what it is, in a sentence's part.
func (e *Errant) String() string {
	var tables []string
	for _, t := range e.Tables {
		var of []string
		if t.Rows > 0 {
			of = append(of, finding.Count(t.Rows, "row"))
		}
		if t.Statements > 0 {
			of = append(of, finding.Count(t.Statements, "statement"))
		}
		name := t.Name
		if name == "" {
			name = "no database"
		}
		tables = append(tables, fmt.Sprintf("%s: %s", name, strings.Join(of, " and ")))
	}
	text := finding.Count(e.Transactions, "transaction")
	if !e.First.IsZero() {
		text += fmt.Sprintf(" from %s to %s", e.First.Format(time.DateTime), e.Last.Format(time.DateTime+" UTC"))
	}
	if len(tables) == 0 {
		return text + ", with no changes of data in it"
	}
	return text + " (" + finding.Items(tables).String() + ")"
}

// logReader reads what mariadb-binlog and mysqlbinlog write, with --verbose: from it it
// learns what was changed, and writes what is wanted of it as SQL that any server can
// take as changes of its own.
type logReader struct {
	wanted func(gtid string) bool // nil: every transaction is
	pair   []string               // the databases of the pair
	to     io.Writer              // nil: nowhere

	errant    Errant
	tables    map[string]*ErrantTable
	touched   map[string]bool
	kept      bool     // the lines of this transaction are wanted
	database  string   // the default database
	statement []string // the lines of one that has begun
	reads     bool     // statements are expected: the event is one
	at        time.Time
}

// readLog reads all that r gives.
func readLog(r io.Reader, wanted func(gtid string) bool, pair []string, to io.Writer) (*Errant, error) {
	l := &logReader{
		wanted: wanted, pair: pair, to: to, tables: map[string]*ErrantTable{}, touched: map[string]bool{}, kept: true,
	}
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			if e := l.line(strings.TrimSuffix(line, "\n")); e != nil {
				return nil, e
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.tables)) {
		l.errant.Tables = append(l.errant.Tables, *l.tables[name])
	}
	l.errant.Touched = slices.Sorted(maps.Keys(l.touched))
	return &l.errant, nil
}

const endOfStatement = "/*!*/;"

var (
	logHeader = regexp.MustCompile(
		`^#(\d{6}) +(\d{1,2}:\d\d:\d\d) server id (\d+) +end_log_pos \d+(?: CRC32 0x[0-9a-f]+)?\s+(.*)$`)
	logRows   = regexp.MustCompile("^### (?:INSERT INTO|UPDATE|DELETE FROM) `(.*)`\\.`(.*)`$")
	logTable  = regexp.MustCompile("^Table_map: `(.*)`\\.`(.*)` mapped to number")
	logGTID   = regexp.MustCompile(`^GTID (\d+-\d+-\d+)`)
	logNext   = regexp.MustCompile(`^SET @@SESSION\.GTID_NEXT= *'([0-9a-fA-F-]{36}(?::[^']*)?:\d+)'`)
	logUse    = regexp.MustCompile("^use `(.*)`" + regexp.QuoteMeta(endOfStatement) + "$")
	logOwnIDs = regexp.MustCompile(`^/\*M?!\d+ SET @@session\.(?:server_id|gtid_domain_id|gtid_seq_no)=`)
)

// line takes one line.
func (l *logReader) line(line string) error {
	if len(l.statement) > 0 {
		return l.inStatement(line)
	}
	if header := logHeader.FindStringSubmatch(line); header != nil {
		at, err := time.Parse("060102 15:04:05", header[1]+" "+header[2])
		if err != nil {
			return fmt.Errorf("a time of the binary log: %w", err)
		}
		l.at = at
		l.event(header[4])
		return l.write(line)
	}
	switch {
	case line == "DELIMITER ;":
		l.kept = true // what follows is of no transaction
	case logNext.MatchString(line):
		l.errant.GTIDs = append(l.errant.GTIDs, logNext.FindStringSubmatch(line)[1])
		return l.write("# its GTID was "+logNext.FindStringSubmatch(line)[1],
			"SET @@SESSION.GTID_NEXT= 'AUTOMATIC'"+endOfStatement)
	case strings.HasPrefix(line, "# at "), logOwnIDs.MatchString(line):
		return nil
	case logRows.MatchString(line):
		l.row(logRows.FindStringSubmatch(line))
	case l.reads && line != "" && !strings.HasPrefix(line, "#") && !strings.HasSuffix(line, endOfStatement):
		return l.inStatement(line)
	case logUse.MatchString(line):
		l.database = strings.ReplaceAll(logUse.FindStringSubmatch(line)[1], "``", "`")
		return l.always(line)
	case strings.HasSuffix(line, endOfStatement) && l.isOfSession(line):
		return l.always(line)
	}
	return l.write(line)
}

// isOfSession reports whether a line sets what later events rely on as well.
func (l *logReader) isOfSession(line string) bool {
	return strings.HasPrefix(line, "SET @@session.") || strings.HasPrefix(line, `/*!\C`)
}

// inStatement takes a line of a statement.
func (l *logReader) inStatement(line string) error {
	if line != endOfStatement {
		l.statement = append(l.statement, line)
		return nil
	}
	lines := append(l.statement, line)
	if l.kept {
		l.judge(strings.Join(l.statement, "\n"))
	}
	l.statement = nil
	return l.write(lines...)
}

// write writes lines of what is wanted.
func (l *logReader) write(lines ...string) error {
	if !l.kept {
		return nil
	}
	return l.always(lines...)
}

func (l *logReader) always(lines ...string) error {
	if l.to == nil {
		return nil
	}
	_, err := io.WriteString(l.to, strings.Join(lines, "\n")+"\n")
	return err
}

// knownEvents are the events whose content is nothing, or is told by other lines.
var knownEvents = []string{
	"Anonymous_", "Annotate_rows", "Append_block", "Begin_load_query", "Binlog checkpoint", "Delete_", "Gtid list",
	"Heartbeat", "Ignorable", "Intvar", "Previous-GTIDs", "Rand", "Rotate", "Rows_query", "Start", "Stop",
	"Transaction_Payload", "Transaction_payload", "Update_", "User_var", "View_Change", "Write_", "XA", "Xid",
}

// event takes the kind of an event, with what follows it in its line.
func (l *logReader) event(kind string) {
	l.reads = false
	isKnown := func(begin string) bool { return strings.HasPrefix(kind, begin) }
	switch gtid, table := logGTID.FindStringSubmatch(kind), logTable.FindStringSubmatch(kind); {
	case gtid != nil:
		if l.kept = l.wanted == nil || l.wanted(gtid[1]); l.kept {
			l.errant.GTIDs = append(l.errant.GTIDs, gtid[1])
		}
		l.begin()
		l.reads = true // MariaDB's begin of a transaction
	case strings.HasPrefix(kind, "GTID"), strings.HasPrefix(kind, "Anonymous_G"):
		l.kept = true // MySQL's are chosen by the program
		l.begin()
	case strings.HasPrefix(kind, "Start: binlog"):
		l.kept = true
	case strings.HasPrefix(kind, "Query"), strings.HasPrefix(kind, "Execute_load_query"):
		l.reads = true
	case !l.kept:
	case table != nil:
		l.touch(table[1])
	case !slices.ContainsFunc(knownEvents, isKnown):
		name, _, _ := strings.Cut(kind, "\t")
		if !slices.Contains(l.errant.Unclear, name) {
			l.errant.Unclear = append(l.errant.Unclear, name)
		}
	}
}

// begin begins a transaction.
func (l *logReader) begin() {
	if !l.kept {
		return
	}
	l.errant.Transactions++
	if l.errant.First.IsZero() {
		l.errant.First = l.at
	}
	l.errant.Last = l.at
}

// row counts a changed row.
func (l *logReader) row(table []string) {
	if l.kept {
		l.table(table[1]+"."+table[2]).Rows++
	}
}

func (l *logReader) table(name string) *ErrantTable {
	if l.tables[name] == nil {
		l.tables[name] = &ErrantTable{Name: name}
	}
	return l.tables[name]
}

// touch notes that something is of a database, if it is one of the pair.
func (l *logReader) touch(database string) {
	for _, name := range l.pair {
		if strings.EqualFold(name, database) { // on some servers they are one
			l.touched[name] = true
		}
	}
}
