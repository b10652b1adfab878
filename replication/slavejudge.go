package replication

import (
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
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
		TrustCreators: w.TrustCreators, State: s.State, Repaired: s.Notes.Repair, Compared: s.Notes.Comparison,
		PairOfMaster: w.PairOfMaster, Elsewhere: s.Elsewhere, Gone: s.Gone, Restored: s.Restored, Pair: w.Pair.subject(),
	}
	if h := w.HandOver; h != nil {
		subject.HandOver = &rules.HandOver{
			ServerID: h.ServerID, UUID: h.UUID, Mark: h.Mark, Databases: h.Databases,
			Password: !h.Passwords[facts.ReplicationUser].IsEmpty(),
		}
		subject.OldSessions = h.OldSessions
	}
	return subject
}

// judge judges the setup of the slave.
func (s *slavePlan) judge() finding.Findings {
	judged := s.subject()
	if s.MonitorThere == ForeignFile {
		judged.ForeignFile = s.want.MonitorFile.Path
	}
	found := rules.Judge(judged)
	if s.Refused != nil {
		found.Problems = append(found.Problems, s.Refused)
	}
	if s.Blocked != nil {
		found.Problems = append(found.Problems, s.Blocked)
	}
	return found
}

// judgeBeginning judges the GTIDs of a slave that is to begin.
func (s *slavePlan) judgeBeginning() finding.Findings {
	return rules.Judge(&rules.Subject{
		Moment: rules.Begin, Master: s.master, Slave: s.slave, Ahead: s.Ahead, Own: s.Own, Written: s.Written,
	})
}

// What rules and plan ask alike is a question to the subject.

func (s *slavePlan) needsSeed() bool                 { return s.subject().NeedsSeed() }
func (s *slavePlan) filtered() bool                  { return s.subject().Filtered() }
func (s *slavePlan) filterLost() bool                { return s.subject().FilterLost() }
func (s *slavePlan) lost() []string                  { return s.subject().Lost() }
func (s *slavePlan) masterNoted() (same, other bool) { return s.subject().MasterNoted() }
func (s *slavePlan) byGTID() bool                    { return s.subject().ByGTID() || s.goesByGTID() }
func (s *slavePlan) byMonitor() bool                 { return s.subject().SeesAsMonitor() }

// goesByGTID reports whether a slave of MySQL's that follows by file and position is to
// follow by GTID from now on: both ends have GTIDs since they were turned on.
func (s *slavePlan) goesByGTID() bool {
	return s.want.Pair != nil && s.want.Pair.GTIDs && s.established && !s.status.ByGTID &&
		s.master.Version.Family == server.MySQL && s.slave.Version.Family == server.MySQL &&
		s.master.GTIDs() && s.slave.GTIDs()
}

// bySeedAccount reports whether the login on the master is the seeding account's,
// which is to go.
func (s *slavePlan) bySeedAccount() bool { return strings.HasPrefix(s.master.User, facts.SeedUser+"@") }

// newPassword reports whether the slave gets another password: its master refuses the
// one that it has, or it was not given that of the hand-over. An account that somebody
// else has given it is left alone as long as it works.
func (s *slavePlan) newPassword() bool {
	if !s.established || s.want.HandOver.Passwords[facts.ReplicationUser].IsEmpty() {
		return false
	}
	return s.status.IOErrno == finding.AccessDenied || s.want.NewPasswords ||
		s.OldPassword && s.status.MasterUser == facts.ReplicationUser
}

// knowsMaster reports whether the master is known to be the one that the slave
// has been set up with.
func (s *slavePlan) knowsMaster() bool {
	same, _ := s.masterNoted()
	return same
}
