package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// What a master does in databases that are not replicated reaches the slave in
// two ways, though the filter leaves out their tables (tried on MariaDB 10.11 and
// MySQL 9.7): a statement about a routine or an event names no table, and passes;
// and one that names tables of several databases, such as DROP TABLE, passes as a
// whole if one of them is replicated.

// CheckOtherDatabases finds the databases of the slave that such changes would
// meet, and warns of those of the master that they may come from.
func CheckOtherDatabases(master, slave *facts.Facts, databases, replace []string, method journal.SeedMethod) finding.Findings {
	var found finding.Findings
	if method == journal.SeedClone { // what the slave then has of them is a copy
		return found
	}
	status := slave.Master()
	seen := master.HasPrivilege("SHOW DATABASES", "SELECT")
	var shared, unseen, passing, lacking []string
	for i := range slave.Databases {
		d := &slave.Databases[i]
		if slices.Contains(databases, d.Name) || slices.Contains(replace, d.Name) {
			continue
		}
		// Of a slave, routines and events alone are what has come from the master.
		own := d.Tables+d.Others > 0 || status == nil && d.Routines+d.Events > 0
		switch {
		case own && master.Database(d.Name) != nil:
			shared = append(shared, d.Name)
		case own && !seen:
			unseen = append(unseen, d.Name)
		}
	}
	for i := range master.Databases {
		if d := &master.Databases[i]; d.Routines+d.Events > 0 && !slices.Contains(databases, d.Name) {
			passing = append(passing, d.Name)
			if slave.Database(d.Name) == nil {
				lacking = append(lacking, "CREATE DATABASE "+server.QuoteName(d.Name)+";")
			}
		}
	}
	const passes = "the filter stops neither what is done to routines and events, nor a DROP TABLE that names a replicated table too"
	if len(shared) > 0 {
		names := strings.Join(shared, ",")
		found.Problem(finding.Slave, "shared-name", "replicate them too: gtunnel replication setup-master --databases "+strings.Join(databases, ",")+","+names+
			" on the master; or rename or drop them on the slave; or let that happen: --replace-databases "+names+", which does not drop these",
			"it has databases of its own with names of databases of the master that are not replicated, whose changes can reach them: %s; %s", finding.List(shared), passes)
	}
	if len(unseen) > 0 {
		found.Warn(finding.Slave, "shared-name", "look on the master: SHOW DATABASES", "%s does not see all databases of the master; if it has some of these too, its changes to them can reach the slave's own: %s; %s",
			master.User, finding.List(unseen), passes)
	}
	if len(passing) > 0 {
		cure := "if it does, gtunnel replication status says what to do"
		if len(lacking) > 0 {
			cure = "have empty databases take them, on the slave: " + strings.Join(append([]string{server.LogNothing}, lacking...), " ") + " If it stops there all the same, gtunnel replication status says what to do"
		}
		found.Warn(finding.Master, "passes-filter", cure,
			"databases that are not replicated have routines or events, whose changes pass the filter, and stop the slave where it lacks the database, routine or event: %s", finding.List(passing))
	}
	return found
}
