package finding

import (
	"maps"
	"slices"
)

// Cause is an error of a server in plain words, with what to do about it.
type Cause struct {
	Code, Words, Cure string

	Seed bool // nothing but a new copy lets the slave go on
}

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
	add(elsewhere)
	add(noHeaders)
	return list
}

// Causes are the errors that replication through a tunnel meets, by number. The
// text of a slave's error may tell more: see ExplainSlaveError.
var Causes = map[int]Cause{
	1007: {
		Code: "database-there",
		Words: "a database that the master made is on the slave already: " +
			"the slave had one of its own of that name, or the start position was wrong",
		Cure: "rename or drop the slave's own, and START SLAVE; or " + seedAnew,
	},
	1008: {
		Code:  "missing-database",
		Words: "a database that the master dropped is not on the slave",
		Cure:  onSlaveBefore + "CREATE DATABASE of that name, empty" + onSlaveAfter + ", which drops it",
	},
	1032: {
		Code: "missing-row",
		Words: "a row that the master changed is not on the slave: " +
			"somebody wrote there, or the start position was wrong",
		Cure: "gtunnel replication compare --repair-table with its name copies the table anew; then gtunnel replication " +
			"compare shows whether more differs; never skip the error",
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
	1040: {
		Code:  "too-many-connections",
		Words: "the server has no connection left for this login",
		Cure:  "there: SHOW PROCESSLIST shows who has them; SET GLOBAL max_connections to more, and in its option files",
	},
	1049: {
		Code: "missing-database",
		Words: "a statement names a database that the slave lacks, " +
			"as one does that makes a routine or an event in a database that is not replicated",
		Cure: onSlaveBefore + "CREATE DATABASE of that name, empty" + onSlaveAfter,
	},
	1021: diskFull, 1114: diskFull,
	1050: structure, 1051: structure, 1054: structure, 1060: structure, 1061: structure,
	1072: structure, 1091: structure, 1347: structure, 1359: structure, 1360: structure,
	1062: {
		Code:  "duplicate-row",
		Words: "a row is on the slave already: somebody wrote there, or the start position was wrong",
		Cure: "gtunnel replication compare --repair-table with its name copies the table anew; then gtunnel replication " +
			"compare shows whether more differs; never skip the error",
	},
	1129: {
		Code:  "host-blocked",
		Words: "the master blocks this host after connections that ended without a login, often a port check",
		Cure:  "on the master: FLUSH HOSTS; and let checks log in",
	},
	1130: {
		Code:  "host-not-allowed",
		Words: "the master has no account at all for logins from 127.0.0.1, where the tunnel comes out",
		Cure: "on the master: gtunnel replication setup-master, which makes the accounts, and its hand-over file here; " +
			"then here: gtunnel replication setup-slave",
	},
	1142: {
		Code:  "missing-privilege",
		Words: "a privilege is missing",
		Cure:  "log in with an account that has it, or grant it",
	},
	1146: {
		Code:  "missing-table",
		Words: "a table that the master changed is not on the slave",
		Cure: "gtunnel replication compare --repair-table with its name copies the table anew; then gtunnel replication " +
			"compare shows whether more differs",
	},
	1194: {
		Code:  "table-crashed",
		Words: "a table of the slave is damaged, as one without transactions is after a crash",
		Cure: "on the slave: REPAIR TABLE with its name; START SLAVE; then see what differs: gtunnel replication compare; " +
			"--repair-table copies one anew",
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
		Cure:  "see its text; a binary log that was purged or reset wants a new copy: " + SeedAnew,
	},
	1275: {
		Code:  "old-password",
		Words: "the account has a password in the old format",
		Cure:  "on the master: ALTER USER ... IDENTIFIED BY with the password itself, not a hash",
	},
	1286: {
		Code:  "unknown-engine",
		Words: "the slave does not have the storage engine of a table that was made on the master",
		Cure: "make the engine available on the slave (MariaDB: INSTALL SONAME 'ha_NAME', as in 'ha_archive';) then: " +
			"START SLAVE; or take another engine for the table on the master (ALTER TABLE ... ENGINE=InnoDB), and " + seedAnew,
	},
	1290: {
		Code:  "read-only",
		Words: "the server is read-only, as a slave should be",
		Cure:  "write on the master",
	},
	1304: routineThere, 1537: routineThere,
	1305: routineMissing, 1539: routineMissing,
	1418: trustCreators, 1419: trustCreators,
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
		Cure:  "mend what it names; the error log of the slave's server may say more; then: START SLAVE",
	},
	1594: relayLog, 1595: relayLog,
	1677: {
		Code:  "other-structure",
		Words: "a column of a table has another type on the slave than on the master, and one cannot become the other",
		Cure:  "gtunnel replication compare --repair-table DATABASE.TABLE copies it anew; or " + seedAnew,
	},
	1698: {
		Code:  "access-denied",
		Words: "the account does not let this user in without a password",
		Cure: "give the password, or run this as the account's system user, such as root, by the server's socket: " +
			"such an account has no password, and no login by TCP",
	},
	1819: {
		Code:  "password-policy",
		Words: "the server's policy does not let this password in",
		Cure: "loosen the policy for the time of the setup: SHOW VARIABLES LIKE '%password%' shows it (MySQL's " +
			"validate_password, MariaDB's simple_password_check and cracklib_password_check)",
	},
	1864: {
		Code:  "pending-jobs",
		Words: "a change is larger than what the slave lets its workers have in their queues",
		Cure:  "on the slave: SET GLOBAL slave_pending_jobs_size_max=1073741824; START SLAVE; and in its option files",
	},
	1872: relayLog,
	1950: {
		Code: "gtid-order",
		Words: "the slave's own binary log has later GTIDs than the master's, " +
			"and gtid_strict_mode lets none come after them",
		Cure: "on the slave: SET GLOBAL gtid_strict_mode=OFF; START SLAVE; and OFF in its option files; or, " +
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
		Cure:  "gtunnel replication setup-slave, which (MySQL: sets GET_SOURCE_PUBLIC_KEY=1 and) states every option",
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

// Names stands in a cure for the databases of the replication: see Problem.For.
const Names = "NAMES"

// SeedAnew is the whole way to a new copy, also for a slave whose seeding account has
// done its work.
const SeedAnew = "on the master: gtunnel replication setup-master --seed-again --databases " + Names +
	", and its hand-over file here again; then here: gtunnel replication setup-slave --reseed --replace-databases " + Names

// SeedAnewInPair is the same on the slave of a pair, which needs nothing of the other host.
const SeedAnewInPair = "gtunnel replication rejoin --new-copy --replace-databases " + Names

const seedAnew = "all is copied anew so: " + SeedAnew

// What stands around a statement that mends a slave by hand.
const (
	onSlaveBefore = "on the slave: (MySQL: SET GLOBAL super_read_only=0;) SET SESSION sql_log_bin=0; "
	onSlaveAfter  = "; (MySQL: SET GLOBAL super_read_only=1;) START SLAVE"
)

var (
	structure = Cause{
		Code: "other-structure",
		Words: "a table, or what belongs to it, is not on the slave as it was on the master: " +
			"it was altered while it was copied, or somebody altered it on the slave",
		Cure: "gtunnel replication compare --repair-table DATABASE.TABLE, of the table of the statement, copies it anew; " +
			"or " + seedAnew,
	}
	diskFull = Cause{
		Code:  "disk-full",
		Words: "a disk of the server is full, or a table as large as it may be",
		Cure:  "make room on the slave's disk: df -h; then: START SLAVE",
	}
	relayLog = Cause{
		Code:  "slave-position",
		Words: "the slave cannot read its own position or relay log, or cannot write it",
		Cure: "is its disk full, or damaged? STOP SLAVE; START SLAVE has it read the rest from the master again; " +
			"or " + seedAnew,
	}
	trustCreators = Cause{
		Code: "trust-creators",
		Words: "since the server writes a binary log, it lets only accounts with SUPER make functions and triggers " +
			"that may do something else each time",
		Cure: "on that server: SET GLOBAL log_bin_trust_function_creators=1; and in its option files",
	}
	routineThere = Cause{
		Code:  "routine-there",
		Words: "a routine or an event that the master made is on the slave already",
		Cure: onSlaveBefore + "drop the slave's" + onSlaveAfter +
			". One of a database that is not replicated comes too",
	}
	routineMissing = Cause{
		Code:  "routine-missing",
		Words: "a routine or an event that the master changed or dropped is not on the slave",
		Cure: onSlaveBefore + "make one of that name, such as CREATE PROCEDURE ...() SELECT 1, or CREATE EVENT " +
			"... ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1" + onSlaveAfter + "; or " + seedAnew,
	}
)

const farEnd = "is MySQL on the master running? gtunnel status and the logs of both ends of the tunnel say why: " +
	"a refused certificate ends a connection just so"
