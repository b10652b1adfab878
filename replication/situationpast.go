package replication

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
)

// readPast holds what was noted of the master of a slave that follows it against what
// that has.
func (s *Setup) readPast(ctx context.Context) error {
	status := s.SlaveFacts.Master()
	if status == nil || !rules.IsOurMaster(status, s.Want.Port) {
		return nil
	}
	file := journal.MasterFile(s.State.Directory(), s.SlaveFacts.ServerID())
	note, err := journal.ReadNote[journal.MasterNote](file)
	if note == nil || err != nil {
		return err
	}
	now, lost, err := note.Compare(ctx, s.Master, s.SlaveFacts)
	if !note.IsOf(now) {
		return err
	}
	if lost {
		s.Restored = note
	}
	s.Restarted = note.Restarted || note.RestartedBefore(now)
	return err
}
