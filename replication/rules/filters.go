package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// filterRules are about what keeps more, or less, than the wanted databases out.
// A setup filters again by itself where the filter is lost.
var filterRules = []Rule{
	{
		Code: "no-filter", On: finding.Slave, Needs: Connection, Problem: Status, judge: lacksFilter,
		Meaning: "the slave has lost its filter, and replicates every database of the master, its accounts too",
		Cure:    "gtunnel replication setup-slave, which filters again and compares",
	},
	{
		Code: "other-filters", On: finding.Slave, Needs: Connection, Problem: CheckServer | SetupSlave,
		judge:   leavesOutMore,
		Meaning: "the slave leaves out more than databases that are not named",
		Cure: "remove them from its option files and restart it, or, after a repair that was cut off, " +
			"run gtunnel replication compare --repair-table again",
	},
}

// leftOutRules are what a status says of the filters for which a setup has the
// rule other-filters.
var leftOutRules = []Rule{
	{
		Code: "ignored-tables", On: finding.Slave, Needs: Connection, Warning: Status, judge: ignoresTables,
		Meaning: "changes of some tables are left out",
		Cure: "a repair that was cut off leaves such a filter: gtunnel replication compare --repair-table TABLE ends it; " +
			"another is not gtunnel's: use replicate_wild_do_table, as gtunnel replication setup-slave does",
	},
	{
		Code: "database-filter", On: finding.Slave, Needs: Connection, Warning: Status, judge: filtersByDatabase,
		Meaning: "a filter by database silently loses statements that name a table of another database",
		Cure:    useWildDo,
	},
	{
		Code: "filter-not-kept", On: finding.Slave, Needs: Connection, Warning: CheckServer | Status, judge: losesFilter,
		Meaning: "a restart of the server would lose the filter",
		Cure:    "gtunnel replication setup-slave writes it to an option file of the server",
	},
}

const useWildDo = "use replicate_wild_do_table, as gtunnel replication setup-slave does"

func lacksFilter(j *judgement) {
	c := j.Connection()
	if !j.Seen.Busy && c.MasterHost == server.Loopback && len(c.WildDoTable) == 0 {
		j.say("there is no replicate_wild_do_table: every database of the master is replicated, its accounts too")
	}
}

// leavesOutMore is about all filters but that of the databases.
func leavesOutMore(j *judgement) {
	c := j.Connection()
	if filters := slices.Concat(c.OtherFilters, c.IgnoreTable, c.WildIgnoreTable); len(filters) > 0 {
		j.say("it leaves out more than databases that are not named: %s", finding.Items(filters))
	}
}

func ignoresTables(j *judgement) {
	c := j.Connection()
	if len(c.IgnoreTable) > 0 && !j.Seen.Busy && j.Repaired == nil { // the rule repair-cut-off says more
		j.sayCure("a repair that was cut off leaves such a filter: gtunnel replication compare --repair-table TABLE ends it",
			"changes of some tables are left out (replicate_ignore_table): %s", finding.Items(c.IgnoreTable))
	}
	if len(c.WildIgnoreTable) > 0 {
		j.sayCure(useWildDo,
			"changes of some tables are left out (replicate_wild_ignore_table): %s", finding.Items(c.WildIgnoreTable))
	}
}

func filtersByDatabase(j *judgement) {
	for _, filter := range j.Connection().OtherFilters {
		name, value, _ := strings.Cut(filter, "=")
		if name == "replicate_do_db" || name == "replicate_ignore_db" {
			j.say("%s=%s silently loses statements that name a table of another database than the current one", name, value)
		}
	}
}

func losesFilter(j *judgement) {
	if slices.Contains(j.Slave.Transient, "replicate_wild_do_table") {
		j.say("a restart of the server loses the filter: it would then replicate every database")
	}
}
