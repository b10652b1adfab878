package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// engineRules are about storage engines. A server makes a table InnoDB whose engine it
// lacks, unless sql_mode says NO_ENGINE_SUBSTITUTION: the next CREATE TABLE of a
// master that says so would stop the slave (1286).
var engineRules = []Rule{
	{
		Code: "unknown-engine", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave | Repair,
		judge:   lacksEngines,
		Meaning: "the slave lacks a storage engine of the master's tables",
		Cure:    "INSTALL SONAME on the slave, or ALTER TABLE ... ENGINE=InnoDB on the master",
	},
	{
		Code: "default-engine", On: finding.Slave, Needs: BothFacts, Warning: CheckPair | SetupSlave,
		judge:   differsInDefaultEngine,
		Meaning: "the ends make tables in different storage engines where none is named",
		Cure:    "set default_storage_engine on the slave to that of the master, in its option files too",
	},
}

// libraries are those of MariaDB's engines that are not named after them.
var libraries = map[string]string{"federated": "ha_federatedx", "ndbcluster": "", "aria": "", "myisam": "", "csv": ""}

// lacksEngines finds the tables to be copied or replicated whose engine the slave has not.
func lacksEngines(j *judgement) {
	if j.Slave.Engines == nil || j.Method == journal.SeedClone {
		return
	}
	lacking := map[string][]string{}
	for i := range j.Master.Databases {
		d := &j.Master.Databases[i]
		for engine, tables := range d.OfEngine {
			if j.Slave.Engines[engine] {
				continue
			}
			for _, table := range tables {
				if slices.Contains(j.Databases, d.Name) || slices.Contains(j.Tables, table) {
					lacking[engine] = append(lacking[engine], table)
				}
			}
		}
	}
	for _, engine := range slices.Sorted(maps.Keys(lacking)) {
		var alter []string
		for _, table := range lacking[engine] {
			database, name := server.SplitTable(table, j.Master.DatabaseNames())
			alter = append(alter, "ALTER TABLE "+server.QuoteTable(database, name)+" ENGINE=InnoDB;")
		}
		cure := "on the master: " + strings.Join(alter, " ")
		if engine == "aria" { // of another family's master: its options would not be known either
			cure = "on the master make these tables anew (CREATE TABLE ... ENGINE=InnoDB, INSERT ... SELECT, RENAME TABLE):" +
				" an ALTER TABLE would keep PAGE_CHECKSUM, which no other server knows"
		}
		library, named := libraries[engine]
		if !named {
			library = "ha_" + engine
		}
		if j.Slave.Version.Family == server.MariaDB && library != "" {
			cure = "on the slave: INSTALL SONAME '" + library + "'; (a part of MariaDB's package of the server," +
				" or of a plugin); or " + cure
		}
		j.sayCure(cure, "it lacks the storage engine %s of tables of the master: %s",
			strings.ToUpper(engine), finding.Items(lacking[engine]))
	}
}

func differsInDefaultEngine(j *judgement) {
	const name = "default_storage_engine"
	m, s := j.Master.Variable(name), j.Slave.Variable(name)
	if m != "" && s != "" && !strings.EqualFold(m, s) {
		j.sayCure("on the slave: SET GLOBAL "+name+"="+m+"; and in its option files",
			"%s is %s, and %s on the master: a CREATE TABLE that names no engine makes another table here", name, s, m)
	}
}
