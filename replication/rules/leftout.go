package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// leftOutRules are about what keeps changes of the replicated databases from the
// slave: its filters but that of the databases, and the filters of its connection.
// One that leaves out nothing but other databases does no harm.
var leftOutRules = []Rule{
	{
		Code: "other-filters", On: finding.Slave, Problem: CheckServer | SetupSlave | Status, judge: leavesOutOurs,
		Meaning: "a filter of the slave leaves out changes of databases that are to be replicated",
		Cure: "lift the filter, also in the option files of the server; " +
			"a repair that was cut off: gtunnel replication compare --repair-table TABLE ends it" + thenCompare,
	},
	{
		Code: "other-filters", On: finding.Slave, Needs: Connection, Problem: CheckServer | SetupSlave | Status,
		judge: ignoresOrigins,
	},
	{
		Code: "other-filters", On: finding.Slave, Problem: CheckServer | SetupSlave | Status, judge: skipsMarked,
	},
	{
		Code: "database-filter", On: finding.Slave, Warning: CheckServer | SetupSlave | Status, judge: filtersByDatabase,
		Meaning: "a filter by database silently loses statements that name a table of another database",
		Cure:    useWildDo,
	},
	{
		Code: "ignored-tables", On: finding.Slave, Warning: CheckServer | SetupSlave | Status, judge: ignoresInVain,
		Meaning: "a filter names tables of replicated databases, and has no effect only as long as another comes before it",
		Cure:    useWildDo,
	},
}

const useWildDo = "use replicate_wild_do_table, as gtunnel replication setup-slave does"

// filter is one of OtherFilters.
type filter struct {
	name  string
	value string
}

// filtersOf are the other filters of a slave.
func filtersOf(c *server.SlaveStatus) []filter {
	var list []filter
	for _, text := range c.OtherFilters {
		name, value, _ := strings.Cut(text, "=")
		list = append(list, filter{name, value})
	}
	return list
}

// isSet reports whether a slave has one of the other filters.
func isSet(c *server.SlaveStatus, name string) bool {
	return slices.ContainsFunc(filtersOf(c), func(f filter) bool { return f.name == name })
}

// String is the filter as option files have it.
func (f filter) String() string { return f.name + "=" + f.value }

// leavesOutOurs is about the filters of the server's options.
func leavesOutOurs(j *judgement) {
	c := j.filters()
	if c == nil {
		return
	}
	for _, f := range filtersOf(c) {
		if text := j.lost(f, c); text != "" {
			j.sayCure(j.liftCure(f.name)+thenCompare, "%s %s", f, text)
		}
	}
	if tables := slices.DeleteFunc(slices.Clone(c.IgnoreTable), j.isNotOurs); len(tables) > 0 && !j.repairs(tables) {
		j.sayCure("after a repair that was cut off: gtunnel replication compare --repair-table TABLE again, "+
			"which ends it; else "+j.liftCure("replicate_ignore_table")+thenCompare,
			"changes of some tables are left out (replicate_ignore_table): %s", finding.Items(tables))
	}
	if patterns := j.wildIgnored(c, false); len(patterns) > 0 {
		j.sayCure(j.liftCure("replicate_wild_ignore_table")+thenCompare,
			"changes of some tables are left out (replicate_wild_ignore_table): %s", finding.Items(patterns))
	}
}

// lost says what a filter leaves out of the databases that are to be replicated;
// empty if nothing but what filtersByDatabase says.
func (j *judgement) lost(f filter, c *server.SlaveStatus) string {
	ours, names := j.ours(), strings.Split(f.value, ",")
	is := func(database string) func(string) bool {
		return func(name string) bool { return sameName(j.Slave, strings.TrimSpace(name), database) }
	}
	var hit []string
	for _, database := range ours {
		listed := slices.ContainsFunc(names, is(database))
		switch f.name {
		case "replicate_do_db":
			listed = !listed
		case "replicate_ignore_db":
		case "replicate_rewrite_db":
			listed = slices.ContainsFunc(rewritten.Split(f.value, -1), is(database))
		case "replicate_do_table":
			listed = !j.comesFirst(c, database)
		default:
			listed = false // of the connection
		}
		if listed {
			hit = append(hit, database)
		}
	}
	switch {
	case len(hit) == 0:
		return ""
	case f.name == "replicate_rewrite_db":
		return "makes changes of one database in another: " + finding.List(hit)
	default:
		return "leaves out changes of " + finding.List(hit)
	}
}

// rewritten is what stands between the names of replicate_rewrite_db: MariaDB
// writes a->b, and MySQL (a,b).
var rewritten = regexp.MustCompile(`[(),\s]+|->`)

// liftCure says how a filter is lifted.
func (j *judgement) liftCure(name string) string {
	v := j.Slave.Version
	lift := "CHANGE REPLICATION FILTER " + strings.ToUpper(name) + "=()" // of every channel, and of one that comes
	switch {
	case v.Family == server.MariaDB:
		lift = "SET GLOBAL " + name + "=''"
	case len(j.Slave.Masters) > 1:
		lift += v.Channel()
	}
	files := "remove " + name + " from the option files of the slave's server"
	switch {
	case j.Connection() == nil,
		name == "replicate_rewrite_db" && v.Family == server.MariaDB && !v.AtLeast(server.MariaDB, 10, 11, 0):
		return files + " and restart it"
	}
	return v.StopSlave(server.SQLThread).String() + "; " + lift + "; " + v.StartSlave(server.SQLThread).String() +
		"; and " + files
}

// isNotOurs reports whether a table is of none of the databases that are to be
// replicated.
func (j *judgement) isNotOurs(table string) bool {
	return !slices.ContainsFunc(j.ours(), func(database string) bool {
		return strings.HasPrefix(table, database+".") ||
			!j.Slave.Version.AtLeast(server.MySQL, 8, 0, 0) && strings.HasPrefix(fold(table), fold(database)+".")
	})
}

// repairs reports whether a repair that works, or was cut off, leaves out just
// these tables: other rules say so.
func (j *judgement) repairs(tables []string) bool {
	if j.Moment == SetupSlave && j.NeedsSeed() { // which does not take them in
		return false
	}
	isLeft := func(table string) bool { return !slices.Contains(j.Repaired.Tables, table) }
	return j.Seen.Busy || j.Repaired != nil && !slices.ContainsFunc(tables, isLeft)
}

// wildIgnored are the patterns of replicate_wild_ignore_table that name tables of
// databases that are to be replicated. A server asks replicate_wild_do_table
// before it: what that lets through is not left out.
func (j *judgement) wildIgnored(c *server.SlaveStatus, inVain bool) []string {
	return slices.DeleteFunc(slices.Clone(c.WildIgnoreTable), func(pattern string) bool {
		return !slices.ContainsFunc(j.ours(), func(database string) bool {
			return server.MayReach(pattern, database) && j.comesFirst(c, database) == inVain
		})
	})
}

// comesFirst reports whether replicate_wild_do_table lets a database through, or
// will once a setup has set it.
func (j *judgement) comesFirst(c *server.SlaveStatus, database string) bool {
	return c.ReplicatesAllOf(database) || j.Moment == SetupSlave || j.Moment == CheckServer && !j.Established()
}

func ignoresInVain(j *judgement) {
	c := j.filters()
	if c == nil {
		return
	}
	if patterns := j.wildIgnored(c, true); len(patterns) > 0 {
		j.say("once replicate_wild_do_table is lost, changes of some tables are left out (replicate_wild_ignore_table): %s",
			finding.Items(patterns))
	}
}

// filtersByDatabase is about filters that leave out other databases, by the
// current one of a statement.
func filtersByDatabase(j *judgement) {
	c := j.filters()
	if c == nil {
		return
	}
	for _, f := range filtersOf(c) {
		if (f.name == "replicate_do_db" || f.name == "replicate_ignore_db") && j.lost(f, c) == "" {
			j.say("%s silently loses statements that name a table of another database than the current one", f)
		}
	}
}

// originFilters are those of a connection to a master, which are in no option
// file. Whose changes the master's binary log has is not known.
var originFilters = []string{
	"replicate_do_domain_ids", "replicate_ignore_domain_ids", "replicate_ignore_server_ids",
}

// ignoresOrigins is about the filters of the connection, which a setup that
// begins anew lifts.
func ignoresOrigins(j *judgement) {
	if j.Moment == SetupSlave && j.NeedsSeed() {
		return
	}
	v := j.Slave.Version
	options, verb := "IGNORE_SERVER_IDS=()", "CHANGE MASTER TO "
	if v.AtLeast(server.MariaDB, 10, 1, 0) {
		options += ", DO_DOMAIN_IDS=(), IGNORE_DOMAIN_IDS=()"
	}
	if v.ReplicaWords() {
		verb = "CHANGE REPLICATION SOURCE TO "
	}
	cure := v.StopSlave(server.BothThreads).String() + "; " + verb + options + v.Channel() + "; " +
		v.StartSlave(server.BothThreads).String() + thenCompare
	for _, f := range filtersOf(j.Connection()) {
		if slices.Contains(originFilters, f.name) {
			option := strings.ToUpper(strings.TrimPrefix(f.name, "replicate_"))
			j.sayCure(cure, "%s=(%s) of its connection leaves out changes of the master, or of the masters before it",
				option, f.value)
		}
	}
}

// skipsMarked is about MariaDB's option for changes that their session has marked.
func skipsMarked(j *judgement) {
	const name = "replicate_events_marked_for_skip"
	if value := j.Slave.Variable(name); value != "" && !strings.EqualFold(value, "REPLICATE") {
		v := j.Slave.Version
		j.sayCure(v.StopSlave(server.BothThreads).String()+"; SET GLOBAL "+name+"=REPLICATE; "+
			v.StartSlave(server.BothThreads).String()+"; and remove it from the option files"+thenCompare,
			"%s=%s leaves out changes whose session has set skip_replication", name, value)
	}
}

// fold makes names alike that differ in case only.
func fold(name string) string { return strings.ToLower(name) }
