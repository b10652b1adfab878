package finding

// refusal is a cause by a part of its text in lower case.
type refusal struct {
	part string
	Cause
}

// refusals are the reasons for which a master sends nothing (1236), by a part
// of its text. Both families are in it, with old and new words.
var refusals = []refusal{
	{part: "could not find first log file", Cause: LogPurged},
	{part: "could not find next log", Cause: LogPurged},
	{part: "could not find gtid state requested by slave", Cause: purgedGTIDs},
	{part: "purged required binary logs", Cause: purgedGTIDs},
	{part: "purged binary logs containing gtids", Cause: purgedGTIDs},
	{part: "with the same server_", Cause: sameServer},
	{part: "same server_uuid/server_id", Cause: sameServer},
	{part: "which is not in the master's binlog", Cause: diverged},
	{part: "the binlog on the master is missing the gtid", Cause: diverged},
	{part: "has more gtids than", Cause: diverged},
	{part: "gtid not in", Cause: diverged},
	{part: "> file size", Cause: lostEnd},
	{part: "impossible position", Cause: lostEnd},
	{part: "exceeded max_allowed_packet", Cause: Cause{
		Code: "packet",
		Words: "a change is larger than the slave takes, or the slave stands at a place where no change begins, " +
			"as after a RESET of the master's binary log",
		Cure: "on both: SET GLOBAL max_allowed_packet=1073741824; SET GLOBAL slave_max_allowed_packet=1073741824; " +
			"then here: STOP SLAVE; START SLAVE; if it says the same again: " + SeedAnew,
	}},
	{part: "binary log is not open", Cause: Cause{
		Code:  "no-binary-log",
		Words: "the master writes no binary log",
		Cure:  "on the master: gtunnel replication setup-master",
	}},
	{part: "server id was not set", Cause: noServerID},
	{part: "server_id was not set", Cause: noServerID},
	{part: "server_id is 0", Cause: noServerID},
	{part: "gtid_mode", Cause: gtidModes},
	{part: "cannot replicate anonymous transaction", Cause: gtidModes},
	{part: "truncated in the middle of event", Cause: damagedLog},
	{part: "crc check", Cause: damagedLog},
	{part: "bogus data in log event", Cause: damagedLog},
	{part: "error reading log event", Cause: damagedLog},
	{part: "format descriptor event", Cause: damagedLog},
	{part: "could not open log file", Cause: damagedLog},
	{part: "error reading packet from server", Cause: Cause{
		Code: "far-end-closed", Words: "the connection to the master ended while the master sent", Cure: farEnd,
	}},
}

// fatals are what keeps a slave from going on (1593), by a part of its text.
var fatals = []refusal{
	{part: "have equal ", Cause: sameServer},
	{part: "gtid_mode", Cause: gtidModes},
	{part: "has exceeded the", Cause: Causes[1226]},
}

var (
	sameServer = Cause{
		Code:  "same-server-id",
		Words: "both servers have the same server_id or UUID, as cloned machines do",
		Cure: "give the slave a server_id of its own, also in its option files: SET GLOBAL server_id=NUMBER " +
			"(MySQL: and, if it is the UUID, remove auto.cnf from its data directory and restart it;) " +
			"then: STOP SLAVE; START SLAVE",
	}
	noServerID = Cause{
		Code:  "no-server-id",
		Words: "the master has no server_id",
		Cure:  "on the master: gtunnel replication setup-master",
	}
	gtidModes = Cause{
		Code:  "gtid-mode",
		Words: "master and slave do not have the same gtid_mode",
		Cure: "SET GLOBAL gtid_mode on both, by its steps OFF, OFF_PERMISSIVE, " +
			"ON_PERMISSIVE, ON, and in the option files; then start the slave: START SLAVE",
	}
	damagedLog = Cause{
		Seed:  true,
		Code:  "master-log-damaged",
		Words: "the master cannot read its own binary log: a file of it is damaged, or gone",
		Cure: "look at the disk of the master and at its error log; then on the master: FLUSH BINARY LOGS, " +
			"which begins a new file; " + SeedAnew,
	}
)

// LogPurged is what a slave by file and position meets whose file is gone.
var LogPurged = Cause{
	Seed:  true,
	Code:  "purged",
	Words: "the master no longer has the binary log from which the slave has to go on: it was purged, or reset",
	Cure:  SeedAnew + keepLonger,
}

var purgedGTIDs = Cause{
	Seed:  true,
	Code:  "purged",
	Words: "the master has purged transactions that the slave lacks",
	Cure:  SeedAnew + keepLonger,
}

// keepLonger is what keeps a slave from meeting it again.
const keepLonger = "; to keep the logs longer from now on: binlog_expire_logs_seconds on the master"

// lostEnd is what a crash leaves of a log that is not synced.
var lostEnd = Cause{
	Code: "master-lost-log",
	Words: "the master's binary log ends before the place where the slave has to go on: " +
		"the master crashed and lost its end, was restored from an older copy, or was set up anew",
	Cure: SeedAnew + "; sync_binlog=1 on the master keeps its log whole",
}

var diverged = Cause{
	Seed: true,
	Code: "diverged",
	Words: "the slave has transactions that the master does not: " +
		"somebody wrote on the slave, or the master was restored from an older copy, or set up anew",
	Cure: "what only the slave has is lost by it: " + SeedAnew,
}
