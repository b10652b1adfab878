package replication

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// How long a slave may take for what it has received, until it is asked whether the
// master could give it once more: while it stands still, and altogether.
const (
	relayLogStanding = 3 * time.Second
	relayLogWait     = time.Minute
)

// applyRelayLog has the slave apply what it has received, before CHANGE MASTER throws it
// away; it leaves the I/O thread stopped. What it cannot apply now is thrown away only if
// the master can give it once more. If not, that is the Problem relay-log, and the slave
// goes on as it was.
func (a *Applier) applyRelayLog(ctx context.Context) error {
	status, err := a.Slave.SlaveStatus(ctx, a.Slave.DB)
	if err != nil || status == nil {
		return err
	}
	v := a.Slave.Version
	if status.StartDeletes(v) { // so that nothing can be applied by a start
		return a.mayDelete(ctx, status)
	}
	if status.SQLRunning != "Yes" {
		if err := a.Slave.Change(ctx, v.StartSlave(server.SQLThread)); err != nil {
			return err
		}
	}
	if status.IORunning != "No" {
		if err := a.Slave.Change(ctx, v.StopSlave(server.IOThread)); err != nil {
			return err
		}
	}
	if err = a.waitApplied(ctx); err == nil || status.IORunning == "No" {
		return err
	}
	ctx, cancel := server.CleanUp(ctx)
	defer cancel()
	if now, e := a.Slave.SlaveStatus(ctx, a.Slave.DB); e == nil && now != nil && !now.StartDeletes(v) {
		_ = a.Slave.Change(ctx, v.StartSlave(server.IOThread)) // the first error says more
	}
	return err
}

// waitApplied waits until a slave has applied what it has received, or cannot, while the
// master could give it once more.
func (a *Applier) waitApplied(ctx context.Context) error {
	begun := time.Now()
	return a.Slave.WatchSlave(ctx, func(status *server.SlaveStatus, standing time.Duration) (bool, error) {
		if status == nil {
			return true, status.MustRun()
		}
		if !status.Unapplied() {
			return true, nil
		}
		failed := status.SQLRunning != "Yes"
		if failed || standing > relayLogStanding || time.Since(begun) > relayLogWait {
			err := a.mayDelete(ctx, status)
			if err == nil || failed || standing > startPatience || !finding.HasCode(err, rules.RelayLog) {
				return true, err
			}
		}
		a.waiting("apply what the slave has received: at %s of %s", status.Executed, status.Read)
		return false, nil
	})
}

// startAgain runs SQL that starts a slave, unless changes would be lost by that which the
// master cannot give once more.
type startAgain struct{}

func (a *Applier) startAgain(ctx context.Context, step *Step) error {
	if err := a.mayStart(ctx); err != nil {
		return err
	}
	return a.run(ctx, step)
}

// mayStart refuses the start of a slave which deletes what its master does not have any
// more.
func (a *Applier) mayStart(ctx context.Context) error {
	status, err := a.Slave.SlaveStatus(ctx, a.Slave.DB)
	if err != nil || status == nil || !status.StartDeletes(a.Slave.Version) {
		return err
	}
	return a.mayDelete(ctx, status)
}

// mayDelete refuses that a slave's relay log is deleted, if the master does not have any
// more what is left in it to apply.
func (a *Applier) mayDelete(ctx context.Context, status *server.SlaveStatus) error {
	if !status.Unapplied() {
		return nil
	}
	err := a.Master.VerifySlave(ctx, status.Executed)
	if finding.HasCode(err, "elsewhere") {
		return rules.LosesReceived(a.Slave.Version, status)
	}
	return err
}
