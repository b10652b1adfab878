package compare

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// object is what a database holds besides its tables.
type object struct {
	database, name string
	written        string // as somebody wrote it, which no server changes
	printed        string // in words of the server's, which are another series' only by chance
	definer        string // an account; empty: it has none
	hidden         bool   // the login does not see its definition
}

// String is "database.name".
func (o *object) String() string { return o.database + "." + o.name }

// The kinds of objects, as people call them. A sequence is MariaDB's.
const (
	viewKind     = "view"
	sequenceKind = "sequence"
	triggerKind  = "trigger"
	routineKind  = "routine"
	eventKind    = "event"
)

// Errors of a server: something is not there, or may not be looked at.
const (
	noTable = 1146
	noView  = 1347 // it is a table now
)

// objectKind is a kind of objects, with how it is read.
type objectKind struct {
	kind       string
	privileges []string // of which one lets a login see all of a database's
	everywhere []string // the same, if it is given on all databases

	// query gives d, n, the definer, what was written b and what is printed p, for a
	// list of databases to follow. What is NULL is not seen.
	query string
	read  func(context.Context, *session, *object) error // the rest of one; nil: there is none
}

// objectKinds are what a database holds besides its tables.
var objectKinds = []objectKind{
	{
		kind: viewKind, privileges: []string{"SELECT"}, read: readView,
		query: "SELECT table_schema AS d, table_name AS n, '' AS definer, '' AS b, '' AS p FROM information_schema.tables" +
			" WHERE table_type = 'VIEW' AND table_schema",
	},
	{
		kind: sequenceKind, privileges: []string{"SELECT"}, read: readSequence,
		query: "SELECT table_schema AS d, table_name AS n, '' AS definer, '' AS b, '' AS p FROM information_schema.tables" +
			" WHERE table_type = 'SEQUENCE' AND table_schema",
	},
	{
		kind: triggerKind, privileges: []string{"TRIGGER"},
		query: "SELECT trigger_schema AS d, trigger_name AS n, definer," +
			" CONCAT_WS(' ', action_timing, event_manipulation, event_object_table, action_statement) AS b," +
			" sql_mode AS p FROM information_schema.triggers WHERE trigger_schema",
	},
	{
		kind:       routineKind,
		privileges: []string{"EXECUTE", "ALTER ROUTINE", "SHOW_ROUTINE", "SHOW CREATE ROUTINE", "SELECT ON proc"},
		everywhere: []string{"SELECT"}, // the bodies, too
		query: "SELECT routine_schema AS d, routine_name AS n, definer, IF(routine_definition IS NULL, NULL, CONCAT_WS(' '," +
			" routine_type, security_type, sql_data_access, is_deterministic, routine_definition, routine_comment)) AS b," +
			" sql_mode AS p FROM information_schema.routines WHERE routine_schema",
	},
	{
		kind: eventKind, privileges: []string{"EVENT"},
		// When it begins is shown in the time zone of the host.
		query: "SELECT event_schema AS d, event_name AS n, definer," +
			" CONCAT_WS(' ', event_type, interval_value, interval_field, on_completion, event_definition, event_comment) AS b," +
			" CONCAT_WS(' ', sql_mode, time_zone) AS p FROM information_schema.events WHERE event_schema",
	},
}

// objects are those of one kind on a server.
type objects struct {
	byName map[string]*object // by "database.name"
	unseen []string           // databases of which the login does not see all of them
}

// readParts reads what there is besides tables, as far as the login sees it: first of all
// kinds what is there, and the parameters of routines, and then the rest of each.
func (s *schema) readParts(databases []string) reading {
	return func(ctx context.Context, opened *session) (func() error, error) {
		found := make([]*objects, len(objectKinds))
		var parameters []server.Record
		readings := []reading{readParameters(databases, &parameters)}
		for i, kind := range objectKinds {
			found[i] = &objects{byName: map[string]*object{}}
			readings = append(readings, found[i].read(kind, databases))
		}
		err := s.readAll(ctx, opened, readings)
		if err == nil {
			err = server.Each(ctx, s.server, opened.conn, objectKinds,
				func(ctx context.Context, i int, kind objectKind) error { return found[i].readRest(ctx, opened, kind) })
		}
		return func() error { // when the privileges are known
			for i, kind := range objectKinds {
				none := kind.kind == sequenceKind && s.server.Version.Family == server.MySQL
				if !none && !s.granted.has("*", kind.everywhere) {
					found[i].unseen = s.granted.lacking(databases, kind.privileges)
				}
				s.objects[kind.kind] = found[i]
			}
			s.putParameters(parameters)
			return nil
		}, err
	}
}

// read reads which there are of a kind.
func (found *objects) read(kind objectKind, databases []string) reading {
	return reads(kind.query+" IN ("+server.QuoteExactly(databases)+")", func(rows []server.Record) error {
		for _, r := range rows {
			o := &object{database: r["d"], name: r["n"], definer: r["definer"], written: words(r["b"]), printed: words(r["p"])}
			_, shown := r["b"]
			o.hidden = !shown
			found.byName[o.String()] = o
		}
		return nil
	})
}

// readRest reads the rest of each of a kind. One that was dropped meanwhile is left out.
func (found *objects) readRest(ctx context.Context, opened *session, kind objectKind) error {
	if kind.read == nil {
		return nil
	}
	list := slices.Collect(maps.Values(found.byName))
	gone := make([]bool, len(list))
	err := server.Each(ctx, opened.server, opened.conn, list, func(ctx context.Context, i int, o *object) error {
		err := kind.read(ctx, opened, o)
		switch number := server.ErrorNumber(err); {
		case number == noTable, number == noView:
			gone[i] = true
		case server.IsDenied(err):
			o.hidden = true
		default:
			return err
		}
		return nil
	})
	for i, o := range list {
		if gone[i] {
			delete(found.byName, o.String())
		}
	}
	return err
}

// words are a text with one space wherever it has any.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// viewHead is how SHOW CREATE VIEW begins.
var viewHead = regexp.MustCompile("^CREATE (ALGORITHM=\\w+ )?DEFINER=(`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?) ")

// readView reads what SHOW CREATE VIEW says. In information_schema is what the view
// was made of, which a dump does not carry: that writes what SHOW CREATE VIEW says.
func readView(ctx context.Context, session *session, o *object) error {
	rows, err := session.query(ctx, "SHOW CREATE VIEW "+server.QuoteTable(o.database, o.name))
	if err != nil || len(rows) == 0 {
		return err
	}
	o.printed = rows[0]["create view"]
	if head := viewHead.FindStringSubmatch(o.printed); head != nil {
		o.printed = "CREATE " + head[1] + o.printed[len(head[0]):]
		o.definer = strings.ReplaceAll(head[2], "`", "")
	}
	return nil
}

// readSequence reads the definition of a sequence.
func readSequence(ctx context.Context, session *session, o *object) error {
	rows, err := session.query(ctx, "SHOW CREATE SEQUENCE "+server.QuoteTable(o.database, o.name))
	if err == nil && len(rows) > 0 {
		o.printed = words(rows[0]["create table"])
	}
	return err
}

// readParameters reads the parameters of routines.
func readParameters(databases []string, into *[]server.Record) reading {
	return reads("SELECT specific_schema AS d, specific_name AS n, parameter_mode AS m, parameter_name AS p,"+
		" dtd_identifier AS t FROM information_schema.parameters"+
		" WHERE specific_schema IN ("+server.QuoteExactly(databases)+
		") ORDER BY specific_schema, specific_name, routine_type, ordinal_position",
		func(rows []server.Record) error { *into = rows; return nil })
}

// putParameters adds the parameters of routines to their definitions.
func (s *schema) putParameters(rows []server.Record) {
	for _, r := range rows {
		if o := s.objects[routineKind].byName[r["d"]+"."+r["n"]]; o != nil {
			o.printed += ", " + words(r["m"]+" "+r["p"]+" "+plainType(r["t"]))
		}
	}
}

// objectPair compares the objects of a kind.
type objectPair struct {
	result        *Result
	kind          string
	master, slave *schema
	wanted        func(o *object) bool

	hidden  map[finding.Role][]string // whose definition a login does not see
	foreign []string                  // whose definitions servers of different series write
}

// compareObjects notes how views, sequences, triggers, routines and events differ:
// all, or the sequences of the list.
func compareObjects(result *Result, master, slave *schema, only []string) {
	for _, kind := range objectKinds {
		p := &objectPair{
			result: result, kind: kind.kind, master: master, slave: slave, hidden: map[finding.Role][]string{},
		}
		unseen := slices.Concat(master.objects[kind.kind].unseen, slave.objects[kind.kind].unseen)
		p.wanted = func(o *object) bool {
			return len(only) == 0 && !slices.Contains(unseen, o.database) ||
				kind.kind == sequenceKind && slices.Contains(only, o.String())
		}
		if len(only) == 0 {
			for _, s := range []*schema{master, slave} {
				if list := s.objects[kind.kind].unseen; len(list) > 0 {
					result.skip(s.unseenText(kind.kind, list))
				}
			}
		}
		p.compare()
	}
}

// compare compares them in the order of their names, and says what was left out.
func (p *objectPair) compare() {
	onMaster, onSlave := p.master.objects[p.kind].byName, p.slave.objects[p.kind].byName
	for _, name := range slices.Sorted(maps.Keys(onMaster)) {
		m, s := onMaster[name], onSlave[name]
		switch {
		case !p.wanted(m):
		case s == nil:
			p.differs(m, "is missing on the slave")
		default:
			p.match(m, s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(onSlave)) {
		if o := onSlave[name]; onMaster[name] == nil && p.wanted(o) {
			p.differs(o, "is on the slave only")
		}
	}
	for _, s := range []*schema{p.master, p.slave} {
		if list := p.hidden[s.server.Role]; len(list) > 0 {
			p.result.skip("the definitions of " + finding.Count(len(list), p.kind) + ": the login on the " +
				string(s.server.Role) + " may not read them; " + s.mayRead(p.kind, nil) + ": " + strings.Join(list, ", "))
		}
	}
	if len(p.foreign) > 0 {
		p.result.skip("the definitions of " + finding.Count(len(p.foreign), p.kind) + ": " +
			writeOtherwise(p.master, p.slave) + ": " + strings.Join(p.foreign, ", "))
	}
}

// match compares one that both ends have.
func (p *objectPair) match(m, s *object) {
	switch {
	case m.hidden:
		p.hidden[finding.Master] = append(p.hidden[finding.Master], m.String())
	case s.hidden:
		p.hidden[finding.Slave] = append(p.hidden[finding.Slave], s.String())
	case m.written != s.written || m.printed != s.printed && sameSeries(p.master, p.slave):
		difference := "is not the same on both ends"
		if p.kind == sequenceKind {
			difference += ": a slave with a filter leaves ALTER SEQUENCE out; " + journal.RepairCommand([]string{m.String()})
		}
		p.differs(m, difference)
	case m.definer != s.definer:
		p.differs(m, "has the definer "+m.definer+" on the master and "+s.definer+" on the slave")
	case m.printed != s.printed:
		p.foreign = append(p.foreign, m.String())
	default:
		p.result.ObjectsEqual++
	}
}

// differs notes what differs.
func (p *objectPair) differs(o *object, how string) {
	p.result.Objects = append(p.result.Objects, p.kind+" "+o.String()+" "+how)
}

// sameSeries reports whether both servers write definitions in the same words.
func sameSeries(master, slave *schema) bool {
	m, s := master.server.Version, slave.server.Version
	return m.Family == s.Family && m.Series() == s.Series()
}

// writeOtherwise is why texts of both ends are not compared that are not the same.
func writeOtherwise(master, slave *schema) string {
	return string(master.server.Version.Family) + " " + master.server.Version.Series() + " and " +
		string(slave.server.Version.Family) + " " + slave.server.Version.Series() + " write them in ways of their own"
}

// unseenText says that a login does not see all of a kind in databases.
func (s *schema) unseenText(kind string, databases []string) string {
	return kind + "s of " + strings.Join(databases, ", ") + ": the login on the " + string(s.server.Role) +
		" may not see all of them; " + s.mayRead(kind, databases)
}

// mayRead is what lets the login read the definitions of a kind: a GRANT of the
// server's version, for some databases or each.
func (s *schema) mayRead(kind string, databases []string) string {
	v := s.server.Version
	privileges, everywhere := map[string]string{
		viewKind: "SELECT, SHOW VIEW", sequenceKind: "SELECT", triggerKind: "TRIGGER", eventKind: "EVENT",
		tableKind: "SELECT", constraintKind: "TRIGGER",
	}[kind], ""
	if kind == routineKind {
		switch {
		case v.AtLeast(server.MySQL, 8, 0, 20):
			privileges, everywhere = "SHOW_ROUTINE", "*.*"
		case v.AtLeast(server.MySQL, 8, 0, 0):
			privileges, everywhere = "SELECT", "*.*"
		case v.AtLeast(server.MariaDB, 11, 3, 0):
			privileges = "SHOW CREATE ROUTINE"
		default:
			privileges, everywhere = "SELECT", "mysql.proc"
		}
	}
	on := cmp.Or(everywhere, "DATABASE.*")
	if everywhere == "" && len(databases) == 1 {
		on = server.QuoteName(databases[0]) + ".*"
	}
	text := "GRANT " + privileges + " ON " + on + " lets it"
	if s.server.Role == finding.Master {
		text += ", and gtunnel replication setup-master --keep-passwords completes the account of the monitor"
	}
	return text
}
