package rules

import (
	"cmp"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Subject is what is judged: servers, and what is wanted of them. What is not
// known at its Moment is zero, and no rule says anything of it. Judge does not
// change it.
type Subject struct {
	Moment        Moment
	Master, Slave *facts.Facts

	// What is wanted of them.
	Databases   []string           // to replicate
	Port        int                // of 127.0.0.1: where the slave finds the tunnel
	Method      journal.SeedMethod // of the copy
	Start       server.Position    // where the slave begins, by the method none
	Replace     []string           // databases of the slave whose data may be lost
	Reseed      bool               // the databases are copied though the slave replicates them
	Tables      []string           // "database.table", to be copied anew
	LockTables  bool               // writers are held off the master while these are copied
	ForeignFile string             // a file to be written that gtunnel has not made; empty: none

	TrustCreators bool // log_bin_trust_function_creators is set

	// PairOfMaster is what the master publishes of its pair, of which this slave is not; nil:
	// it is of none, or that was not read.
	PairOfMaster *term.Record

	Ready *Ready // of a pair, before a failover
	VOMS  *VOMS  // a VO whose database is replicated

	Pair *Pair // that they are to be; nil: they are to be master and slave

	// What is known of them beyond their facts.
	HandOver     *HandOver
	OldSessions  *facts.OldSessions      // of the master, which may log in another format
	State        journal.State           // of an earlier setup of the slave
	Repaired     *journal.RepairNote     // of a repair that was cut off
	Compared     *journal.ComparisonNote // of a comparison that was cut off
	LastCompared *journal.ComparedNote   // what the last comparison has found; nil: none is noted
	Restored     *journal.MasterNote     // of a past that the master does not have any more; nil: it has it
	Gone         bool                    // the master no longer has what the slave is to read next
	Elsewhere    bool                    // the slave's position is none of the master's binary log
	Ahead        string                  // GTIDs of MySQL's that the slave has and the master has not
	Own          string                  // GTIDs of MariaDB's in the slave's binary log
	Written      string                  // and those in the master's
	Seen         Seen
}

// HandOver is what the master's setup has handed over, as far as rules need it.
type HandOver struct {
	ServerID  uint32
	UUID      string // MySQL only
	Mark      string // what stands for it on MariaDB; empty: not known
	Databases []string
	Password  bool // that of the replication is in it
}

// Seen is what a status has measured.
type Seen struct {
	Asked       bool             // the master has answered
	Reason      string           // why it has not
	LogsNothing bool             // because its binary log is off
	Cure        string           // how to reach it
	MasterID    uint32           // its server_id
	SameMaster  bool             // it is the slave's
	OneServer   *finding.Problem // it is this server itself; nil: it is not

	Tunnel     server.Way // as it was found just now
	ThroughEnd bool       // the master was asked through the end of the tunnel that the slave uses

	Bytes   *uint64        // of the master's binary log that the slave has not applied; nil: not known
	Unread  *uint64        // of them, those that it has not received; nil: not known
	Seconds *int64         // Seconds_Behind_Master; nil: not known
	Silence *time.Duration // how long nothing has come; nil: not known
	Watched time.Duration  // how long the slave was watched for a sign of the link's life
	Silent  bool           // there was none
	Moved   bool           // something came meanwhile
	Clock   *time.Duration // by how much the master's is ahead of the slave's; nil: not known

	Pair       *SeenPair          // nil: it is of none, or was not seen
	PairUnseen []*finding.Problem // why it was not; nil: it was, or there is none

	Gone []journal.KnownSlave // of a master: slaves that it had, and that are not connected

	Unanswered *finding.Problem // for which the slave does not tell how it replicates; nil: it does

	Blocked *server.LockWait // what the slave waits for, looked at twice; nil: for no lock

	Copying bool // a run makes the copy of the slave
	Runner  int  // the process of a run that works; 0: not known

	Busy   bool     // a run of gtunnel works on the slave
	Events []string // of the replicated databases that are enabled on the slave
}

// has reports whether parts of the subject are known.
func (s *Subject) has(parts Parts) bool {
	return (parts&MasterFacts == 0 || s.Master != nil) && (parts&SlaveFacts == 0 || s.Slave != nil) &&
		(parts&Connection == 0 || s.Connection() != nil) && (parts&HandedOver == 0 || s.HandOver != nil) &&
		(parts&OfPair == 0 || s.Ready != nil) && (parts&PairSeen == 0 || s.Seen.Pair != nil) &&
		(parts&PairUnseen == 0 || s.Seen.PairUnseen != nil) && (parts&OfVOMS == 0 || s.VOMS != nil)
}

// factsOf gives the facts of a server; nil if they are not known, or role is
// empty.
func (s *Subject) factsOf(role finding.Role) *facts.Facts {
	switch role {
	case finding.Master:
		return s.Master
	case finding.Slave:
		return s.Slave
	case finding.Own, finding.Peer: // of a pair, before whose failover one is not known by its role
	}
	return nil
}

// Connection is the slave's default connection; nil if it has none.
func (s *Subject) Connection() *server.SlaveStatus {
	if s.Slave == nil {
		return nil
	}
	return s.Slave.Master()
}

// IsOurMaster reports whether a slave is told to go through the tunnel, whose
// local end is a port of 127.0.0.1.
func IsOurMaster(m *server.SlaveStatus, port int) bool {
	return m.MasterHost == server.Loopback && m.MasterPort == port
}

// Established reports whether the slave goes through the tunnel already.
func (s *Subject) Established() bool {
	c := s.Connection()
	return c != nil && IsOurMaster(c, s.Port)
}

// goesOn reports whether a setup goes on with the replication that is there.
func (s *Subject) goesOn() bool {
	return s.Established() && !s.Reseed && s.State.Stage != journal.StageSeeding
}

// NeedsSeed reports whether the slave is to begin anew: with a copy of the
// databases, or with what it has of them.
func (s *Subject) NeedsSeed() bool {
	switch {
	case s.Reseed:
		return true
	case s.State.Stage == journal.StageSeeding: // unless somebody has set it up since
		return !s.Established() || !s.Connection().Running()
	case s.State.Stage == journal.StageSeeded:
		return !s.stateFits()
	default:
		return !s.Established()
	}
}

// stateFits reports whether the copy of an earlier run can be gone on with: it is
// of this master and these databases, which are there, and the master still has
// its binary log from there.
func (s *Subject) stateFits() bool {
	state := s.State
	for _, name := range s.Databases {
		if s.Slave.Database(name) == nil {
			return false
		}
	}
	if mark := s.MasterMark(); mark != "" && state.MasterMark != "" && mark != state.MasterMark {
		return false
	}
	return state.MasterID == s.Master.ServerID() && state.MasterUUID == s.Master.UUID() &&
		sameSet(state.Databases, s.Databases) &&
		slices.ContainsFunc(s.Master.BinaryLogs, func(l server.BinaryLog) bool { return l.File == state.Start.File })
}

// Filtered reports whether the slave replicates just the wanted databases.
func (s *Subject) Filtered() bool {
	c := s.Connection()
	return c != nil && sameSet(c.WildDoTable, server.WildTables(s.Databases))
}

// FilterLost reports whether the slave replicates all databases, as after a
// restart without gtunnel's option file.
func (s *Subject) FilterLost() bool { return s.Established() && len(s.Connection().WildDoTable) == 0 }

// Lost are the databases of the slave that a copy removes, and that are not the
// leavings of one which was cut off.
func (s *Subject) Lost() []string {
	var lost []string
	for i := range s.Slave.Databases {
		d := &s.Slave.Databases[i]
		empty := d.Tables == 0 && d.Others == 0 && d.Events == 0 && d.Routines == 0
		if (s.Method == journal.SeedClone || slices.Contains(s.Databases, d.Name)) && !s.State.Left(d) && !empty {
			lost = append(lost, d.Name)
		}
	}
	return lost
}

// MasterNoted reports whether the master is known to be, or not to be, the one
// that the state and the slave have noted; neither if that is not known.
func (s *Subject) MasterNoted() (same, other bool) {
	noted, now := []string{s.State.MasterMark}, s.MasterMark()
	if uuid := s.Master.UUID(); uuid != "" {
		noted, now = []string{s.State.MasterUUID}, uuid
		if c := s.Connection(); c != nil {
			noted = append(noted, c.MasterUUID)
		}
	}
	for _, id := range noted {
		same = same || id != "" && id == now
		other = other || id != "" && now != "" && id != now
	}
	return same && !other, other
}

// MasterMark is the mark of the master, which the hand-over has where the login
// does not see it; empty if neither knows it.
func (s *Subject) MasterMark() string {
	if s.HandOver == nil {
		return s.Master.Mark
	}
	return cmp.Or(s.Master.Mark, s.HandOver.Mark)
}

// sameSet reports whether two lists have the same names, in whatever order. What
// one says twice counts once: a server has that if two of its option files have
// the same filter.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
