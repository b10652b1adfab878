package replication

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The statements of replication differ between the families and have changed
// their names. What follows is from the manuals of both, tried on MySQL 5.7,
// 8.0, 8.4, 9.7 and MariaDB 10.0, 10.5, 10.11, 11.8.

// replicaWords tells whether the server wants SOURCE and REPLICA instead of
// MASTER and SLAVE (MySQL 8.4 has dropped the old words; the new ones are whole
// from 8.0.23).
func (v Version) replicaWords() bool { return v.atLeast(MySQL, 8, 0, 23) }

// word gives the old word, or the new one where the server wants it.
func (v Version) word(old, replacement string) string {
	if v.replicaWords() {
		return replacement
	}
	return old
}

func (v Version) showSlaveStatus() string {
	if v.Family == MariaDB {
		return "SHOW ALL SLAVES STATUS"
	}
	return "SHOW " + v.word("SLAVE", "REPLICA") + " STATUS"
}

func (v Version) showMasterStatus() string {
	if v.atLeast(MySQL, 8, 2, 0) {
		return "SHOW BINARY LOG STATUS"
	}
	return "SHOW MASTER STATUS"
}

// thread is one of a slave's two threads.
type thread string

const (
	bothThreads thread = ""
	ioThread    thread = "IO_THREAD"
	sqlThread   thread = "SQL_THREAD"
)

func (v Version) startSlave(t thread) Statement { return v.slaveStatement("START", t) }
func (v Version) stopSlave(t thread) Statement  { return v.slaveStatement("STOP", t) }

func (v Version) slaveStatement(verb string, t thread) Statement {
	text := verb + " " + v.word("SLAVE", "REPLICA")
	if t != bothThreads {
		text += " " + string(t)
	}
	return statement("%s%s", text, v.channel())
}

// channel names MySQL's default channel, so that no statement reaches others.
// MariaDB's statements mean the default connection.
func (v Version) channel() string {
	if v.atLeast(MySQL, 8, 0, 0) {
		return " FOR CHANNEL ''"
	}
	return ""
}

// startUntil starts the SQL thread until it has applied all before a position.
func (v Version) startUntil(p Position) Statement {
	return statement("START %s SQL_THREAD UNTIL %s=%s, %s=%d%s",
		v.word("SLAVE", "REPLICA"),
		v.word("MASTER_LOG_FILE", "SOURCE_LOG_FILE"), quoteString(p.File),
		v.word("MASTER_LOG_POS", "SOURCE_LOG_POS"), p.Offset, v.channel())
}

// resetSlaveAll forgets the default connection's master.
func (v Version) resetSlaveAll() Statement {
	return statement("RESET %s ALL%s", v.word("SLAVE", "REPLICA"), v.channel())
}

// resetBinaryLog begins a server's binary log and GTIDs anew. It is only shown.
func (v Version) resetBinaryLog() string {
	if v.atLeast(MySQL, 8, 2, 0) {
		return "RESET BINARY LOGS AND GTIDS"
	}
	return "RESET MASTER"
}

// Position is a place in a master's binary log: its coordinates, and the GTIDs
// of all that is before it.
type Position struct {
	File   string `json:"file"`
	Offset uint64 `json:"offset"`
	GTID   string `json:"gtid,omitempty"` // gtid_slave_pos of MariaDB, gtid_executed of MySQL
}

// IsZero tells whether the position is none.
func (p Position) IsZero() bool { return p.File == "" }

// before tells whether the position comes before another of the same master.
// The files of a binary log end in their number.
func (p Position) before(other Position) bool {
	if p.File != other.File {
		return fileNumber(p.File) < fileNumber(other.File)
	}
	return p.Offset < other.Offset
}

// at tells whether both are the same place.
func (p Position) at(other Position) bool { return p.File == other.File && p.Offset == other.Offset }

func fileNumber(file string) uint64 {
	n, _ := strconv.ParseUint(file[strings.LastIndexByte(file, '.')+1:], 10, 64) // digits on every server
	return n
}

// String is file:offset.
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Offset) }

// connection is how a slave is told to reach its master: MASTER_HOST and so on.
type connection struct {
	host     string
	port     int
	user     string
	password Password
	start    Position
	byGTID   bool // MariaDB: slave_pos; MySQL: auto-position
}

// What a slave is told of patience. MySQL 8.4 would give up after ten retries,
// and a silent link is found by its missing heartbeats.
const (
	connectRetry   = 10 * time.Second
	retryCount     = 86400
	heartbeat      = 10 * time.Second
	slaveNetWindow = 60 * time.Second // slave_net_timeout
)

// changeMaster points the slave's default connection to a master. It states
// every option, because RESET SLAVE ALL leaves some of an earlier CHANGE
// (MariaDB), and turns TLS off, which the tunnel provides and MariaDB 11 would
// ask for once more.
func (v Version) changeMaster(c connection) Statement {
	if v.Family == MariaDB {
		return v.changeMasterMariaDB(c)
	}
	master := v.word("MASTER", "SOURCE")
	options := []Statement{
		statement("%s_HOST=%s", master, quoteString(c.host)),
		statement("%s_PORT=%d", master, c.port),
		statement("%s_USER=%s", master, quoteString(c.user)),
		statement("%s_PASSWORD=%s", master, c.password),
		statement("%s_CONNECT_RETRY=%d", master, int(connectRetry.Seconds())),
		statement("%s_RETRY_COUNT=%d", master, retryCount),
		statement("%s_HEARTBEAT_PERIOD=%d", master, int(heartbeat.Seconds())),
		statement("%s_SSL=0", master),
		statement("%s_SSL_VERIFY_SERVER_CERT=0", master),
		statement("%s_DELAY=0", master),
		statement("%s_BIND=''", master),
		statement("IGNORE_SERVER_IDS=()"),
	}
	if v.atLeast(MySQL, 8, 0, 3) {
		// Without the key a caching_sha2_password account fails once the
		// master's cache is cold.
		options = append(options, statement("GET_%s_PUBLIC_KEY=1", v.word("MASTER", "SOURCE")))
	}
	if c.byGTID {
		options = append(options, statement("%s_AUTO_POSITION=1", master))
	} else {
		options = append(options,
			statement("%s_AUTO_POSITION=0", master),
			statement("%s_LOG_FILE=%s", master, quoteString(c.start.File)),
			statement("%s_LOG_POS=%d", master, c.start.Offset))
	}
	verb := "CHANGE MASTER TO "
	if v.replicaWords() {
		verb = "CHANGE REPLICATION SOURCE TO "
	}
	return statement("%s%s", joinStatements(verb, options), v.channel())
}

func (v Version) changeMasterMariaDB(c connection) Statement {
	options := []Statement{
		statement("MASTER_HOST=%s", quoteString(c.host)),
		statement("MASTER_PORT=%d", c.port),
		statement("MASTER_USER=%s", quoteString(c.user)),
		statement("MASTER_PASSWORD=%s", c.password),
		statement("MASTER_CONNECT_RETRY=%d", int(connectRetry.Seconds())),
		statement("MASTER_HEARTBEAT_PERIOD=%d", int(heartbeat.Seconds())),
		statement("MASTER_SSL=0"),
		statement("MASTER_SSL_VERIFY_SERVER_CERT=0"),
		statement("IGNORE_SERVER_IDS=()"),
		statement("DO_DOMAIN_IDS=()"),
		statement("IGNORE_DOMAIN_IDS=()"),
	}
	if !v.atLeast(MariaDB, 10, 1, 0) {
		options = options[:len(options)-2]
	}
	if v.atLeast(MariaDB, 10, 2, 3) {
		options = append(options, statement("MASTER_DELAY=0"))
	}
	if c.byGTID {
		options = append(options, statement("MASTER_USE_GTID=slave_pos"))
	} else {
		options = append(options,
			statement("MASTER_USE_GTID=no"),
			statement("MASTER_LOG_FILE=%s", quoteString(c.start.File)),
			statement("MASTER_LOG_POS=%d", c.start.Offset))
	}
	return joinStatements("CHANGE MASTER TO ", options)
}

// changePassword gives the slave another password, and leaves all else. The
// slave must be stopped.
func (v Version) changePassword(password Password) Statement {
	if v.replicaWords() {
		return statement("CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD=%s%s", password, v.channel())
	}
	return statement("CHANGE MASTER TO MASTER_PASSWORD=%s%s", password, v.channel())
}

// setStart tells a slave that follows by GTID which transactions it has. On
// MySQL missing are those of the seed that it does not know of yet; 8.0 and
// later add them to what is there.
func (v Version) setStart(missing string) Statement {
	switch {
	case v.Family == MariaDB:
		return statement("SET GLOBAL gtid_slave_pos=%s", quoteString(missing))
	case v.atLeast(MySQL, 8, 0, 0):
		return statement("SET GLOBAL gtid_purged=%s", quoteString("+"+missing))
	default:
		return statement("SET GLOBAL gtid_purged=%s", quoteString(missing))
	}
}

// setFilter makes the slave apply changes in these databases only; an empty
// list lifts the filter. The slave must be stopped. The patterns are those of
// replicate-wild-do-table, the one filter that also applies statements which
// name a table of another database than the current one.
func (v Version) setFilter(databases []string) Statement {
	patterns := wildTables(databases)
	if v.Family == MariaDB {
		return statement("SET GLOBAL replicate_wild_do_table=%s", quoteString(strings.Join(patterns, ",")))
	}
	return statement("CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=(%s)%s", quoteList(patterns), v.channel())
}

// setIgnored makes the slave leave tables out, "database.table" of some databases,
// on top of setFilter: not by patterns, of which those of setFilter come first.
func (v Version) setIgnored(tables, databases []string) Statement {
	if v.Family == MariaDB {
		return statement("SET GLOBAL replicate_ignore_table=%s", quoteString(strings.Join(tables, ",")))
	}
	quoted := make([]string, len(tables))
	for i, table := range tables {
		quoted[i] = quoteTable(splitTable(table, databases))
	}
	return statement("CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE=(%s)%s", strings.Join(quoted, ", "), v.channel())
}

// wildTables are the patterns of all tables of databases.
func wildTables(databases []string) []string {
	patterns := make([]string, len(databases))
	for i, database := range databases {
		patterns[i] = escapePattern(database) + ".%"
	}
	return patterns
}

// createAccount makes an account.
func (v Version) createAccount(user, host string, password Password) Statement {
	if !v.altersAccounts() {
		return v.setPassword(user, host, password)
	}
	return statement("CREATE USER %s IDENTIFIED BY %s%s", quoteAccount(user, host), password, v.neverExpires())
}

// setPassword gives an account another password; by a history of passwords, the
// server may refuse the one that it has.
func (v Version) setPassword(user, host string, password Password) Statement {
	if !v.altersAccounts() {
		return statement("GRANT USAGE ON *.* TO %s IDENTIFIED BY %s", quoteAccount(user, host), password)
	}
	return statement("ALTER USER %s IDENTIFIED BY %s", quoteAccount(user, host), password)
}

// altersAccounts tells whether the server knows ALTER USER; before, GRANT does all.
func (v Version) altersAccounts() bool {
	return v.atLeast(MariaDB, 10, 2, 0) || v.atLeast(MySQL, 5, 7, 6)
}

// neverExpires keeps an account's password, which nobody types, out of the policy
// of default_password_lifetime.
func (v Version) neverExpires() string {
	if v.atLeast(MariaDB, 10, 4, 3) || v.Family == MySQL {
		return " PASSWORD EXPIRE NEVER"
	}
	return ""
}

// freeAccount lifts what binds the logins of an account: TLS, limits, a lock, an
// age of its password. A password that has expired must be set, too.
func (v Version) freeAccount(user, host string) Statement {
	account := quoteAccount(user, host)
	limits := "MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0"
	if v.atLeast(MariaDB, 10, 1, 1) {
		limits += " MAX_STATEMENT_TIME 0"
	}
	if !v.altersAccounts() {
		return statement("GRANT USAGE ON *.* TO %s REQUIRE NONE WITH %s", account, limits)
	}
	unlock := ""
	if v.atLeast(MariaDB, 10, 4, 3) || v.Family == MySQL {
		unlock = " ACCOUNT UNLOCK"
	}
	return statement("ALTER USER %s REQUIRE NONE WITH %s%s%s", account, limits, v.neverExpires(), unlock)
}

// dropAccount drops an account that exists.
func (v Version) dropAccount(user, host string) Statement {
	return statement("DROP USER %s", quoteAccount(user, host))
}

// joinStatements makes one statement of its parts.
func joinStatements(before string, parts []Statement) Statement {
	s := Statement{shown: before, sql: before}
	for i, part := range parts {
		if i > 0 {
			s.shown, s.sql = s.shown+", ", s.sql+", "
		}
		s.shown, s.sql = s.shown+part.shown, s.sql+part.sql
		s.secrets = append(s.secrets, part.secrets...)
	}
	return s
}
