package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// RelayTail is what a MariaDB slave has in its relay log and has not applied. While both of
// its threads are stopped nothing else tells: after a restart its status does not say what
// was received, and where it says to stand may be older than a crash.
type RelayTail struct {
	Start        Position // in the relay log, of the first transaction that is not applied; zero: all are
	Read         Position // in the master's binary log, of the end of the last transaction that is whole
	GTIDs        string   // the last of each domain that were received whole, or are applied
	Transactions int      // that are whole and not applied
	Incomplete   string   // the GTID of the last one, whose end was not received; empty: all are whole
	Torn         error    // what keeps the end of the relay log from being read; nil: nothing

	// Mixed is a GTID that is applied, and comes after Start: that begins before it would
	// apply it twice. Empty: there is none.
	Mixed string
}

// relayChunk is how many events are read at once.
const relayChunk = 5000

// ReadRelayTail reads the relay log of a MariaDB slave from where its status says that the
// SQL thread stands. Applied are its GTIDs.
func (s *Server) ReadRelayTail(
	ctx context.Context, on Execer, status *SlaveStatus, applied string,
) (*RelayTail, error) {
	reader := &relayReader{
		tail: &RelayTail{Read: status.Executed}, applied: sequenceNumbers(applied), last: lastGTIDs(applied),
		masterFile: status.Executed.File,
	}
	for at, first := status.Relay, true; at.File != ""; at, first = (Position{File: nextFile(at.File), Offset: 4}), false {
		there, err := s.readRelayFile(ctx, on, at, reader)
		if !first && isNoLog(err) {
			break
		}
		if ErrorNumber(err) != 0 { // otherwise it is the way to the server
			reader.tail.Torn, err = err, nil
		}
		if err != nil {
			return nil, err
		}
		// The slave may stand at the end of a file that others follow.
		if reader.tail.Torn != nil || !there && !first {
			break
		}
	}
	reader.end()
	return reader.tail, nil //nolint:nilerr // what cannot be read is Torn
}

// isNoLog reports whether a server says that its relay log has no such file. It has one
// error for all that keeps it from showing events.
func isNoLog(err error) bool {
	const cannotShow = 1220
	return ErrorNumber(err) == cannotShow && strings.Contains(err.Error(), "Could not find target log")
}

// readRelayFile reads one file from a place in it on, and reports whether there is one.
func (s *Server) readRelayFile(ctx context.Context, on Execer, from Position, reader *relayReader) (bool, error) {
	for read := 0; ; {
		rows, err := s.Query(ctx, on, fmt.Sprintf("SHOW RELAYLOG EVENTS IN %s FROM %d LIMIT %d",
			QuoteString(from.File), from.Offset, relayChunk))
		if err != nil {
			return true, err
		}
		fresh := rows
		if read > 0 && len(rows) > 0 { // it begins with the last one
			fresh = rows[1:]
		}
		for _, r := range fresh {
			reader.see(r)
		}
		read += len(fresh)
		if len(rows) < relayChunk {
			return read > 0, nil
		}
		from.Offset = rows[len(rows)-1].Number("pos")
	}
}

// relayReader follows the events of a relay log.
type relayReader struct {
	tail       *RelayTail
	applied    map[string]uint64 // the last sequence numbers by domain
	last       map[string]string // the last GTIDs by domain
	masterFile string
	open       string // the GTID of a transaction whose end has not been seen
	standalone bool   // it ends with its statement, and not with a commit
	begun      Position
}

// see takes the next event.
func (r *relayReader) see(event Record) {
	kind, info := event["event_type"], event["info"]
	switch {
	case kind == "Rotate":
		if file, _, ok := strings.Cut(info, ";pos="); ok && event["server_id"] != "0" && !r.isOwn(event, file) {
			r.masterFile = file
		}
	case kind == "Gtid":
		_, gtid, _ := strings.Cut(info, "GTID ")
		r.open, _, _ = strings.Cut(gtid, " ")
		r.standalone = strings.HasPrefix(info, "GTID ")
		r.begun = Position{File: event["log_name"], Offset: event.Number("pos")}
	case r.open != "" && r.ends(kind, info):
		r.whole(event)
	}
}

// isOwn reports whether a rotation is of the relay log itself.
func (r *relayReader) isOwn(event Record, file string) bool {
	own, _, _ := strings.Cut(event["log_name"], ".")
	return strings.HasPrefix(file, own+".")
}

// ends reports whether an event is the end of the open transaction.
func (r *relayReader) ends(kind, info string) bool {
	isQuery := strings.HasPrefix(kind, "Query")
	switch {
	case kind == "Xid", kind == "XA_prepare":
		return true
	case r.standalone:
		return isQuery
	default:
		return isQuery && (info == "COMMIT" || info == "ROLLBACK")
	}
}

// whole takes the open transaction, whose end is an event.
func (r *relayReader) whole(end Record) {
	gtid := r.open
	r.open = ""
	domain, number := splitGTID(gtid)
	if end.Number("end_log_pos") > 0 {
		r.tail.Read = Position{File: r.masterFile, Offset: end.Number("end_log_pos")}
	}
	if number <= r.applied[domain] {
		if !r.tail.Start.IsZero() {
			r.tail.Mixed = gtid
		}
		return
	}
	if r.tail.Start.IsZero() {
		r.tail.Start = r.begun
	}
	r.tail.Transactions++
	r.last[domain] = gtid
}

// end ends the reading.
func (r *relayReader) end() {
	if domain, number := splitGTID(r.open); r.open != "" && number > r.applied[domain] {
		r.tail.Incomplete = r.open
	}
	r.tail.GTIDs = joinGTIDs(r.last)
}

// ApplyFrom has a MariaDB slave, both of whose threads are stopped, apply its relay log
// from a place on, which a start by GTID would delete instead.
func (v Version) ApplyFrom(relay Position) []Statement {
	return []Statement{
		SQL("CHANGE MASTER TO MASTER_USE_GTID=no, RELAY_LOG_FILE=%s, RELAY_LOG_POS=%d",
			QuoteString(relay.File), relay.Offset),
		v.StartSlave(SQLThread),
	}
}

// FollowByGTID has a MariaDB slave follow by GTID again after ApplyFrom. It deletes the
// relay log.
func (v Version) FollowByGTID() []Statement {
	return []Statement{v.StopSlave(BothThreads), SQL("CHANGE MASTER TO MASTER_USE_GTID=slave_pos")}
}

// AppliesAlone reports whether a MariaDB slave is as ApplyFrom leaves it: it does not know
// any more how far it has read its master, and a start of the I/O thread would begin with
// the first binary log. FollowByGTID ends that.
func (s *SlaveStatus) AppliesAlone(v Version) bool {
	return v.Family == MariaDB && !s.ByGTID && s.Read.File == ""
}

// HasReadAll reports whether the SQL thread runs and waits for more in the relay log. Its
// workers may still apply.
func (s *SlaveStatus) HasReadAll() bool {
	return s.SQLRunning == "Yes" && strings.Contains(s.SQLState, "has read all relay log")
}

// CoversGTIDs reports whether MariaDB's GTIDs of one list have come to those of another in
// all of its domains.
func CoversGTIDs(list, other string) bool {
	own := sequenceNumbers(list)
	for domain, number := range sequenceNumbers(other) {
		if own[domain] < number {
			return false
		}
	}
	return true
}

// CountBeyond counts the transactions of GTIDs that are in none of the others, by their
// numbers.
func (v Version) CountBeyond(list string, others ...string) (count uint64) {
	if v.Family == MySQL {
		return countGTIDs(SubtractGTIDs(list, strings.Join(others, ",")))
	}
	own := sequenceNumbers(strings.Join(others, ","))
	for domain, number := range sequenceNumbers(list) {
		if number > own[domain] {
			count += number - own[domain]
		}
	}
	return count
}

// countGTIDs counts the transactions of a GTID set of MySQL's.
func countGTIDs(set string) (count uint64) {
	for part := range strings.SplitSeq(set, ",") {
		for i, interval := range strings.Split(strings.TrimSpace(part), ":") {
			if i == 0 { // the UUID
				continue
			}
			first, last, ranged := strings.Cut(interval, "-")
			from, err := strconv.ParseUint(first, 10, 64)
			if err != nil { // a tag
				continue
			}
			to := from
			if ranged {
				to, _ = strconv.ParseUint(last, 10, 64) // a number on every server
			}
			count += to - from + 1
		}
	}
	return count
}

// splitGTID gives the domain and the number of a GTID of MariaDB's.
func splitGTID(gtid string) (domain string, number uint64) {
	for d, n := range sequenceNumbers(gtid) {
		return d, n
	}
	return "", 0
}

// lastGTIDs are the GTIDs of a list by their domains.
func lastGTIDs(list string) map[string]string {
	last := map[string]string{}
	for gtid := range strings.SplitSeq(list, ",") {
		if domain, number := splitGTID(gtid); number > 0 {
			last[domain] = strings.TrimSpace(gtid)
		}
	}
	return last
}

// joinGTIDs makes a list of the GTIDs of domains.
func joinGTIDs(byDomain map[string]string) string {
	var list []string
	for _, domain := range slices.Sorted(maps.Keys(byDomain)) {
		list = append(list, byDomain[domain])
	}
	return strings.Join(list, ",")
}

// nextFile is the name of the file that follows another in a log.
func nextFile(file string) string {
	dot := strings.LastIndexByte(file, '.')
	number, err := strconv.ParseUint(file[dot+1:], 10, 64)
	if dot < 0 || err != nil {
		return ""
	}
	return fmt.Sprintf("%s.%0*d", file[:dot], len(file)-dot-1, number+1)
}
