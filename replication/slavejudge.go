package replication

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// newSlavePlan begins a plan, of which nothing is decided yet.
func newSlavePlan(situation Situation, want SlaveWant) *slavePlan {
	s := &slavePlan{
		Plan: &Plan{}, Situation: situation, master: situation.MasterFacts, slave: situation.SlaveFacts, want: want,
		status: situation.SlaveFacts.Master(),
	}
	s.established = s.subject().Established()
	return s
}

// subject is what the rules judge of the setup of a slave.
func (s *slavePlan) subject() *rules.Subject {
	w := &s.want
	subject := &rules.Subject{
		Moment: rules.SetupSlave, Master: s.master, Slave: s.slave,
		Databases: w.Databases, Port: w.Port, Method: w.Method, Start: w.Start, Replace: w.Replace, Reseed: w.Reseed,
		State: s.State, Repaired: s.Notes.Repair, Compared: s.Notes.Comparison, Elsewhere: s.Elsewhere,
	}
	if h := w.HandOver; h != nil {
		subject.HandOver = &rules.HandOver{
			ServerID: h.ServerID, UUID: h.UUID, Mark: h.Mark, Databases: h.Databases,
			Password: !h.Passwords[facts.ReplicationUser].IsEmpty(),
		}
		subject.OldSessions = h.OldSessions
	}
	if s.MonitorThere == ForeignFile {
		subject.ForeignFile = w.MonitorFile.Path
	}
	return subject
}

// judge judges the setup of the slave before the servers are asked about its
// beginning, and reports whether the databases must be copied.
func (s *slavePlan) judge() (seed bool) {
	subject := s.subject()
	s.Findings = rules.Judge(subject)
	return subject.NeedsSeed()
}

// connects reports whether the slave is to be pointed to its master, if it is seeded
// or not.
func (s *slavePlan) connects(seeded bool) bool { return seeded || !s.established }

// masterMark is the mark of the master, which the hand-over has where the login
// does not see it.
func (w *SlaveWant) masterMark(master *facts.Facts) string {
	return cmp.Or(master.Mark, w.HandOver.Mark)
}

// What rules and plan ask alike is a question to the subject.

func (s *slavePlan) filtered() bool                  { return s.subject().Filtered() }
func (s *slavePlan) filterLost() bool                { return s.subject().FilterLost() }
func (s *slavePlan) lost() []string                  { return s.subject().Lost() }
func (s *slavePlan) masterNoted() (same, other bool) { return s.subject().MasterNoted() }
func (s *slavePlan) byMonitor() bool                 { return s.subject().SeesAsMonitor() }

// bySeedAccount reports whether the login on the master is the seeding account's,
// which is to go.
func (s *slavePlan) bySeedAccount() bool { return strings.HasPrefix(s.master.User, facts.SeedUser+"@") }

// newPassword reports whether the slave gets another password.
func (s *slavePlan) newPassword() bool {
	return s.established && (s.status.IOErrno == accessDenied || s.want.NewPasswords) &&
		!s.want.HandOver.Passwords[facts.ReplicationUser].IsEmpty()
}

// knowsMaster reports whether the master is known to be the one that the slave
// has been set up with.
func (s *slavePlan) knowsMaster() bool {
	same, _ := s.masterNoted()
	return same
}

// isElsewhere reports whether a slave of MariaDB's, of which nothing else says whose
// databases it has, cannot have come to its position by the master's binary log: no
// event begins there, or the slave has fewer transactions than there are before it, or
// more than there are at all.
func (s *Setup) isElsewhere(ctx context.Context) (bool, error) {
	status, mark := s.SlaveFacts.Master(), s.Want.masterMark(s.MasterFacts)
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
	if rules.Behind(written, applied) || status.Executed.IsZero() {
		return rules.Behind(written, applied), nil
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
	for deadline := time.Now().Add(settleTime); rules.Behind(applied, at.GTID); {
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

// checkAhead judges which GTIDs of MySQL's the slave has and the master has not.
func (s *Setup) checkAhead(ctx context.Context, plan *Plan) error {
	master, slave := s.MasterFacts, s.SlaveFacts
	if master.Version.Family != server.MySQL || slave.Version.Family != server.MySQL ||
		!master.GTIDs() || !slave.GTIDs() || s.Want.Method == journal.SeedClone {
		return nil
	}
	// The master's are those of now: a slave that still replicates may have gone on since.
	ahead, err := s.Master.Value(ctx, s.Master.DB,
		"SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)", slave.Variable("gtid_executed"))
	if err != nil {
		return err
	}
	plan.Add(rules.Judge(&rules.Subject{Moment: rules.Begin, Master: master, Slave: slave, Ahead: ahead}))
	return nil
}

// checkOrder judges the GTIDs in the binary logs of both, of MariaDB's.
func (s *Setup) checkOrder(ctx context.Context, plan *Plan) error {
	if !s.isOfMariaDB() || !s.SlaveFacts.HasBinaryLog() {
		return nil
	}
	own, err := s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_binlog_state")
	if err != nil {
		return err
	}
	// One that has written nothing yet begins with 1 in its domain.
	written, err := s.Master.Value(ctx, s.Master.DB,
		"SELECT CONCAT_WS(',', CONCAT(@@GLOBAL.gtid_domain_id, '-0-0'), NULLIF(@@GLOBAL.gtid_binlog_pos, ''))")
	if err != nil {
		return err
	}
	plan.Add(rules.Judge(&rules.Subject{
		Moment: rules.Begin, Master: s.MasterFacts, Slave: s.SlaveFacts, Own: own, Written: written,
	}))
	return nil
}

// isOfMariaDB reports whether both servers are MariaDB's.
func (s *Setup) isOfMariaDB() bool {
	return s.Master.Version.Family == server.MariaDB && s.Slave.Version.Family == server.MariaDB
}
