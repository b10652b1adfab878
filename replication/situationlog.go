package replication

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// isGone reports whether the master no longer has what a slave that does not read is to
// read next, as far as this login may see that.
func (s *Setup) isGone(ctx context.Context) (bool, error) {
	status, logs := s.SlaveFacts.Master(), s.MasterFacts.BinaryLogs
	if status == nil || !rules.IsOurMaster(status, s.Want.Port) || status.IORunning == "Yes" || len(logs) == 0 {
		return false, nil
	}
	switch {
	case !status.ByGTID:
		has := func(l server.BinaryLog) bool { return l.File == status.Read.File }
		return !status.Read.IsZero() && !slices.ContainsFunc(logs, has), nil
	case s.isOfMariaDB():
		applied, err := s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_slave_pos")
		if err != nil || applied == "" {
			return false, err
		}
		const begin = 4 // of the first event of a file
		before, _, err := s.Master.GTIDsBefore(ctx, s.Master.DB, server.Position{File: logs[0].File, Offset: begin})
		received := cmp.Or(status.GTIDReceived, applied)
		return server.Behind(applied, before) && server.Behind(received, before), err
	default:
		has, err := s.Master.Value(ctx, s.Master.DB, "SELECT GTID_SUBSET(@@GLOBAL.gtid_purged, ?)",
			strings.Trim(status.GTIDExecuted+","+status.GTIDReceived, ","))
		return has == "0", err
	}
}
