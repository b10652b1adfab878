package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// serverRules are about what no end of a replication may be. A master is not
// judged again by its slave's setup, whose login there sees a part of it.
var serverRules = slices.Concat(
	ofEnd(finding.Slave, CheckServer|SetupSlave),
	ofEnd(finding.Master, CheckServer|SetupMaster),
)

// ofEnd are the rules of one end.
func ofEnd(role finding.Role, at Moment) []Rule {
	return []Rule{
		{
			Code: "too-old", On: role, Problem: at, judge: isTooOld,
			Meaning: "the server's version is older than what gtunnel knows how to set up",
			Cure:    "update it to MariaDB 10.0 or MySQL 5.7, better a current series",
		},
		{
			Code: "cluster", On: role, Problem: at, judge: isInCluster,
			Meaning: "the server is a member of Galera or Group Replication, which must not be set up by hand",
			Cure:    "use the cluster's own replication, or a server outside it",
		},
		{
			Code: "privileges", On: role, Problem: at, judge: lacksPrivileges,
			Meaning: "the login lacks privileges that the setup needs",
			Cure:    "log in as root, or as an account with ALL PRIVILEGES and GRANT OPTION",
		},
		{
			Code: "general-log", On: role, Warning: at, judge: logsPasswords,
			Meaning: "the server logs every statement, passwords too, and the login cannot keep them out",
			Cure:    "SET GLOBAL general_log=0 for the time of the setup, or log in with SUPER, which can keep them out",
		},
	}
}

func isTooOld(j *judgement) {
	if v := j.facts.Version; !v.AtLeast(server.MariaDB, 10, 0, 0) && !v.AtLeast(server.MySQL, 5, 7, 0) {
		j.say("%s is too old", v)
	}
}

func isInCluster(j *judgement) {
	if j.facts.Cluster != "" {
		j.say("it is a member of a cluster (%s)", j.facts.Cluster)
	}
}

func lacksPrivileges(j *judgement) {
	if missing := MissingPrivileges(j.facts); len(missing) > 0 {
		j.say("%s lacks privileges: %s", j.facts.User, strings.Join(missing, ", "))
	}
}

// logsPasswords finds a log that a session cannot be kept out of. MySQL's has no
// passwords.
func logsPasswords(j *judgement) {
	if f := j.facts; f.Version.Family == server.MariaDB && f.On("general_log") && !f.HasPrivilege("SUPER") {
		j.say("it logs every statement, and so the passwords of the replication, in %s", f.Variable("general_log_file"))
	}
}

// MissingPrivileges are those that setting a server up needs and its login does
// not have. Each is given by several privileges, old and new.
func MissingPrivileges(f *facts.Facts) []string {
	needs := [][]string{
		{"CREATE USER"},
		{"RELOAD"},
		{"SUPER", "SYSTEM_VARIABLES_ADMIN", "BINLOG ADMIN"},
		{"SUPER", "REPLICATION CLIENT", "BINLOG MONITOR"},
	}
	if f.Role == finding.Slave {
		needs = [][]string{
			{"CREATE"},
			{"DROP"},
			{"INSERT"},
			{"CREATE VIEW"},
			{"CREATE ROUTINE"},
			{"TRIGGER"},
			{"EVENT"},
			{"SUPER", "REPLICATION_SLAVE_ADMIN", "REPLICATION SLAVE ADMIN", "REPLICATION REPLICA ADMIN"},
			{"SUPER", "SYSTEM_VARIABLES_ADMIN", "READ_ONLY ADMIN", "READ ONLY ADMIN"},
		}
	}
	var missing []string
	for _, any := range needs {
		if !f.HasPrivilege(any...) {
			missing = append(missing, strings.Join(any, " or "))
		}
	}
	return missing
}
