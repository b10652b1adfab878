package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// pairRules are about what keeps two servers from being master and slave of each
// other, beyond what is said of each of them.
var pairRules = []Rule{
	{
		Code: "follows-this", On: finding.Master, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: followsSlave,
		Meaning: "the server that is to be the master is the slave of the other one",
		Cure:    "this host has the master of the two: run it on the host of the slave",
	},
	{
		Code: "older-slave", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: isOlder,
		Meaning: "the slave's version is older than the master's, which it cannot follow",
		Cure:    "update the slave to the master's series or later",
	},
	{
		Code: "far-versions", On: finding.Slave, Needs: BothFacts, Warning: CheckPair | SetupSlave, judge: isFarAhead,
		Meaning: "the slave is more than one series of MySQL ahead of its master, which MySQL does not support",
		Cure:    "go by the series between",
	},
	{
		Code: "families", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: cannotLogIn,
		Meaning: "MariaDB cannot log in to MySQL 9",
		Cure:    "take a MySQL server as the slave, or copy the data by a dump",
	},
	{
		Code: "families", On: finding.Slave, Needs: BothFacts, Warning: CheckPair | SetupSlave, judge: isMigration,
		Meaning: "one end is MariaDB and the other MySQL: it is a migration, with no way back",
		Cure:    "treat it as a migration",
	},
	{
		Code: "row-events", On: finding.Master, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: logsForeignRows,
		Meaning: "MySQL 9 cannot read rows that MariaDB logs",
		Cure: "on the master: gtunnel replication setup-master --log-statements, and let its programs connect anew; " +
			"or take MySQL 8.4 as the slave",
	},
	{
		Code: "gtid-mode", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: wantsOwnGTIDs,
		Meaning: "the slave would refuse the master's transactions because of its gtid_mode",
		Cure: "SET GLOBAL gtid_mode on the slave, by its steps OFF, OFF_PERMISSIVE, " +
			"ON_PERMISSIVE, ON, and in its option files",
	},
	{
		Code: CaseOfName, On: finding.Master, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: confusesNames,
		Meaning: "names differ in case only, which the filter of the slave takes for the same",
		Cure:    "rename or drop it, or replicate both",
	},
	{
		Code: CaseOfName, On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: confusesNames,
		Cure: "rename or drop it, or replicate both",
	},
	{
		Code: "same-uuid", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: hasSameUUID,
		Meaning: "both servers have the same server_uuid, as cloned machines do",
		Cure:    "stop the slave, remove auto.cnf from its data directory, and start it: it makes a new one",
	},
	{
		Code: "gtid-mode", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: differsInGTIDMode,
	},
	{
		Code: "lower-case-table-names", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave,
		judge:   differsInCase,
		Meaning: "the ends treat the case of names of tables differently",
		Cure:    "set up the slave anew with the master's lower_case_table_names",
	},
	{
		Code: "unknown-collation", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave,
		judge:   lacksCollations,
		Meaning: "the slave does not know a collation that the master uses",
		Cure: "convert the columns on the master, or set collation_server there to one that both know; " +
			"or update the slave",
	},
	{
		Code: "time-zone", On: finding.Slave, Needs: BothFacts, Warning: CheckPair | SetupSlave, judge: differsInTimeZone,
		Meaning: "the ends have different time zones",
		Cure:    "set the same time_zone on both, such as '+00:00', if events or statements use local time",
	},
}

// followsSlave finds that the roles are confused: what is on this host is what the other
// one has its data from.
func followsSlave(j *judgement) {
	for _, m := range j.Master.Masters {
		byUUID := m.MasterUUID != "" && m.MasterUUID == j.Slave.UUID()
		byID := j.Slave.UUID() == "" && m.MasterID != 0 && m.MasterID == j.Slave.ServerID() &&
			slices.Contains(j.Slave.Slaves, j.Master.ServerID())
		if m.Active() && (byUUID || byID) {
			j.say("it is the slave of the server of this host, which would get its own data from there")
		}
	}
}

// isOlder holds to that a slave must not be older (MySQL manual, "Replication
// Compatibility Between MySQL Versions"; MariaDB's, "Cross-Version Replication
// Compatibility").
func isOlder(j *judgement) {
	master, slave := j.Master.Version, j.Slave.Version
	if master.Family == slave.Family && seriesBefore(slave, master) {
		j.sayCure("update the slave to "+master.Series()+" or later", "%s cannot follow the newer %s", slave, master)
	}
}

// mysqlSeries are the last of MySQL's long lines: the versions up to each can be updated
// to those up to the next, and no further at once (its manual, "Upgrade Paths").
var mysqlSeries = []server.Version{
	{Family: server.MySQL, Major: 5, Minor: 7},
	{Family: server.MySQL, Major: 8},
	{Family: server.MySQL, Major: 8, Minor: 4},
	{Family: server.MySQL, Major: 9, Minor: 7},
}

// isFarAhead holds to that MySQL replicates where it can be updated. MariaDB has no such
// bound.
func isFarAhead(j *judgement) {
	master, slave := j.Master.Version, j.Slave.Version
	if master.Family != server.MySQL || slave.Family != server.MySQL {
		return
	}
	line := func(v server.Version) int {
		return slices.IndexFunc(append(slices.Clone(mysqlSeries), v), func(last server.Version) bool {
			return !seriesBefore(last, v)
		})
	}
	from, to := line(master), line(slave)
	if to <= from+1 {
		return
	}
	var between []string
	for _, v := range mysqlSeries[from+1 : to] {
		between = append(between, v.Series())
	}
	j.sayCure("go by the series between: let a slave of MySQL "+between[0]+" follow first, and update it, "+
		"by "+strings.Join(append(between[1:], slave.Series()), ", ")+"; or copy the data by a dump for good",
		"%s follows %s: MySQL supports the next series only, and an error may stop the slave at any change", slave, master)
}

// seriesBefore reports whether a's series is older than b's.
func seriesBefore(a, b server.Version) bool {
	a.Patch, b.Patch = 0, 0
	return a.Older(b)
}

// lacksPlugin reports whether a MariaDB slave has no plugin by which to log in to
// the master.
func (s *Subject) lacksPlugin() bool {
	return s.Slave.Version.Family == server.MariaDB && s.Master.Version.AtLeast(server.MySQL, 9, 0, 0)
}

func cannotLogIn(j *judgement) {
	if j.lacksPlugin() {
		j.say("%s cannot follow %s: it has no authentication plugin that a MariaDB slave could use",
			j.Slave.Version, j.Master.Version)
	}
}

func isMigration(j *judgement) {
	master, slave := j.Master.Version, j.Slave.Version
	if master.Family == slave.Family || j.lacksPlugin() {
		return
	}
	cure := "treat it as a migration: there is no way back to " + string(master.Family) + " by replication"
	if master.Family == server.MySQL {
		cure += "; the account of the replication must use mysql_native_password"
	}
	j.sayCure(cure, "%s follows %s: simple statements and rows work, what only one family knows does not", slave, master)
}

// followsMariaDB reports whether MySQL 9 is to follow MariaDB. It has given up the
// format of row events that MariaDB writes (error 13121), and with gtid_mode ON
// takes no transactions without GTIDs of its own kind (1782).
func (s *Subject) followsMariaDB() bool {
	return s.Master.Version.Family == server.MariaDB && s.Slave.Version.AtLeast(server.MySQL, 9, 0, 0)
}

func logsForeignRows(j *judgement) {
	if format := j.Master.Variable("binlog_format"); j.followsMariaDB() && format != "STATEMENT" {
		j.say("binlog_format is %s, and %s cannot read rows that MariaDB logs", format, j.Slave.Version)
	}
}

func hasSameUUID(j *judgement) {
	if id := j.Master.UUID(); id != "" && id == j.Slave.UUID() {
		j.sayCure("stop it, remove auto.cnf from its data directory "+j.Slave.Variable("datadir")+
			", and start it: it makes a new one",
			"it has the server_uuid of the master, as a cloned machine does")
	}
}

func differsInCase(j *judgement) {
	const name = "lower_case_table_names"
	if m, s := j.Master.Variable(name), j.Slave.Variable(name); m != s {
		j.sayCure("set up the slave anew with "+name+"="+m, "%s is %s, and %s on the master", name, s, m)
	}
}

func lacksCollations(j *judgement) {
	for _, name := range j.Databases {
		d := j.Master.Database(name)
		if d == nil {
			continue // other rules say so
		}
		unknown := slices.DeleteFunc(slices.Clone(d.Collations), func(c string) bool { return j.Slave.Collations[c] })
		if len(unknown) > 0 {
			j.sayCure("convert these columns on the master (ALTER TABLE ... CONVERT TO CHARACTER "+
				"SET utf8mb4 COLLATE utf8mb4_general_ci), or update the slave",
				"%s does not know collations that %s uses: %s", j.Slave.Version, name, finding.Items(unknown))
		}
	}
	if c := j.Master.Variable("collation_server"); c != "" && !j.Slave.Collations[strings.ToLower(c)] {
		j.sayCure("on the master set collation_server to one that both know, such as utf8mb4_general_ci, "+
			"in the option files too",
			"%s does not know the master's collation_server %s, which every transaction names", j.Slave.Version, c)
	}
}

func differsInTimeZone(j *judgement) {
	if m, s := timeZone(j.Master), timeZone(j.Slave); m != s {
		j.say("its time zone is %s, and %s on the master", s, m)
	}
}

func timeZone(f *facts.Facts) string {
	if zone := f.Variable("time_zone"); zone != "SYSTEM" {
		return zone
	}
	return f.Variable("system_time_zone")
}

// CaseOfName is the code of names, of tables too, that the filter takes for the same.
const CaseOfName = "case-of-name"

// confusesNames finds other databases whose names differ from those of the wanted
// ones in case only. MariaDB's filter takes them for the same, so that changes of
// one would be made in the other; so do its lists, as those of MySQL before 8.0.
func confusesNames(j *judgement) {
	if j.Master.Version.AtLeast(server.MySQL, 8, 0, 0) && j.Slave.Version.AtLeast(server.MySQL, 8, 0, 0) {
		return
	}
	for _, name := range j.facts.DatabaseNames() {
		i := slices.IndexFunc(j.Databases, func(wanted string) bool { return strings.EqualFold(wanted, name) })
		if i >= 0 && !slices.Contains(j.Databases, name) {
			j.say("the name of its database %s differs from that of %s in case only, "+
				"which MariaDB's filter and the lists of older servers take for the same", name, j.Databases[i])
		}
	}
}
