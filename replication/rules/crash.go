package rules

import (
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// RelayLogRecovery has a slave begin its relay log anew when its server starts.
const RelayLogRecovery = "relay_log_recovery"

// crashRules are about what a slave needs to go on after a crash.
var crashRules = []Rule{{
	Code: "not-crash-safe", On: finding.Slave, Warning: CheckServer | CheckPair | SetupSlave | Status,
	judge:   isNotCrashSafe,
	Meaning: "the slave follows by file and position, and may not know after a crash what it has applied",
	Cure:    "gtunnel replication setup-slave makes what can be made; after a crash gtunnel replication compare",
}}

// ByGTID reports whether the slave follows its master by GTID, or is to.
func (s *Subject) ByGTID() bool {
	if c := s.Connection(); c != nil && s.Moment == Status {
		return c.ByGTID
	}
	if c := s.Connection(); c != nil && (s.Master == nil || s.Established() && !s.NeedsSeed()) {
		return c.ByGTID || s.State.ByGTID
	}
	switch {
	case s.Master == nil || s.Master.Version.Family != s.Slave.Version.Family || !s.Master.GTIDs() || !s.Slave.GTIDs():
		return false
	case s.Method == journal.SeedNone:
		return s.Start.GTID != ""
	case s.NeedsSeed(): // MySQL's that has no GTIDs yet gives a copy none
		return s.Master.Version.Family == server.MariaDB || s.Master.Variable("gtid_executed") != ""
	default: // the copy of an earlier run
		return s.State.Start.GTID != "" || s.Slave.Version.Family == server.MariaDB
	}
}

// isNotCrashSafe is about slaves by file and position. A setup makes those of MySQL safe.
func isNotCrashSafe(j *judgement) {
	f := j.facts
	c := j.Connection()
	follows := c != nil && c.MasterHost == server.Loopback
	if j.ByGTID() || j.Moment != SetupSlave && follows == (j.Moment == CheckPair) { // of each server it is said already
		return
	}
	if f.Version.Family == server.MariaDB {
		j.sayCure("gtunnel replication compare after a crash; what differs, --repair-table copies. A slave that is copied "+
			"anew follows a MariaDB master by GTID, which a crash does not harm",
			"it follows by file and position, which MariaDB keeps in a file beside the data: after a crash it may apply its "+
				"last change once more, and stop (error 1062), or have it twice in a table without a key")
		return
	}
	lacks := lacksForCrash(f)
	if len(lacks) == 0 || j.Moment&(SetupSlave|CheckPair) != 0 {
		return
	}
	j.sayCure("gtunnel replication setup-slave writes that to an option file of the server, "+
		"which reads it when it is restarted",
		"it follows by file and position, and after a crash may not know what it has applied, without %s",
		strings.Join(lacks, " and "))
}

// lacksForCrash is what a slave of MySQL lacks that follows by file and position.
func lacksForCrash(f *facts.Facts) []string {
	var lacks []string
	for _, name := range []string{"master_info_repository", "relay_log_info_repository"} {
		if f.Variable(name) == "FILE" {
			lacks = append(lacks, name+"=TABLE")
		}
	}
	if _, ok := f.Variables[RelayLogRecovery]; ok && !f.On(RelayLogRecovery) && !f.DropIn.Has(RelayLogRecovery) {
		lacks = append(lacks, RelayLogRecovery+"=ON")
	}
	return lacks
}
