package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// gtidRules are about GTIDs of a slave that is to begin anew. What gtid_mode keeps
// from being followed at all is among the rules of pairs.
var gtidRules = []Rule{
	{
		Code: "own-gtids", On: finding.Slave, Needs: BothFacts, Problem: CheckPair | SetupSlave, judge: hasOwnGTIDs,
		Meaning: "MySQL before 8.0 takes the GTIDs of a copy only while it has none itself",
		Cure: "on the slave, unless somebody needs its binary log: STOP SLAVE; " +
			"RESET SLAVE ALL; RESET MASTER; then run this again",
	},
	{
		Code: "gtids-ahead", On: finding.Slave, Needs: BothFacts, Problem: Begin, judge: isAhead,
		Meaning: "the slave knows transactions of the master that the master does not have any more",
		Cure:    "on the slave: RESET MASTER, unless somebody needs its binary log; then run this again",
	},
	{
		Code: "gtid-order", On: finding.Slave, Problem: Begin, judge: wouldStopInOrder,
		Meaning: finding.Causes[1950].Words,
		Cure:    finding.Causes[1950].Cure,
	},
}

// errantRules are about transactions of a slave's own.
var errantRules = []Rule{{
	Code: "errant-transactions", On: finding.Slave, Needs: BothFacts | Connection, Warning: CheckPair | Status,
	judge:   hasErrant,
	Meaning: "the slave's binary log has transactions of its own, which the master has not: somebody wrote there",
	Cure: "gtunnel replication compare tells whether the replicated databases differ; " +
		"before this host becomes the master its slaves must get these transactions, or be copied anew",
}}

// hasErrant finds transactions that the slave has and the master has not. The facts
// of the slave are the earlier ones.
func hasErrant(j *judgement) {
	if j.Moment == CheckPair && !j.Established() || j.Moment == Status && !j.Seen.SameMaster {
		return
	}
	master, slave := j.Master, j.Slave
	var errant string
	switch {
	case master.Version.Family != slave.Version.Family:
	case slave.Version.Family == server.MariaDB:
		errant = server.OwnGTIDs(slave.Variable("gtid_binlog_state"), master.Variable("gtid_binlog_state"),
			slave.Variable("server_id"))
	case master.GTIDs() && slave.GTIDs():
		errant = server.SubtractGTIDs(slave.Variable("gtid_executed"), master.Variable("gtid_executed"))
	}
	if errant != "" {
		j.say("it has transactions that the master has not, as if somebody wrote there: %s", errant)
	}
}

// hasOwnGTIDs finds a copy that MySQL before 8.0 could not begin from: it takes
// gtid_purged only while it has no GTIDs of its own (error 1840).
func hasOwnGTIDs(j *judgement) {
	v, own := j.Slave.Version, j.Slave.Variable("gtid_executed")
	if v.Family == server.MySQL && !v.AtLeast(server.MySQL, 8, 0, 0) && j.NeedsSeed() &&
		j.Method != journal.SeedNone && j.Master.GTIDs() && j.Slave.GTIDs() && own != "" {
		j.sayCure("on the slave, unless somebody needs its binary log: STOP SLAVE; RESET SLAVE ALL; "+
			v.ResetBinaryLog()+"; then run this again",
			"%s takes the GTIDs of a copy only while it has none itself, and it has %s", v, own)
	}
}

// isAhead finds GTIDs of MySQL's that the slave has from a time before the
// master's binary log was begun anew. The master refuses such a slave (1236), and
// gives these GTIDs to other transactions, which the slave would leave out.
func isAhead(j *judgement) {
	if j.Ahead != "" && strings.Contains(strings.ToLower(j.Ahead), strings.ToLower(j.Master.UUID())) {
		j.sayCure("on the slave: "+j.Slave.Version.ResetBinaryLog()+
			", unless somebody needs its binary log; then run this again",
			"it knows transactions of the master that the master does not have any more, "+
				"as if its binary log was begun anew: %s", j.Ahead)
	}
}

// wouldStopInOrder finds GTIDs in the binary log of a slave of MariaDB's that are
// later than the master's in the same domain. With gtid_strict_mode the slave
// would stop at the first change (1950).
func wouldStopInOrder(j *judgement) {
	f := j.facts
	if f.On("gtid_strict_mode") && f.HasBinaryLog() && f.On("log_slave_updates") && server.Behind(j.Written, j.Own) {
		j.say("its own binary log has later GTIDs (%s) than the master's (%s), "+
			"and gtid_strict_mode lets none come after them",
			j.Own, j.Written)
	}
}

// gtidModes are MySQL's gtid_modes. A server goes from one to the next only.
var gtidModes = []string{"OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"}

// differsInGTIDMode finds a slave that cannot follow transactions as its master
// marks them: with gtid_mode OFF it takes none that may have a GTID, and with ON
// none that may have none (error 13117).
func differsInGTIDMode(j *judgement) {
	from, to := j.Slave.Variable("gtid_mode"), j.Master.Variable("gtid_mode")
	is, wanted := slices.Index(gtidModes, from), slices.Index(gtidModes, to)
	if is < 0 || wanted < 0 { // one is not MySQL
		return
	}
	if (from != "OFF" || wanted < 2) && (from != "ON" || wanted > 1) {
		return
	}
	var steps []string
	if wanted > is {
		steps = append(steps, "SET GLOBAL enforce_gtid_consistency=ON")
	}
	for is != wanted {
		if is++; wanted < is {
			is -= 2
		}
		steps = append(steps, "SET GLOBAL gtid_mode="+gtidModes[is])
	}
	kept := "gtid_mode=" + to
	if wanted > 1 {
		kept = "enforce_gtid_consistency=ON and " + kept
	}
	j.sayCure("on the slave: "+strings.Join(steps, "; ")+"; and "+kept+" in its option files",
		"gtid_mode is %s, and %s on the master: the slave would refuse its transactions", from, to)
}

func wantsOwnGTIDs(j *judgement) {
	if j.followsMariaDB() && j.Slave.GTIDs() {
		j.sayCure("on the slave: SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=OFF_PERMISSIVE; "+
			"and gtid_mode=OFF_PERMISSIVE in its option files",
			"gtid_mode is ON, and MariaDB's transactions have no GTIDs that MySQL knows")
	}
}
