package simulation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gtunnel/gtunnel/replication/server"
)

// replicationUser is the account by which a slave logs in.
const replicationUser = "db_rep"

// value is a global variable, of which some are computed.
func (e *engine) value(name string) (string, bool) {
	switch name {
	case "gtid_executed":
		return formatSet(e.executed()), e.family == server.MySQL
	case "gtid_purged":
		return formatSet(e.purged), e.family == server.MySQL
	case "server_uuid":
		return uuid(e.number), e.family == server.MySQL
	case "gtid_binlog_pos":
		return e.lastLogged().format(), e.family == server.MariaDB
	case "gtid_binlog_state":
		return e.binlogState(), e.family == server.MariaDB
	case "gtid_slave_pos":
		return e.slavePos.format(), e.family == server.MariaDB
	case "gtid_current_pos":
		return e.currentPos().format(), e.family == server.MariaDB
	case "relay_log_basename":
		return "/var/lib/mysql/relay", true
	}
	v, ok := e.variables[name]
	return v, ok
}

// computed are the names of the variables that value computes.
var computed = []string{
	"gtid_executed", "gtid_purged", "server_uuid", "gtid_binlog_pos", "gtid_binlog_state", "gtid_slave_pos",
	"gtid_current_pos",
}

// binlogState is MariaDB's gtid_binlog_state: the last transaction of each server, the very last at the end.
func (e *engine) binlogState() string {
	last := map[int]gtid{}
	for _, l := range e.log {
		last[l.id.server] = l.id
	}
	at := e.lastLogged()
	var texts []string
	for _, of := range slices.Sorted(maps.Keys(last)) {
		if of != at.server {
			texts = append(texts, last[of].format())
		}
	}
	if at.number != 0 {
		texts = append(texts, at.format())
	}
	return strings.Join(texts, ",")
}

// showVariables is SHOW GLOBAL VARIABLES.
func (e *engine) showVariables(_ *session, m []string) (*table, error) {
	t := &table{columns: []string{"Variable_name", "Value"}}
	all := listOf(m[1])
	slices.Sort(all)
	if m[1] == "" {
		all = append(slices.Sorted(maps.Keys(e.variables)), computed...)
	}
	for _, name := range all {
		v, known := e.value(name)
		if !known || m[2] != "" && !like(name, m[2]) {
			continue
		}
		t.rows = append(t.rows, []any{name, v})
	}
	return t, nil
}

// patterns are those of like, compiled.
var patterns sync.Map

// like matches a pattern of SQL's without regard to case.
func like(text, pattern string) bool {
	compiled, ok := patterns.Load(pattern)
	if !ok {
		quoted := regexp.QuoteMeta(pattern)
		quoted = strings.NewReplacer("%", ".*", `\\_`, "_", "_", ".").Replace(quoted)
		compiled, _ = patterns.LoadOrStore(pattern, regexp.MustCompile("(?i)^"+quoted+"$"))
	}
	return compiled.(*regexp.Regexp).MatchString(text)
}

// onOff is how a server writes a boolean.
func onOff(text string) string {
	if upper := strings.ToUpper(text); upper == "1" || upper == "ON" || upper == "TRUE" {
		return "ON"
	}
	return "OFF"
}

// setGlobal sets a global variable.
func (e *engine) setGlobal(s *session, m []string) (*table, error) {
	name, value := strings.ToLower(m[1]), unquote(m[2])
	if strings.HasPrefix(value, "@@") {
		v, err := e.evaluate(s, value)
		if err != nil {
			return nil, err
		}
		value = fmt.Sprint(v)
	}
	switch name {
	case "read_only":
		e.variables[name] = onOff(value)
		if e.family == server.MySQL && onOff(value) == "OFF" {
			e.variables["super_read_only"] = "OFF"
		}
	case "super_read_only":
		if e.family != server.MySQL {
			return nil, e.unknown(name)
		}
		e.variables[name] = onOff(value)
		if onOff(value) == "ON" {
			e.variables["read_only"] = "ON"
		}
	case "gtid_slave_pos":
		return nil, e.setSlavePos(value)
	case "server_id":
		e.variables[name], e.idSet = value, true
		s.serverID = e.serverID()
	case "gtid_purged":
		e.purged = append(e.purged, subtract(parseSet(value), e.executed())...)
	case "replicate_wild_do_table", "replicate_ignore_table":
		if e.io.running || e.sql.running {
			return nil, failure(1198, "This operation cannot be performed as you have a running slave")
		}
	default:
		if _, known := e.variables[name]; !known && !strings.HasPrefix(name, "rpl_semi_sync_") {
			return nil, e.unknown(name)
		}
		e.variables[name] = value
		if upper := strings.ToUpper(value); upper == "ON" || upper == "OFF" {
			e.variables[name] = upper
		}
	}
	return nil, nil //nolint:nilnil // no rows
}

// setSlavePos is SET GLOBAL gtid_slave_pos. MariaDB refuses less than its own binary log has
// in strict mode, and warns otherwise.
func (e *engine) setSlavePos(value string) error {
	if e.io.running || e.sql.running {
		return failure(1198, "This operation cannot be performed as you have a running slave ''; run STOP SLAVE '' first")
	}
	e.slavePos = parseGTID(value)
	return nil
}

// setPersist is SET PERSIST: it is set now and at each start.
func (e *engine) setPersist(s *session, m []string) (*table, error) {
	if _, err := e.setGlobal(s, m); err != nil {
		return nil, err
	}
	e.persisted[strings.ToLower(m[1])] = e.variables[strings.ToLower(m[1])]
	return nil, nil //nolint:nilnil // no rows
}

func (e *engine) resetPersist(_ *session, m []string) (*table, error) {
	delete(e.persisted, strings.ToLower(m[1]))
	return nil, nil //nolint:nilnil // no rows
}

// expressions is a SELECT without tables. It reports whether it knows all of it.
func (e *engine) expressions(s *session, query string) (_ *table, known bool, err error) {
	query = selectOnly.ReplaceAllString(query, "SELECT ")
	if !strings.HasPrefix(strings.ToUpper(query), "SELECT ") {
		return nil, false, nil
	}
	t := &table{rows: [][]any{nil}}
	for _, part := range split(query[len("SELECT "):]) {
		expression, name := part, part
		if m := aliased.FindStringSubmatch(part); m != nil {
			expression, name = m[1], m[2]
		}
		v, err := e.evaluate(s, strings.TrimSpace(expression))
		if err == errWait { //nolint:errorlint // it is nobody's but ours
			return nil, true, err
		}
		if err != nil {
			return nil, false, nil //nolint:nilerr // it is told by the caller
		}
		t.columns, t.rows[0] = append(t.columns, strings.Trim(name, "`")), append(t.rows[0], v)
	}
	return t, true, nil
}

var (
	selectOnly = regexp.MustCompile(`(?is)^(?:SET STATEMENT max_statement_time=[0-9.]+ FOR SELECT|` +
		`SELECT /\*\+[^*]*\*/)\s+`)
	aliased = regexp.MustCompile("(?is)^(.*\\S)\\s+AS\\s+(`?[a-z_0-9]+`?)$")
	called  = regexp.MustCompile(`(?is)^([a-z_]+)\((.*)\)$`)
	global  = regexp.MustCompile(`(?is)^@@(?:GLOBAL\.)?([a-z_]+)$`)
)

// split splits a list at its commas, but for those in parentheses and quotes.
func split(text string) []string {
	var parts []string
	depth, begin, quote := 0, 0, byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(text[begin:i]))
			begin = i + 1
		}
	}
	return append(parts, strings.TrimSpace(text[begin:]))
}

// evaluate is the value of an expression; nil is NULL.
func (e *engine) evaluate(s *session, text string) (any, error) {
	if m := global.FindStringSubmatch(text); m != nil {
		name := strings.ToLower(m[1])
		if name == "version_comment" {
			return e.version()[1], nil
		}
		v, known := e.value(name)
		if !known {
			return nil, failure(1193, "Unknown system variable '%s'", name)
		}
		if v == "ON" || v == "OFF" { // as SELECT gives booleans
			v = map[string]string{"ON": "1", "OFF": "0"}[v]
		}
		return v, nil
	}
	if m := called.FindStringSubmatch(text); m != nil {
		var args []any
		if strings.TrimSpace(m[2]) != "" {
			for _, part := range split(m[2]) {
				arg, err := e.evaluate(s, part)
				if err != nil {
					return nil, err
				}
				args = append(args, arg)
			}
		}
		return e.call(s, strings.ToUpper(m[1]), args)
	}
	if text != "" && (text[0] == '\'' || text[0] == '"') && !strings.Contains(text[1:len(text)-1], string(text[0])) {
		return unquote(text), nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text, nil
	}
	return nil, failure(1064, "You have an error near '%s'", text)
}

// version is what VERSION() and @@version_comment say.
func (e *engine) version() [2]string {
	if e.family == server.MariaDB {
		return [2]string{"10.11.14-MariaDB-0+deb12u2-log", "Debian 12"}
	}
	return [2]string{"9.7.0", "MySQL Community Server - GPL"}
}
