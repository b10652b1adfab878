package replication

import (
	"context"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// gtidModes are the steps of MySQL's gtid_mode, of which each allows the next, and the one
// before on another server of the same replication (its manual, "Enabling GTID Transactions
// Online").
var gtidModes = []string{"OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"}

const (
	gtidsReady = "ON_PERMISSIVE" // as a slave must be before its master writes GTIDs
	gtidsOn    = "ON"
)

// gtidSteps turn MySQL's GTIDs on, online, up to a mode; empty: they stay as they are. It
// gives the drop-in as it is then.
func gtidSteps(p *Plan, f *facts.Facts, dropIn *optionfile.DropIn, to string) *optionfile.DropIn {
	is, goal := slices.Index(gtidModes, f.Variable("gtid_mode")), slices.Index(gtidModes, to)
	if f.Version.Family != server.MySQL || is < 0 || goal < 0 {
		return dropIn
	}
	const why = "with GTIDs the old master rejoins after a failover with the data that it has; without, by a new copy"
	if is < goal {
		before, on := []server.Statement{server.SQL("SET GLOBAL enforce_gtid_consistency=ON")}, is == len(gtidModes)-2
		for _, mode := range gtidModes[is+1 : goal+1] {
			if on = mode == gtidsOn; !on {
				before = append(before, server.SQL("SET GLOBAL gtid_mode=%s", mode))
			}
		}
		p.add(&Step{
			Name: "gtids-prepare", On: f.Role, What: "let the server take transactions with GTIDs and without", Why: why,
			SQL: before, Undo: Undo{server.SQL("SET GLOBAL gtid_mode=OFF_PERMISSIVE"), server.SQL("SET GLOBAL gtid_mode=OFF")},
		})
		if on {
			p.add(&Step{
				Name: "gtids-on", On: f.Role, What: "wait for transactions without a GTID, and turn GTIDs on", Why: why,
				SQL: []server.Statement{server.SQL("SET GLOBAL gtid_mode=ON")}, Action: waitForGTIDs{},
				Undo: Undo{server.SQL("SET GLOBAL gtid_mode=ON_PERMISSIVE")},
			})
		}
	}
	steps := len(p.Steps)
	mode := gtidModes[max(is, goal)]
	next := settingSteps(p, f, dropIn, []wantedSetting{
		{name: "enforce_gtid_consistency", value: "ON", ok: true, always: true, why: why},
		{name: "gtid_mode", value: mode, ok: true, always: true, why: why},
	})
	for _, step := range p.Steps[steps:] {
		if step.Name = "gtids-settings"; step.File != nil {
			step.Name = "gtids-drop-in"
		}
	}
	return next
}

// waitForGTIDs waits until no transaction without a GTID is open, and runs the step's SQL.
type waitForGTIDs struct{}

// anonymousPatience is how long such a transaction may take to end.
const anonymousPatience = time.Minute

func (a *Applier) waitForGTIDs(ctx context.Context, step *Step) error {
	on := a.on(step)
	for deadline := time.Now().Add(anonymousPatience); ; {
		rows, err := server.ReadRecords(ctx, on.DB, "SHOW GLOBAL STATUS LIKE 'Ongoing_anonymous_transaction_count'")
		if err != nil {
			return on.Explain("read Ongoing_anonymous_transaction_count", err)
		}
		if len(rows) == 0 || rows[0]["value"] == "0" {
			return a.run(ctx, step)
		}
		if time.Now().After(deadline) {
			return finding.New(step.On, "gtids-wait",
				"SELECT trx_mysql_thread_id, trx_started FROM information_schema.innodb_trx shows which: wait for their end, "+
					"or end them (KILL); then run the same command again",
				"%s transactions that began without a GTID are still open", rows[0]["value"])
		}
		a.waiting("%s transactions without a GTID are open", rows[0]["value"])
		if err := server.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// gtidGoal is the mode to which a master of a pair goes: it must not write GTIDs before
// its slave takes them.
func (w *PairWant) gtidGoal(f *facts.Facts) string {
	switch {
	case w == nil || !w.GTIDs:
		return ""
	case len(f.Slaves) == 0, w.PeerMode == gtidsReady, w.PeerMode == gtidsOn:
		return gtidsOn
	}
	return ""
}

// turnGTIDsOn turns those of the slave on, before the rest is planned: what the copy and
// the connection are depends on it. It reports whether the work goes on.
func (s *Setup) turnGTIDsOn(ctx context.Context) (goOn bool, err error) {
	if s.Pair == nil || !s.Pair.GTIDs {
		return true, nil
	}
	master, err := facts.ReadVariables(ctx, s.Master, s.Master.DB, "gtid_mode")
	if err != nil {
		return false, err
	}
	slave, err := facts.Read(ctx, s.Slave)
	if err != nil {
		return false, err
	}
	goal := gtidsOn
	if slave.Master() != nil && !master.GTIDs() {
		goal = gtidsReady
	}
	dropIn, err := findDropIn(slave, s.ConfigDir)
	if err != nil {
		return false, err
	}
	p := &Plan{}
	gtidSteps(p, slave, dropIn, goal)
	if len(p.Steps) == 0 {
		return true, nil
	}
	if goal != gtidsOn {
		p.Warn(finding.Slave, "gtids-later", "on the master: gtunnel replication setup-master --turn-gtids-on; "+
			"and then here: gtunnel replication setup-slave --turn-gtids-on",
			"the master has no GTIDs yet, so this slave gets ready for them and goes on as it is")
	}
	if agreed, err := s.Consent(p); !agreed || err != nil {
		return false, err
	}
	applier := &Applier{Slave: s.Slave, SlaveFacts: slave, Dialogue: s.Dialogue}
	return true, applier.Apply(ctx, p)
}
