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
	State    string    `json:"state"`   // in the server's words
	HasAll   bool      `json:"has_all"` // it was sent all that the binary log has
}

// OwnBinaryLog is where the binary log of this server stands, and what it is of.
type OwnBinaryLog struct {
	File      string   `json:"file"`
	Offset    uint64   `json:"offset"`
	Databases []string `json:"databases"` // that were set up to be replicated; null if that is not known here
}

// readAsMaster reads who follows this server, and what makes it a master.
func (r *statusReader) readAsMaster(
	ctx context.Context, handedOver func(id uint32, uuid, mark string) []string,
) error {
	own := *r.variables
	own.Role = finding.Master
	if err := own.ReadAsMaster(ctx, r.slave, r.conn); err != nil {
		return err
	}
	r.own = &own
	for _, f := range own.Followers {
		follower := Follower{Host: f.Host, User: f.User, Since: r.Time.Add(-f.Since), State: f.State, HasAll: f.HasAll}
		if len(own.Followers) == 1 && len(own.Slaves) == 1 {
			follower.ServerID = &own.Slaves[0]
		}
		r.Slaves = append(r.Slaves, follower)
	}
	c := r.Connection
	follows := c != nil && c.MasterHost != "" || r.copying
	wasSlave := r.state.Stage != journal.StageNone && !wasPromoted(r.state.Stage, &own)
	if r.isMaster = !follows && !wasSlave && own.IsMaster(); r.isMaster {
		r.Role = finding.Master
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
	s.found(rules.Judge(&rules.Subject{
		Moment: rules.StatusMaster, Master: s.own, Databases: s.BinaryLog.Databases,
	}))
}

// asMaster is what is known of this server besides its being a slave.
type asMaster struct {
	own      *facts.Facts
	isMaster bool // and no slave
}
