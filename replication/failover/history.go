package failover

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// historyEnd is what is true of one of the two servers, as far as their histories go.
type historyEnd struct {
	Version   server.Version
	Variables map[string]string
	Logs      []server.BinaryLog
}

// historyVariables are all that is read of them.
var historyVariables = []string{
	"server_id", "server_uuid", "log_bin", "read_only", "super_read_only", "gtid_mode", "gtid_executed", "gtid_purged",
	"gtid_binlog_pos", "gtid_binlog_state", "gtid_slave_pos", "gtid_strict_mode",
	"log_slave_updates", "log_replica_updates",
}

// gtids reports whether the server gives its transactions GTIDs.
func (e *historyEnd) gtids() bool {
	return e.Version.Family == server.MariaDB || e.Variables["gtid_mode"] == "ON"
}

// list is one of MariaDB's lists of GTIDs.
func (e *historyEnd) list(variable string) server.GTIDList {
	return server.ParseGTIDList(e.Variables[variable])
}

// id is the server_id as MariaDB's GTIDs have it.
func (e *historyEnd) id() string { return e.Variables["server_id"] }

// readOnly reports whether clients cannot write.
func (e *historyEnd) readOnly() bool { return e.Variables["read_only"] != "OFF" }

// file gives the place of one of its binary logs; -1 if it is not there.
func (e *historyEnd) file(name string) int {
	return slices.IndexFunc(e.Logs, func(l server.BinaryLog) bool { return l.File == name })
}

// history is how the server that rejoins stands to the master.
type history struct {
	// Copy is why only a new copy makes it a slave, whatever is in the transactions that
	// it has alone; empty: nothing known.
	Copy string

	// Alone is what it has alone: MySQL's GTIDs; MariaDB's last ones; by file and position
	// where its binary log ends. Empty: nothing.
	Alone string

	// Tail is that the end of its binary log is lost, which the master has: whatever was
	// written after that has GTIDs which may be those of other transactions there.
	Tail bool

	// Where what it has alone is in its binary log, or may be.
	Files []string
	From  uint64
	After server.GTIDList // MariaDB: own GTIDs up to these are the master's, too

	// Where it goes on: what MariaDB's gtid_slave_pos is to be, or a position of the
	// master's binary log. By MySQL's GTIDs neither is needed.
	SlavePos string
	Start    server.Position
	ByGTID   bool
}

// parting is what the history is judged by.
type parting struct {
	own, peer historyEnd
	start     term.Start // of the master's term
	judged    string     // see term.Note.Judged

	// Read for MariaDB only.
	common string // GTIDs of the own binary log up to where the master had applied it
	known  bool   // they are known
	oldest string // GTIDs before the first file of the master's binary log

	follows bool // the server has a connection to this master, which was made since
}

// judgeHistory compares the histories. It is a function of its arguments alone.
func (s *parting) judgeHistory() history {
	switch {
	case s.own.Version.Family != s.peer.Version.Family || !s.own.gtids() || !s.peer.gtids():
		return s.byPosition()
	case s.own.Version.Family == server.MySQL:
		return s.ofMySQL()
	}
	return s.ofMariaDB()
}

// logEnd finds where the part of the own binary log begins that the master has not applied.
// tail is that the log has less than what the master had of it: it has lost its end.
func (s *parting) logEnd() (files []string, from uint64, tail, found bool) {
	i := s.own.file(s.start.OldFile)
	if s.start.OldFile == "" || i < 0 {
		return filesFrom(s.own.Logs, 0), firstEvent, false, false
	}
	if s.own.Logs[i].Bytes < s.start.OldOffset {
		return filesFrom(s.own.Logs, i+1), firstEvent, true, true
	}
	return filesFrom(s.own.Logs, i), s.start.OldOffset, false, true
}

// firstEvent is where the first event of a binary log begins.
const firstEvent = 4

func filesFrom(logs []server.BinaryLog, i int) []string {
	var files []string
	for _, log := range logs[min(i, len(logs)):] {
		files = append(files, log.File)
	}
	return files
}

// ofMySQL compares sets of GTIDs.
func (s *parting) ofMySQL() history {
	h := history{ByGTID: true, Alone: server.SubtractGTIDs(s.own.Variables["gtid_executed"],
		s.peer.Variables["gtid_executed"])}
	h.Files, h.From, h.Tail, _ = s.logEnd()
	if s.follows { // what was done since may be anywhere
		h.Files, h.From, h.Tail = filesFrom(s.own.Logs, 0), firstEvent, false
	}
	lacking := server.SubtractGTIDs(s.peer.Variables["gtid_purged"], s.own.Variables["gtid_executed"])
	uuid := strings.ToLower(s.peer.Variables["server_uuid"])
	switch {
	case h.Tail && h.Alone != "":
		h.Copy = lostTail
	case s.lostOwn() != "":
		h.Copy = lostOwn
	case uuid != "" && strings.Contains(strings.ToLower(h.Alone), uuid):
		h.Copy = "the master does not have all any more that it has written itself: it has lost the end of its binary " +
			"log, or is another"
	case lacking != "":
		h.Copy = "the master's binary log does not go back any more to where this server stands"
	}
	return h
}

// lostTail is what no GTIDs tell.
const lostTail = "the end of its binary log was lost, as by a power cut, and it was written to since: " +
	"the same GTIDs may stand for other changes on the master"

// lostOwn is what a slave does not take back: it passes over all that has its own server_id.
const lostOwn = "the end of its binary log was lost, as by a power cut, and a slave takes back nothing that it has " +
	"written itself"

// lostOwn are MySQL's GTIDs that this server has written, and the master has, and this one has
// no more.
func (s *parting) lostOwn() string {
	return server.SubtractGTIDs(
		server.GTIDsOf(s.peer.Variables["gtid_executed"], s.own.Variables["server_uuid"]), s.own.Variables["gtid_executed"])
}

// ofMariaDB compares lists of GTIDs. The master has all of this server's history up to
// where it was promoted, and this server what it has received since.
func (s *parting) ofMariaDB() history {
	h := history{ByGTID: true, After: server.ParseGTIDList(s.common)}
	var found bool
	h.Files, h.From, h.Tail, found = s.logEnd()
	had := server.ParseGTIDList(s.start.OldGTID) // by the master, of this server
	if !found {
		h.After = had
	}
	if s.follows {
		h.Files, h.From, h.Tail = filesFrom(s.own.Logs, 0), firstEvent, false
	}
	for _, g := range server.ParseGTIDs(s.judged) {
		if h.After[g.Domain].Number < g.Number && !h.Tail {
			h.After[g.Domain] = g
		}
	}
	var alone []string
	for _, g := range server.ParseGTIDs(s.own.Variables["gtid_binlog_state"]) {
		if fmt.Sprint(g.Server) != s.peer.id() && g.Number > h.After[g.Domain].Number && (h.Tail || !s.peerHas(g)) {
			alone = append(alone, g.String())
		}
	}
	h.Alone = strings.Join(alone, ",")
	h.SlavePos = s.slavePos(h.Tail).String()
	switch {
	case found && !h.Tail && s.known && s.start.OldGTID != "" && !sameNumbers(server.ParseGTIDList(s.common), had):
		h.Copy = "its binary log has other GTIDs than the master has applied of it: it is not the log that was replicated"
	case h.Tail && h.Alone != "":
		h.Copy = lostTail
	case h.Tail && !s.follows:
		h.Copy = lostOwn
	case len(had) == 0 && !s.follows:
		h.Copy = "nothing tells what the master had applied of this server's changes when it was promoted"
	case !covers(s.own.list("gtid_binlog_state"), had) && !h.Tail && !s.follows:
		h.Copy = "its binary log does not have what the master had applied of it: it was begun anew, or is of another " +
			"server"
	case !covers(server.ParseGTIDList(h.SlavePos), server.ParseGTIDList(s.oldest)):
		h.Copy = "the master's binary log does not go back any more to where this server stands"
	}
	return h
}

// slavePos is where a slave of MariaDB's goes on: where the master's own binary log stood
// when it was promoted, which may lack transactions of other databases that this server
// has; or after what it has received since.
func (s *parting) slavePos(tail bool) server.GTIDList {
	at, stood := server.GTIDList{}, server.ParseGTIDList(s.start.GTID)
	if len(stood) == 0 {
		stood = server.ParseGTIDList(s.start.OldGTID)
	}
	for domain, g := range stood {
		at[domain] = g
		if own, known := server.ParseGTIDList(s.common)[domain]; tail && known && own.Number < g.Number {
			at[domain] = own
		}
	}
	for domain, g := range s.own.list("gtid_slave_pos") {
		if g.Number > at[domain].Number {
			at[domain] = g
		}
	}
	return at
}

// peerHas reports whether the master's binary log is known to have a GTID.
func (s *parting) peerHas(g server.GTID) bool {
	return slices.ContainsFunc(server.ParseGTIDs(s.peer.Variables["gtid_binlog_state"]), func(other server.GTID) bool {
		return other.Domain == g.Domain && other.Server == g.Server && other.Number >= g.Number
	})
}

// covers reports whether a list has come as far as another in each of its domains.
func covers(list, other server.GTIDList) bool {
	for domain, g := range other {
		if list[domain].Number < g.Number {
			return false
		}
	}
	return true
}

// sameNumbers reports whether a list is another in each of its domains.
func sameNumbers(list, other server.GTIDList) bool {
	for domain, g := range other {
		if list[domain] != g {
			return false
		}
	}
	return true
}

// byPosition compares where the own binary log ends with what the master has applied of
// it. Nothing but the term tells from where on the master's is the same history.
func (s *parting) byPosition() history {
	h := history{Start: server.Position{File: s.start.File, Offset: s.start.Offset}}
	var found bool
	h.Files, h.From, h.Tail, found = s.logEnd()
	i := s.peer.file(s.start.File)
	switch {
	case s.follows:
		h.Files = nil
	case !found:
		h.Copy = "its binary log does not have the place any more up to which the master has applied it"
	case h.Tail:
		h.Copy = "the end of its binary log was lost, which the master has"
	case s.start.File == "" || i < 0 || s.peer.Logs[i].Bytes < s.start.Offset:
		h.Copy = "the master's binary log does not have the place any more where its own history begins"
	default:
		last := s.own.Logs[len(s.own.Logs)-1]
		if len(h.Files) > 1 || last.Bytes > h.From {
			// Perhaps it has no transactions: each start of a server begins a file.
			h.Alone = fmt.Sprintf("%s:%d", last.File, last.Bytes)
		}
	}
	return h
}
