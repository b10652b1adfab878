package corpus

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// Dump is what a server's databases hold by its own dump tool: the definition of
// each object with all settings under which it was made, and a table's rows in
// the order of their text. The keys are such as "table voms.usr".
type Dump map[string]string

// TakeDump dumps databases: definitions by names, and each row as one statement,
// whose bytes are those of the server.
func TakeDump(ctx context.Context, s *servertest.Server, databases []string) (Dump, error) {
	args := []string{
		"--default-character-set=" + toolName(s.Kind, "binary", "utf8mb4"), "--hex-blob", "--skip-extended-insert",
		"--complete-insert", "--skip-comments", "--routines", "--events", "--triggers", "--single-transaction",
		"--no-tablespaces", "--databases",
	}
	if s.Kind.IsMySQL() {
		args = append([]string{"--set-gtid-purged=OFF"}, args...)
	}
	text, err := clientTool(ctx, s, "", toolName(s.Kind, "mariadb-dump", "mysqldump"), append(args, databases...)...)
	if err != nil {
		return nil, err
	}
	r := &dumpReader{objects: map[string][]string{}, versioned: map[string]bool{}, settings: map[string]string{}}
	for statement := range statementsOf(text) {
		r.take(statement)
	}
	dump := Dump{}
	for object, statements := range r.objects {
		slices.Sort(statements)
		dump[object] = strings.Join(statements, "\n")
	}
	return dump, nil
}

// Differences are the objects that two dumps do not have alike, in order.
func Differences(master, slave Dump) []string {
	both := maps.Clone(master)
	maps.Copy(both, slave)
	for object := range both {
		if master[object] == slave[object] {
			delete(both, object)
		}
	}
	return slices.Sorted(maps.Keys(both))
}

// Unlike shows the lines of an object that two dumps do not have alike.
func Unlike(master, slave Dump, object string) string {
	var b strings.Builder
	both := [2][]string{strings.Split(master[object], "\n"), strings.Split(slave[object], "\n")}
	for i, where := range []string{"master", "slave"} {
		shown := 0
		for _, line := range both[i] {
			if !slices.Contains(both[1-i], line) && shown < 5 {
				shown++
				fmt.Fprintf(&b, "\n\ton the %s only: %.400s", where, line)
			}
		}
	}
	return b.String()
}

// statementsOf gives the statements of a dump one after the other.
func statementsOf(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		delimiter, statement := ";", ""
		for line := range strings.Lines(text) {
			if word, found := strings.CutPrefix(line, "DELIMITER "); found && statement == "" {
				delimiter = strings.TrimSpace(word)
				continue
			}
			statement += line
			if whole, ends := strings.CutSuffix(strings.TrimRight(statement, "\n"), delimiter); ends {
				if !yield(strings.TrimSpace(whole)) {
					return
				}
				statement = ""
			}
		}
	}
}

// dumpReader puts the statements of a dump to their objects.
type dumpReader struct {
	database  string
	settings  map[string]string // of the session, by name
	objects   map[string][]string
	versioned map[string]bool // tables whose last columns say since when a row is, which a copy has anew
}

const (
	backticks = "`(?:[^`]|``)+`"
	// A name as it stands in a dump: bare and with its database too, where the text
	// is what somebody has typed.
	name      = `(?:(?:` + backticks + `|\w+)\.)?(` + backticks + `|"(?:[^"]|"")+"|[^\s("` + "`" + `]+)`
	definedBy = `(?s)^CREATE (?:[^` + "`" + `]|` + backticks + `@` + backticks + `)*?`
)

var (
	// Versions in comments are of the tool, not of what is dumped.
	versionedComment = regexp.MustCompile(`/\*M?!\d{5,6} ?|\*/`)
	useDatabase      = regexp.MustCompile("^USE `((?:[^`]|``)+)`")
	setSession       = regexp.MustCompile(`^SET (?:SESSION )?@?@?(?:SESSION\.)?` +
		`(sql_mode|character_set_client|character_set_results|collation_connection|time_zone) *= *(.*)$`)
	// Of a master's event the slave's copy is disabled, and a counter goes on with
	// rows that were rolled back.
	rightlyOther = regexp.MustCompile(` AUTO_INCREMENT=\d+| (?:ENABLE|DISABLE)(?: ON (?:SLAVE|REPLICA))?( |$)`)
	// MySQL remembers by which of them a column was made.
	ofCharset = regexp.MustCompile(` CHARACTER SET (\w+)( COLLATE \w+)?`)
	rowSpan   = regexp.MustCompile(`,(?:\d+,18446744073709551615|'[^']+','2038-01-19 03:14:07.999999')\)$`)
	// The kinds, and whether a session's settings are kept with them.
	dumpedKinds = []struct {
		kind     string
		pattern  *regexp.Regexp
		settings bool
	}{
		{"database", regexp.MustCompile("^CREATE DATABASE +(?:IF NOT EXISTS *)?" + name), false},
		{"sequence", regexp.MustCompile("^CREATE SEQUENCE (?:IF NOT EXISTS )?" + name), false},
		{"sequence", regexp.MustCompile(`^(?:DO|SELECT) SETVAL\(` + name), false},
		{"table", regexp.MustCompile("^CREATE TABLE (?:IF NOT EXISTS )?" + name), false},
		{"table", regexp.MustCompile("^INSERT (?:IGNORE )?INTO " + name), false},
		{"view", regexp.MustCompile(definedBy + `VIEW ` + name), true},
		{"trigger", regexp.MustCompile(definedBy + `TRIGGER ` + name), true},
		{"routine", regexp.MustCompile(definedBy + `(?:PROCEDURE|FUNCTION|PACKAGE(?: BODY)?) ` + name), true},
		{"event", regexp.MustCompile(definedBy + `EVENT ` + name), true},
	}
)

// byCollation says a column's character set by its collation.
func byCollation(text string) string {
	found := ofCharset.FindStringSubmatch(text)
	defaults := map[string]string{"latin1": "latin1_swedish_ci", "utf8mb4": "utf8mb4_0900_ai_ci"}
	return cmp.Or(found[2], " COLLATE "+cmp.Or(defaults[found[1]], found[1]+"_general_ci"))
}

// take takes the next statement.
func (r *dumpReader) take(statement string) {
	plain := strings.TrimSpace(versionedComment.ReplaceAllString(statement, ""))
	if found := useDatabase.FindStringSubmatch(plain); found != nil {
		r.database = found[1]
		return
	}
	if found := setSession.FindStringSubmatch(plain); found != nil {
		if !strings.HasPrefix(found[2], "@saved") && !strings.HasPrefix(found[2], "@OLD") {
			r.settings[found[1]] = found[2]
		}
		return
	}
	for _, kind := range dumpedKinds {
		found := kind.pattern.FindStringSubmatch(plain)
		if found == nil {
			continue
		}
		name := found[1]
		if quote := name[:1]; quote == "`" || quote == `"` {
			name = strings.ReplaceAll(name[1:len(name)-1], quote+quote, quote)
		}
		object := kind.kind + " " + r.database + "." + name
		if kind.kind == "database" {
			object = kind.kind + " " + name
		}
		if strings.Contains(plain, " GENERATED ALWAYS AS ROW END") {
			r.versioned[object] = true
		}
		if r.versioned[object] {
			plain = rowSpan.ReplaceAllString(plain, ")")
		}
		if !strings.HasPrefix(plain, "INSERT ") {
			plain = strings.TrimSpace(rightlyOther.ReplaceAllString(ofCharset.ReplaceAllStringFunc(plain, byCollation), "$1"))
		}
		if kind.settings {
			for _, setting := range slices.Sorted(maps.Keys(r.settings)) {
				if kind.kind != "view" || setting != "sql_mode" && setting != "time_zone" {
					plain += "\n-- " + setting + " " + r.settings[setting]
				}
			}
		}
		r.objects[object] = append(r.objects[object], plain)
		return
	}
}
