package watch

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// readFollowers makes the list of the slaves that are connected to this server: with their
// ids where the server tells which connection is whose.
func (r *statusReader) readFollowers(ctx context.Context, own *facts.Facts) error {
	uuids, err := connectionUUIDs(ctx, r.slave, r.conn)
	if err != nil {
		return err
	}
	for _, f := range own.Followers {
		follower := Follower{Host: f.Host, User: f.User, Since: r.Time.Add(-f.Since), State: f.State, HasAll: f.HasAll}
		for i, known := range own.Registered {
			alone := len(own.Followers) == 1 && len(own.Registered) == 1
			if alone || known.UUID != "" && known.UUID == uuids[f.Connection] {
				follower.ServerID, follower.Name = &own.Registered[i].ServerID, known.Host
			}
		}
		r.Slaves = append(r.Slaves, follower)
	}
	if r.pair != nil {
		r.pair.Slaves = len(r.Slaves)
	}
	return nil
}

// connectionUUIDs are the UUIDs that slaves of MySQL's have told, by their connections;
// none of MariaDB's, and where this login may not see them.
func connectionUUIDs(ctx context.Context, s *server.Server, on server.Execer) (map[uint64]string, error) {
	if !s.Version.AtLeast(server.MySQL, 5, 7, 0) {
		return nil, nil //nolint:nilnil // there are none
	}
	rows, err := server.ReadRecords(ctx, on, "SELECT t.processlist_id AS id, v.variable_value AS uuid"+
		" FROM performance_schema.user_variables_by_thread v JOIN performance_schema.threads t USING (thread_id)"+
		" WHERE v.variable_name IN ('slave_uuid', 'replica_uuid')")
	if err != nil && !server.IsDenied(err) {
		return nil, s.Explain("read performance_schema.user_variables_by_thread", err)
	}
	uuids := map[uint64]string{}
	for _, row := range rows {
		uuids[row.Number("id")] = row["uuid"]
	}
	return uuids, nil
}

// noteSlaves holds the slaves that are connected against those that were noted, and notes
// them. Of a pair, the other host alone is its slave: the note tells which that is while it
// does not answer.
func (r *statusReader) noteSlaves(directory string) error {
	file := journal.SlavesFile(directory, r.Slave.ServerID)
	note, err := journal.ReadNote[journal.SlavesNote](file)
	if err != nil {
		return err
	}
	peer := uint32(0)
	if r.pair != nil {
		peer = r.pair.PeerID
	}
	next := note.See(r.own, peer, r.Time)
	next.Keep(file)
	r.Known = next.Slaves
	r.known = next
	if other := next.OfPair(); r.pair != nil && other != nil {
		r.pair.Slaves = 0
		if other.Connected {
			r.pair.Slaves = 1
		}
	}
	return nil
}

// gone are the slaves that this master had.
func (s *Status) gone() []journal.KnownSlave {
	if s.known == nil {
		return nil
	}
	return s.known.Gone()
}
