package server

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Statements that change whether a server may be written to, and what is read of that.

// SetReadOnly keeps clients from writing: on MySQL those with all rights, too. MariaDB
// lets accounts with READ ONLY ADMIN (before 10.11: with SUPER) write all the same. It
// waits for statements that write, for as long as lock_wait_timeout says, and not for
// idle transactions, which cannot commit any more.
func (v Version) SetReadOnly() Statement {
	if v.Family == MySQL {
		return SQL("SET GLOBAL super_read_only=1") // and read_only with it
	}
	return SQL("SET GLOBAL read_only=1")
}

// SetWritable lets clients write; on MySQL it clears super_read_only as well.
func (v Version) SetWritable() Statement { return SQL("SET GLOBAL read_only=0") }

// LetAdministratorsWrite lifts MySQL's super_read_only alone: for what gtunnel itself
// writes on a server that stays read-only.
func (v Version) LetAdministratorsWrite() []Statement {
	if v.Family == MySQL {
		return []Statement{SQL("SET GLOBAL super_read_only=0")}
	}
	return nil
}

// SyncRelayLog says whether each event that a slave of MySQL's receives must be on the disk
// before it receives the next one; if not, the operating system writes when it likes. If so,
// what was received before is on the disk afterwards: the end of a file is flushed with it.
func (v Version) SyncRelayLog(each bool) []Statement {
	if !each {
		return []Statement{SQL("SET GLOBAL sync_relay_log=0")}
	}
	return []Statement{
		SQL("SET GLOBAL sync_relay_log=1"), SQL("FLUSH NO_WRITE_TO_BINLOG RELAY LOGS%s", v.Channel()),
	}
}

// StopsAllWrites reports whether SetReadOnly keeps every account from writing, and every
// open transaction from its commit.
func (v Version) StopsAllWrites() bool { return v.Family == MySQL }

// HoldWrites keeps everybody from writing as long as the session lives.
func (v Version) HoldWrites() Statement { return SQL("FLUSH TABLES WITH READ LOCK") }

// LockWaitTimeout is how long the statements of a session wait for a lock of the server's
// own, in whole seconds.
func LockWaitTimeout(d time.Duration) Statement {
	return SQL("SET SESSION lock_wait_timeout=%d", max(1, int(d.Seconds())))
}

// SetEventScheduler switches the scheduler of events: ON or OFF.
func SetEventScheduler(value string) Statement { return SQL("SET GLOBAL event_scheduler=%s", value) }

// Kill ends a connection, and rolls its transaction back.
func Kill(id uint64) Statement { return SQL("KILL %d", id) }

// OpenTransactions gives the connections of clients that have changed something in a
// transaction which they have not ended.
func (s *Server) OpenTransactions(ctx context.Context, on Execer) ([]uint64, error) {
	rows, err := s.Query(ctx, on, "SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx"+
		" WHERE trx_rows_modified > 0 AND trx_mysql_thread_id IN (SELECT id FROM information_schema.processlist"+
		" WHERE user <> 'system user' AND id <> CONNECTION_ID())")
	var ids []uint64
	for _, r := range rows {
		ids = append(ids, r.Number("id"))
	}
	return ids, err
}

// TakeLock takes a lock by its name for a session, without waiting, and reports whether
// it has it.
func (s *Server) TakeLock(ctx context.Context, on Execer, name string) (bool, error) {
	got, err := s.Value(ctx, on, "SELECT GET_LOCK("+QuoteString(name)+", 0)")
	return got == "1", err
}

// ReleaseLock gives back a lock that a session has, if it has it.
func (s *Server) ReleaseLock(ctx context.Context, on Execer, name string) error {
	_, err := s.Value(ctx, on, "SELECT RELEASE_LOCK("+QuoteString(name)+")")
	return err
}

// LockHolder is the connection that has a lock; 0: none has.
func (s *Server) LockHolder(ctx context.Context, on Execer, name string) (uint64, error) {
	text, err := s.Value(ctx, on, "SELECT IS_USED_LOCK("+QuoteString(name)+")")
	if err != nil || text == "" {
		return 0, err
	}
	return strconv.ParseUint(text, 10, 64)
}

// ReachesGTIDs reports whether a server's GTIDs include others: MySQL's sets, or MariaDB's
// last numbers of each domain. Without any to reach, they do.
func (v Version) ReachesGTIDs(have, others string) bool {
	if v.Family == MySQL {
		return SubtractGTIDs(others, have) == ""
	}
	own := sequenceNumbers(have)
	for domain, number := range sequenceNumbers(others) {
		if last, known := own[domain]; !known || last < number {
			return false
		}
	}
	return true
}

// JoinGTIDs is a list of MariaDB's GTIDs with those of another, of which the last of each
// domain count.
func JoinGTIDs(list, other string) string {
	return strings.Trim(strings.Join([]string{list, other}, ","), ",")
}

// GTIDsOf are those of MySQL's GTIDs that one server has written first.
func GTIDsOf(set, uuid string) string {
	var own []string
	for part := range strings.SplitSeq(set, ",") {
		if part = strings.TrimSpace(part); uuid != "" && strings.HasPrefix(strings.ToLower(part), strings.ToLower(uuid)) {
			own = append(own, part)
		}
	}
	return strings.Join(own, ",")
}

// LogHas reports whether a binary log of these files, in order, has had all before a
// position, also if the files before that were purged since.
func LogHas(logs []BinaryLog, p Position) bool {
	for _, log := range logs {
		if log.File == p.File {
			return p.Offset <= log.Bytes
		}
	}
	return len(logs) > 0 && p.BeforeFile(logs[0].File)
}
