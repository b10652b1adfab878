package finding_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// fatalError is what a slave says of an error 1236 of the master's.
func fatalError(text string) string {
	return "Got fatal error 1236 from master when reading data from binary log: '" + text + "'"
}

// slaveErrors are what servers of both families, old and new, have said.
var slaveErrors = []struct {
	number int
	text   string
	code   string
	want   []string // in the text and the cure
}{
	{
		1236, fatalError("Could not find first log file name in binary log index file"), "purged",
		[]string{"no longer has the binary log", "--reseed"},
	},
	{
		1236,
		fatalError("The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master has purged " +
			"binary logs containing GTIDs that the slave requires."), "purged",
		[]string{"has purged transactions"},
	},
	{
		13114,
		"Got fatal error 1236 from source when reading data from binary log: 'Cannot replicate because the source purged " +
			"required binary logs.'", "purged",
		[]string{"has purged transactions"},
	},
	{
		1236,
		fatalError("A slave with the same server_uuid/server_id as this slave has connected to the master; the first event " +
			"'mysql-bin.000001' at 4"), "same-server-id",
		[]string{"auto.cnf"},
	},
	{1236, fatalError("A slave with the same server_id as this slave has connected to the master"), "same-server-id", nil},
	{
		13114,
		"Got fatal error 1236 from source when reading data from binary log: 'A replica with the same " +
			"server_uuid/server_id as this replica has connected to the source'", "same-server-id", nil,
	},
	{
		1236, fatalError("Error: connecting slave requested to start from GTID 0-1-100, which is not in the master's binlog"),
		"diverged",
		[]string{"setup-master --seed-again", "setup-slave --reseed --replace-databases NAMES"},
	},
	{
		1236,
		fatalError("Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old " +
			"and required binlog files have been purged."), "purged",
		[]string{"setup-master --seed-again", "setup-slave --reseed --replace-databases NAMES"},
	},
	{
		1236,
		fatalError("could not find next log; the first event 'mysql-bin.000002' at 4, the last event read from " +
			"'mysql-bin.000002' at 256"), "purged", nil,
	},
	{
		13114,
		"Got fatal error 1236 from source when reading data from binary log: 'Could not find first log file name in binary " +
			"log index file while looking for the oldest binary log that contains any GTID that is not in the given gtid set'",
		"purged", nil,
	},
	{
		1236,
		fatalError("Error: connecting slave requested to start from GTID 0-1-100, which is not in the master's binlog. " +
			"Since the master's binlog contains GTIDs with higher sequence numbers, it probably means that the slave has " +
			"diverged due to executing extra erroneous transactions"), "diverged", nil,
	},
	{
		1236,
		fatalError("The binlog on the master is missing the GTID 0-1-7 requested by the slave (even though a subsequent " +
			"sequence number does exist), and GTID strict mode is enabled"), "diverged", nil,
	},
	{
		1236, fatalError("binlog truncated in the middle of event; consider out of disk space on master"),
		"master-log-damaged",
		[]string{"FLUSH BINARY LOGS", "--reseed"},
	},
	{1236, fatalError("event read from binlog did not pass crc check"), "master-log-damaged", nil},
	{1236, fatalError("Misconfigured master - server_id was not set"), "no-server-id", nil},
	{
		13114,
		"Got fatal error 1236 from source when reading data from binary log: 'The replication sender thread cannot start " +
			"in AUTO_POSITION mode: this server has GTID_MODE = OFF instead of ON.'", "gtid-mode", nil,
	},
	{
		1130, "Host '192.0.2.7' is not allowed to connect to this MariaDB server", "login-from-elsewhere",
		[]string{"proxy-protocol", "remove proxy_protocol"},
	},
	{
		1130, "Proxy header is not accepted from 127.0.0.1", "proxy-header-refused", []string{"remove proxy_protocol"},
	},
	{
		1045, "error connecting to master 'db_rep@127.0.0.1:3307' - retry-time: 10  maximum-retries: 100000  message: " +
			"Access denied for user 'db_rep'@'192.0.2.7' (using password: YES)", "login-from-elsewhere",
		[]string{"but from elsewhere", "proxy-protocol"},
	},
	{
		1130, "Host '127.0.0.1' is not allowed to connect to this MariaDB server", "host-not-allowed",
		[]string{"setup-master"},
	},
	{
		1677, "Column 1 of table 'voms.t' cannot be converted from type 'bigint' to type 'varchar(10)'", "other-structure",
		[]string{"a column of voms.t", "--repair-table voms.t"},
	},
	{
		1286, "Error 'Unknown storage engine 'ARCHIVE'' on query. Default database: 'v'. Query: 'CREATE TABLE a (x INT)'",
		"unknown-engine",
		[]string{"INSTALL SONAME 'ha_archive'", "START SLAVE"},
	},
	{1419, "You do not have the SUPER privilege and binary logging is enabled", "trust-creators", []string{
		"SET GLOBAL log_bin_trust_function_creators=1",
	}},
	{1236, fatalError("Slave has more GTIDs than the master has, using the master's SERVER_UUID."), "diverged", nil},
	{
		1236, fatalError("Client requested master to start replication from position > file size"), "master-lost-log",
		[]string{"sync_binlog=1"},
	},
	{
		1236, fatalError("log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master"), "packet",
		[]string{"max_allowed_packet"},
	},
	{1236, fatalError("Binary log is not open"), "no-binary-log", []string{"setup-master"}},
	{1236, fatalError("something new"), "cannot-send", []string{"something new"}},
	{
		1593,
		"Fatal error: The slave I/O thread stops because master and slave have equal MySQL server UUIDs; these UUIDs must " +
			"be different for replication to work.", "same-server-id",
		[]string{"auto.cnf"},
	},
	{
		1593,
		"Fatal error: The slave I/O thread stops because master and slave have equal MariaDB server ids; these ids must " +
			"be different for replication to work", "same-server-id", nil,
	},
	{
		13117,
		"Fatal error: The replica I/O thread stops because source and replica have equal MySQL server ids; these ids must " +
			"be different", "same-server-id", nil,
	},
	{
		2003,
		"error connecting to master 'db_rep@127.0.0.1:3307' - retry-time: 10 maximum-retries: 100000 message: Can't " +
			"connect to server on '127.0.0.1' (111 \"Connection refused\")", "tunnel-down",
		[]string{"systemctl status gtunnel-client"},
	},
	{
		2013,
		"error connecting to master: Lost connection to server at 'handshake: reading initial communication packet', " +
			"system error: 11", "far-end-closed",
		[]string{"far end"},
	},
	{
		2026, "error connecting to master: TLS/SSL error: SSL is required, but the server does not support it", "tls-inside",
		[]string{"MASTER_SSL=0"},
	},
	{
		2059, "error connecting to master: Authentication plugin 'caching_sha2_password' cannot be loaded", "auth-plugin",
		[]string{"mysql_native_password"},
	},
	{
		2061, "error connecting to source: Authentication requires secure connection.", "public-key",
		[]string{"GET_SOURCE_PUBLIC_KEY=1"},
	},
	{
		1045, "Access denied for user 'db_rep'@'localhost' (using password: YES)", "access-denied",
		[]string{"SELECT user, host FROM mysql.user"},
	},
	{1129, "Host '127.0.0.1' is blocked because of many connection errors", "host-blocked", []string{"FLUSH HOSTS"}},
	{
		1062,
		"Error 'Duplicate entry '5' for key 'PRIMARY'' on query. Default database: 'd'. Query: 'INSERT INTO t VALUES (5)'",
		"duplicate-row",
		[]string{"--repair-table", "VALUES (5)"},
	},
	{
		1146, "Error executing row event: 'Table 'd.t' doesn't exist'", "missing-table",
		[]string{"the table d.t", "--repair-table d.t"},
	},
	{
		1032, "Could not execute Delete_rows_v1 event on table d.t; Can't find record in 't', Error_code: 1032",
		"missing-row",
		[]string{"in d.t on the slave", "--repair-table d.t"},
	},
	{
		1950, "An attempt was made to binlog GTID 0-1-5 which would create an out-of-order sequence number", "gtid-order",
		[]string{"error 1950", "gtid_strict_mode=OFF"},
	},
	{
		1049,
		"Error 'Unknown database 'iam'' on query. Default database: 'iam'. Query: 'CREATE PROCEDURE iam.p() BEGIN END'",
		"missing-database",
		[]string{"CREATE DATABASE"},
	},
	{
		1060, "Error 'Duplicate column name 'x'' on query. Default database: ''. Query: 'ALTER TABLE voms.z ADD x INT'",
		"other-structure",
		[]string{"--repair-table", "--reseed"},
	},
	{
		13117,
		"Fatal error: The replication receiver thread cannot start because the source has GTID_MODE = ON and this server " +
			"has GTID_MODE = OFF.", "gtid-mode",
		[]string{"ON_PERMISSIVE"},
	},
	{
		1593,
		"The slave I/O thread stops because a fatal error is encountered when it tries to SELECT @@GLOBAL.SERVER_ID: User " +
			"'db_rep' has exceeded the 'max_questions' resource (current value: 3)", "account-limit",
		[]string{"MAX_QUERIES_PER_HOUR 0"},
	},
	{13117, "Fatal error: something new", "fatal", []string{"something new", "error log"}},
	{4711, "something new", "slave-error", []string{"error 4711"}},
}

func TestExplainSlaveError(t *testing.T) {
	for _, test := range slaveErrors {
		p := finding.ExplainSlaveError(finding.ClientErrno(test.number, test.text), test.text)
		if p.Code != test.code {
			t.Errorf("%d %s\nhas the code %s, not %s", test.number, test.text, p.Code, test.code)
		}
		for _, want := range test.want {
			if !strings.Contains(p.Text+"\n"+p.Cure, want) {
				t.Errorf("%d: no %q in %s\n%s", test.number, want, p.Text, p.Cure)
			}
		}
	}
}

func TestEveryCauseIsWhole(t *testing.T) {
	for number, c := range finding.Causes {
		if c.Code == "" || c.Words == "" || c.Cure == "" {
			t.Errorf("error %d: %+v", number, c)
		}
	}
}

// TestScrubQuery cuts passwords out of statements, and leaves others.
func TestScrubQuery(t *testing.T) {
	plain := "Error 'x' on query. Default database: 'd'. Query: 'INSERT INTO t VALUES (5)'"
	if got := finding.ScrubQuery(plain); got != plain {
		t.Errorf("%s became %s", plain, got)
	}
	secret := "Error 'x' on query. Default database: ''. Query: 'CREATE USER a@b\nIDENTIFIED BY 's3cret''"
	if got, want := finding.ScrubQuery(secret), "Error 'x' on query. Default database: ''. Query: "+
		"'********'"; got != want {
		t.Errorf("%s became %s", secret, got)
	}
}
