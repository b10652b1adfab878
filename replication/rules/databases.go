package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// databaseRules are about the databases that a master is to share.
var databaseRules = []Rule{
	{
		Code: "no-databases", On: finding.Master, Problem: CheckServer | SetupMaster, judge: namesNoDatabase,
		Meaning: "no database to replicate was named",
		Cure:    "name them: --databases DB_1,DB_2",
	},
	{
		Code: "system-database", On: finding.Master, Problem: CheckServer | SetupMaster, judge: namesSystemDatabase,
		Meaning: "a database of the server's own is never replicated",
		Cure:    "leave it out: accounts are made on each host by hand",
	},
	{
		Code: "unknown-database", On: finding.Master, Problem: CheckServer | SetupMaster, judge: namesUnknownDatabase,
		Meaning: "there is no database of a name, or the login does not see it",
		Cure:    "is the name right, in upper and lower case too? May the login see it?",
	},
	{
		Code: "dotted-name", On: finding.Master, Warning: CheckServer | SetupMaster, judge: namesPartOfAnother,
		Meaning: "the filter cannot tell tables of one database from those of another with a dot in its name",
		Cure:    "give the tables other names, or rename the database",
	},
	{
		// Of seed: not-transactional.
		Code: "locked-tables", On: finding.Master, Warning: CheckServer,
		judge:   hasLockedTables,
		Meaning: "tables without transactions may change while they are copied",
		Cure:    "ALTER TABLE ... ENGINE=InnoDB, or let setup-slave lock them during the copy: --lock-tables",
	},
}

func namesNoDatabase(j *judgement) {
	if len(j.Databases) == 0 {
		j.sayCure("name them: --databases DB_1,DB_2; "+j.databasesThere(),
			"no database to replicate was named")
	}
}

func isSystemDatabase(name string) bool {
	return slices.Contains(facts.SystemDatabases, strings.ToLower(name))
}

func namesSystemDatabase(j *judgement) {
	for _, name := range j.Databases {
		if isSystemDatabase(name) {
			j.say("%s is a database of the server's own and is never replicated", name)
		}
	}
}

func namesUnknownDatabase(j *judgement) {
	for _, name := range j.Databases {
		if !isSystemDatabase(name) && j.facts.Database(name) == nil {
			j.sayCure(j.databasesThere(), "there is no database %s that this login can see", name)
		}
	}
}

// databasesThere names what there is to replicate.
func (j *judgement) databasesThere() string {
	names := j.facts.DatabaseNames()
	if len(names) == 0 {
		return "there are none: is this the master, and may this login see its databases?"
	}
	return "there are: " + finding.List(names)
}

func namesPartOfAnother(j *judgement) {
	for _, name := range j.Databases {
		for _, other := range j.facts.DatabaseNames() {
			if rest, ok := strings.CutPrefix(name, other+"."); ok {
				j.sayCure("give tables of "+other+" other names, or rename it",
					"the slave would also replicate tables of %s whose names begin with %q, and stop: "+
						"a filter cannot tell them from those of %s", other, rest+".", name)
			}
		}
	}
}

func hasLockedTables(j *judgement) {
	for _, name := range j.Databases {
		if d := j.facts.Database(name); d != nil && len(d.Locked) > 0 {
			j.say("%s has tables without transactions, which may change while they are copied: %s",
				d.Name, finding.Items(d.Locked))
		}
	}
}
