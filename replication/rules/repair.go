package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// repairRules are about tables that are to be copied anew, of a slave that follows
// its master.
var repairRules = []Rule{
	{
		Code: "no-slave", On: finding.Slave, Problem: Repair, Last: true, judge: isNoSlave,
		Meaning: "this server is no slave",
		Cure:    server.NoSlaveCure,
	},
	{
		Code: "binlog-format", On: finding.Master, Problem: Repair, judge: logsStatements,
		Meaning: "a repair could lose statements, which the master logs as such",
		Cure:    "SET GLOBAL binlog_format=ROW, reconnect the applications, and wait until the slave has caught up",
	},
	{
		Code: "table-name", On: finding.Slave, Problem: Repair, judge: hasComma,
		Meaning: "no filter can name a table, because of a comma",
		Cure:    "copy everything anew: " + finding.SeedAnew,
	},
	{
		Code: "not-replicated", On: finding.Slave, Needs: Connection | MasterFacts, Problem: Repair, judge: isNotReplicated,
		Meaning: "a table is of a database that is not replicated",
		Cure:    "copy it by hand if it is to be the master's once: nothing would keep it so",
	},
	{
		Code: "one-database", On: finding.Slave, Needs: BothFacts, Problem: Repair, judge: hasTwoDatabases,
		Meaning: "tables to repair are of different databases",
		Cure:    "repair the tables of one database after those of the other",
	},
	{
		Code: "not-transactional", On: finding.Master, Problem: Repair, judge: mayChangeMeanwhile,
		Meaning: "tables without transactions can change while they are copied",
		Cure: "--lock-tables holds all writers off the master meanwhile; or make them InnoDB there:" +
			" ALTER TABLE ... ENGINE=InnoDB",
	},
}

func isNoSlave(j *judgement) {
	if j.Connection() == nil {
		j.say("this server is no slave")
	}
}

func logsStatements(j *judgement) {
	if format := strings.ToUpper(j.facts.Variable("binlog_format")); format != "ROW" {
		j.say("binlog_format is %s: a statement that changes another table, too, would be left out as a whole", format)
	}
}

func hasComma(j *judgement) {
	for _, table := range j.Tables {
		if strings.Contains(table, ",") {
			j.say("a filter cannot name %s, because of the comma", table)
		}
	}
}

func isNotReplicated(j *judgement) {
	for _, table := range j.Tables {
		if database, _ := server.SplitTable(table, j.Master.DatabaseNames()); !j.Connection().ReplicatesOf(database) {
			j.say("%s is of a database that is not replicated", table)
		}
	}
}

func hasTwoDatabases(j *judgement) {
	for _, table := range j.Tables {
		one, _ := server.SplitTable(j.Tables[0], j.Master.DatabaseNames())
		if !strings.HasPrefix(table, one+".") {
			j.say("%s and %s are of different databases", j.Tables[0], table)
		}
	}
}

func mayChangeMeanwhile(j *judgement) {
	if j.LockTables {
		return
	}
	var found []string
	for _, table := range j.Tables {
		database, _ := server.SplitTable(table, j.Master.DatabaseNames())
		if d := j.Master.Database(database); d != nil && slices.Contains(d.Locked, table) {
			found = append(found, table)
		}
	}
	if len(found) > 0 {
		j.say("tables without transactions can change while they are copied, and have rows twice then: %s",
			finding.Items(found))
	}
}
