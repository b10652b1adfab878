package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/server"
)

// gtid is a transaction's name: of which server, and its number there (MySQL) or in the
// only domain (MariaDB).
type gtid struct {
	server int
	number uint64
}

// change is a transaction as a client has written it, or one of a server's own: its
// name, the server_id of the session that has written it, and the row that it adds; 0: it
// adds nothing.
type change struct {
	id  gtid
	by  int
	row int
}

// logged is a transaction in a binary log, which ends at a place of it.
type logged struct {
	change
	file   int
	end    uint64
	before gtid // gtid_slave_pos before it
}

// source is what a slave was told of its master.
type source struct {
	host   string
	port   int
	user   string
	byGTID bool
	read   place // MASTER_LOG_FILE and so on: how far it has received
	done   place // how far it has applied
}

// place is a position in a binary log.
type place struct {
	file   int
	offset uint64
}

func (p place) before(other place) bool {
	return p.file < other.file || p.file == other.file && p.offset < other.offset
}

// disk is what a server keeps when it is killed.
type disk struct {
	rows      []int // that its tables have, in the order in which they came
	log       []logged
	purged    []gtid // executed, and not in the log; of MariaDB's, only the last
	synced    int    // of the log's transactions, how many a power cut leaves; those before the last if sync_binlog=1
	file      int    // the present file of the binary log
	tail      uint64 // and its end
	relay     []logged
	master    *source
	slavePos  gtid // MariaDB's gtid_slave_pos
	record    string
	hasRecord bool
	options   map[string]string // of the option file
	persisted map[string]string // MySQL's SET PERSIST
	events    map[string]string // ENABLED, SLAVESIDE_DISABLED
}

// session is a connection of a client.
type session struct {
	id       int
	serverID int // of the server when the session began
	user     string
	process  *process // whose it is; nil: of a client of the world
	logBin   bool
	locks    []string // of GET_LOCK
	readLock bool     // FLUSH TABLES WITH READ LOCK
	next     gtid     // gtid_next of MySQL
	patience int      // lock_wait_timeout, in seconds
	row      int      // that an open transaction has written and not committed
	closed   bool
}

// thread is one of a slave's two.
type thread struct {
	running   bool
	connected bool // the I/O thread has its master
	held      bool // it gets nothing done: what a busy server may do
	errno     int
	text      string
}

// engine is the model of one server.
type engine struct {
	disk

	w      *world
	host   *host
	family server.Family
	number int // of its server_uuid; its server_id, unless that is set
	up     bool
	torn   bool // what it has received is not all on its disk, if it loses its power
	idSet  bool // the server_id was set since the start

	variables   map[string]string // global ones, at run time
	sessions    map[int]*session
	lastID      int
	io, sql     thread
	received    gtid // Gtid_IO_Pos of MariaDB
	retrieved   []gtid
	starts      int
	startedUnix int64
	applied     int // of the relay log
}

// uuid is MySQL's server_uuid of a server.
func uuid(number int) string { return fmt.Sprintf("%08d-0000-0000-0000-000000000000", number) }

// newEngine is a server of a ready pair, that was never started.
func newEngine(w *world, h *host, family server.Family, number int) *engine {
	e := &engine{w: w, host: h, family: family, number: number}
	e.options = map[string]string{"read_only": "ON", "skip_slave_start": "ON"}
	e.persisted = map[string]string{}
	e.events = map[string]string{}
	return e
}

// boot starts the server: what is not on the disk begins anew.
func (e *engine) boot() {
	e.up, e.starts = true, e.starts+1
	e.startedUnix = time.Now().Unix()
	e.sessions = map[int]*session{}
	e.file, e.tail = e.file+1, 4
	e.io, e.sql = thread{}, thread{}
	e.received, e.idSet = gtid{}, false
	e.variables = map[string]string{
		"read_only": "OFF", "super_read_only": "OFF", "event_scheduler": "ON", "lock_wait_timeout": "86400",
		"sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1", "log_bin": "ON", "log_slave_updates": "ON",
		"skip_slave_start": "OFF", "gtid_mode": "ON", "gtid_strict_mode": "OFF", "relay_log_recovery": "OFF",
		"server_id": fmt.Sprint(e.number), "port": "3306", "binlog_expire_logs_seconds": "2592000",
		"expire_logs_days": "30", "hostname": e.host.name, "sync_relay_log": "1",
	}
	maps.Copy(e.variables, e.options)
	maps.Copy(e.variables, e.persisted)
	if e.family == server.MariaDB {
		delete(e.variables, "super_read_only")
		delete(e.variables, "gtid_mode")
		delete(e.variables, "relay_log_recovery")
	} else {
		delete(e.variables, "gtid_strict_mode")
		delete(e.variables, "expire_logs_days")
		if e.variables["super_read_only"] == "ON" {
			e.variables["read_only"] = "ON"
		}
	}
	if e.master == nil {
		return
	}
	if e.family == server.MySQL && e.variables["relay_log_recovery"] == "ON" {
		e.relay, e.retrieved, e.master.read = nil, nil, e.master.done
	}
	if e.variables["skip_slave_start"] != "ON" {
		e.start(true, true)
	}
}

// stop ends the server: all sessions are gone. With the power, what was not synced goes.
func (e *engine) stop(power bool) {
	if e.up && power && e.variables["sync_binlog"] != "1" {
		lost := len(e.log) - e.synced
		for range lost {
			last := e.log[len(e.log)-1]
			e.log, e.slavePos = e.log[:len(e.log)-1], last.before
			e.rows = slices.DeleteFunc(e.rows, func(row int) bool { return row == last.row })
			if e.family == server.MySQL && e.master != nil && last.id.server != e.number { // its relay log has it
				e.relay = slices.Insert(e.relay, 0, last)
				e.applied--
			}
			e.w.checker.losesTail(e.w, last.row)
		}
	}
	if e.up && power && e.torn && e.master != nil {
		e.relay, e.retrieved, e.master.read = nil, nil, e.master.done
	}
	e.torn = false
	e.up = false
	for _, s := range e.sessions {
		s.closed = true
	}
	e.sessions = map[int]*session{}
	e.io, e.sql = thread{}, thread{}
}

// isOn reports whether a variable is on.
func (e *engine) isOn(name string) bool {
	v := e.variables[name]
	return v == "ON" || v == "1" || strings.EqualFold(v, "ON")
}

// mayWrite is the error of a write of a user, as the server gives it.
func (e *engine) mayWrite(s *session) error {
	switch {
	case e.readLocked(s):
		return errWait
	case e.isOn("super_read_only"), e.isOn("read_only") && s.user == clientUser:
		return failure(1290, "The MySQL server is running with the --read-only option so it cannot execute this statement")
	}
	return nil
}

// readLocked reports whether another session has the read lock.
func (e *engine) readLocked(s *session) bool {
	for _, other := range e.sessions {
		if other.readLock && other != s {
			return true
		}
	}
	return false
}

// serverID is the present server_id.
func (e *engine) serverID() int {
	id, _ := strconv.Atoi(e.variables["server_id"])
	return id
}

// commit writes a transaction of a session into the tables and the binary log: by the
// server_id that the session has, which is part of the GTID of MariaDB.
func (e *engine) commit(s *session, row int) {
	c := change{id: gtid{e.number, e.nextNumber()}, by: s.serverID, row: row}
	if e.family == server.MariaDB {
		c.id.server = s.serverID
	}
	e.store(c)
}

// nextNumber is of the next transaction of the server's own.
func (e *engine) nextNumber() uint64 {
	var last uint64
	if e.family == server.MariaDB {
		last = e.slavePos.number
	}
	for _, l := range e.log {
		if e.family == server.MariaDB || l.id.server == e.number {
			last = max(last, l.id.number)
		}
	}
	for _, g := range e.purged {
		if g.server == e.number {
			last = max(last, g.number)
		}
	}
	return last + 1
}

// store puts a transaction into the tables and the binary log.
func (e *engine) store(c change) {
	if c.row != 0 && !slices.Contains(e.rows, c.row) {
		e.rows = append(e.rows, c.row)
	}
	e.synced = len(e.log)
	e.tail += 100
	e.log = append(e.log, logged{change: c, file: e.file, end: e.tail, before: e.slavePos})
}

// executed are the transactions that the server has: MySQL's gtid_executed.
func (e *engine) executed() []gtid {
	set := slices.Clone(e.purged)
	for _, l := range e.log {
		set = append(set, l.id)
	}
	return set
}

// lastLogged is the last transaction of the binary log; zero if there is none.
func (e *engine) lastLogged() gtid {
	if len(e.log) == 0 {
		return gtid{}
	}
	return e.log[len(e.log)-1].id
}

// currentPos is MariaDB's gtid_current_pos: what was replicated last, or of its own what
// was written last, if that is later.
func (e *engine) currentPos() gtid {
	own := gtid{}
	for _, l := range e.log {
		if l.id.server == e.serverID() {
			own = l.id
		}
	}
	if own.number > e.slavePos.number {
		return own
	}
	return e.slavePos
}

// format is a GTID of MariaDB as it writes it; empty if it is none.
func (g gtid) format() string {
	if g.number == 0 {
		return ""
	}
	return fmt.Sprintf("0-%d-%d", g.server, g.number)
}

// formatSet is a set of MySQL's.
func formatSet(set []gtid) string {
	numbers := map[int][]uint64{}
	for _, g := range set {
		if !slices.Contains(numbers[g.server], g.number) {
			numbers[g.server] = append(numbers[g.server], g.number)
		}
	}
	var parts []string
	for _, of := range slices.Sorted(maps.Keys(numbers)) {
		all := numbers[of]
		slices.Sort(all)
		part := uuid(of)
		for i := 0; i < len(all); {
			last := i
			for last+1 < len(all) && all[last+1] == all[last]+1 {
				last++
			}
			part += fmt.Sprintf(":%d", all[i])
			if last > i {
				part += fmt.Sprintf("-%d", all[last])
			}
			i = last + 1
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

// parseSet reads a set of MySQL's.
func parseSet(text string) []gtid {
	var set []gtid
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\n", ""), ",") {
		fields := strings.Split(strings.TrimPrefix(strings.TrimSpace(part), "+"), ":")
		of := 0
		_, _ = fmt.Sscanf(fields[0], "%08d-", &of)
		for _, field := range fields[1:] {
			var first, last uint64
			if n, _ := fmt.Sscanf(field, "%d-%d", &first, &last); n < 2 {
				last = first
			}
			for number := first; number <= last; number++ {
				set = append(set, gtid{of, number})
			}
		}
	}
	return set
}

// parseGTID reads one of MariaDB's; zero if it is empty.
func parseGTID(text string) (g gtid) {
	_, _ = fmt.Sscanf(text, "0-%d-%d", &g.server, &g.number)
	return g
}

// subtract gives what of a set another has not.
func subtract(set, other []gtid) []gtid {
	return slices.DeleteFunc(slices.Clone(set), func(g gtid) bool { return slices.Contains(other, g) })
}

// failure is an error as the driver gives it.
func failure(number uint16, format string, args ...any) error {
	return &mysql.MySQLError{Number: number, Message: fmt.Sprintf(format, args...)}
}
