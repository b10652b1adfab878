package server

import (
	"context"
	"crypto/rand"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// MustDiffer refuses two logins that reach one server: the Problem same-server. By
// whatever addresses they come, one sees a lock that the other holds, and no other
// server does: not one with the same server_id, nor a clone with the same UUID.
func (s *Server) MustDiffer(ctx context.Context, master *Server) error {
	conn, err := s.Session(ctx)
	if err != nil {
		return err
	}
	defer Discard(conn) // with the lock
	mark := "gtunnel." + rand.Text()
	const unknown = 1235 // a member of Galera has no such locks
	if _, err := s.Value(ctx, conn, "SELECT GET_LOCK(?, 0)", mark); ErrorNumber(err) == unknown {
		return nil
	} else if err != nil {
		return err
	}
	holder, err := master.Value(ctx, master.DB, "SELECT IS_USED_LOCK(?)", mark)
	if err != nil || holder == "" {
		return err
	}
	name, err := s.Value(ctx, conn, "SELECT @@hostname")
	if err != nil {
		return err
	}
	return finding.New(finding.Slave, "same-server",
		"run it on the host of the slave; --master is the tunnel's end there, not the server's own port",
		"this is %s, the master itself: both logins reach one server", name)
}
