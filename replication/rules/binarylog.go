package rules

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// atEachMoment are those at which the binary log of a master is looked at.
const atEachMoment = CheckServer | CheckPair | SetupMaster | SetupSlave | Status | StatusMaster

// binaryLogRules are about what the ends log, and keep.
var binaryLogRules = []Rule{
	{
		Code: "restart", On: finding.Master, Warning: CheckServer, judge: mustRestart, // setup-master has a step for it
		Meaning: "the binary log is off, and only a restart of the server turns it on",
		Cure: "gtunnel replication setup-master writes it to an option file " +
			"and waits for the restart, which is yours to do",
	},
	{
		Code: "binlog-filter", On: finding.Master, Problem: atEachMoment, judge: logsNotAll,
		Meaning: "the master keeps a database out of its binary log",
		Cure: "remove binlog-do-db and binlog-ignore-db from the server's option files and restart it; " +
			"what a slave has not got meanwhile gtunnel replication compare finds",
	},
	{
		Code: "binlog-filter", On: finding.Master, Warning: atEachMoment, judge: logsByDatabase,
		Meaning: "binlog-do-db and binlog-ignore-db lose statements that name a table of another database",
		Cure:    "remove it from the server's option files at the next restart: the slave chooses what it takes",
	},
	{
		Code: "no-binary-log", On: finding.Master, Problem: StatusMaster, judge: masterLogsNothing,
		Meaning: "the master writes no binary log",
		Cure:    "gtunnel replication setup-master there",
	},
	{
		Code: "no-follower", On: finding.Master, Warning: StatusMaster, judge: hasNoFollower,
		Meaning: "no slave reads the binary log of the master at this moment",
		Cure:    "gtunnel replication status on the slave says why",
	},
	{
		Code: "is-slave", On: finding.Master, Problem: CheckServer | SetupMaster | SetupSlave, judge: passesNothingOn,
		Meaning: "the master is itself a slave, and does not log what comes from its own master",
		Cure:    "set log_slave_updates=ON in its option files, and restart it",
	},
	{
		Code: "is-slave", On: finding.Master, Warning: CheckServer | SetupMaster, judge: isSlaveToo,
		Meaning: "the master is, or was, itself a slave",
		Cure:    "if it shall no longer follow its master: RESET SLAVE ALL",
	},
	{
		Code: "durability", On: finding.Master, Warning: CheckServer | SetupMaster | SetupSlave, judge: mayLoseCommits,
		Meaning: "a crash of the master's host may make the two ends differ",
		Cure:    "set sync_binlog=1 and innodb_flush_log_at_trx_commit=1, unless speed matters more",
	},
	{
		Code: "log-slave-updates", On: finding.Slave, Warning: CheckServer | SetupSlave | Status, judge: logsNoUpdates,
		Meaning: "the slave does not log what it replicates, and cannot be the master after a failover",
		Cure:    "set log_slave_updates=ON in the option files and restart it when it suits",
	},
	{
		Code: "no-binary-log", On: finding.Slave, Warning: CheckServer | SetupSlave | Status, judge: logsNothing,
		Meaning: "the slave writes no binary log, and cannot be the master after a failover",
		Cure:    "set log_bin and log_slave_updates=ON in the option files and restart it when it suits",
	},
}

func mustRestart(j *judgement) {
	if !j.facts.HasBinaryLog() {
		j.say("log_bin is off, and only a restart turns it on: the binary log is what is replicated")
	}
}

// isLeftOut reports whether binlog-do-db or binlog-ignore-db keeps a database out
// of the binary log.
func isLeftOut(f *facts.Facts, name string) (byDo, byIgnore bool) {
	is := func(listed string) bool { return sameName(f, listed, name) }
	byDo = len(f.BinlogDo) > 0 && !slices.ContainsFunc(f.BinlogDo, is)
	return byDo, !byDo && slices.ContainsFunc(f.BinlogNot, is)
}

// logged are the wanted databases of which the binary log of the master is judged.
func (j *judgement) logged() []string {
	return slices.DeleteFunc(slices.Clone(j.ours()), func(name string) bool {
		looksOnly := j.Moment&(Status|StatusMaster) != 0                             // and knows no databases
		return isSystemDatabase(name) || !looksOnly && j.facts.Database(name) == nil // other rules say so
	})
}

func logsNotAll(j *judgement) {
	then := ""
	if j.Moment == Status || j.Moment == SetupSlave {
		then = thenCompare
	}
	for _, name := range j.logged() {
		switch byDo, byIgnore := isLeftOut(j.facts, name); {
		case byDo:
			j.sayCure("remove binlog-do-db from the server's option files and restart it: the slave chooses what it takes"+then,
				"binlog-do-db keeps %s out of the binary log", name)
		case byIgnore:
			j.sayCure("remove binlog-ignore-db from the server's option files and restart it"+then,
				"binlog-ignore-db keeps %s out of the binary log", name)
		}
	}
}

func hasNoFollower(j *judgement) {
	if len(j.facts.Followers) == 0 && j.facts.HasBinaryLog() && j.Seen.Pair == nil { // of a pair: no-slave
		j.say("no slave is connected, as far as this login sees connections")
	}
}

func logsByDatabase(j *judgement) {
	f := j.facts
	keepsOut := slices.ContainsFunc(j.logged(), func(name string) bool {
		byDo, byIgnore := isLeftOut(f, name)
		return byDo || byIgnore
	})
	for _, option := range []string{"binlog-do-db", "binlog-ignore-db"} {
		names := map[string][]string{"binlog-do-db": f.BinlogDo, "binlog-ignore-db": f.BinlogNot}[option]
		if len(names) > 0 && !keepsOut {
			j.say("%s loses statements that name a table of another database than the current one", option)
		}
	}
}

// logsUpdates reports whether a server logs what it replicates.
func logsUpdates(f *facts.Facts) bool { return f.On("log_slave_updates", "log_replica_updates") }

func passesNothingOn(j *judgement) {
	for _, m := range j.facts.Masters {
		if m.Active() && !logsUpdates(j.facts) {
			j.say("it is itself the slave of %s:%d, and does not log what comes from there: its slave would never get it",
				m.MasterHost, m.MasterPort)
		}
	}
}

func isSlaveToo(j *judgement) {
	for _, m := range j.facts.Masters {
		switch {
		case !m.Active(): // as what a promoted slave has left
			j.sayCure("if it shall no longer follow it: "+m.Forget(j.facts.Version)+
				"; then gtunnel replication setup-master, which takes a slave's settings out of its own option file",
				"it was the slave of %s:%d, and still knows how to follow it", m.MasterHost, m.MasterPort)
		case logsUpdates(j.facts):
			j.sayCure("", "it is itself the slave of %s:%d", m.MasterHost, m.MasterPort)
		}
	}
}

func mayLoseCommits(j *judgement) {
	f := j.facts
	synced := f.Variable("sync_binlog") == "1" || f.LogEngine() != "" // which syncs it with its own
	if f.HasBinaryLog() && (!synced || f.Variable("innodb_flush_log_at_trx_commit") != "1") {
		j.say("a crash of this host may lose commits that the slave has, or keep some that it never gets")
	}
}

func logsNoUpdates(j *judgement) {
	if j.facts.HasBinaryLog() && !logsUpdates(j.facts) {
		j.say("it does not log what it replicates, and so could not be the master of the other host after a failover")
	}
}

func logsNothing(j *judgement) {
	if !j.facts.HasBinaryLog() {
		j.say("it writes no binary log, and so could not be the master of the other host after a failover")
	}
}
