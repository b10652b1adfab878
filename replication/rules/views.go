package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// viewRules are about views of the master that no copy can be made of: the tools end
// in the middle of all at the first of them.
var viewRules = []Rule{
	{
		Code: "view-broken", On: finding.Master, Problem: CheckServer | CheckPair | SetupSlave, Warning: SetupMaster,
		judge:   hasBrokenViews,
		Meaning: "views cannot be opened, because what they use is gone, and so not be copied",
		Cure:    "DROP VIEW, or ALTER VIEW",
	},
	{
		Code: "view-rights", On: finding.Master, Problem: CheckPair | SetupSlave, judge: mayNotOpenViews,
		Meaning: "the login may not open views, and so not copy them",
		Cure:    "GRANT it what the views use; gtunnel replication setup-master gives the seeding account EXECUTE",
	},
}

// copiesByDump reports whether views of the master are to be copied one by one.
func (j *judgement) copiesByDump() bool {
	switch {
	case j.Moment == CheckServer || j.Moment == SetupMaster:
		return true
	case j.Moment == CheckPair && len(MissingPrivileges(j.Master)) == 0:
		return false // it is said of the master by itself
	}
	return j.NeedsSeed() && j.Method != journal.SeedNone && j.Method != journal.SeedClone
}

// brokenViews are those of the wanted databases, as "database.view", in quotes too. A
// check by the monitor account, which calls no routines, finds nothing by that: it is the
// seeding account that copies.
func (j *judgement) brokenViews(denied bool) (names, quoted []string, first facts.BrokenView) {
	for _, v := range j.Master.BrokenViews {
		if v.Denied != denied || !slices.Contains(j.Databases, v.Database) ||
			v.ByRoutine && j.Moment == CheckPair && j.SeesAsMonitor() {
			continue
		}
		if len(names) == 0 {
			first = v
		}
		names, quoted = append(names, v.Database+"."+v.Name), append(quoted, server.QuoteTable(v.Database, v.Name))
	}
	return names, quoted, first
}

func hasBrokenViews(j *judgement) {
	names, quoted, first := j.brokenViews(false)
	if len(names) > 0 && j.copiesByDump() {
		j.sayCure("on the master: DROP VIEW "+strings.Join(quoted, ", ")+
			"; or mend them, the lowest first: ALTER VIEW "+quoted[0]+" AS SELECT ...",
			"views cannot be opened, and so not be copied: %s; the server says: %s", finding.Items(names), first.Error)
	}
}

func mayNotOpenViews(j *judgement) {
	names, _, first := j.brokenViews(true)
	if len(names) == 0 || !j.NeedsSeed() || j.Method == journal.SeedNone || j.Method == journal.SeedClone {
		return
	}
	var lines []string
	user, host, _ := server.SplitAccount(j.Master.User)
	for _, pattern := range j.Master.Patterns(j.Databases) {
		lines = append(lines, "GRANT SELECT, SHOW VIEW, EXECUTE ON "+facts.WholeOf(pattern).String()+
			" TO "+server.QuoteAccount(user, host)+";")
	}
	j.sayCure("on the master: "+strings.Join(lines, " ")+
		" If it is the same then, the views are broken: DROP VIEW, or ALTER VIEW",
		"%s may not open views, and so not copy them: %s; the server says: %s",
		j.Master.User, finding.Items(names), first.Error)
}
