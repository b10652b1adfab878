package failover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// furtherFacts is all that the plan of a further slave depends on besides what is wanted.
type furtherFacts struct {
	Choice  *choice
	Refused *finding.Problem // why no host can be followed now; nil: Choice can

	Databases []string // that it replicates
	Present   []string // those of them that it has
	Own       historyEnd
	Status    *server.SlaveStatus
	State     journal.State
	SemiSync  bool // it acknowledges what it receives

	Parting furtherParting
	History furtherHistory

	Errant     *Errant // what it has alone, by its own binary log; nil: nothing
	Unreadable string  // why that could not be read; empty: it was
	SavedName  string
	SavedAs    string
	Saved      bool

	MonitorThere  bool  // the login for status names the master's end already
	MonitorIsTold bool  // there is a file for it, of gtunnel's
	HandedOver    error // why no new copy can be made now; nil: it can
}

// follows reports whether the server is told to follow the master.
func (f *furtherFacts) follows() bool {
	return f.Status.MasterHost == server.Loopback && f.Status.MasterPort == f.Choice.End.Port
}

// runs reports whether both threads were started; one may be about to connect.
func (f *furtherFacts) runs() bool { return f.Status.SQLRunning == "Yes" && f.Status.IORunning != "No" }

// read reads all of it. What forbids to follow anybody is a Problem of the plan.
func (s *FurtherSlave) read(ctx context.Context) (*furtherFacts, error) {
	ctx = server.EachWithin(ctx, rejoinLimit)
	f := &furtherFacts{State: s.State.State, Choice: &choice{}}
	var err error
	if f.Status, err = s.own.SlaveStatus(ctx, s.own.DB); err != nil {
		return nil, err
	}
	if f.Status == nil || f.Status.MasterHost == "" {
		return nil, finding.New(finding.Slave, "not-set-up", "gtunnel replication setup-slave, with the hand-over file of "+
			"the master", "this server is nobody's slave")
	}
	views := s.look(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.Choice, f.Refused = choose(views, seenTerm{f.State.Term, f.State.TermNonce})
	if f.Refused != nil { // the plan says it
		if f.Choice == nil {
			f.Choice = &choice{}
		}
		return f, nil
	}
	if f.Databases = f.Status.Replicated(); len(f.Databases) == 0 {
		f.Databases = f.State.Databases
	}
	if len(f.Databases) == 0 {
		return nil, finding.New(finding.Slave, "not-set-up", "gtunnel replication setup-slave --reseed, with the hand-over "+
			"file of the master", "it is not known which databases this slave replicates")
	}
	there, err := facts.ListDatabases(ctx, s.own, s.own.DB)
	if err != nil {
		return nil, err
	}
	for _, name := range f.Databases {
		if slices.Contains(there, name) {
			f.Present = append(f.Present, name)
		}
	}
	semi, err := s.own.SemiSync(ctx, s.own.DB)
	if err != nil {
		return nil, err
	}
	f.SemiSync = semi.Replica
	if s.MonitorFile != nil {
		f.MonitorIsTold = !s.MonitorFile.Foreign()
		f.MonitorThere = s.monitorFile(f).Same()
	}
	if f.follows() && f.runs() && !s.Want.NewCopy {
		f.Own, err = readEnd(ctx, s.own)
		return f, err
	}
	return f, s.readFurtherHistory(ctx, f)
}

// appliedPatience is how long what was received may take to be applied before it is looked at
// as it is, and settledFor how long nothing may have moved where its end is a part of a
// transaction.
const (
	appliedPatience = 30 * time.Second
	settledFor      = 2 * time.Second
)

// readFurtherHistory compares the histories, and reads what the slave has alone.
func (s *FurtherSlave) readFurtherHistory(ctx context.Context, f *furtherFacts) error {
	began, moved := time.Now(), time.Now()
	last := ""
	for {
		if err := s.compareHistories(ctx, f); err != nil {
			return err
		}
		at := f.Own.Variables["gtid_slave_pos"] + f.Own.Variables["gtid_executed"] + f.Status.Executed.String()
		if at != last {
			last, moved = at, time.Now()
		}
		settled := strings.Contains(f.Status.SQLState, "has read all relay log") && time.Since(moved) > settledFor
		if settled && !f.Parting.incomplete && f.unapplied() { // the last transaction is not whole
			f.Parting.incomplete = true
			continue
		}
		if f.History.Alone == "" && (f.History.ByGTID || f.Status.Executed.At(f.Status.Read)) || settled ||
			f.Status.SQLRunning != "Yes" || time.Since(began) > appliedPatience {
			break
		}
		if s.Waiting != nil {
			s.Waiting("wait until what was received is applied")
		}
		if err := server.Pause(ctx, rejoinLook); err != nil {
			return err
		}
	}
	if s.HandedOver != nil {
		f.HandedOver = s.HandedOver(ctx, s.master(f))
	}
	if f.History.Alone == "" {
		return nil
	}
	return s.readAlone(ctx, f)
}

// compareHistories reads both servers as they are now: this one first.
func (s *FurtherSlave) compareHistories(ctx context.Context, f *furtherFacts) (err error) {
	if f.Own, err = readEnd(ctx, s.own); err != nil {
		return err
	}
	if f.Status, err = s.own.SlaveStatus(ctx, s.own.DB); err != nil {
		return err
	}
	if f.Status == nil {
		return finding.New(finding.Slave, "changed", "run the command again", "its replication was taken away meanwhile")
	}
	p := &f.Parting
	p.own, p.status, p.start = f.Own, f.Status, f.Choice.Term.Start
	master := s.master(f)
	if p.master, err = readEnd(ctx, master); err != nil {
		return err
	}
	for _, other := range f.Choice.Others {
		if other.Record != nil && other.Silence == nil {
			p.judged = server.JoinGTIDs(p.judged, other.Record.Judged)
		}
		if other.End.Port == f.Status.MasterPort && f.State.Term+1 == f.Choice.Term.Number {
			p.fromOld = true
		}
	}
	if master.Version.Family == server.MariaDB && len(p.master.Logs) > 0 {
		first := server.Position{File: p.master.Logs[0].File, Offset: firstEvent}
		if p.oldest, _, err = master.GTIDsBefore(ctx, master.DB, first); err != nil {
			return err
		}
	}
	f.History = p.judge()
	return nil
}

// unapplied reports whether something was received that is not applied.
func (f *furtherFacts) unapplied() bool {
	received, s := f.Status.GTIDReceived, f.Status
	switch {
	case s.Unapplied():
		return true
	case f.Own.Version.Family == server.MariaDB:
		return s.ByGTID && !covers(f.Own.list("gtid_slave_pos"), server.ParseGTIDList(received))
	}
	return server.SubtractGTIDs(strings.ReplaceAll(received, "\n", ""), f.Own.Variables["gtid_executed"]) != ""
}

// logsUpdates reports whether the server's own binary log has what it applies.
func (f *furtherFacts) logsUpdates() bool {
	v := f.Own.Variables
	return v["log_bin"] == "ON" && (v["log_slave_updates"] == "ON" || v["log_replica_updates"] == "ON")
}

// readAlone reads what only this slave has, from its own binary log.
func (s *FurtherSlave) readAlone(ctx context.Context, f *furtherFacts) error {
	switch {
	case f.unapplied() && !f.Parting.incomplete:
		f.Unreadable = "a part of it is received and not applied"
		return nil
	case !f.History.ByGTID:
		f.Unreadable = "without GTIDs nothing tells which transactions these are"
		return nil
	case !f.logsUpdates():
		f.Unreadable = "this slave keeps no binary log of what it applies (log_slave_updates)"
		return nil
	}
	errant, err := s.readErrant(ctx, f, nil)
	if lost, ok := errors.AsType[*finding.Problem](err); ok && ctx.Err() == nil {
		f.Unreadable = lost.Error()
		return nil
	}
	if err != nil {
		return err
	}
	if missing := f.missingOf(errant); missing != "" {
		f.Unreadable = missing
		return nil
	}
	if f.Errant = errant; errant.Transactions == 0 { // of databases that are not replicated
		f.Errant = nil
		return nil
	}
	f.SavedName = savedName(f.Choice.Term, errant)
	f.SavedAs, f.Saved, err = s.Shelf.Find(f.SavedName)
	return err
}

// missingOf says what its binary log does not have of what only this slave has. Of MariaDB's,
// what a filter has kept from it was never there.
func (f *furtherFacts) missingOf(e *Errant) string {
	if f.Own.Version.Family != server.MySQL {
		return ""
	}
	if missing := server.SubtractGTIDs(f.History.Alone, strings.Join(e.GTIDs, ",")); missing != "" {
		return "its binary log does not have " + missing
	}
	return ""
}

// readErrant reads what only this slave has, and writes it to a writer, if there is one.
func (s *FurtherSlave) readErrant(ctx context.Context, f *furtherFacts, to io.Writer) (*Errant, error) {
	if f.Own.Version.Family == server.MySQL {
		return s.readFiles(ctx, f, filesFrom(f.Own.Logs, 0), nil, f.History.Alone, to)
	}
	wanted := func(gtid string) bool {
		for _, g := range server.ParseGTIDs(gtid) {
			if fmt.Sprint(g.Server) != f.Own.id() && !f.Parting.masterHas(g, false) && f.isAlone(g) {
				return true
			}
		}
		return false
	}
	files, err := s.filesWithAlone(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.readFiles(ctx, f, files, wanted, "", to)
}

// isAlone reports whether a GTID of MariaDB's may be of what only this slave has.
func (f *furtherFacts) isAlone(g server.GTID) bool {
	for _, last := range server.ParseGTIDs(f.History.Alone) {
		if last.Domain == g.Domain && last.Server == g.Server && g.Number <= last.Number {
			return true
		}
	}
	return false
}

// filesWithAlone are those of MariaDB's binary logs from the last one on that begins with
// nothing that only this slave has.
func (s *FurtherSlave) filesWithAlone(ctx context.Context, f *furtherFacts) ([]string, error) {
	logs := f.Own.Logs
	for i := len(logs) - 1; i > 0; i-- {
		before, known, err := s.own.GTIDsBefore(ctx, s.own.DB, server.Position{File: logs[i].File, Offset: firstEvent})
		if err != nil {
			return nil, err
		}
		has := func(g server.GTID) bool { return f.Parting.masterHas(g, false) || fmt.Sprint(g.Server) == f.Own.id() }
		if known && !slices.ContainsFunc(server.ParseGTIDs(before), func(g server.GTID) bool { return !has(g) }) {
			return filesFrom(logs, i), nil
		}
	}
	return filesFrom(logs, 0), nil
}

// readFiles has the program write, and reads that.
func (s *FurtherSlave) readFiles(
	ctx context.Context, f *furtherFacts, files []string, wanted func(string) bool, gtids string, to io.Writer,
) (*Errant, error) {
	reader := &Rejoin{Host: Host{ReadBinaryLog: s.ReadBinaryLog, Databases: f.Databases}}
	return reader.readFiles(ctx, files, firstEvent, wanted, gtids, to)
}
