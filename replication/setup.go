package replication

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Setup is the making of a slave: the two servers and what is wanted.
type Setup struct {
	Master, Slave *Server // Master's login is the seeding account, the monitor account or an administrator's
	Want          SlaveWant
	State         *StateFile

	MasterFacts, SlaveFacts *Facts // of Read
}

// settleTime is how long a slave that is connecting at the moment may take
// until its state is taken for what it is.
const settleTime = connectRetry + 2*time.Second

// Read reads the facts of both servers.
func (s *Setup) Read(ctx context.Context) (err error) {
	if s.MasterFacts, err = ReadFacts(ctx, s.Master); err != nil {
		return err
	}
	s.SlaveFacts, err = s.settled(ctx)
	return err
}

// Plan plans what is left to do, after Read. If the slave is to begin with a copy,
// or with what it has, what Seed.Check finds is among the findings. The Applier
// carries the plan out.
func (s *Setup) Plan(ctx context.Context) (*Plan, *Applier, error) {
	s.State.of(s.SlaveFacts)
	s.Want.State = s.State.State
	if err := s.readNotes(ctx); err != nil {
		return nil, nil, err
	}
	if err := s.readPackets(ctx); err != nil {
		return nil, nil, err
	}
	if s.Want.State.Stage == StageSeeded {
		same, err := s.Master.stillHas(ctx, s.Want.State.Start)
		if err != nil {
			return nil, nil, err
		}
		if !same { // the copy is of another past
			s.Want.State.Stage = StageNone
		}
	}
	var err error
	if s.Want.elsewhere, err = s.isElsewhere(ctx); err != nil {
		return nil, nil, err
	}
	plan := PlanSlave(s.MasterFacts, s.SlaveFacts, s.Want)
	applier := &Applier{
		Master: s.Master, Slave: s.Slave, MasterFacts: s.MasterFacts, SlaveFacts: s.SlaveFacts, State: s.State, StateDir: s.State.Directory(),
	}
	if s.Want.Method == SeedNone && plan.has("change-master") {
		err := s.Master.verifyStart(ctx, s.Want.Start)
		if bad, ok := errors.AsType[*Problem](err); ok && bad.Code == "bad-start" {
			plan.Problems = append(plan.Problems, bad)
		} else if err != nil {
			return nil, nil, err
		}
	}
	begins := plan.has("seed") || s.Want.Method == SeedNone && plan.has("change-master")
	if len(plan.Problems) == 0 && begins {
		found, err := s.Want.newSeed(applier).Check(ctx)
		if err != nil {
			return nil, nil, err
		}
		plan.Findings.add(found)
		plan.agreeOnBytes()
	}
	if len(plan.Problems) == 0 && plan.has("seed") {
		if err := s.checkAhead(ctx, plan); err != nil {
			return nil, nil, err
		}
	}
	if len(plan.Problems) == 0 && plan.has("change-master") {
		if err := s.checkOrder(ctx, plan); err != nil {
			return nil, nil, err
		}
	}
	return plan, applier, nil
}

// readNotes reads what runs that were cut off have noted. For the end of one that
// works Apply waits.
func (s *Setup) readNotes(ctx context.Context) error {
	busy, err := s.Slave.busy(ctx, s.Slave.db)
	if busy || err != nil {
		return err
	}
	s.Want.compared, s.Want.repaired, err = readNotes(s.State.Directory(), s.SlaveFacts.ServerID())
	return err
}

// checkAhead finds GTIDs of MySQL's that the slave has from a time before the
// master's binary log was begun anew. The master refuses such a slave (1236), and
// gives these GTIDs to other transactions, which the slave would leave out.
func (s *Setup) checkAhead(ctx context.Context, plan *Plan) error {
	master, slave := s.MasterFacts, s.SlaveFacts
	if master.Version.Family != MySQL || slave.Version.Family != MySQL || !master.GTIDs() || !slave.GTIDs() || s.Want.Method == SeedClone {
		return nil
	}
	// The master's are those of now: a slave that still replicates may have gone on since.
	ahead, err := s.Master.value(ctx, s.Master.db, "SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)", slave.variable("gtid_executed"))
	if err == nil && strings.Contains(strings.ToLower(ahead), strings.ToLower(master.UUID())) {
		reset := slave.Version.resetBinaryLog()
		plan.problem(Slave, "gtids-ahead", "on the slave: "+reset+", unless somebody needs its binary log; then run this again",
			"it knows transactions of the master that the master does not have any more, as if its binary log was begun anew: %s", ahead)
	}
	return err
}

// checkOrder finds GTIDs in the binary log of a slave of MariaDB's that are later than
// the master's in the same domain. With gtid_strict_mode the slave would stop at the
// first change (1950).
func (s *Setup) checkOrder(ctx context.Context, plan *Plan) error {
	slave := s.SlaveFacts
	if s.Master.Version.Family != MariaDB || !slave.on("gtid_strict_mode") || !slave.HasBinaryLog() || !slave.on("log_slave_updates") {
		return nil
	}
	own, err := s.Slave.value(ctx, s.Slave.db, "SELECT @@GLOBAL.gtid_binlog_state")
	if err != nil {
		return err
	}
	// One that has written nothing yet begins with 1 in its domain.
	written, err := s.Master.value(ctx, s.Master.db, "SELECT CONCAT_WS(',', CONCAT(@@GLOBAL.gtid_domain_id, '-0-0'), NULLIF(@@GLOBAL.gtid_binlog_pos, ''))")
	if err == nil && behind(written, own) {
		plan.problem(Slave, "gtid-order", causes[1950].cure, "its own binary log has later GTIDs (%s) than the master's (%s), and gtid_strict_mode lets none come after them", own, written)
	}
	return err
}

// settled reads the slave, again if it is just connecting to its master, as
// after a restart of the tunnel.
func (s *Setup) settled(ctx context.Context) (*Facts, error) {
	for deadline := time.Now().Add(settleTime); ; {
		facts, err := ReadFacts(ctx, s.Slave)
		if err != nil {
			return nil, err
		}
		m := facts.master()
		if m == nil || m.IORunning == "Yes" || m.IORunning == "No" || lasting[m.IOErrno] || time.Now().After(deadline) {
			return facts, nil
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// Follows tells whether a server is the slave of the master at a port of
// 127.0.0.1.
func Follows(ctx context.Context, slave *Server, port int) (bool, error) {
	status, err := slave.slaveStatus(ctx, slave.db)
	return status != nil && isOurMaster(status, port), err
}

// newSeed is the copy that is wanted.
func (w *SlaveWant) newSeed(a *Applier) *Seed {
	return &Seed{
		Master: a.Master, Slave: a.Slave, MasterFacts: a.MasterFacts, SlaveFacts: a.SlaveFacts,
		Databases: w.Databases, Method: w.Method, LockTables: w.LockTables, MaxRate: w.MaxRate,
		Progress: a.Progress, Waiting: a.Waiting, PersistedEvents: a.State.PersistedEvents, StateDir: a.StateDir,
	}
}

// has tells whether the plan has a step.
func (p *Plan) has(name string) bool {
	for _, s := range p.Steps {
		if s.Name == name {
			return true
		}
	}
	return false
}
