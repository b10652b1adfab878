package seed

import (
	"cmp"
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// widenPackets raises max_allowed_packet of the slave until restore, which works
// also when ctx has ended. A login that may not raise it leaves it.
func (s *Seed) widenPackets(ctx context.Context) (restore func() error, err error) {
	f, err := facts.ReadVariables(ctx, s.Slave, s.Slave.DB, "server_id", "max_allowed_packet")
	if err != nil {
		return nil, err
	}
	file := journal.PacketFile(s.StateDir, f.ServerID())
	note, err := journal.ReadNote[journal.PacketNote](file)
	if err != nil {
		return nil, err
	}
	running, err := s.Slave.Uptime(ctx, s.Slave.DB)
	if err != nil {
		return nil, err
	}
	if !note.Holds(f, running) {
		if f.MaxAllowedPacket() == journal.MostPacket {
			return func() error { return nil }, nil
		}
		note = &journal.PacketNote{Began: time.Now(), MaxAllowedPacket: f.MaxAllowedPacket()}
	}
	if err := file.Write(note); err != nil {
		return nil, &finding.Problem{
			Code: "state", Text: "what is about to be done cannot be noted", Err: err,
			Cure: "name a directory that this user may write with --state-dir",
		}
	}
	err = s.Slave.Run(ctx, []server.Statement{server.SQL("SET GLOBAL max_allowed_packet=%d", journal.MostPacket)})
	if server.IsDenied(err) {
		return file.Remove, nil
	}
	restore = func() error {
		ctx, cancel := server.CleanUp(ctx)
		defer cancel()
		if err := s.Slave.Run(ctx, []server.Statement{note.Restore()}); err != nil {
			return err
		}
		return file.Remove()
	}
	if err != nil { // it may have come to the server
		return nil, cmp.Or(err, restore())
	}
	return restore, nil
}
