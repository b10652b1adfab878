package finding

import (
	"maps"
	"slices"
)

// Cause is an error of a server in plain words, with what to do about it.
type Cause struct{ Code, Words, Cure string }

// EveryCause lists the causes of all errors, each once, in the order of the
// errors' numbers.
func EveryCause() []Cause {
	var list []Cause
	add := func(c Cause) {
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(Causes)) {
		add(Causes[number])
	}
	for _, r := range slices.Concat(refusals, fatals) {
		add(r.Cause)
	}
	return list
}

// Causes are the errors that replication through a tunnel meets, by number. The
// text of a slave's error may tell more: see ExplainSlaveError.
var Causes = map[int]Cause{
	1007: {
		Code: "database-there",
		Words: "a database that the master made is on the slave already: " +
			"the slave had one of its own of that name, or the start position was wrong",
		Cure: "rename or drop the slave's own, and start the slave; or " + seedAnew,
	},
	1008: {
		Code:  "missing-database",
		Words: "a database that the master dropped is not on the slave",
		Cure:  onSlaveBefore + "CREATE DATABASE of that name, empty; then start the slave, which drops it",
	},
	1032: {
		Code: "missing-row",
		Words: "a row that the master changed is not on the slave: " +
			"somebody wrote there, or the start position was wrong",
		Cure: "gtunnel replication compare; reseed the table with --repair-table; never skip the error",
	},
	1044: {
		Code:  "access-denied",
		Words: "the account has no rights on this database",
		Cure:  "log in with an account that has them, or grant them",
	},
	AccessDenied: {
		Code:  "access-denied",
		Words: "the password is wrong, or there is no account for 127.0.0.1",
		Cure:  "on the master: SELECT user, host FROM mysql.user; the tunnel connects from 127.0.0.1",
	},
	1049: {
		Code: "missing-database",
		Words: "a statement names a database that the slave lacks, " +
			"as one does that makes a routine or an event in a database that is not replicated",
		Cure: onSlaveBefore + "CREATE DATABASE of that name, empty; then start the slave",
	},
	1050: structure, 1051: structure, 1054: structure, 1060: structure, 1061: structure,
	1072: structure, 1091: structure, 1347: structure, 1359: structure, 1360: structure,
	1062: {
		Code:  "duplicate-row",
		Words: "a row is on the slave already: somebody wrote there, or the start position was wrong",
		Cure:  "gtunnel replication compare; reseed the table with --repair-table; never skip the error",
	},
	1129: {
		Code:  "host-blocked",
		Words: "the master blocks this host after connections that ended without a login, often a port check",
		Cure:  "on the master: FLUSH HOSTS (or mysqladmin flush-hosts), and let checks log in",
	},
	1142: {
		Code:  "missing-privilege",
		Words: "a privilege is missing",
		Cure:  "log in with an account that has it, or grant it",
	},
	1146: {
		Code:  "missing-table",
		Words: "a table that the master changed is not on the slave",
		Cure:  "gtunnel replication compare; reseed the table with --repair-table",
	},
	1200: {
		Code:  "not-set-up",
		Words: "replication is not set up on this server",
		Cure:  "gtunnel replication setup-slave",
	},
	1205: {
		Code:  "lock-wait",
		Words: "a lock was not given in time",
		Cure:  "look who holds it: SHOW PROCESSLIST; then run this again",
	},
	1226: {
		Code:  "account-limit",
		Words: "the account has a limit of connections or statements, and has come to it",
		Cure: "on the master: ALTER USER ... WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 " +
			"MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0",
	},
	1227: {
		Code:  "missing-privilege",
		Words: "a privilege is missing",
		Cure:  "log in with an account that has the privilege that the message names, such as root",
	},
	1236: {
		Code:  "cannot-send",
		Words: "the master cannot send what the slave asks for",
		Cure:  "see the text: a purged or reset binary log wants a new seed: gtunnel replication setup-slave",
	},
	1275: {
		Code:  "old-password",
		Words: "the account has a password in the old format",
		Cure:  "on the master: ALTER USER ... IDENTIFIED BY with the password itself, not a hash",
	},
	1290: {
		Code:  "read-only",
		Words: "the server is read-only, as a slave should be",
		Cure:  "write on the master",
	},
	1304: routineThere, 1537: routineThere,
	1305: routineMissing, 1539: routineMissing,
	1449: {
		Code:  "definer-missing",
		Words: "the definer of an object is an account of the master that the slave lacks",
		Cure: "make the account on the slave, " +
			"with the lines that SHOW CREATE USER and SHOW GRANTS give on the master",
	},
	1524: {
		Code:  "plugin-disabled",
		Words: "the account's authentication plugin is turned off on the server",
		Cure:  "give the account another plugin",
	},
	1593: {
		Code:  "fatal",
		Words: "the slave has met what it cannot go on from",
		Cure:  "mend what it names; the error log of the slave's server may say more; then start the slave",
	},
	1698: {
		Code:  "access-denied",
		Words: "the account does not let this user in without a password",
		Cure:  "give the password, or run this as the account's system user, such as root",
	},
	1819: {
		Code:  "password-policy",
		Words: "the server's policy does not let this password in",
		Cure: "loosen the policy for the time of the setup: SHOW VARIABLES LIKE '%password%' shows it (MySQL's " +
			"validate_password, MariaDB's simple_password_check and cracklib_password_check)",
	},
	1872: {
		Code:  "slave-position",
		Words: "the slave cannot read its own position or relay log",
		Cure:  "gtunnel replication setup-slave --reseed copies all anew",
	},
	1950: {
		Code: "gtid-order",
		Words: "the slave's own binary log has later GTIDs than the master's, " +
			"and gtid_strict_mode lets none come after them",
		Cure: "on the slave: SET GLOBAL gtid_strict_mode=OFF, and in its option files, and start the slave; or, " +
			"unless somebody needs its binary log: STOP SLAVE; RESET MASTER; START SLAVE",
	},
	2002: {
		Code:  "nothing-listens",
		Words: "nothing listens there",
		Cure:  "is the server running?",
	},
	2003: {
		Code:  "tunnel-down",
		Words: "nothing listens at the local end of the tunnel",
		Cure:  "start it: systemctl status gtunnel-client; gtunnel status",
	},
	2005: {
		Code:  "master-name",
		Words: "the name of the master cannot be resolved",
		Cure:  "the slave must connect to 127.0.0.1, the local end of the tunnel: gtunnel replication setup-slave",
	},
	2006: {
		Code:  "far-end-closed",
		Words: "the far end closed the connection",
		Cure:  farEnd,
	},
	2013: {
		Code:  "far-end-closed",
		Words: "the tunnel takes the connection, and its far end closes it",
		Cure:  farEnd,
	},
	2026: {
		Code:  "tls-inside",
		Words: "the slave wants TLS inside the tunnel, which the master does not speak there",
		Cure:  "gtunnel replication setup-slave sets MASTER_SSL=0 and MASTER_SSL_VERIFY_SERVER_CERT=0",
	},
	2055: {
		Code:  "far-end-closed",
		Words: "the far end closed the connection",
		Cure:  farEnd,
	},
	2059: {
		Code:  "auth-plugin",
		Words: "the slave lacks the plugin with which the account proves itself",
		Cure: "on the master give the account a plugin that the slave has, such as mysql_native_password; " +
			"MySQL 9 has none that MariaDB can use",
	},
	2061: {
		Code:  "public-key",
		Words: "caching_sha2_password needs the master's public key once the master has been restarted",
		Cure:  "gtunnel replication setup-slave sets GET_SOURCE_PUBLIC_KEY=1",
	},
	3154: {
		Code:  "channel",
		Words: "another channel exists and the statement does not name one",
		Cure:  "name the channel",
	},
	4025: {
		Code:  "check",
		Words: "a row breaks a CHECK of its table, which is younger",
		Cure:  "mend the row on the master, or drop the CHECK; --method dump copies such rows as they are",
	},
}

const seedAnew = "gtunnel replication setup-slave --reseed copies all anew"

// onSlaveBefore is what comes before a statement that mends a slave by hand.
const onSlaveBefore = "on the slave, where MySQL wants super_read_only=0 meanwhile: SET SESSION sql_log_bin=0; "

var (
	structure = Cause{
		Code: "other-structure",
		Words: "a table, or what belongs to it, is not on the slave as it was on the master: " +
			"it was altered while it was copied, or somebody altered it on the slave",
		Cure: "gtunnel replication compare --repair-table with the table of the statement copies it anew; or " + seedAnew,
	}
	routineThere = Cause{
		Code:  "routine-there",
		Words: "a routine or an event that the master made is on the slave already",
		Cure: onSlaveBefore + "drop the slave's; " +
			"then start the slave. One of a database that is not replicated comes too",
	}
	routineMissing = Cause{
		Code:  "routine-missing",
		Words: "a routine or an event that the master changed or dropped is not on the slave",
		Cure: onSlaveBefore + "make one of that name, such as CREATE PROCEDURE ...() SELECT 1, or CREATE EVENT " +
			"... ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1; then start the slave; or " + seedAnew,
	}
	sameServer = Cause{
		Code:  "same-server-id",
		Words: "both servers have the same server_id or UUID, as cloned machines do",
		Cure: "give the slave a server_id of its own; " +
			"on MySQL remove auto.cnf from its data directory and restart it",
	}
)

const farEnd = "is MySQL on the master running? gtunnel status and the logs of both ends of the tunnel say why: " +
	"a refused certificate ends a connection just so"

// refusal is a cause by a part of its text in lower case.
type refusal struct {
	part string
	Cause
}

// refusals are the reasons for which a master sends nothing (1236), by a part
// of its text. Both families are in it, with old and new words.
var refusals = []refusal{
	{part: "could not find first log file", Cause: LogPurged},
	{part: "purged required binary logs", Cause: purgedGTIDs},
	{part: "purged binary logs containing gtids", Cause: purgedGTIDs},
	{part: "with the same server_", Cause: sameServer},
	{part: "same server_uuid/server_id", Cause: sameServer},
	{part: "which is not in the master's binlog", Cause: diverged},
	{part: "has more gtids than", Cause: diverged},
	{part: "gtid not in", Cause: diverged},
	{part: "> file size", Cause: lostEnd},
	{part: "impossible position", Cause: lostEnd},
	{part: "exceeded max_allowed_packet", Cause: Cause{
		Code:  "packet",
		Words: "a change is larger than the slave takes",
		Cure:  "raise max_allowed_packet and slave_max_allowed_packet on both, and start the slave",
	}},
	{part: "binary log is not open", Cause: Cause{
		Code:  "no-binary-log",
		Words: "the master writes no binary log",
		Cure:  "gtunnel replication setup-master there",
	}},
}

// fatals are what keeps a slave from going on (1593), by a part of its text.
var fatals = []refusal{
	{part: "have equal ", Cause: sameServer},
	{part: "gtid_mode", Cause: Cause{
		Code:  "gtid-mode",
		Words: "master and slave do not have the same gtid_mode",
		Cure: "SET GLOBAL gtid_mode on both, by its steps OFF, OFF_PERMISSIVE, " +
			"ON_PERMISSIVE, ON, and in the option files; then start the slave",
	}},
	{part: "has exceeded the", Cause: Causes[1226]},
}

const reseed = seedAnew + "; keep the logs longer: binlog_expire_logs_seconds on the master"

// LogPurged is what a slave by file and position meets whose file is gone.
var LogPurged = Cause{
	Code:  "purged",
	Words: "the master no longer has the binary log from which the slave has to go on: it was purged, or reset",
	Cure:  reseed,
}

var purgedGTIDs = Cause{
	Code:  "purged",
	Words: "the master has purged transactions that the slave lacks",
	Cure:  reseed,
}

// lostEnd is what a crash leaves of a log that is not synced.
var lostEnd = Cause{
	Code: "master-lost-log",
	Words: "the master's binary log ends before the place where the slave has to go on: " +
		"the master crashed and lost its end, or was set up anew",
	Cure: "gtunnel replication compare; if it differs: gtunnel replication setup-slave --reseed copies all anew; " +
		"sync_binlog=1 on the master keeps its log whole",
}

var diverged = Cause{
	Code: "diverged",
	Words: "the slave has transactions that the master does not: " +
		"somebody wrote on the slave, or the master was set up anew",
	Cure: "gtunnel replication compare shows what differs; " +
		"gtunnel replication setup-slave --reseed copies all anew",
}
