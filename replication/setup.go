package replication

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// readPackets makes the slave's value in the facts its own again if that of a copy
// which was cut off is there.
func (s *Setup) readPackets(ctx context.Context) error {
	note, err := journal.ReadNote[journal.PacketNote](journal.PacketFile(s.State.Directory(), s.SlaveFacts.ServerID()))
	if err != nil || note == nil {
		return err
	}
	uptime, err := s.Slave.Uptime(ctx, s.Slave.DB)
	if err != nil || !note.Holds(s.SlaveFacts, uptime) {
		return err
	}
	s.SlaveFacts.Variables["max_allowed_packet"] = strconv.FormatUint(note.MaxAllowedPacket, 10)
	s.Want.packets = note
	return nil
}

// Setup is the making of a slave: the two servers and what is wanted.
type Setup struct {
	Master, Slave *server.Server // Master's login is the seeding account, the monitor account or an administrator's
	Want          SlaveWant
	State         *journal.StateFile

	MasterFacts, SlaveFacts *facts.Facts // of Read
}

// settleLook is how often a slave is looked at that may settle.
const settleLook = 50 * time.Millisecond

// settleTime is how long a slave that is connecting at the moment may take
// until its state is taken for what it is.
const settleTime = server.ConnectRetry + 2*time.Second

// Read reads the facts of both servers.
func (s *Setup) Read(ctx context.Context) (err error) {
	if s.MasterFacts, err = facts.Read(ctx, s.Master); err != nil {
		return err
	}
	s.SlaveFacts, err = s.settled(ctx)
	return err
}

// Plan plans what is left to do, after Read. If the slave is to begin with a copy,
// or with what it has, what Seed.Check finds is among the findings. The Applier
// carries the plan out.
func (s *Setup) Plan(ctx context.Context) (*Plan, *Applier, error) {
	s.State.SetSlave(s.SlaveFacts)
	s.Want.State = s.State.State
	if err := s.readNotes(ctx); err != nil {
		return nil, nil, err
	}
	if err := s.readPackets(ctx); err != nil {
		return nil, nil, err
	}
	if s.Want.State.Stage == journal.StageSeeded {
		same, err := s.Master.StillHas(ctx, s.Want.State.Start)
		if err != nil {
			return nil, nil, err
		}
		if !same { // the copy is of another past
			s.Want.State.Stage = journal.StageNone
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
	if s.Want.Method == journal.SeedNone && plan.has("change-master") {
		err := s.Master.VerifyStart(ctx, s.Want.Start)
		if bad, ok := errors.AsType[*finding.Problem](err); ok && bad.Code == "bad-start" {
			plan.Problems = append(plan.Problems, bad)
		} else if err != nil {
			return nil, nil, err
		}
	}
	begins := plan.has("seed") || s.Want.Method == journal.SeedNone && plan.has("change-master")
	if len(plan.Problems) == 0 && begins {
		found, err := s.Want.newSeed(applier).Check(ctx)
		if err != nil {
			return nil, nil, err
		}
		plan.Findings.Add(found)
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
	busy, err := s.Slave.Busy(ctx, s.Slave.DB)
	if busy || err != nil {
		return err
	}
	s.Want.compared, s.Want.repaired, err = journal.ReadNotes(s.State.Directory(), s.SlaveFacts.ServerID())
	return err
}

// settled reads the slave, again if it is just connecting to its master, as
// after a restart of the tunnel.
func (s *Setup) settled(ctx context.Context) (*facts.Facts, error) {
	for deadline := time.Now().Add(settleTime); ; {
		facts, err := facts.Read(ctx, s.Slave)
		if err != nil {
			return nil, err
		}
		m := facts.Master()
		if m == nil || m.IORunning == "Yes" || m.IORunning == "No" || lasting[m.IOErrno] || time.Now().After(deadline) {
			return facts, nil
		}
		if err := server.Pause(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// Follows tells whether a server is the slave of the master at a port of
// 127.0.0.1.
func Follows(ctx context.Context, slave *server.Server, port int) (bool, error) {
	status, err := slave.SlaveStatus(ctx, slave.DB)
	return status != nil && rules.IsOurMaster(status, port), err
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
