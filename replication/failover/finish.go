package failover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// What is left to do on a server once the term is its host's: a promotion does it, and the
// guard, if that was killed. All of it can be done again, and what is done is not left.

// leftovers are what is left.
type leftovers struct {
	connected bool                // it still has the connection to the old master
	running   bool                // and threads of it run
	keep      bool                // its binary log is to be kept, and is not
	raise     []raisedSequence    // sequences that stand too low
	full      []string            // sequences that cannot be raised
	enable    []facts.Event       // events to be enabled
	unknown   []string            // events of which it is not known whether they were enabled
	scheduler bool                // event_scheduler is on
	status    *server.SlaveStatus // of the connection; nil: there is none
}

// raisedSequence is a sequence with the value that it is set to.
type raisedSequence struct{ quoted, next string }

// readLeftovers reads what is left of a promotion.
func readLeftovers(
	ctx context.Context, own *server.Server, p *term.Promotion, databases []string,
) (l *leftovers, err error) {
	if p == nil {
		p = &term.Promotion{}
	}
	l = &leftovers{}
	if l.status, err = own.SlaveStatus(ctx, own.DB); err != nil {
		return nil, err
	}
	l.connected, l.running = l.status != nil, l.status != nil && l.status.Active()
	variables, err := own.Variables(ctx, own.DB, own.Version.RetentionVariable(), "event_scheduler")
	if err != nil {
		return nil, err
	}
	l.keep = p.KeepLogs != "" && number(variables[own.Version.RetentionVariable()]) != 0
	l.scheduler = variables["event_scheduler"] == "ON"
	if err := l.readSequences(ctx, own, p.Sequences, databases); err != nil {
		return nil, err
	}
	events, err := facts.SlaveEvents(ctx, own, own.DB, databases)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if name := e.Database + "." + e.Name; slices.Contains(p.Events, name) {
			l.enable = append(l.enable, e)
		} else {
			l.unknown = append(l.unknown, name)
		}
	}
	return l, nil
}

// number is a variable as a number; 0 if it is none.
func number(value string) float64 {
	n, _ := strconv.ParseFloat(value, 64) // the server's own
	return n
}

// noTable is the error of a sequence that is not there.
const noTable = 1146

// readSequences finds the sequences that stand before what was seen of them.
func (l *leftovers) readSequences(
	ctx context.Context, own *server.Server, seen map[string]int64, databases []string,
) error {
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		quoted := server.QuoteTable(server.SplitTable(name, databases))
		rows, err := own.Query(ctx, own.DB, "SELECT next_not_cached_value AS next, increment AS step, cache_size AS cache,"+
			" minimum_value AS least, maximum_value AS most FROM "+quoted)
		if server.ErrorNumber(err) == noTable || err == nil && len(rows) == 0 {
			continue
		}
		if err != nil {
			return err
		}
		next, room := beyond(seen[name], rows[0])
		switch {
		case !room:
			l.full = append(l.full, name)
		case next != "":
			l.raise = append(l.raise, raisedSequence{quoted, next})
		}
	}
	return nil
}

// sequenceMargin is by how many numbers a sequence is set beyond what was seen, or ten
// times what it reserves at once: the master went on from there.
const sequenceMargin = 1000

// beyond gives what a sequence is set to, empty if it is there already, and whether it has
// room for that.
func beyond(seen int64, row server.Record) (next string, room bool) {
	at, err := strconv.ParseInt(row["next"], 10, 64)
	step, e := strconv.ParseInt(row["step"], 10, 64)
	if err != nil || e != nil { // unsigned, and far beyond what a guard has seen
		return "", true
	}
	down := step < 0
	if step == 0 { // auto_increment_increment
		step = 1
	}
	margin := max(sequenceMargin, 10*int64(min(row.Number("cache"), 1<<20)))
	least, _ := strconv.ParseInt(row["least"], 10, 64) // the server's own
	most, _ := strconv.ParseInt(row["most"], 10, 64)   // the server's own
	to := seen
	for range 2 { // in halves, so that it cannot overflow
		to += step * (margin / 2)
	}
	if down && (to < least || to > seen) || !down && (to > most || to < seen) {
		return "", false
	}
	if down && at <= to || !down && at >= to {
		return "", true
	}
	return strconv.FormatInt(to, 10), true
}

// forget are the statements that end the connection to the old master.
func (l *leftovers) forget(v server.Version) []server.Statement {
	if !l.connected {
		return nil
	}
	return []server.Statement{v.StopSlave(server.BothThreads), v.ResetSlaveAll()}
}

// sequences are those that raise sequences.
func (l *leftovers) sequences(v server.Version) (list []server.Statement) {
	for _, s := range l.raise {
		list = append(list, v.RaiseSequence(s.quoted, s.next))
	}
	return list
}

// logs are those that keep the binary log.
func (l *leftovers) logs(v server.Version) []server.Statement {
	if !l.keep {
		return nil
	}
	return []server.Statement{v.KeepLogs()}
}

// events are those that enable events, in one session.
func (l *leftovers) events(v server.Version) []server.Statement {
	return seed.EnableEvents(v, l.enable)
}

// beforeOpen does what must be done before a server is made writable whose host has the
// term: it keeps its binary log for the old master, and its sequences give no number
// twice. Whoever opens it calls this first, also after each start of the server.
func (h *Host) beforeOpen(ctx context.Context, own *server.Server, note *term.Note) error {
	if note.Promotion == nil {
		return nil
	}
	l, err := readLeftovers(ctx, own, note.Promotion, h.Databases)
	if err != nil {
		return err
	}
	if left := slices.Concat(l.logs(own.Version), l.sequences(own.Version)); len(left) > 0 {
		return own.Run(ctx, left)
	}
	return nil
}

// mustBeApplied refuses to forget a master of which something that was received whole
// has not been applied.
func (s *slaveState) mustBeApplied() *finding.Problem {
	byGTID := s.received.Read.GTID != ""
	if s.status == nil || s.received.Waiting == 0 && (byGTID || !s.status.Unapplied() || s.status.HasReadAll()) {
		return nil
	}
	return finding.New(finding.Own, "unapplied", "gtunnel replication promote goes on where it was",
		"the relay log has what is not applied: %s of %s", s.status.Executed, s.received.text())
}

// afterOpen does what is done once the server is writable: the events that are known to
// have been enabled on the old master are enabled.
func (h *Host) afterOpen(ctx context.Context, own *server.Server, note *term.Note) error {
	if note.Promotion == nil || len(note.Promotion.Events) == 0 {
		return nil
	}
	l, err := readLeftovers(ctx, own, note.Promotion, h.Databases)
	if err != nil || len(l.enable) == 0 {
		return err
	}
	return own.Run(ctx, l.events(own.Version))
}

// oldConnection is a connection to an old master, for the note.
func oldConnection(status *server.SlaveStatus) map[string]string {
	if status == nil {
		return nil
	}
	return map[string]string{
		"host": status.MasterHost, "port": strconv.Itoa(status.MasterPort), "user": status.MasterUser,
		"by_gtid": strconv.FormatBool(status.ByGTID), "executed": status.Executed.String(),
		"received": status.Read.String(), "gtid_received": status.GTIDReceived, "gtid_executed": status.GTIDExecuted,
		"connect_retry": fmt.Sprint(status.ConnectRetry), "retry_count": strconv.Itoa(status.RetryCount),
		"heartbeat": fmt.Sprint(status.HeartbeatPeriod), "ssl": status.SSLAllowed,
		"wild_do_table": strings.Join(status.WildDoTable, ","), "ignore_table": strings.Join(status.IgnoreTable, ","),
		"wild_ignore_table": strings.Join(status.WildIgnoreTable, ","),
		"other_filters":     strings.Join(status.OtherFilters, "; "),
	}
}
