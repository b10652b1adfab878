package simulation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gtunnel/gtunnel/replication/server"
)

// execute runs a statement of a session. What the model does not know is a violation: nothing
// is taken for granted.
func (e *engine) execute(s *session, query string) (*table, error) {
	text := strings.TrimSuffix(strings.TrimSpace(query), ";")
	if k, m := e.find(text); m != nil {
		return k.run(e, s, m)
	}
	if rows, known, err := e.expressions(s, text); known {
		return rows, err
	}
	e.w.violate("the model of %s does not know: %s", e.family, e.w.names.canonical(query))
	return nil, failure(1064, "You have an error in your SQL syntax near '%s'", text)
}

// find finds what a statement is. Of questions, which are asked again and again, that is
// remembered.
func (e *engine) find(text string) (known, []string) {
	type match struct {
		known
		parts []string
	}
	key := string(e.family) + text
	if was, ok := matches.Load(key); ok {
		return was.(match).known, was.(match).parts
	}
	var found match
	for _, k := range statements {
		if k.family != "" && k.family != e.family {
			continue
		}
		if m := k.pattern.FindStringSubmatch(text); m != nil {
			found = match{k, m}
			break
		}
	}
	if !changes(text) && !strings.Contains(text, "LOCK(") {
		matches.Store(key, found)
	}
	return found.known, found.parts
}

// matches are those of find.
var matches sync.Map

// known is a statement that the model knows.
type known struct {
	family  server.Family // empty: both
	pattern *regexp.Regexp
	run     func(e *engine, s *session, m []string) (*table, error)
}

// statements are all of them but SELECTs without tables: see expressions.
var statements []known

// know adds a statement.
func know(family server.Family, pattern string, run func(e *engine, s *session, m []string) (*table, error)) known {
	return known{family, regexp.MustCompile(`(?is)^` + pattern + `$`), run}
}

// channel ends MySQL's statements.
const channel = `( FOR CHANNEL '')?`

func init() { //nolint:gochecknoinits // the table and what it calls would refer to each other
	statements = append(statements,
		know("", `SHOW GLOBAL VARIABLES(?: WHERE variable_name IN \((.*)\)| LIKE '(.*)')?`, (*engine).showVariables),
		know("", `SET GLOBAL ([a-z_.]+) ?= ?(.*)`, (*engine).setGlobal),
		know(server.MySQL, `SET PERSIST ([a-z_.]+) ?= ?(.*)`, (*engine).setPersist),
		know(server.MySQL, `RESET PERSIST (?:IF EXISTS )?([a-z_.]+)`, (*engine).resetPersist),
		know("", `SET (?:SESSION )?([a-z_]+) ?= ?(.*)`, (*engine).setSession),
		know("", `FLUSH TABLES WITH READ LOCK`, (*engine).readLock),
		know("", `UNLOCK TABLES`, (*engine).unlock),
		know(server.MySQL, `FLUSH NO_WRITE_TO_BINLOG RELAY LOGS`+channel, (*engine).flushRelayLog),
		know("", `KILL (?:CONNECTION )?(\d+)`, (*engine).killSession),
		know("", `SHOW FULL PROCESSLIST`, (*engine).showProcesses),
		know(server.MariaDB, `SHOW ALL SLAVES STATUS`, (*engine).showSlave),
		know(server.MySQL, `SHOW REPLICA STATUS`, (*engine).showSlave),
		know(server.MariaDB, `SHOW MASTER STATUS`, (*engine).showMaster),
		know(server.MySQL, `SHOW BINARY LOG STATUS`, (*engine).showMaster),
		know("", `SHOW BINARY LOGS`, (*engine).showLogs),
		know(server.MariaDB, `(START|STOP) SLAVE(?: (IO_THREAD|SQL_THREAD))?()`, (*engine).startOrStop),
		know(server.MySQL, `(START|STOP) REPLICA(?: (IO_THREAD|SQL_THREAD))?`+channel, (*engine).startOrStop),
		know(server.MariaDB, `RESET SLAVE ALL`, (*engine).resetSlave),
		know(server.MySQL, `RESET REPLICA ALL`+channel, (*engine).resetSlave),
		know(server.MariaDB, `CHANGE MASTER TO (.*)()`, (*engine).changeMaster),
		know(server.MySQL, `CHANGE REPLICATION SOURCE TO (.*?)`+channel, (*engine).changeMaster),
		know("", "SELECT record FROM `gtunnel`.`pair` WHERE id = 1", (*engine).readRecord),
		know("", "REPLACE INTO `gtunnel`.`pair` \\(id, record\\) VALUES \\(1, ('.*')\\)", (*engine).writeRecord),
		know(server.MySQL, `BEGIN`, (*engine).nothing),
		know(server.MySQL, `COMMIT`, (*engine).commitNamed),
		know(server.MySQL, `CHANGE REPLICATION FILTER (.*?)`+channel, (*engine).setFilter),
	)
}

// readRecord and writeRecord are of the row of the pair.
func (e *engine) readRecord(*session, []string) (*table, error) {
	if !e.hasRecord {
		return nil, failure(1146, "Table 'gtunnel.pair' doesn't exist")
	}
	if e.record == "" {
		return &table{columns: []string{"record"}}, nil
	}
	return one("record", e.record), nil
}

func (e *engine) writeRecord(s *session, m []string) (*table, error) {
	if err := e.mayWrite(s); err != nil {
		return nil, err
	}
	if !e.hasRecord {
		return nil, failure(1146, "Table 'gtunnel.pair' doesn't exist")
	}
	e.record = unquote(m[1])
	if s.logBin {
		e.commit(s, 0)
	}
	return nil, nil //nolint:nilnil // no rows
}

// commitNamed commits an empty transaction with the name that the session was told.
func (e *engine) commitNamed(s *session, _ []string) (*table, error) {
	if err := e.mayWrite(s); err != nil {
		return nil, err
	}
	if s.next.number != 0 && !slices.Contains(e.executed(), s.next) {
		e.store(change{id: s.next, by: s.serverID})
	}
	return nil, nil //nolint:nilnil // no rows
}

// setFilter is of MySQL's filter, which is not modelled.
func (e *engine) setFilter(*session, []string) (*table, error) {
	if e.sql.running {
		return nil, failure(3085, "This operation cannot be performed with a running replica sql thread")
	}
	return nil, nil //nolint:nilnil // no rows
}

// nothing is a statement of no effect on what is modelled.
func (e *engine) nothing(*session, []string) (*table, error) { return nil, nil } //nolint:nilnil // no rows

// login makes a session.
func (e *engine) login(user string, p *process) *session {
	e.lastID++
	s := &session{id: e.lastID, serverID: e.serverID(), user: user, process: p, logBin: true, patience: 86400}
	e.sessions[s.id] = s
	return s
}

// end ends a session, with all that it holds.
func (e *engine) end(s *session) {
	if s == nil || s.closed {
		return
	}
	s.closed = true
	if len(s.locks) > 0 || s.readLock || s.row != 0 {
		e.w.change()
	}
	s.locks, s.readLock, s.row = nil, false, 0
	delete(e.sessions, s.id)
}

// unescape takes backslashes out of a literal.
var unescape = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`)

// unquote is a literal's value.
func unquote(text string) string {
	text = strings.TrimSpace(text)
	if len(text) >= 2 && (text[0] == '\'' || text[0] == '"') && text[len(text)-1] == text[0] {
		text = strings.ReplaceAll(text[1:len(text)-1], "''", "'")
		return unescape.Replace(text)
	}
	return text
}

// listOf are the values of a list of literals without commas.
func listOf(text string) []string {
	var values []string
	for part := range strings.SplitSeq(text, ",") {
		values = append(values, strings.ToLower(unquote(part)))
	}
	return values
}

// one is a table of one row.
func one(pairs ...any) *table {
	t := &table{rows: [][]any{nil}}
	for i := 0; i < len(pairs); i += 2 {
		t.columns = append(t.columns, pairs[i].(string))
		t.rows[0] = append(t.rows[0], pairs[i+1])
	}
	return t
}

// flushRelayLog is FLUSH RELAY LOGS, which begins a new file: the old one is on the disk then,
// if sync_relay_log is 1.
func (e *engine) flushRelayLog(*session, []string) (*table, error) {
	e.torn = e.torn && e.variables["sync_relay_log"] != "1"
	return nil, nil //nolint:nilnil // no rows
}

// readLock is FLUSH TABLES WITH READ LOCK.
func (e *engine) readLock(s *session, _ []string) (*table, error) {
	s.readLock = true
	return nil, nil //nolint:nilnil // no rows
}

func (e *engine) unlock(s *session, _ []string) (*table, error) {
	s.readLock = false
	return nil, nil //nolint:nilnil // no rows
}

// killSession ends the session of another.
func (e *engine) killSession(_ *session, m []string) (*table, error) {
	id, _ := strconv.Atoi(m[1])
	s, ok := e.sessions[id]
	if !ok {
		return nil, failure(1094, "Unknown thread id: %d", id)
	}
	e.end(s)
	return nil, nil //nolint:nilnil // no rows
}

// setSession sets what only the session has.
func (e *engine) setSession(s *session, m []string) (*table, error) {
	value := unquote(m[2])
	switch strings.ToLower(m[1]) {
	case "sql_log_bin":
		s.logBin = value == "1" || strings.EqualFold(value, "ON")
	case "lock_wait_timeout":
		s.patience, _ = strconv.Atoi(value)
	case "long_query_time", "sql_log_off", "information_schema_stats_expiry", "max_statement_time", "sql_mode",
		"innodb_lock_wait_timeout", "time_zone":
	case "gtid_next":
		s.next = gtid{}
		if named := parseSet(value); len(named) == 1 {
			s.next = named[0]
		}
	default:
		return nil, e.unknown("SET SESSION " + m[1])
	}
	return nil, nil //nolint:nilnil // no rows
}

// unknown is of what the model does not know.
func (e *engine) unknown(what string) error {
	e.w.violate("the model of %s does not know: %s", e.family, what)
	return failure(1193, "Unknown system variable '%s'", what)
}

// showProcesses is SHOW FULL PROCESSLIST.
func (e *engine) showProcesses(*session, []string) (*table, error) {
	t := &table{columns: []string{"Id", "User", "Host", "db", "Command", "Time", "State", "Info"}}
	for id := range e.lastID + 1 {
		if s, ok := e.sessions[id]; ok {
			t.rows = append(t.rows, []any{id, s.user, fmt.Sprintf("127.0.0.1:%d", 40000+id), nil, "Sleep", 0, "", nil})
		}
	}
	peer := e.w.other(e.host).engine
	if peer.up && peer.io.running && e.w.reaches(e.host) {
		t.rows = append(t.rows, []any{
			99999, replicationUser, "127.0.0.1:39999", nil, "Binlog Dump", 60,
			"Master has sent all binlog to slave; waiting for more updates", nil,
		})
	}
	return t, nil
}
