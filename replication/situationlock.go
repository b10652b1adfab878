package replication

import (
	"context"
	"errors"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// lockLook is how long what a slave applies waits for locks until it counts as blocked.
const lockLook = 3 * time.Second

// blockedApplier finds that what a slave applies waits for a lock, and who holds it; nil
// if it comes further meanwhile.
func blockedApplier(ctx context.Context, slave *server.Server, f *facts.Facts) (*finding.Problem, error) {
	if m := f.Master(); m == nil || m.SQLRunning != "Yes" {
		return nil, nil //nolint:nilnil // it applies nothing
	}
	err := slave.MustApply(ctx, lockLook)
	blocked, ok := errors.AsType[*finding.Problem](err)
	if !ok || blocked.Code != server.BlockedApplier {
		return nil, err
	}
	now, err := slave.SlaveStatus(ctx, slave.DB)
	if err != nil || now == nil || now.Executed != f.Master().Executed {
		return nil, err
	}
	return blocked, nil
}
