package replication

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Situation is all that PlanSlave must know besides what is wanted: what is true of
// both servers, and what earlier runs have noted. Setup.Run reads it.
type Situation struct {
	MasterFacts, SlaveFacts *facts.Facts

	State  journal.State      // of earlier runs; its stage only as far as the master bears it out
	Notes  journal.Notes      // of work on the slave that was cut off, as far as they hold
	DropIn *optionfile.DropIn // of the slave, as it is; nil: no directory for it is known

	Line       facts.Line // of what the master sends; zero: it was not measured
	Algorithms string     // of the compression of what the slave gets; empty: they are none of its, or are not to change

	MonitorThere FileThere           // in the place where the login for status is to be kept
	Restored     *journal.MasterNote // of a past that the master does not have any more; nil: it has it
	Restarted    bool                // the master was, since both ends were seen to be equal
	Gone         bool                // the master no longer has what the slave is to read next
	Elsewhere    bool                // the slave cannot have come to where it is by this master's binary log
	OldPassword  bool                // the slave is not known to have the password of the hand-over
	Lacking      string              // MySQL's GTIDs of State.Start that the slave does not have yet

	Refused *finding.Problem // the login of the replication, by the hand-over; nil: it works, or is not known
	Blocked *finding.Problem // what the slave applies waits for a lock; nil: for none

	// Of a slave that is to begin with a copy, or with data that is there.
	Beginning finding.Findings // what the servers say of that
	Ahead     string           // MySQL's GTIDs that the slave has and the master has not
	Own       string           // MariaDB's GTIDs in the slave's binary log
	Written   string           // and those in the master's
}

// FileThere is what is in the place of the file for the monitor account's login.
type FileThere int

// What may be there.
const (
	OtherFile   FileThere = iota // none, or one of gtunnel's that says something else
	SameFile                     // what is to be there
	ForeignFile                  // one that gtunnel has not made
)

// settleLook is how often a slave is looked at that may settle.
const settleLook = 50 * time.Millisecond

// settleTime is how long a slave that is connecting at the moment may take
// until its state is taken for what it is.
const settleTime = server.ConnectRetry + 2*time.Second

// read reads what a plan depends on beside the facts of both servers. What is asked about
// a beginning, such as whether the tools of a copy are there, is asked only if there is to
// be one and nothing else keeps it off.
func (s *Setup) read(ctx context.Context) (err error) {
	if s.DropIn, err = findDropIn(s.SlaveFacts, s.ConfigDir); err != nil {
		return err
	}
	if err := s.readJournal(ctx); err != nil {
		return err
	}
	s.readMonitorFile()
	if err := s.readFollowing(ctx); err != nil {
		return err
	}
	plan := newSlavePlan(s.Situation, s.Want)
	if found := plan.judge(); len(found.Problems) > 0 {
		return nil
	}
	seed := plan.needsSeed()
	return s.readBeginning(ctx, seed, plan.connects(seed))
}

// readEnds reads both servers, and tries the login of the replication, at once.
func (s *Setup) readEnds(ctx context.Context) error {
	return server.AtOnce(ctx, func(ctx context.Context) (err error) {
		s.MasterFacts, err = facts.Read(ctx, s.Master)
		return err
	}, func(ctx context.Context) (err error) {
		s.SlaveFacts, err = s.settled(ctx)
		return err
	}, s.tryPassword)
}

// readFollowing reads what there is to know of a slave that follows the master, or did.
func (s *Setup) readFollowing(ctx context.Context) error {
	s.noteOldPassword()
	mark := newSlavePlan(s.Situation, s.Want).subject().MasterMark()
	return server.AtOnce(ctx, func(ctx context.Context) error {
		return s.Master.Together(ctx, s.Master.DB, s.readPast, func(ctx context.Context) (err error) {
			s.Gone, err = s.isGone(ctx)
			return err
		}, func(ctx context.Context) (err error) {
			s.Elsewhere, err = s.isElsewhere(ctx, mark)
			return err
		})
	}, s.readAlgorithms, func(ctx context.Context) (err error) {
		s.Blocked, err = blockedApplier(ctx, s.Slave, s.SlaveFacts)
		return err
	})
}

// settled reads the slave, again if it is just connecting to its master, as
// after a restart of the tunnel.
func (s *Setup) settled(ctx context.Context) (*facts.Facts, error) {
	for deadline := time.Now().Add(settleTime); ; {
		f, err := facts.Read(ctx, s.Slave)
		if err != nil {
			return nil, err
		}
		m := f.Master()
		if m == nil || m.IORunning == "Yes" || m.IORunning == "No" || lasting[m.IOErrno] || time.Now().After(deadline) {
			return f, nil
		}
		if err := server.Pause(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// readJournal reads what earlier runs have noted, and drops what does not hold any
// more. For the end of a run that works Apply waits.
func (s *Setup) readJournal(ctx context.Context) error {
	s.State.SetSlave(s.SlaveFacts)
	s.Situation.State = s.State.State
	busy, err := s.Slave.Busy(ctx, s.Slave.DB)
	if err != nil {
		return err
	}
	notes, err := journal.ReadNotes(s.State.Directory(), s.SlaveFacts.ServerID())
	if err != nil {
		return err
	}
	if !busy {
		s.Notes.Comparison, s.Notes.Repair = notes.Comparison, notes.Repair
	}
	if d := s.Want.Dump; d != nil {
		s.Notes.Load, err = seed.LeftOf(ctx, s.Slave, notes.Load, d.Tail.SHA256, s.Want.Databases)
		if err != nil {
			return err
		}
	}
	if notes.Packets != nil {
		uptime, err := s.Slave.Uptime(ctx, s.Slave.DB)
		if err != nil {
			return err
		}
		if notes.Packets.Holds(s.SlaveFacts, uptime) { // the slave's own value is what it was before that copy
			s.SlaveFacts.Variables["max_allowed_packet"] = strconv.FormatUint(notes.Packets.MaxAllowedPacket, 10)
			s.Notes.Packets = notes.Packets
		}
	}
	if s.Situation.State.Stage == journal.StageSeeded {
		same, err := s.Master.StillHas(ctx, s.Situation.State.Start)
		if err != nil {
			return err
		}
		if !same { // the copy is of another past
			s.Situation.State.Stage = journal.StageNone
		}
	}
	return nil
}

// readMonitorFile looks at the place of the monitor account's login.
func (s *Setup) readMonitorFile() {
	switch f := s.Want.MonitorFile; {
	case f == nil:
	case f.Foreign():
		s.MonitorThere = ForeignFile
	case f.Same():
		s.MonitorThere = SameFile
	}
}

// readBeginning asks the servers about the beginning of a slave: by a copy if it is to
// be seeded, or by data that is there. It ends with the first problem.
func (s *Setup) readBeginning(ctx context.Context, seed, connects bool) (err error) {
	none := s.Want.Method == journal.SeedNone
	if none && connects {
		err := s.Master.VerifyStart(ctx, s.Want.Start)
		if bad, ok := errors.AsType[*finding.Problem](err); ok && bad.Code == "bad-start" {
			s.Beginning.Problems = append(s.Beginning.Problems, bad)
			return nil
		}
		if err != nil {
			return err
		}
	}
	if none && connects && s.isOfMariaDB() {
		s.Want.Start.GTID, _, err = s.Master.GTIDsBefore(ctx, s.Master.DB, s.Want.Start) // none if that is not known
		if err != nil {
			return err
		}
	}
	if err := s.checkBeginning(ctx, seed, connects); err != nil || len(s.Beginning.Problems) > 0 {
		return err
	}
	if start := s.Situation.State.Start.GTID; connects && !seed && s.Slave.Version.Family == server.MySQL && start != "" {
		if s.Lacking, err = lacking(ctx, s.Slave, start); err != nil {
			return err
		}
	}
	return nil
}

// checkBeginning looks for what keeps a copy off, and at the GTIDs of both.
func (s *Setup) checkBeginning(ctx context.Context, seed, connects bool) (err error) {
	none := s.Want.Method == journal.SeedNone
	var found finding.Findings
	var checkErr, aheadErr, orderErr error
	var measuring sync.WaitGroup
	if connects && !none {
		measuring.Go(func() { s.readLine(ctx) })
	}
	_ = s.Master.Together(ctx, s.Master.DB, func(ctx context.Context) error {
		if seed && !none || none && connects {
			found, checkErr = s.Want.newSeed(s.applier()).Check(ctx)
		}
		return nil
	}, func(ctx context.Context) error {
		if seed && !none {
			aheadErr = s.readAhead(ctx)
		}
		return nil
	}, func(ctx context.Context) error {
		if connects {
			orderErr = s.readOrder(ctx)
		}
		return nil
	})
	measuring.Wait()
	s.Beginning = found
	if checkErr != nil || len(found.Problems) > 0 {
		return checkErr
	}
	return cmp.Or(aheadErr, orderErr)
}

// lacking are those of MySQL's GTIDs that a slave does not have yet. It takes no
// others for a beginning.
func lacking(ctx context.Context, slave *server.Server, gtids string) (string, error) {
	return slave.Value(ctx, slave.DB, "SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)", gtids)
}

// readAhead reads which GTIDs of MySQL's the slave has and the master has not.
func (s *Setup) readAhead(ctx context.Context) (err error) {
	master, slave := s.MasterFacts, s.SlaveFacts
	if master.Version.Family != server.MySQL || slave.Version.Family != server.MySQL ||
		!master.GTIDs() || !slave.GTIDs() || s.Want.Method == journal.SeedClone {
		return nil
	}
	// The master's are those of now: a slave that still replicates may have gone on since.
	s.Ahead, err = s.Master.Value(ctx, s.Master.DB,
		"SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)", slave.Variable("gtid_executed"))
	return err
}

// readOrder reads the GTIDs in the binary logs of both, of MariaDB's.
func (s *Setup) readOrder(ctx context.Context) (err error) {
	if !s.isOfMariaDB() || !s.SlaveFacts.HasBinaryLog() {
		return nil
	}
	if s.Own, err = s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_binlog_state"); err != nil {
		return err
	}
	// One that has written nothing yet begins with 1 in its domain.
	s.Written, err = s.Master.Value(ctx, s.Master.DB,
		"SELECT CONCAT_WS(',', CONCAT(@@GLOBAL.gtid_domain_id, '-0-0'), NULLIF(@@GLOBAL.gtid_binlog_pos, ''))")
	return err
}

// isElsewhere reports whether a slave of MariaDB's, of which nothing else says whose
// databases it has, cannot have come to its position by the master's binary log: no
// event begins there, or the slave has fewer transactions than there are before it, or
// more than there are at all. mark is what tells the master from others.
func (s *Setup) isElsewhere(ctx context.Context, mark string) (bool, error) {
	status := s.SlaveFacts.Master()
	if status == nil || !rules.IsOurMaster(status, s.Want.Port) || !status.ByGTID || !s.isOfMariaDB() ||
		mark != "" && s.State.MasterMark != "" {
		return false, nil
	}
	status, err := s.Slave.SlaveStatus(ctx, s.Slave.DB)
	if err != nil || status == nil {
		return false, err
	}
	applied, err := s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_slave_pos")
	if err != nil {
		return false, err
	}
	written, err := s.Master.Value(ctx, s.Master.DB, "SELECT @@GLOBAL.gtid_binlog_pos")
	if err != nil {
		return false, err
	}
	if server.Behind(written, applied) || status.Executed.IsZero() {
		return server.Behind(written, applied), nil
	}
	at, err := s.Master.VerifyCoordinates(ctx, s.Master.DB, status.Executed)
	switch {
	case finding.HasCode(err, "bad-coordinates"): // it ends before, or no event begins there
		return true, nil
	case finding.HasCode(err, "no-coordinates"), finding.HasCode(err, "log-purged"), // nothing tells
		server.IsDenied(err):
		return false, nil
	case err != nil:
		return false, err
	}
	// A slave tells of a position before it tells of the GTIDs there.
	for deadline := time.Now().Add(settleTime); server.Behind(applied, at.GTID); {
		if time.Now().After(deadline) {
			return true, nil
		}
		if err := server.Pause(ctx, settleLook); err != nil {
			return false, err
		}
		if applied, err = s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_slave_pos"); err != nil {
			return false, err
		}
	}
	return false, nil
}

// follows reports whether a server is the slave of the master at a port of
// 127.0.0.1.
func follows(ctx context.Context, slave *server.Server, port int) (bool, error) {
	status, err := slave.SlaveStatus(ctx, slave.DB)
	return status != nil && rules.IsOurMaster(status, port), err
}

// isOfMariaDB reports whether both servers are MariaDB's.
func (s *Setup) isOfMariaDB() bool {
	return s.Master.Version.Family == server.MariaDB && s.Slave.Version.Family == server.MariaDB
}
