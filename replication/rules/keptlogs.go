package rules

import (
	"fmt"
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// keptLogRules are about what writing a binary log brings with it: the room that it
// takes, and what accounts may no longer do.
var keptLogRules = slices.Concat(
	ofLogs(finding.Slave, CheckServer|SetupSlave),
	ofLogs(finding.Master, CheckServer|SetupMaster),
)

// logEngineRules are about MariaDB 12.3's binary log in InnoDB, which has no positions by
// file: nothing says by them where a slave is.
var logEngineRules = []Rule{
	{
		Code: "log-engine", On: finding.Master, Needs: MasterFacts, Problem: CheckServer | SetupMaster | SetupSlave,
		judge:   logsIntoEngine,
		Meaning: "the binary log is kept in InnoDB, without the positions by which gtunnel copies and compares",
		Cure: "take binlog_storage_engine out of its option files, with log_bin=mysql-bin there, and restart it: " +
			"that begins a new binary log, so its slaves must have all of the old one",
	},
	{
		Code: "log-engine", On: finding.Slave, Warning: CheckServer | SetupSlave, judge: logsIntoEngine,
		Cure: "take binlog_storage_engine out of its option files, with log_bin=mysql-bin there, " +
			"and restart it when it suits",
	},
}

func logsIntoEngine(j *judgement) {
	f := j.facts
	switch {
	case f.LogEngine() == "":
	case f.Role == finding.Slave:
		j.say("its binary log is kept in %s, and gtunnel could not make it the master after a failover", f.LogEngine())
	default:
		j.say("its binary log is kept in %s (binlog_storage_engine), without the positions by which gtunnel copies and "+
			"compares", f.LogEngine())
	}
}

// ofLogs are the rules of one end.
func ofLogs(role finding.Role, at Moment) []Rule {
	return []Rule{
		{
			Code: "logs-kept-for-ever", On: role, Warning: at, judge: keepsLogsForEver,
			Meaning: "the server removes no binary log by itself, so that the disk becomes full",
			Cure:    "set binlog_expire_logs_seconds (before MariaDB 10.6 expire_logs_days), in the option files too",
		},
		{
			Code: "little-room-for-logs", On: role, Warning: at, judge: hasLittleRoomForLogs,
			Meaning: "the disk of the binary logs is nearly full",
			Cure:    "make room there, or keep binary logs for a shorter time",
		},
		{
			Code: "function-creators", On: role, Warning: at, judge: refusesCreators,
			Meaning: "accounts without SUPER cannot create functions and triggers while there is a binary log (error 1419)",
			Cure: "--trust-function-creators of gtunnel replication setup-master and setup-slave sets " +
				"log_bin_trust_function_creators",
		},
	}
}

func keepsLogsForEver(j *judgement) {
	f := j.facts
	if !f.KeepsLogsForEver() {
		return
	}
	room := ""
	if f.LogFree != nil {
		room = fmt.Sprintf(" so far, and %s are free on their disk", finding.FormatBytes(*f.LogFree))
	}
	j.sayCure(expireCure(f), "it removes no binary log by itself: %s of %s%s",
		finding.Count(len(f.BinaryLogs), "file"), finding.FormatBytes(f.LogBytes()), room)
}

// expireCure has a server remove binary logs after a week.
func expireCure(f *facts.Facts) string {
	name, week := f.VariableName("binlog_expire_logs_seconds", "expire_logs_days"), "604800"
	if name == "expire_logs_days" {
		week = "7"
	}
	if !f.Version.AtLeast(server.MySQL, 8, 0, 0) {
		return fmt.Sprintf("SET GLOBAL %s=%s; and %s=%s in its option files", name, week, name, week)
	}
	cure := fmt.Sprintf("SET PERSIST %s=%s", name, week)
	if _, ok := f.Variables["binlog_expire_logs_auto_purge"]; ok && !f.On("binlog_expire_logs_auto_purge") {
		cure += "; SET PERSIST binlog_expire_logs_auto_purge=ON"
	}
	return cure
}

// hasLittleRoomForLogs finds a disk that the next two files of the binary log would fill.
func hasLittleRoomForLogs(j *judgement) {
	f := j.facts
	if !f.HasBinaryLog() || f.LogFree == nil || *f.LogFree >= 2*f.Number("max_binlog_size") {
		return
	}
	j.say("%s are free on the disk of its binary logs, which take %s", finding.FormatBytes(*f.LogFree),
		finding.FormatBytes(f.LogBytes()))
}

// refusesCreators is about a master that has a binary log, or is to have one, and of a
// slave that has one: it can be the master after a failover.
func refusesCreators(j *judgement) {
	f := j.facts
	if j.TrustCreators || f.On("log_bin_trust_function_creators") || f.Role == finding.Slave && !f.HasBinaryLog() ||
		len(f.Creators) == 0 {
		return
	}
	setup, when := "setup-master", "because it writes a binary log"
	if f.Role == finding.Slave {
		setup = "setup-slave"
	}
	if !f.HasBinaryLog() {
		when = "once it writes a binary log, as it does not yet"
	}
	j.sayCure("gtunnel replication "+setup+" --trust-function-creators sets log_bin_trust_function_creators=ON, which "+
		"lets them; or have an administrator create these",
		"accounts without SUPER cannot create functions and triggers (error 1419), %s: %s", when, finding.Items(f.Creators))
}
