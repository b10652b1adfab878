package failover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// rejoinFacts is all that the plan of a rejoin depends on besides what is wanted.
type rejoinFacts struct {
	Name, Peer string
	Port       int
	Databases  []string // of the pair
	Password   server.Password

	Note   term.Note
	Record term.Record // the peer's

	Own, Master historyEnd
	Slave       *server.SlaveStatus // the own server's default connection; nil: none
	Present     []string            // those of the databases that the own server has
	Events      []facts.Event       // enabled in them
	Prepared    []string            // its transactions of two phases, which keep what they have locked

	Parting    *parting
	History    history
	Errant     *Errant // what it has alone; nil: nothing
	Unreadable string  // why that could not be read; empty: it was
	SavedAs    string  // the path where it is saved, or is to be
	SavedName  string
	Saved      bool
}

// ours reports whether the own server is told to follow the peer.
func (f *rejoinFacts) ours() bool {
	return f.Slave != nil && f.Slave.MasterHost == server.Loopback && f.Slave.MasterPort == f.Port
}

// joined reports whether the own server follows the peer, as a rejoin has left it.
func (f *rejoinFacts) joined() bool {
	return f.ours() && f.Slave.Running() && f.Note.Term.Same(f.Record.Term) && f.Note.Joined == f.Note.Term.Nonce &&
		len(f.Events) == 0 && f.Own.readOnly()
}

// rejoinLimit is how long a rejoin waits for the answer to one question: the link may have
// been cut without a word.
const rejoinLimit = 3 * server.QuestionLimit

// read reads all of it. What the term forbids is a Problem, and nothing more is asked then.
func (r *Rejoin) read(ctx context.Context) (*rejoinFacts, error) {
	ctx = server.EachWithin(ctx, rejoinLimit)
	f := &rejoinFacts{
		Name: r.Name, Peer: r.Peer, Port: r.Port, Databases: r.Databases, Password: r.ReplicationPassword,
	}
	var err error
	if f.Note, err = r.Store.Load(ctx); err != nil {
		return nil, err
	}
	record, err := term.ReadRecord(ctx, r.peer, r.peer.DB)
	if err != nil {
		return nil, err
	}
	if record != nil {
		f.Record = *record
	}
	if p := f.forbids(r.Want.GiveUp); p != nil {
		return nil, p
	}
	// The own server first: what it has received meanwhile, the master had before.
	if f.Own, err = readEnd(ctx, r.own); err != nil {
		return nil, err
	}
	if f.Slave, err = r.own.SlaveStatus(ctx, r.own.DB); err != nil {
		return nil, err
	}
	there, err := facts.ListDatabases(ctx, r.own, r.own.DB)
	if err != nil {
		return nil, err
	}
	for _, name := range f.Databases {
		if slices.Contains(there, name) {
			f.Present = append(f.Present, name)
		}
	}
	if f.Events, err = facts.EnabledEvents(ctx, r.own, r.own.DB, f.Databases); err != nil {
		return nil, err
	}
	if f.Prepared, err = r.own.PreparedXA(ctx, r.own.DB); err != nil && !server.IsDenied(err) {
		return nil, err
	}
	if f.Master, err = readEnd(ctx, r.peer); err != nil {
		return nil, err
	}
	if f.joined() {
		return f, nil
	}
	return f, r.readHistory(ctx, f)
}

// readEnd reads what is true of a server.
func readEnd(ctx context.Context, s *server.Server) (historyEnd, error) {
	e := historyEnd{Version: s.Version}
	var err error
	if e.Variables, err = s.Variables(ctx, s.DB, historyVariables...); err != nil {
		return e, err
	}
	for name, value := range e.Variables {
		e.Variables[name] = strings.ReplaceAll(value, "\n", "")
	}
	if e.Variables["log_bin"] == "ON" {
		e.Logs, err = s.BinaryLogs(ctx, s.DB)
	}
	return e, err
}

// readHistory compares the histories, and reads what the own server has alone.
func (r *Rejoin) readHistory(ctx context.Context, f *rejoinFacts) error {
	s := &parting{own: f.Own, peer: f.Master, start: f.Record.Term.Start, judged: f.Note.Judged, follows: f.ours()}
	if f.Own.Version.Family == server.MariaDB && f.Master.Version.Family == server.MariaDB {
		if err := r.readLists(ctx, s); err != nil {
			return err
		}
	}
	f.Parting, f.History = s, s.judgeHistory()
	h := &f.History
	if h.Alone == "" && !h.Tail || len(h.Files) == 0 {
		return nil
	}
	wanted, gtids := r.wanted(f)
	errant, err := r.readErrant(ctx, f, wanted, gtids, nil)
	if lost, ok := errors.AsType[*finding.Problem](err); ok && ctx.Err() == nil {
		f.Unreadable = lost.Error()
		return nil
	}
	if err != nil {
		return err
	}
	if missing := lacksOf(h, f.Own, errant); missing != "" {
		f.Unreadable = missing
	}
	if errant.Transactions == 0 && f.Unreadable == "" {
		h.Alone = ""
		return nil
	}
	if h.Tail && h.Copy == "" {
		h.Copy = lostTail
	}
	f.Errant = errant
	f.SavedName = savedName(f.Record.Term, errant)
	f.SavedAs, f.Saved, err = r.Shelf.Find(f.SavedName)
	return err
}

// savedName is the file for what a server had alone: the same for the same.
func savedName(t term.Term, e *Errant) string {
	last := ""
	if len(e.GTIDs) > 0 {
		last = "-" + strings.NewReplacer(":", "-", "/", "-").Replace(e.GTIDs[len(e.GTIDs)-1])
	}
	return fmt.Sprintf("errant-term-%d-%s-%d%s.sql", t.Number, e.Last.Format("20060102T150405Z"), e.Transactions, last)
}

// lacksOf says what of a server's own transactions its binary log does not have any more.
func lacksOf(h *history, own historyEnd, e *Errant) string {
	if own.Version.Family != server.MySQL || !h.ByGTID || h.Tail {
		return ""
	}
	if missing := server.SubtractGTIDs(h.Alone, strings.Join(e.GTIDs, ",")); missing != "" {
		return "its binary log does not have " + missing + " any more"
	}
	return ""
}

// readLists reads what only MariaDB must be asked.
func (r *Rejoin) readLists(ctx context.Context, s *parting) (err error) {
	if i := s.own.file(s.start.OldFile); i >= 0 && s.start.OldFile != "" {
		at := server.Position{File: s.start.OldFile, Offset: s.start.OldOffset}
		switch {
		case s.own.Logs[i].Bytes >= at.Offset:
			s.common, s.known, err = r.own.GTIDsBefore(ctx, r.own.DB, at)
		case i+1 < len(s.own.Logs): // the end of that file is lost: all that is left of it
			s.common, s.known, err = r.own.GTIDsBefore(ctx, r.own.DB,
				server.Position{File: s.own.Logs[i+1].File, Offset: firstEvent})
		default:
			s.common, s.known = s.own.Variables["gtid_binlog_pos"], true
		}
		if err != nil {
			return err
		}
	}
	if !s.known {
		s.common = s.start.OldGTID
	}
	if len(s.peer.Logs) > 0 {
		first := server.Position{File: s.peer.Logs[0].File, Offset: firstEvent}
		s.oldest, _, err = r.peer.GTIDsBefore(ctx, r.peer.DB, first)
	}
	return err
}

// wanted are the transactions that the own server has alone: of MariaDB's log by a
// function of their GTIDs, of MySQL's by a set; all, by neither.
func (r *Rejoin) wanted(f *rejoinFacts) (wanted func(gtid string) bool, gtids string) {
	h := &f.History
	switch {
	case h.Tail || !h.ByGTID:
		return nil, ""
	case f.Own.Version.Family == server.MySQL:
		return nil, h.Alone
	}
	return func(gtid string) bool {
		for _, g := range server.ParseGTIDs(gtid) {
			if fmt.Sprint(g.Server) != f.Master.id() && g.Number > h.After[g.Domain].Number {
				return true
			}
		}
		return false
	}, ""
}

// readErrant reads the own binary log, and writes what is wanted of it to a writer, if
// there is one.
func (r *Rejoin) readErrant(
	ctx context.Context, f *rejoinFacts, wanted func(string) bool, gtids string, to io.Writer,
) (*Errant, error) {
	h := &f.History
	errant, err := r.readFiles(ctx, h.Files, h.From, wanted, gtids, to)
	if err != nil || to != nil || gtids == "" || lacksOf(h, f.Own, errant) == "" {
		return errant, err
	}
	// Made before that place, as by FLUSH on a slave.
	h.Files, h.From = filesFrom(f.Own.Logs, 0), firstEvent
	return r.readFiles(ctx, h.Files, h.From, wanted, gtids, to)
}

// readFiles has the program write, and reads that.
func (r *Rejoin) readFiles(
	ctx context.Context, files []string, from uint64, wanted func(string) bool, gtids string, to io.Writer,
) (*Errant, error) {
	read, write := io.Pipe()
	var ended error
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended = r.ReadBinaryLog(ctx, files, from, gtids, write)
		_ = write.CloseWithError(ended) // nil is the end of the file
	}()
	errant, err := readLog(read, wanted, r.Databases, to)
	_ = read.CloseWithError(err) // so that the program ends
	<-done
	if ended != nil && (err == nil || errors.Is(err, ended)) {
		return nil, ended
	}
	return errant, err
}
