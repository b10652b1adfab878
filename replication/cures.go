package replication

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// cause is an error of a server in plain words, with what to do about it.
type cause struct{ code, words, cure string }

// causes are the errors that replication through a tunnel meets, by number. In
// text, a slave's errors hold more detail: explainSlaveError.
var causes = map[int]cause{
	1007: {code: "database-there", words: "a database that the master made is on the slave already: the slave had one of its own of that name, or the start position was wrong", cure: "rename or drop the slave's own, and start the slave; or " + seedAnew},
	1008: {code: "missing-database", words: "a database that the master dropped is not on the slave", cure: onSlaveBefore + "CREATE DATABASE of that name, empty; then start the slave, which drops it"},
	1032: {code: "missing-row", words: "a row that the master changed is not on the slave: somebody wrote there, or the start position was wrong", cure: "gtunnel replication compare; reseed the table with --repair-table; never skip the error"},
	1044: {code: "access-denied", words: "the account has no rights on this database", cure: "log in with an account that has them, or grant them"},
	1045: {code: "access-denied", words: "the password is wrong, or there is no account for 127.0.0.1", cure: "on the master: SELECT user, host FROM mysql.user; the tunnel connects from 127.0.0.1"},
	1049: {code: "missing-database", words: "a statement names a database that the slave lacks, as one does that makes a routine or an event in a database that is not replicated", cure: onSlaveBefore + "CREATE DATABASE of that name, empty; then start the slave"},
	1050: structure, 1051: structure, 1054: structure, 1060: structure, 1061: structure, 1072: structure, 1091: structure, 1347: structure, 1359: structure, 1360: structure,
	1062: {code: "duplicate-row", words: "a row is on the slave already: somebody wrote there, or the start position was wrong", cure: "gtunnel replication compare; reseed the table with --repair-table; never skip the error"},
	1129: {code: "host-blocked", words: "the master blocks this host after connections that ended without a login, often a port check", cure: "on the master: FLUSH HOSTS (or mysqladmin flush-hosts), and let checks log in"},
	1142: {code: "missing-privilege", words: "a privilege is missing", cure: "log in with an account that has it, or grant it"},
	1146: {code: "missing-table", words: "a table that the master changed is not on the slave", cure: "gtunnel replication compare; reseed the table with --repair-table"},
	1200: {code: "not-set-up", words: "replication is not set up on this server", cure: "gtunnel replication setup-slave"},
	1205: {code: "lock-wait", words: "a lock was not given in time", cure: "look who holds it: SHOW PROCESSLIST; then run this again"},
	1226: {code: "account-limit", words: "the account has a limit of connections or statements, and has come to it", cure: "on the master: ALTER USER ... WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0"},
	1227: {code: "missing-privilege", words: "a privilege is missing", cure: "log in with an account that has the privilege that the message names, such as root"},
	1236: {code: "cannot-send", words: "the master cannot send what the slave asks for", cure: "see the text: a purged or reset binary log wants a new seed: gtunnel replication setup-slave"},
	1275: {code: "old-password", words: "the account has a password in the old format", cure: "on the master: ALTER USER ... IDENTIFIED BY with the password itself, not a hash"},
	1290: {code: "read-only", words: "the server is read-only, as a slave should be", cure: "write on the master"},
	1304: routineThere, 1537: routineThere,
	1305: routineMissing, 1539: routineMissing,
	1449: {code: "definer-missing", words: "the definer of an object is an account of the master that the slave lacks", cure: "make the account on the slave, with the lines that SHOW CREATE USER and SHOW GRANTS give on the master"},
	1524: {code: "plugin-disabled", words: "the account's authentication plugin is turned off on the server", cure: "give the account another plugin"},
	1593: {code: "fatal", words: "the slave has met what it cannot go on from", cure: "mend what it names; the error log of the slave's server may say more; then start the slave"},
	1698: {code: "access-denied", words: "the account does not let this user in without a password", cure: "give the password, or run this as the account's system user, such as root"},
	1819: {code: "password-policy", words: "the server's policy does not let this password in", cure: "loosen the policy for the time of the setup: SHOW VARIABLES LIKE '%password%' shows it (MySQL's validate_password, MariaDB's simple_password_check and cracklib_password_check)"},
	1872: {code: "slave-position", words: "the slave cannot read its own position or relay log", cure: "gtunnel replication setup-slave --reseed copies all anew"},
	1950: {code: "gtid-order", words: "the slave's own binary log has later GTIDs than the master's, and gtid_strict_mode lets none come after them", cure: "on the slave: SET GLOBAL gtid_strict_mode=OFF, and in its option files, and start the slave; or, unless somebody needs its binary log: STOP SLAVE; RESET MASTER; START SLAVE"},
	2002: {code: "nothing-listens", words: "nothing listens there", cure: "is the server running?"},
	2003: {code: "tunnel-down", words: "nothing listens at the local end of the tunnel", cure: "start it: systemctl status gtunnel-client; gtunnel status"},
	2005: {code: "master-name", words: "the name of the master cannot be resolved", cure: "the slave must connect to 127.0.0.1, the local end of the tunnel: gtunnel replication setup-slave"},
	2006: {code: "far-end-closed", words: "the far end closed the connection", cure: farEnd},
	2013: {code: "far-end-closed", words: "the tunnel takes the connection, and its far end closes it", cure: farEnd},
	2026: {code: "tls-inside", words: "the slave wants TLS inside the tunnel, which the master does not speak there", cure: "gtunnel replication setup-slave sets MASTER_SSL=0 and MASTER_SSL_VERIFY_SERVER_CERT=0"},
	2055: {code: "far-end-closed", words: "the far end closed the connection", cure: farEnd},
	2059: {code: "auth-plugin", words: "the slave lacks the plugin with which the account proves itself", cure: "on the master give the account a plugin that the slave has, such as mysql_native_password; MySQL 9 has none that MariaDB can use"},
	2061: {code: "public-key", words: "caching_sha2_password needs the master's public key once the master has been restarted", cure: "gtunnel replication setup-slave sets GET_SOURCE_PUBLIC_KEY=1"},
	3154: {code: "channel", words: "another channel exists and the statement does not name one", cure: "name the channel"},
	4025: {code: "check", words: "a row breaks a CHECK of its table, which is younger", cure: "mend the row on the master, or drop the CHECK; --method dump copies such rows as they are"},
}

const seedAnew = "gtunnel replication setup-slave --reseed copies all anew"

// onSlaveBefore is what comes before a statement that mends a slave by hand.
const onSlaveBefore = "on the slave, where MySQL wants super_read_only=0 meanwhile: SET SESSION sql_log_bin=0; "

var (
	structure = cause{
		code: "other-structure", words: "a table, or what belongs to it, is not on the slave as it was on the master: it was altered while it was copied, or somebody altered it on the slave",
		cure: "gtunnel replication compare --repair-table with the table of the statement copies it anew; or " + seedAnew,
	}
	routineThere   = cause{code: "routine-there", words: "a routine or an event that the master made is on the slave already", cure: onSlaveBefore + "drop the slave's; then start the slave. One of a database that is not replicated comes too"}
	routineMissing = cause{code: "routine-missing", words: "a routine or an event that the master changed or dropped is not on the slave", cure: onSlaveBefore + "make one of that name, such as CREATE PROCEDURE ...() SELECT 1, or CREATE EVENT ... ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1; then start the slave; or " + seedAnew}
	sameServer     = cause{code: "same-server-id", words: "both servers have the same server_id or UUID, as cloned machines do", cure: "give the slave a server_id of its own; on MySQL remove auto.cnf from its data directory and restart it"}
)

const farEnd = "is MySQL on the master running? gtunnel status and the logs of both ends of the tunnel say why: a refused certificate ends a connection just so"

// refusal is a cause by a part of its text in lower case.
type refusal struct {
	part string
	cause
}

// refusals are the reasons for which a master sends nothing (1236), by a part
// of its text. Both families are in it, with old and new words.
var refusals = []refusal{
	{part: "could not find first log file", cause: cause{code: "purged", words: "the master no longer has the binary log from which the slave has to go on: it was purged, or reset", cure: reseed}},
	{part: "purged required binary logs", cause: cause{code: "purged", words: "the master has purged transactions that the slave lacks", cure: reseed}},
	{part: "purged binary logs containing gtids", cause: cause{code: "purged", words: "the master has purged transactions that the slave lacks", cure: reseed}},
	{part: "with the same server_", cause: sameServer},
	{part: "same server_uuid/server_id", cause: sameServer},
	{part: "which is not in the master's binlog", cause: diverged},
	{part: "has more gtids than", cause: diverged},
	{part: "gtid not in", cause: diverged},
	{part: "> file size", cause: lostEnd},
	{part: "impossible position", cause: lostEnd},
	{part: "exceeded max_allowed_packet", cause: cause{code: "packet", words: "a change is larger than the slave takes", cure: "raise max_allowed_packet and slave_max_allowed_packet on both, and start the slave"}},
	{part: "binary log is not open", cause: cause{code: "no-binary-log", words: "the master writes no binary log", cure: "gtunnel replication setup-master there"}},
}

// fatals are what keeps a slave from going on (1593), by a part of its text.
var fatals = []refusal{
	{part: "have equal ", cause: sameServer},
	{part: "gtid_mode", cause: cause{code: "gtid-mode", words: "master and slave do not have the same gtid_mode", cure: "SET GLOBAL gtid_mode on both, by its steps OFF, OFF_PERMISSIVE, ON_PERMISSIVE, ON, and in the option files; then start the slave"}},
	{part: "has exceeded the", cause: causes[1226]},
}

const reseed = seedAnew + "; keep the logs longer: binlog_expire_logs_seconds on the master"

// lostEnd is what a crash leaves of a log that is not synced.
var lostEnd = cause{code: "master-lost-log", words: "the master's binary log ends before the place where the slave has to go on: the master crashed and lost its end, or was set up anew", cure: "gtunnel replication compare; if it differs: gtunnel replication setup-slave --reseed copies all anew; sync_binlog=1 on the master keeps its log whole"}

var diverged = cause{code: "diverged", words: "the slave has transactions that the master does not: somebody wrote on the slave, or the master was set up anew", cure: "gtunnel replication compare shows what differs; gtunnel replication setup-slave --reseed copies all anew"}

// clientErrno is the number by which the causes know an error of a slave's I/O
// thread. MySQL 8.0 and later wrap some in numbers of their own.
func clientErrno(number int, text string) int {
	switch {
	case number < 10000:
	case strings.Contains(text, "fatal error 1236"):
		return 1236
	case number == 13117, strings.Contains(text, "equal MySQL server"):
		return 1593
	}
	return number
}

// The details in the errors of a slave's SQL thread.
var (
	errorTable  = regexp.MustCompile(`on table ([^;]+);|Table '([^']+)' doesn't exist`)
	errorKey    = regexp.MustCompile("Duplicate entry '(.*)' for key '([^']*)'")
	errorQuery  = regexp.MustCompile(`(?is)(query: ')(.*)$`)
	errorSecret = regexp.MustCompile(`(?i)identified|password`)
)

// scrubQuery cuts a statement that may hold a password out of a slave's error,
// which quotes what it could not execute.
func scrubQuery(text string) string {
	query := errorQuery.FindStringSubmatch(text)
	if query == nil || !errorSecret.MatchString(query[2]) {
		return text
	}
	return strings.Replace(text, query[0], query[1]+stars+"'", 1)
}

// explainSlaveError says why a thread of a slave stopped, or cannot go on, with
// what to do.
func explainSlaveError(number int, text string) *Problem {
	c := causes[number]
	switch number {
	case 1236:
		c = causeIn(refusals, text, c)
	case 1593:
		c = causeIn(fatals, text, c)
	case 1032, 1062, 1146:
		c = withTable(c, number, text)
	}
	if c.code == "" {
		c = cause{code: "slave-error", words: "the slave met an error", cure: "look it up: " + errorNumber(number) + "; mend the cause, and start the slave; never skip it"}
	}
	return problem(Slave, c.code, c.cure, "%s (%s: %s)", c.words, errorNumber(number), text)
}

// causeIn gives the cause whose part a text has, or another one.
func causeIn(list []refusal, text string, other cause) cause {
	text = strings.ToLower(text)
	for _, r := range list {
		if strings.Contains(text, r.part) {
			return r.cause
		}
	}
	return other
}

// withTable names the table and the key of an error about a row.
func withTable(c cause, number int, text string) cause {
	table := ""
	if found := errorTable.FindStringSubmatch(text); found != nil {
		table = strings.Join(found[1:], "")
	}
	if table == "" {
		return c
	}
	c.cure = fmt.Sprintf("gtunnel replication compare --table %[1]s shows what else differs; --repair-table %[1]s copies it anew; never skip the error", table)
	switch number {
	case 1032:
		c.words = strings.Replace(c.words, "on the slave", "in "+table+" on the slave", 1)
	case 1062:
		row := "a row"
		if key := errorKey.FindStringSubmatch(text); key != nil {
			row = fmt.Sprintf("the row with %s='%s'", key[2], strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(key[1]))
		}
		c.words = row + " is in " + table + " on the slave already: somebody wrote there, or the start position was wrong"
	case 1146:
		c.words = "the table " + table + ", which the master changed, is not on the slave"
	}
	return c
}

// cureOf gives what to do about the error number of a statement or a tool.
func cureOf(number int, on Role) string {
	if number == 1045 && on == Slave {
		return "does this account exist on the server, and is its password right?"
	}
	return cmp.Or(causes[number].cure, "look it up: "+errorNumber(number)+"; mend the cause, and run this again")
}

// errorNumber is a server's error number as text.
func errorNumber(number int) string { return "error " + strconv.Itoa(number) }
