package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/server"
)

// call is a function of SQL's.
func (e *engine) call(s *session, name string, args []any) (any, error) {
	text := func(i int) string { return fmt.Sprint(args[i]) }
	switch {
	case name == "VERSION" && len(args) == 0:
		return e.version()[0], nil
	case name == "CONNECTION_ID" && len(args) == 0:
		return s.id, nil
	case name == "NOW":
		return time.Now().UTC().Format(time.DateTime), nil
	case name == "UNIX_TIMESTAMP":
		return float64(time.Now().UnixMicro()) / 1e6, nil
	case name == "GET_LOCK" && len(args) == 2:
		return e.getLock(s, text(0), text(1))
	case name == "IS_USED_LOCK" && len(args) == 1:
		if holder := e.holder(text(0)); holder != nil {
			return holder.id, nil
		}
		return nil, nil //nolint:nilnil // NULL
	case name == "IS_FREE_LOCK" && len(args) == 1:
		return number(e.holder(text(0)) == nil), nil
	case name == "RELEASE_LOCK" && len(args) == 1:
		i := slices.Index(s.locks, text(0))
		if i < 0 {
			return number(false), nil
		}
		s.locks = slices.Delete(s.locks, i, i+1)
		return number(true), nil
	case name == "GTID_SUBTRACT" && len(args) == 2 && e.family == server.MySQL:
		return formatSet(subtract(parseSet(text(0)), parseSet(text(1)))), nil
	case name == "GTID_SUBSET" && len(args) == 2 && e.family == server.MySQL:
		return number(len(subtract(parseSet(text(0)), parseSet(text(1)))) == 0), nil
	case name == "BINLOG_GTID_POS" && len(args) == 2 && e.family == server.MariaDB:
		return e.gtidAt(text(0), text(1)), nil
	}
	return nil, failure(1305, "FUNCTION %s does not exist", name)
}

// number is a boolean as SQL has it.
func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// getLock is GET_LOCK, which waits for the session that has the lock.
func (e *engine) getLock(s *session, name, timeout string) (any, error) {
	holder := e.holder(name)
	switch {
	case holder == s:
		return 1, nil
	case holder != nil:
		if seconds, _ := strconv.ParseFloat(timeout, 64); seconds <= 0 {
			return 0, nil
		}
		return nil, errWait
	}
	if strings.HasPrefix(name, demotionLock) {
		e.demoted(s)
	}
	s.locks = append(s.locks, name)
	return 1, nil
}

// demotionLock begins the names of the locks of demotions.
var demotionLock = failover.DemotionLock("")

// holder is the session that has a lock.
func (e *engine) holder(name string) *session {
	for _, s := range e.sessions {
		if slices.Contains(s.locks, name) {
			return s
		}
	}
	return nil
}

// gtidAt is the GTID before a place of MariaDB's binary log; nil if that is not known.
func (e *engine) gtidAt(file, offset string) any {
	at := place{parseFile(file), 0}
	at.offset, _ = strconv.ParseUint(offset, 10, 64)
	if at.file == 0 || (place{e.file, e.tail}).before(at) {
		return nil
	}
	last := ""
	for _, l := range e.log {
		if !at.before(place{l.file, l.end}) {
			last = l.id.format()
		}
	}
	return last
}

// logName is the name of a file of the binary log.
func logName(file int) string { return fmt.Sprintf("binlog.%06d", file) }

// parseFile is its number.
func parseFile(name string) int {
	n := 0
	_, _ = fmt.Sscanf(name, "binlog.%d", &n)
	return n
}
