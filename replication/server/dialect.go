package server

import (
	"strings"
	"time"
)

// The statements of replication differ between the families and have changed
// their names. What follows is from the manuals of both, tried on MySQL 5.7,
// 8.0, 8.4, 9.7 and MariaDB 10.0, 10.5, 10.11, 11.8.

// ReplicaWords reports whether the server wants SOURCE and REPLICA instead of
// MASTER and SLAVE (MySQL 8.4 has dropped the old words; the new ones are whole
// from 8.0.23).
func (v Version) ReplicaWords() bool { return v.AtLeast(MySQL, 8, 0, 23) }

// Word gives the old word, or the new one where the server wants it.
func (v Version) Word(old, replacement string) string {
	if v.ReplicaWords() {
		return replacement
	}
	return old
}

// ShowSlaveStatus is the query of what a slave says of all its masters.
func (v Version) ShowSlaveStatus() string {
	if v.Family == MariaDB {
		return "SHOW ALL SLAVES STATUS"
	}
	return "SHOW " + v.Word("SLAVE", "REPLICA") + " STATUS"
}

// ShowMasterStatus is the query of where the binary log stands: see
// Record.Position.
func (v Version) ShowMasterStatus() string {
	if v.AtLeast(MySQL, 8, 2, 0) {
		return "SHOW BINARY LOG STATUS"
	}
	return "SHOW MASTER STATUS"
}

// Thread is one of a slave's two threads, or both.
type Thread string

// The threads: the one reads the master's binary log, the other applies it.
const (
	BothThreads Thread = ""
	IOThread    Thread = "IO_THREAD"
	SQLThread   Thread = "SQL_THREAD"
)

// StartSlave starts threads of the default connection.
func (v Version) StartSlave(t Thread) Statement { return v.slaveStatement("START", t) }

// StopSlave stops threads of the default connection, and waits until they have
// stopped.
func (v Version) StopSlave(t Thread) Statement { return v.slaveStatement("STOP", t) }

// slaveStatement starts or stops threads.
func (v Version) slaveStatement(verb string, t Thread) Statement {
	text := verb + " " + v.Word("SLAVE", "REPLICA")
	if t != BothThreads {
		text += " " + string(t)
	}
	return SQL("%s%s", text, v.Channel())
}

// Channel names MySQL's default channel, so that no statement reaches others.
// MariaDB's statements mean the default connection.
func (v Version) Channel() string {
	if v.AtLeast(MySQL, 8, 0, 0) {
		return " FOR CHANNEL ''"
	}
	return ""
}

// StartUntil starts the SQL thread until it has applied all before a position.
func (v Version) StartUntil(p Position) Statement {
	return SQL("START %s SQL_THREAD UNTIL %s=%s, %s=%d%s",
		v.Word("SLAVE", "REPLICA"),
		v.Word("MASTER_LOG_FILE", "SOURCE_LOG_FILE"), QuoteString(p.File),
		v.Word("MASTER_LOG_POS", "SOURCE_LOG_POS"), p.Offset, v.Channel())
}

// ResetSlaveAll forgets the default connection's master.
func (v Version) ResetSlaveAll() Statement {
	return SQL("RESET %s ALL%s", v.Word("SLAVE", "REPLICA"), v.Channel())
}

// ResetBinaryLog begins a server's binary log and GTIDs anew. It is only shown.
func (v Version) ResetBinaryLog() string {
	if v.AtLeast(MySQL, 8, 2, 0) {
		return "RESET BINARY LOGS AND GTIDS"
	}
	return "RESET MASTER"
}

// Connection is how a slave is told to reach its master: MASTER_HOST and so on.
type Connection struct {
	Host       string
	Port       int
	User       string // empty: account and password stay as they are
	Password   Password
	Start      Position
	ByGTID     bool   // MariaDB: slave_pos; MySQL: auto-position
	Algorithms string // of its compression, of MySQL 8.0.18 and later; empty: they stay as they are
}

// What a slave is told of patience. MySQL 8.4 would give up after ten retries,
// and a silent link is found by its missing heartbeats.
const (
	ConnectRetry    = 10 * time.Second // between tries to reach the master
	RetryCount      = 86400            // of those tries, before it gives up
	SlaveNetTimeout = 60 * time.Second // slave_net_timeout: of silence, before it tries anew
	heartbeat       = 5 * time.Second  // between signs of life of a silent master
)

// Parts of statements of both families.
const (
	// LogNothing begins lines for the slave: what they do must not be in its
	// binary log, where a GTID of its own would be one that the master does not
	// have.
	LogNothing = "SET SESSION sql_log_bin=0;"

	// OwnGrantee is the condition, on a table of privileges of
	// information_schema, that a grant is the login's own.
	OwnGrantee = "grantee = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1)," +
		" '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"
)

// ChangeMaster points the slave's default connection to a master. It states
// every option, because RESET SLAVE ALL leaves some of an earlier CHANGE
// (MariaDB), and turns TLS off, which the tunnel provides and MariaDB 11 would
// ask for once more.
func (v Version) ChangeMaster(c Connection) Statement {
	if v.Family == MariaDB {
		return v.changeMasterMariaDB(c)
	}
	master := v.Word("MASTER", "SOURCE")
	options := append(c.address(master),
		SQL("%s_CONNECT_RETRY=%d", master, int(ConnectRetry.Seconds())),
		SQL("%s_RETRY_COUNT=%d", master, RetryCount),
		SQL("%s_HEARTBEAT_PERIOD=%d", master, int(heartbeat.Seconds())),
		SQL("%s_SSL=0", master),
		SQL("%s_SSL_VERIFY_SERVER_CERT=0", master),
		SQL("%s_DELAY=0", master),
		SQL("%s_BIND=''", master),
		SQL("IGNORE_SERVER_IDS=()"),
	)
	if v.AtLeast(MySQL, 8, 0, 3) {
		// Without the key a caching_sha2_password account fails once the
		// master's cache is cold.
		options = append(options, SQL("GET_%s_PUBLIC_KEY=1", v.Word("MASTER", "SOURCE")))
	}
	if c.Algorithms != "" && v.CompressesBySource() {
		options = append(options, SQL("%s_COMPRESSION_ALGORITHMS=%s", master, QuoteString(c.Algorithms)))
	}
	if c.ByGTID {
		options = append(options, SQL("%s_AUTO_POSITION=1", master))
	} else {
		options = append(options,
			SQL("%s_AUTO_POSITION=0", master),
			SQL("%s_LOG_FILE=%s", master, QuoteString(c.Start.File)),
			SQL("%s_LOG_POS=%d", master, c.Start.Offset))
	}
	verb := "CHANGE MASTER TO "
	if v.ReplicaWords() {
		verb = "CHANGE REPLICATION SOURCE TO "
	}
	return SQL("%s%s", JoinStatements(verb, options), v.Channel())
}

// address are the options that say where the master is, and as whom the slave logs in there
// unless that stays as it is. A server's word for the master begins their names.
func (c *Connection) address(master string) []Statement {
	options := []Statement{
		SQL("%s_HOST=%s", master, QuoteString(c.Host)),
		SQL("%s_PORT=%d", master, c.Port),
	}
	if c.User == "" {
		return options
	}
	return append(options,
		SQL("%s_USER=%s", master, QuoteString(c.User)),
		SQL("%s_PASSWORD=%s", master, c.Password))
}

// changeMasterMariaDB is ChangeMaster for MariaDB.
func (v Version) changeMasterMariaDB(c Connection) Statement {
	options := append(c.address("MASTER"),
		SQL("MASTER_CONNECT_RETRY=%d", int(ConnectRetry.Seconds())),
		SQL("MASTER_HEARTBEAT_PERIOD=%d", int(heartbeat.Seconds())),
		SQL("MASTER_SSL=0"),
		SQL("MASTER_SSL_VERIFY_SERVER_CERT=0"),
		SQL("IGNORE_SERVER_IDS=()"),
		SQL("DO_DOMAIN_IDS=()"),
		SQL("IGNORE_DOMAIN_IDS=()"),
	)
	if !v.AtLeast(MariaDB, 10, 1, 0) {
		options = options[:len(options)-2]
	}
	if v.AtLeast(MariaDB, 10, 2, 3) {
		options = append(options, SQL("MASTER_DELAY=0"))
	}
	if c.ByGTID {
		options = append(options, SQL("MASTER_USE_GTID=slave_pos"))
	} else {
		options = append(options,
			SQL("MASTER_USE_GTID=no"),
			SQL("MASTER_LOG_FILE=%s", QuoteString(c.Start.File)),
			SQL("MASTER_LOG_POS=%d", c.Start.Offset))
	}
	return JoinStatements("CHANGE MASTER TO ", options)
}

// ChangeLogin gives the slave another account with its password, and leaves all else.
// The slave must be stopped.
func (v Version) ChangeLogin(user string, password Password) Statement {
	if v.ReplicaWords() {
		return SQL("CHANGE REPLICATION SOURCE TO SOURCE_USER=%s, SOURCE_PASSWORD=%s%s", QuoteString(user), password,
			v.Channel())
	}
	return SQL("CHANGE MASTER TO MASTER_USER=%s, MASTER_PASSWORD=%s%s", QuoteString(user), password, v.Channel())
}

// SetStart tells a slave that follows by GTID which transactions it has. On
// MySQL missing are those of the seed that it does not know of yet; 8.0 and
// later add them to what is there.
func (v Version) SetStart(missing string) Statement {
	switch {
	case v.Family == MariaDB:
		return SQL("SET GLOBAL gtid_slave_pos=%s", QuoteString(missing))
	case v.AtLeast(MySQL, 8, 0, 0):
		return SQL("SET GLOBAL gtid_purged=%s", QuoteString("+"+missing))
	default:
		return SQL("SET GLOBAL gtid_purged=%s", QuoteString(missing))
	}
}

// SetFilter makes the slave apply changes in these databases only; an empty
// list lifts the filter. The slave must be stopped. The patterns are those of
// replicate-wild-do-table, the one filter that also applies statements which
// name a table of another database than the current one.
func (v Version) SetFilter(databases []string) Statement {
	patterns := WildTables(databases)
	if v.Family == MariaDB {
		return SQL("SET GLOBAL replicate_wild_do_table=%s", QuoteString(strings.Join(patterns, ",")))
	}
	return SQL("CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=(%s)%s", QuoteList(patterns), v.Channel())
}

// SetIgnored makes the slave leave tables out, "database.table" of some databases,
// on top of SetFilter: not by patterns, of which those of SetFilter come first.
func (v Version) SetIgnored(tables, databases []string) Statement {
	if v.Family == MariaDB {
		return SQL("SET GLOBAL replicate_ignore_table=%s", QuoteString(strings.Join(tables, ",")))
	}
	quoted := make([]string, len(tables))
	for i, table := range tables {
		quoted[i] = QuoteTable(SplitTable(table, databases))
	}
	return SQL("CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE=(%s)%s", strings.Join(quoted, ", "), v.Channel())
}

// WildTables are the patterns of all tables of databases.
func WildTables(databases []string) []string {
	patterns := make([]string, len(databases))
	for i, database := range databases {
		patterns[i] = EscapePattern(database) + ".%"
	}
	return patterns
}

// CreateAccount makes an account.
func (v Version) CreateAccount(user, host string, password Password) Statement {
	if !v.altersAccounts() {
		return v.SetPassword(user, host, password)
	}
	return SQL("CREATE USER %s IDENTIFIED BY %s%s", QuoteAccount(user, host), password, v.neverExpires())
}

// SetPassword gives an account another password; by a history of passwords, the
// server may refuse the one that it has.
func (v Version) SetPassword(user, host string, password Password) Statement {
	if !v.altersAccounts() {
		return SQL("GRANT USAGE ON *.* TO %s IDENTIFIED BY %s", QuoteAccount(user, host), password)
	}
	return SQL("ALTER USER %s IDENTIFIED BY %s", QuoteAccount(user, host), password)
}

// altersAccounts reports whether the server knows ALTER USER; before, GRANT does all.
func (v Version) altersAccounts() bool {
	return v.AtLeast(MariaDB, 10, 2, 0) || v.AtLeast(MySQL, 5, 7, 6)
}

// neverExpires keeps an account's password, which nobody types, out of the policy
// of default_password_lifetime.
func (v Version) neverExpires() string {
	if v.AtLeast(MariaDB, 10, 4, 3) || v.Family == MySQL {
		return " PASSWORD EXPIRE NEVER"
	}
	return ""
}

// FreeAccount lifts what binds the logins of an account: TLS, limits, a lock, an
// age of its password. A password that has expired must be set, too.
func (v Version) FreeAccount(user, host string) Statement {
	account := QuoteAccount(user, host)
	limits := "MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0"
	if v.AtLeast(MariaDB, 10, 1, 1) {
		limits += " MAX_STATEMENT_TIME 0"
	}
	if !v.altersAccounts() {
		return SQL("GRANT USAGE ON *.* TO %s REQUIRE NONE WITH %s", account, limits)
	}
	unlock := ""
	if v.AtLeast(MariaDB, 10, 4, 3) || v.Family == MySQL {
		unlock = " ACCOUNT UNLOCK"
	}
	return SQL("ALTER USER %s REQUIRE NONE WITH %s%s%s", account, limits, v.neverExpires(), unlock)
}

// DropAccount drops an account that exists.
func (v Version) DropAccount(user, host string) Statement {
	return SQL("DROP USER %s", QuoteAccount(user, host))
}

// DisableEvent makes an event a slave's. The names are quoted already, and its
// completion is PRESERVE or NOT PRESERVE.
func (v Version) DisableEvent(definer, event Statement, completion string) Statement {
	side := "SLAVE"
	if v.AtLeast(MySQL, 8, 2, 0) { // other statements have the new word since 8.0.23
		side = "REPLICA"
	}
	return SQL("ALTER DEFINER=%s EVENT %s ON COMPLETION %s DISABLE ON %s", definer, event, completion, side)
}

// EnableEvent makes an event one that runs.
func (v Version) EnableEvent(definer, event Statement, completion string) Statement {
	return SQL("ALTER DEFINER=%s EVENT %s ON COMPLETION %s ENABLE", definer, event, completion)
}

// CheckConstraints is the query of the CHECKs of tables, for a list of databases
// to follow; empty: the server does not show them. Where it does not tell of what
// table they are, tables is the query that does.
func (v Version) CheckConstraints() (checks, tables string) {
	switch {
	case v.AtLeast(MariaDB, 10, 3, 10):
		return "SELECT constraint_schema AS d, table_name AS t, constraint_name AS n, check_clause AS b" +
			" FROM information_schema.check_constraints WHERE constraint_schema", ""
	case v.AtLeast(MySQL, 8, 0, 16):
		checks = "SELECT constraint_schema AS d, constraint_name AS n, check_clause AS b" +
			" FROM information_schema.check_constraints WHERE constraint_schema"
		tables = "SELECT table_schema AS d, table_name AS t, constraint_name AS n," +
			" IF(enforced = 'NO', ' NOT ENFORCED', '') AS not_enforced" +
			" FROM information_schema.table_constraints WHERE constraint_type = 'CHECK' AND table_schema"
	}
	return checks, tables
}

// ShowsChecks reports whether the server shows the CHECKs of tables.
func (v Version) ShowsChecks() bool {
	checks, _ := v.CheckConstraints()
	return checks != ""
}

// retentionSeconds is the younger of the variables for that.
const retentionSeconds = "binlog_expire_logs_seconds"

// RetentionVariable is what sets how long binary logs are kept.
func (v Version) RetentionVariable() string {
	if v.AtLeast(MySQL, 8, 0, 1) || v.AtLeast(MariaDB, 10, 6, 1) {
		return retentionSeconds
	}
	return "expire_logs_days"
}
