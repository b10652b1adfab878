package rules

import (
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// asked are the codes of what is found where servers and files are asked, and of
// what ends the work of a plan or a comparison.
var asked = []Code{
	// Of logins and statements.
	{Code: "same-server", At: CheckPair | SetupSlave | Compare | Repair},
	{
		Code: "connect", At: everywhere, Meaning: "a server cannot be reached, or refuses the login",
		Cure: "as the error says",
	},
	{
		Code: server.NoAnswer, At: everywhere, Meaning: "a server does not answer a question in time",
		Cure: "its error log, the load and the disks of its host say more",
	},
	{Code: server.RelayDiskFull, At: everywhere &^ Status},
	{Code: "sql", At: everywhere, Meaning: "a server refuses a statement", Cure: "by the number of its error"},
	{
		Code: "busy", At: SetupMaster | SetupSlave | Compare | Repair | Dump,
		Meaning: "another gtunnel replication command works on the server, or on this host",
		Cure:    "wait for its end",
	},
	{
		Code: "state", At: SetupSlave | Status | Compare | Repair,
		Meaning: "what gtunnel notes on this host cannot be read or written",
		Cure:    "name a directory that this user may write with --state-dir; move a file away that is damaged",
	},

	// Of the files of the two ends.
	{
		Code: "hand-over", At: CheckPair | SetupMaster | SetupSlave | Dump,
		Meaning: "a file is no hand-over file of setup-master, or of another version",
		Cure:    "take the file that gtunnel replication setup-master wrote on the master",
	},
	{
		Code: "readable-secret", At: CheckPair | SetupMaster | SetupSlave | Dump,
		Meaning: "a file with passwords can be read by others",
		Cure:    "chmod 600",
	},
	{Code: "foreign-file", At: SetupMaster | SetupSlave},
	{
		Code: "no-config-directory", At: SetupMaster | SetupSlave,
		Meaning: "no directory is known from which the server reads option files",
		Cure:    "put the lines into the server's option files yourself, or name the directory with --config-dir",
	},

	{
		Code: "old-server-id", At: SetupSlave,
		Meaning: "programs that are connected since before the slave's server_id was changed write with the old one",
		Cure:    "KILL these sessions once the setup has ended, or restart these programs",
	},

	// Of the master and its accounts.
	{
		Code: "restart-needed", At: SetupMaster | SetupSlave,
		Meaning: "the server must be restarted before the setup goes on",
		Cure:    "restart it, and run the same command again",
	},
	{
		Code: "gtids-later", At: SetupMaster | SetupSlave,
		Meaning: "GTIDs are turned on by turns: a master writes none before its slave takes them",
		Cure:    "run the setup of the other host with --turn-gtids-on, and then this one again",
	},
	{
		Code: "gtids-wait", At: SetupMaster | SetupSlave,
		Meaning: "transactions that began before GTIDs were turned on are still open",
		Cure:    "wait for their end, or end them; then run the same command again",
	},
	{Code: "unknown-password", At: SetupMaster},
	{
		Code: "password-expired", At: SetupMaster,
		Meaning: "the password of an account has expired, and is not known here",
		Cure: "on the master: ALTER USER ... PASSWORD EXPIRE NEVER, " +
			"and IDENTIFIED BY the password that the slaves use; or --new-passwords",
	},
	{
		Code: "passwords-untried", At: SetupMaster | SetupSlave,
		Meaning: "passwords were not tried: by a dry run, or because they are not known here",
	},
	{Code: "account-shadowed", At: SetupMaster},
	{
		Code: "account-login", At: SetupMaster | SetupSlave, Meaning: "a slave cannot log in by an account",
		Cure: "as the error says",
	},
	{
		Code: "no-coordinates", At: SetupSlave | Compare | Repair | Dump,
		Meaning: "the position of the master's binary log is not known",
		Cure:    "let the login see it: GRANT REPLICATION CLIENT; of mydumper: the method dump",
	},
	{
		Code: "bad-coordinates", At: SetupSlave | Repair | Dump,
		Meaning: "the master's binary log does not have the position of the copy",
		Cure:    "do not reset the master's binary log while it is seeded from; run this again",
	},
	{
		Code: "bad-start", At: SetupSlave, Meaning: "the master's binary log has no event that begins at --start",
		Cure: "give the coordinates that the master had when the data of this host was copied; " +
			"or leave --method none out",
	},
	{
		Code: "log-purged", At: SetupSlave | Repair | Dump,
		Meaning: "the master has purged the binary log from which the slave has to go on",
		Cure:    "keep binary logs for longer; then run this again",
	},

	// Of the copy: what keeps it from being made.
	{
		Code: "no-seed", At: SetupSlave, Meaning: "the method none copies nothing",
		Cure: "give the position that the slave's data is of",
	},
	{
		Code: "seed-method", At: SetupSlave | Repair,
		Meaning: "there is no such method of the copy, or it cannot copy this",
		Cure:    "use the method dump",
	},
	{Code: "unknown-database", At: SetupSlave | Dump},
	{Code: "not-transactional", At: SetupSlave | Dump},
	{Code: "lock-tables", At: SetupSlave | Dump, Meaning: "nobody can write on the master while the copy is made"},
	{
		Code: "long-statement", At: SetupSlave | Dump,
		Meaning: "statements that run for long would hold up the lock of the copy, and all writers",
		Cure:    "wait until they are done, or end them: KILL QUERY",
	},
	{Code: "lock-wait", At: SetupSlave | Repair | Dump},
	{
		Code: "wait-timeout", At: SetupSlave | Repair,
		Meaning: "the master ends sessions that wait, before the copy is done",
		Cure:    "on the master, until the copy is done: SET GLOBAL wait_timeout=28800",
	},
	{
		Code: "short-retention", At: SetupSlave, Meaning: "binary logs are kept for hardly longer than the copy takes",
		Cure: "keep them longer on the master: binlog_expire_logs_seconds, expire_logs_days",
	},
	{
		Code: "foreign-key", At: SetupSlave, Meaning: "a foreign key reaches into a database that is not replicated",
		Cure: "replicate it too; or drop the keys: ALTER TABLE ... DROP FOREIGN KEY",
	},
	{
		Code: "view-of-others", At: SetupSlave, Meaning: "views use databases that are not replicated",
		Cure: "replicate them too; or drop the views; or make on the slave what they use",
	},
	{
		Code: "copy-not-checked", At: CheckPair, Meaning: "what a copy would meet was not all looked at in time",
		Cure: "gtunnel replication setup-slave --dry-run",
	},
	{
		Code: "account-missing", At: SetupSlave, Meaning: "the slave lacks accounts that are definers on the master",
		Cure: "make them on the slave, with the lines that are given, or the file that is named",
	},
	{
		Code: "definer-rights", At: SetupSlave, Meaning: "a definer lacks rights on the slave for what runs as it",
		Cure: "give them on the slave, with the lines that are given",
	},
	{
		Code: "unknown-time-zone", At: SetupSlave, Meaning: "the slave does not know a time zone that events use",
		Cure: "load the time zones into the slave",
	},
	{
		Code: "unknown-tablespace", At: SetupSlave, Meaning: "the slave lacks a tablespace that tables are in",
		Cure: "make it on the slave, or take the tables out of it on the master",
	},
	{
		Code: "float-digits", At: SetupSlave, Meaning: "a dump rounds values of FLOAT",
		Cure: "on the master, ALTER TABLE ... MODIFY them to DOUBLE, or give the table a primary key without them; " +
			"or clone",
	},
	{
		Code: "lost-values", At: SetupSlave | Repair, Meaning: "a dump cannot say values of ENUM, SET or DOUBLE columns",
		Cure: "on the master, with the lines that are given",
	},
	{
		Code: "json-values", At: SetupSlave | Repair,
		Meaning: "JSON columns hold what JSON text cannot say, as DECIMAL, and a dump is text",
		Cure:    "on the master, with the lines that are given; or clone",
	},
	{
		Code: "code-charset", At: SetupSlave | Repair,
		Meaning: "a routine, trigger or event has a name, definer or comment that the character set of its client lacks",
		Cure:    "make it anew on the master after SET NAMES utf8mb4",
	},
	{
		Code: "latin1-holds-utf8", At: SetupSlave, Meaning: "columns are said to be latin1 and hold UTF-8",
		Cure: "the copy has the very same bytes; " +
			"to mend it, ALTER TABLE ... MODIFY to VARBINARY or BLOB, then to utf8mb4",
	},
	{
		Code: "no-history", At: SetupSlave | Dump, Meaning: "the history of system-versioned tables is not copied",
		Cure: "install mariadb-dump of MariaDB 10.11 or later, if the history matters",
	},
	{
		Code: "alter-sequence", At: SetupSlave, Meaning: "MariaDB's slaves that filter leave ALTER SEQUENCE out",
		Cure: "after one on the master: gtunnel replication compare --repair-table SEQUENCE",
	},
	{
		Code: "generated-columns", At: SetupSlave | Repair,
		Meaning: "the tool at hand would dump generated columns, which cannot be loaded",
		Cure:    "install mysqldump of MySQL 9 on this host",
	},
	{Code: "needs-room", At: SetupSlave, Meaning: "mydumper writes the rows to files first"},
	{Code: "no-room", At: SetupSlave | Dump},
	{
		Code: "no-clone", At: SetupSlave, Meaning: "the clone plugin cannot copy between these servers",
		Cure: "use the method dump",
	},
	{
		Code: "no-clone-plugin", At: SetupSlave,
		Meaning: "the clone plugin is not installed, and the login may not install it",
		Cure:    "as an administrator: INSTALL PLUGIN clone SONAME 'mysql_clone.so'",
	},
	{
		Code: "clone-login", At: SetupSlave,
		Meaning: "the login on the slave does not outlive a clone, which brings the master's accounts",
		Cure:    "log in as an account that is on both, with the same password; or use the method dump",
	},
	{Code: "clone-erases", At: SetupSlave, Meaning: "what the slave loses by a clone"},
	{
		Code: "is-slave", At: SetupSlave,
		Meaning: "the master is itself a slave: its clone would follow the same master",
		Cure:    "use the method dump",
	},

	// Of the copy: what ends it.
	{
		Code: "tool-missing", At: SetupSlave | Repair | Dump, Meaning: "a program that the copy needs is not installed",
		Cure: "install it on this host",
	},
	{
		Code: "tool-failed", At: SetupSlave | Repair | Dump, Meaning: "a program of the copy has failed",
		Cure: "by the error that it gave",
	},
	{
		Code: "tool-hangs", At: SetupSlave, Meaning: "mydumper waits for itself without end",
		Cure: "run this again, or use the method dump",
	},
	{
		Code: "snapshots-differ", At: SetupSlave, Meaning: "several dumps could not begin at one moment",
		Cure: "run this again, or use the method dump",
	},
	{
		Code: "kept-changed", At: SetupSlave,
		Meaning: "tables that a copy which was cut off had brought were changed before the next could begin",
		Cure:    "run this again",
	},
	{
		Code: "schema-changed", At: SetupSlave, Meaning: "the schema was changed while the rows were copied",
		Cure: "run this again while nobody changes it, or use the method dump",
	},
	{Code: "dump-cut", At: SetupSlave | Repair | Dump, Meaning: "the dump ended before its end", Cure: "run this again"},

	// Of a dump that was made before.
	{
		Code: "no-dump", At: SetupSlave, Meaning: "what --seed names was not made by gtunnel replication dump",
		Cure: "make one on the master: gtunnel replication dump",
	},
	{
		Code: "dump-format", At: SetupSlave, Meaning: "a dump was made by a newer gtunnel, in a format of its own",
		Cure: "install that gtunnel here, or an older one on the master",
	},
	{
		Code: "dump-changed", At: SetupSlave, Meaning: "a dump is not what was written: its checksum is another one",
		Cure: "carry it here again, or make it anew",
	},
	{
		Code: "dump-of-another", At: SetupSlave, Meaning: "a dump is of another master than the hand-over file",
		Cure: "make it on that master, or bring the hand-over file of this one",
	},
	{
		Code: "dump-databases", At: SetupSlave, Meaning: "a dump has other databases than are to be replicated",
		Cure: "make it on the master with --databases",
	},
	{
		Code: "dump-behind", At: SetupSlave,
		Meaning: "the slave has had transactions that come after the dump, and would not take them again",
		Cure:    "stop the slave's replication, and make the dump after that",
	},
	{
		Code: "dump-without-gtids", At: SetupSlave,
		Meaning: "a dump was made before the master's GTIDs were turned on, and does not have them",
		Cure:    "make it anew on the master: gtunnel replication dump",
	},
	{
		Code: "long-way", At: SetupSlave, Meaning: "the copy waits for the way to the master, not for its size",
		Cure: "ssh root@MASTER gtunnel replication dump | gtunnel replication setup-slave --seed -",
	},
	{
		Code: "clone-failed", At: SetupSlave, Meaning: "the clone plugin has failed, or was cut off",
		Cure: "as its error says",
	},

	// Of the start, and of waiting for the slave.
	{
		Code: "elsewhere", At: SetupSlave, Meaning: "the slave's position is none of the master's binary log",
		Cure: "was it begun anew? Then " + finding.SeedAnew,
	},
	{
		Code: "not-connected", At: SetupSlave, Meaning: "the slave cannot connect to its master",
		Cure: "as the code of its error says",
	},
	{Code: "broken", At: SetupSlave},
	{Code: "not-set-up", At: SetupSlave},
	{Code: "stopped", At: SetupSlave},
	{
		Code: "no-binary-log", At: SetupMaster | Status | Compare | Dump, Meaning: "the master writes no binary log",
		Cure: "gtunnel replication setup-master there",
	},
	{
		Code: "no-slave", At: Compare, Meaning: "this server is no slave",
		Cure: server.NoSlaveCure,
	},
	{
		Code: "slave-stopped", At: Compare | Repair, Meaning: "the slave has stopped",
		Cure: "gtunnel replication status says why",
	},
	{
		Code: "slave-stands", At: Compare | Repair, Meaning: "the slave does not come further",
		Cure: "gtunnel replication status says why",
	},
	{Code: server.BlockedApplier, At: CheckPair | SetupSlave | Compare | Repair},
	{
		Code: "slave-elsewhere", At: Compare | Repair, Meaning: "somebody has stopped or started the slave meanwhile",
		Cure: "leave it alone, and run this again",
	},
	{
		Code: "slave-paused", At: Compare, Meaning: "the slave's SQL thread could not be started again",
		Cure: "START SLAVE SQL_THREAD",
	},

	// Of comparing and repairing.
	{
		Code: "different", At: SetupSlave | Repair, Meaning: "the data differs from the master's",
		Cure: "gtunnel replication compare shows where; " +
			"--repair-table copies a table anew; or everything: " + finding.SeedAnew,
	},
	{
		Code: "no-database", At: Compare, Meaning: "there is no database that both replicate and the logins may see",
		Cure: "name databases that the master's login may read",
	},
	{
		Code: "no-table", At: Compare | Repair, Meaning: "there is no table of a name, or the login may not see it",
		Cure: "write database.table",
	},
	{
		Code: "same-name", At: Compare, Meaning: "two tables are written alike, because of dots in names",
		Cure: "compare them apart, by --databases",
	},
	{
		Code: "max-allowed-packet", At: Compare, Meaning: "max_allowed_packet is too small to compare by",
		Cure: "SET GLOBAL max_allowed_packet=16777216, and in the server's option file",
	},
	{Code: "repair", At: Repair, Meaning: "a repair was cut off", Cure: "the same command again"},
	{Code: "repair-cut-off", At: Repair},
	{Code: CaseOfName, At: Repair},

	// Of putting rows right.
	{
		Code: "rows-definition", At: RepairRows,
		Meaning: "a table's rows are not put right: its definition differs, too, or it is system-versioned",
		Cure:    "--repair-table copies it anew",
	},
	{
		Code: "rows-key", At: RepairRows, Meaning: "a table's rows are not put right: no key tells them apart",
		Cure: "--repair-table copies it anew",
	},
	{
		Code: "rows-many", At: RepairRows, Meaning: "a table's rows are not put right one by one: too many differ",
		Cure: "--repair-table copies it anew",
	},
	{
		Code: "rows-trigger", At: RepairRows,
		Meaning: "a table's rows are not put right: its triggers would run on the slave",
		Cure:    "--repair-table copies it anew",
	},
	{
		Code: "rows-inexact", At: RepairRows,
		Meaning: "a table's rows are not put right: one cannot be written as the master has it",
		Cure:    "--repair-table copies it anew",
	},
	{Code: "not-transactional", At: RepairRows},
	{
		Code: "rows-lost", At: RepairRows,
		Meaning: "rows and values that the slave alone has are lost when rows are put right",
		Cure:    "if they were written there on purpose, keep them first: --dry-run --json prints them",
	},
	{
		Code: "rows-alone", At: RepairRows, Meaning: "something differs that is no row, and stays as it is",
		Cure: "gtunnel replication compare says what to do",
	},
	{
		Code: "still-writable", At: Repair, Meaning: "a slave could not be made read-only for all again",
		Cure: "as the error says",
	},
}

// everywhere is every moment.
const everywhere = CheckServer | CheckPair | SetupMaster | SetupSlave | Status | Compare | Repair | failing
