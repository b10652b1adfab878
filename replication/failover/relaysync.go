package failover

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/server"
)

// syncsEach reports whether each event that the slave receives must be on its disk before it
// receives the next one, and whether that is the guard's business: MySQL's by GTID.
//
// What was received may be all that is left of a lost master. But MySQL waits for the disk at
// each event then, of which a transaction has about ten, while its master waits once for many
// transactions: a slave falls behind by ever more under load, and what it has not received is
// lost with its master all the same. So it waits only while the master is silent. As long as
// that answers, it has all of it as well, and a slave that has lost the end of its relay log
// with its power asks for that once more. One that acknowledges to its master what is on its
// disk always waits.
func syncsEach(s *Sighting) (each, ours bool) {
	own := s.OwnServer
	ours = own.Server.Version.Family == server.MySQL && own.Slave != nil && own.Slave.ByGTID
	return s.PeerState == nil || s.Note.SemiSync.Wanted(), ours
}

// keepRelayLog has the slave wait for its disk if it must. A guard that was killed may have
// flushed nothing yet.
func (g *Guard) keepRelayLog(ctx context.Context, s *Sighting) error {
	each, ours := syncsEach(s)
	is := s.OwnServer.Variables[syncRelayLog] == "1"
	if !ours || each == is && (!each || g.synced) {
		return nil
	}
	g.synced = false
	err := g.observer.change(ctx, s.OwnServer, s.OwnServer.Server.Version.SyncRelayLog(each)...)
	g.synced = each && err == nil
	return err
}
