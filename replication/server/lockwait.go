package server

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// LockPatience is how long a slave that stands may wait for a lock until that is
// an end.
const LockPatience = 30 * time.Second

// LockWait is that a thread of a slave which applies changes waits for a lock.
type LockWait struct {
	Applier Process
	What    string        // it waits for: its state, or a row
	Time    time.Duration // for which it may have waited: as old as what it applies
	Tables  []string      // that are locked; none if they are not known
	Holders []Process     // who has the lock, or may have it
	Certain bool          // it is known that they have it
}

// FindLockWait finds what the applying threads of a slave wait for, and who holds
// it, as far as the login may see that; nil if they wait for no lock.
func (s *Server) FindLockWait(ctx context.Context, on Execer) (*LockWait, error) {
	processes, err := s.Processes(ctx, on)
	if err != nil || !slices.ContainsFunc(processes, Process.mayWait) {
		return nil, err
	}
	own, err := s.Value(ctx, on, "SELECT CONNECTION_ID()")
	if err != nil {
		return nil, err
	}
	transactions, err := s.transactions(ctx, on)
	if err != nil {
		return nil, err
	}
	wait := findLockWait(processes, transactions)
	if wait == nil {
		return nil, nil //nolint:nilnil // it waits for none
	}
	ids, err := s.lockHolders(ctx, on, wait)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(processes, func(p Process) bool {
		return p.IsServers() || strconv.FormatUint(p.ID, 10) == own || waitsForLock.MatchString(p.State)
	})
	for _, p := range others {
		if slices.Contains(ids, p.ID) {
			wait.Holders, wait.Certain = append(wait.Holders, p), true
		}
	}
	if !wait.Certain {
		wait.Holders = mayHold(others, transactions, wait.Time)
	}
	if len(wait.Tables) == 0 {
		wait.Tables, err = s.tablesInUse(ctx, on)
	}
	return wait, err
}

// waitsForLock are the states of a thread that waits for a lock of the server's own.
var waitsForLock = regexp.MustCompile(`(?i)^waiting for .*(lock|table flush)$`)

// transaction is one of InnoDB's.
type transaction struct {
	thread uint64
	waits  bool // for a lock of a row
}

// transactionsAge is how long nobody must have read InnoDB's list of transactions until
// it is made anew (CACHE_MIN_IDLE_TIME_NS of trx0i_s.cc): who looks more often sees the
// same for ever.
const transactionsAge = 120 * time.Millisecond

// transactions are those of InnoDB, as far as the login may see them.
func (s *Server) transactions(ctx context.Context, on Execer) ([]transaction, error) {
	if err := Pause(ctx, transactionsAge); err != nil {
		return nil, err
	}
	const query = "SELECT trx_mysql_thread_id AS thread, trx_state AS state FROM information_schema.innodb_trx"
	rows, err := ReadRecords(ctx, on, query)
	if IsDenied(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.Explain("read information_schema.innodb_trx", err)
	}
	list := make([]transaction, len(rows))
	for i, r := range rows {
		list[i] = transaction{thread: r.Number("thread"), waits: r["state"] == "LOCK WAIT"}
	}
	return list, nil
}

// mayWait reports whether the thread may be one that applies and waits for a lock, by its
// state alone: InnoDB's list need not be waited for where all of them wait for more.
func (p Process) mayWait() bool {
	return p.User == "system user" && (p.State == "" || !idleThread.MatchString(p.State))
}

// findLockWait finds the thread that applies and waits for the longest time.
func findLockWait(processes []Process, transactions []transaction) *LockWait {
	var wait *LockWait
	for _, p := range processes {
		if p.User != "system user" {
			continue
		}
		found := &LockWait{Applier: p, What: p.State, Time: p.Time}
		if !waitsForLock.MatchString(p.State) {
			row := slices.IndexFunc(transactions, func(t transaction) bool { return t.thread == p.ID && t.waits })
			if row < 0 {
				continue
			}
			found.What = "Waiting for a row lock of InnoDB"
		}
		if wait == nil || found.Time > wait.Time {
			wait = found
		}
	}
	return wait
}

// lockHolders are the connections that are known to have what is waited for. It
// completes the tables.
func (s *Server) lockHolders(ctx context.Context, on Execer, wait *LockWait) (ids []uint64, err error) {
	query := "SELECT DISTINCT h.processlist_id AS id," +
		" NULLIF(CONCAT_WS('.', g.object_schema, g.object_name), '') AS object" +
		" FROM performance_schema.metadata_locks p JOIN performance_schema.metadata_locks g" +
		" ON g.object_type = p.object_type AND g.object_schema <=> p.object_schema AND g.object_name <=> p.object_name" +
		" AND g.lock_status = 'GRANTED' AND g.owner_thread_id <> p.owner_thread_id" +
		" JOIN performance_schema.threads w ON w.thread_id = p.owner_thread_id" +
		" JOIN performance_schema.threads h ON h.thread_id = g.owner_thread_id" +
		" WHERE p.lock_status = 'PENDING' AND w.processlist_id = ?"
	if !waitsForLock.MatchString(wait.Applier.State) {
		query = "SELECT DISTINCT b.trx_mysql_thread_id AS id FROM information_schema.innodb_lock_waits w" +
			" JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id" +
			" JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id WHERE r.trx_mysql_thread_id = ?"
		if s.Version.AtLeast(MySQL, 8, 0, 0) {
			query = "SELECT DISTINCT b.trx_mysql_thread_id AS id FROM performance_schema.data_lock_waits w" +
				" JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_engine_transaction_id" +
				" JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_engine_transaction_id" +
				" WHERE r.trx_mysql_thread_id = ?"
		}
	}
	const noTable = 1146
	rows, err := ReadRecords(ctx, on, query, wait.Applier.ID)
	switch {
	case IsDenied(err), ErrorNumber(err) == noTable:
		return nil, nil
	case err != nil:
		return nil, s.Explain("read who holds a lock", err)
	}
	for _, r := range rows {
		ids = append(ids, r.Number("id"))
		if object := r["object"]; object != "" && !slices.Contains(wait.Tables, object) {
			wait.Tables = append(wait.Tables, object)
		}
	}
	return ids, nil
}

// mayHold are those of the other connections that may hold a lock for at least a
// time: they execute a statement for so long, or are in a transaction; or, if there
// is none, they are idle, perhaps after LOCK TABLES.
func mayHold(others []Process, transactions []transaction, held time.Duration) []Process {
	const slack = 2 * time.Second // times are in whole seconds
	hold := slices.DeleteFunc(slices.Clone(others), func(p Process) bool {
		in := slices.ContainsFunc(transactions, func(t transaction) bool { return t.thread == p.ID })
		return !in && (p.Command == "Sleep" || p.Time+slack < held)
	})
	if len(hold) == 0 {
		hold = slices.DeleteFunc(slices.Clone(others), func(p Process) bool { return p.Command != "Sleep" })
	}
	return hold
}

// tablesInUse are the tables that somebody has locked, as far as that can be seen.
func (s *Server) tablesInUse(ctx context.Context, on Execer) ([]string, error) {
	rows, err := ReadRecords(ctx, on, "SHOW OPEN TABLES WHERE In_use > 0")
	if err != nil && !IsDenied(err) {
		return nil, s.Explain("SHOW OPEN TABLES", err)
	}
	var tables []string
	for _, r := range rows {
		tables = append(tables, r["database"]+"."+r["table"])
	}
	return tables, nil
}

// Problem is the wait in words.
func (w *LockWait) Problem() *finding.Problem {
	text := fmt.Sprintf("the thread that applies changes, connection %d, does not go on for up to %s: %s",
		w.Applier.ID, finding.FormatDuration(w.Time), w.What)
	if w.Applier.Statement != "" {
		text += ", for " + shorten(w.Applier.Statement)
	}
	if len(w.Tables) > 0 {
		text += "; locked: " + finding.List(w.Tables)
	}
	cure := "SHOW FULL PROCESSLIST on the slave, as an account that sees all; end what holds the lock: KILL with its id"
	if len(w.Holders) > 0 {
		held, list := "; it may be held by ", []string{}
		if w.Certain {
			held = "; it is held by "
		}
		for _, p := range w.Holders {
			list = append(list, p.String())
		}
		text += held + finding.List(list)
		cure = fmt.Sprintf("let it end what it does, such as a backup, or end it, on the slave: KILL %d", w.Holders[0].ID)
		if len(w.Holders) > 1 || !w.Certain {
			cure = "let the one that holds it end what it does, such as a backup, or end it, on the slave: KILL with its id"
		}
	}
	return finding.New(finding.Slave, BlockedApplier, cure, "%s", text)
}

// BlockedApplier is the code of a slave that waits for a lock.
const BlockedApplier = "blocked-applier"

// String is the connection in words.
func (p *Process) String() string {
	text := fmt.Sprintf("connection %d (%s@%s, %s", p.ID, p.User, p.Host, finding.FormatDuration(p.Time))
	if p.Statement == "" {
		return text + " idle)"
	}
	return text + ": " + shorten(p.Statement) + ")"
}

// shorten cuts a statement to what fits into a line, and one that may have a
// password to nothing.
func shorten(statement string) string {
	const most = 80
	text := []rune(strings.Join(strings.Fields(finding.ScrubStatement(statement)), " "))
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}
