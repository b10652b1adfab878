package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
)

// Follower is a slave of this server, as the server sees it.
type Follower struct {
	ServerID *uint32   `json:"server_id"` // null if it is not known which of several it is
	Host     string    `json:"host"`      // from which it comes: 127.0.0.1 through the tunnel
	User     string    `json:"user"`
	Since    time.Time `json:"connected_since"`
	Name     string    `json:"name,omitempty"` // its report_host, where it says that
	State    string    `json:"state"`          // in the server's words
	HasAll   bool      `json:"has_all"`        // it was sent all that the binary log has
}

// OwnBinaryLog is where the binary log of this server stands, and what it is of.
type OwnBinaryLog struct {
	File      string   `json:"file"`
	Offset    uint64   `json:"offset"`
	Databases []string `json:"databases"` // that were set up to be replicated; null if that is not known here
}

// readAsMaster reads who follows this server, and what makes it a master.
func (r *statusReader) readAsMaster(
	ctx context.Context, directory string, handedOver func(id uint32, uuid, mark string) []string,
) error {
	own := *r.variables
	own.Role = finding.Master
	if err := own.ReadAsMaster(ctx, r.slave, r.conn); err != nil {
		return err
	}
	r.own = &own
	if err := r.readFollowers(ctx, &own); err != nil {
		return err
	}
	c := r.Connection
	follows := c != nil && c.MasterHost != "" || r.copying
	wasSlave := r.state.Stage != journal.StageNone && !wasPromoted(r.state.Stage, &own)
	r.isMaster = !follows && !wasSlave && own.IsMaster()
	if p := r.pair; p != nil && !p.Note.Term.IsZero() && !r.copying {
		r.isMaster = p.IsMaster()
	}
	if r.isMaster {
		r.Role = finding.Master
		if err := r.noteSlaves(directory); err != nil {
			return err
		}
		r.BinaryLog = &OwnBinaryLog{File: own.MasterLog.File, Offset: own.MasterLog.Offset}
		if handedOver != nil {
			r.BinaryLog.Databases = handedOver(own.ServerID(), own.UUID(), own.Mark)
		}
	}
	return nil
}

// wasPromoted reports whether a server that was set up as a slave, and follows nobody,
// has been made a master: it may be written to.
func wasPromoted(stage journal.Stage, own *facts.Facts) bool {
	return (stage == journal.StageRunning || stage == journal.StageDone) && !own.On("read_only")
}

// judgeMaster makes the state, the problems and the warnings of a master.
func (s *Status) judgeMaster() {
	s.State, s.Summary = rules.HealthMaster, "this server is a master; no slave is connected"
	if n := len(s.Slaves); n > 0 {
		s.Summary = fmt.Sprintf("this server is a master; connected: %s", finding.Count(n, "slave"))
	}
	gone := s.gone()
	if len(gone) > 0 {
		s.Summary += fmt.Sprintf("; not connected: %d that it had", len(gone))
	}
	judged := &rules.Subject{
		Moment: rules.StatusMaster, Master: s.own, Databases: s.BinaryLog.Databases,
		Seen: rules.Seen{Pair: s.pair, PairUnseen: s.unseen, Gone: gone},
	}
	if s.pair != nil {
		s.State, s.Summary = judged.Health(), judged.Summary()
		if len(gone) > 0 {
			s.Summary += fmt.Sprintf("; of its further slaves %d are not connected", len(gone))
		}
	}
	s.found(rules.Judge(judged))
}

// asMaster is what is known of this server besides its being a slave.
type asMaster struct {
	own      *facts.Facts
	isMaster bool // and no slave
}
