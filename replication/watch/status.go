package watch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Schema is the version of the JSON of a Status: the states are as they are now, and names
// stay, since 1.
const Schema = 1

// Status is the health of a replication at one moment, as its slave and, through
// the tunnel, its master tell it. The names in its JSON stay.
type Status struct {
	Schema  int       `json:"schema"` // Schema: of this JSON
	State   Health    `json:"state"`
	Healthy bool      `json:"healthy"` // it works, without a problem
	Summary string    `json:"summary"` // the state in a sentence
	Time    time.Time `json:"time"`

	Role finding.Role `json:"role"` // of the server that was asked: it is the slave, or a master

	Slave  SlaveSide  `json:"slave"` // that server, whatever it is
	Master MasterSide `json:"master"`

	Slaves []Follower `json:"slaves,omitempty"` // of that server
	// Known are the slaves that it has or had, of a master, by their server ids.
	Known     []journal.KnownSlave `json:"known_slaves,omitempty"`
	BinaryLog *OwnBinaryLog        `json:"binary_log,omitempty"` // of that server, if it is a master

	Connection *server.SlaveStatus `json:"connection"`                  // the default one; null if there is none
	Others     []string            `json:"other_connections,omitempty"` // the names of those that are not ours
	others     []*server.SlaveStatus
	Lag        Lag `json:"lag"`

	// Compared is what the last comparison by this host has found; nil: none is noted.
	Compared *journal.ComparedNote `json:"compared,omitempty"`

	Pair *PairSide `json:"pair,omitempty"` // what this host knows of the pair that it is of

	Problems []*finding.Problem `json:"problems"` // why it is not healthy
	Warnings []*finding.Problem `json:"warnings"` // what may break it later

	asMaster

	// What the judgement needs beyond this.
	variables  *facts.Facts   // of the slave
	version    server.Version // of the slave
	events     []string       // of the replicated databases that are enabled on the slave
	clock      time.Duration  // by how much the master's is ahead
	hasClock   bool
	watched    time.Duration           // how long the slave was watched for a sign of the link's life
	silent     bool                    // there was none
	moved      bool                    // something came meanwhile
	through    string                  // the address by which the master was asked
	sameMaster bool                    // the master that was asked is the slave's
	restored   *journal.MasterNote     // of a past that the master does not have any more; nil: it has it
	same       *finding.Problem        // both logins reach one server; nil if they do not
	busy       bool                    // a run of gtunnel works on the slave
	compared   *journal.ComparisonNote // of a comparison that was cut off; nil if there is none
	repaired   *journal.RepairNote     // the same of a repair
	unanswered *finding.Problem        // for which the slave does not tell how it replicates; nil: it does
	copying    bool                    // a run makes the copy of the slave
	runner     int                     // its process; 0: not known
	blocked    *server.LockWait        // what the slave waits for; nil: for no lock
	pair       *rules.SeenPair         // nil: it is of none
	unseen     []*finding.Problem      // why pair was not seen
	state      journal.State           // of the slave's setup; zero if it is not known here
	known      *journal.SlavesNote     // of the slaves of a master
	ofPair     *term.Record            // what the master publishes of its pair, of which this slave is not
}

// SlaveSide is what the slave says of itself.
type SlaveSide struct {
	Version       string   `json:"version"`
	ServerID      uint32   `json:"server_id"`
	ServerUUID    string   `json:"server_uuid,omitempty"` // MySQL only
	ReadOnly      bool     `json:"read_only"`
	SuperReadOnly *bool    `json:"super_read_only"` // null on MariaDB, which has none
	Writers       []string `json:"writers"`         // who can write in spite of it; null if that cannot be seen
}

// MasterSide is what the master says of itself.
type MasterSide struct {
	Reachable  bool            `json:"reachable"`
	Reason     string          `json:"reason,omitempty"` // why it is not
	Tunnel     server.Way      `json:"tunnel,omitempty"` // how far a login through it has come; empty: none was tried
	Version    string          `json:"version,omitempty"`
	ServerID   uint32          `json:"server_id,omitempty"`
	ServerUUID string          `json:"server_uuid,omitempty"` // MySQL only
	Position   server.Position `json:"position"`              // where its binary log stands

	logs        []server.BinaryLog
	facts       *facts.Facts // what rules need of it; nil if it is not known
	logsNothing bool         // its binary log is off
	cure        string       // how to reach it
}

// Lag is how far the slave is behind its master.
type Lag struct {
	// Bytes are in the master's binary log and not yet applied; null if the
	// master cannot be asked.
	Bytes *uint64 `json:"bytes"`
	// Unread are those of them that the slave has not even received.
	Unread *uint64 `json:"unread_bytes"`
	// Silence is how long nothing has come from the master, not even a
	// heartbeat; null if the slave does not know.
	Silence *float64 `json:"silence_seconds"`
	// Seconds is the slave's Seconds_Behind_Master: how old the change is that
	// it applies. It is null while not connected, and 0 on a dead link.
	Seconds *int64 `json:"seconds_behind"`
}

// Options are what Read may be told.
type Options struct {
	Unreachable error  // why there is no master
	Through     string // the address by which the master was asked: the local end of the tunnel
	// Window is how long the slave is watched if it lacks something of the
	// master and nothing comes; zero: two seconds.
	Window time.Duration
	// StateDir is where runs on this host note what they do; empty: nowhere.
	StateDir string
	// HandedOver are the databases that setup-master has set up on this server, if it
	// was this one.
	HandedOver func(id uint32, uuid, mark string) []string
	// Pair is what was seen of the pair that this host is of; nil: it is of none.
	Pair *rules.SeenPair
	// PairUnseen is why it was not seen; nil: it was, or this host is of none.
	PairUnseen []*finding.Problem
}

// Read reads the health of the replication that feeds a slave. Without a
// master, one that cannot be reached, less is known. A healthy replication is
// looked at once; where the link may be dead the slave is watched for a while.
func Read(ctx context.Context, slave, master *server.Server, o Options) (*Status, error) {
	if o.Window == 0 {
		o.Window = 2 * time.Second
	}
	r := &statusReader{
		Status: &Status{
			Schema: Schema, Time: time.Now(), Role: finding.Slave, version: slave.Version,
			Problems: []*finding.Problem{}, Warnings: []*finding.Problem{},
		},
		slave: slave,
	}
	r.seePair(o.Pair)
	r.unseen = o.PairUnseen
	r.Slave.Version, r.variables = slave.Version.String(), &facts.Facts{}
	ctx = server.EachWithin(ctx, server.QuestionLimit)
	if err := r.read(ctx, master, o); err != nil {
		// Of a server that tells nothing else there is its list of processes.
		silent, ok := errors.AsType[*finding.Problem](err)
		if !ok || silent.Code != server.NoAnswer && silent.Code != server.RelayDiskFull || silent.On != finding.Slave {
			return nil, err
		}
		r.unanswered, r.Connection = silent, nil
	}
	r.judge()
	return r.Status, nil
}

// read reads all that is judged.
func (r *statusReader) read(ctx context.Context, master *server.Server, o Options) error {
	conn, err := r.slave.Session(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	r.conn = conn

	roomErr := r.slave.HasRoom(ctx, conn)
	if roomErr == nil { // before the master, which then has all transactions that the slave has of it
		roomErr = r.readVariables(ctx)
	}
	var noted masterPast
	if roomErr == nil {
		roomErr = noted.readNote(o.StateDir, r.variables.ServerID())
	}
	asked := make(chan masterAnswer, 1)
	go r.askMaster(ctx, master, o.Unreachable, masterAnswer{past: noted, mute: roomErr != nil}, asked)
	if roomErr == nil {
		roomErr = r.readSlaveSide(ctx)
	}
	answer := <-asked
	r.Master, r.through = answer.MasterSide, o.Through
	if r.pair != nil {
		r.pair.Silent = slices.Contains([]server.Way{server.WayClosed, server.WayCut, server.WaySilent}, r.Master.Tunnel)
		r.pair.Mute = r.pair.Silent && r.Master.Tunnel != server.WayClosed
	}
	if roomErr != nil {
		return roomErr
	}
	if r.Master.Reachable {
		r.same = answer.same
	}
	if r.hasClock = answer.hasClock; r.hasClock {
		r.clock = answer.clock - r.ownClock
	}
	if r.busy, err = r.slave.Busy(ctx, conn); err != nil {
		return err
	}
	// The slave comes last, so that it has what the master had.
	if err := r.readConnection(ctx); err != nil {
		return err
	}
	if err := r.watch(ctx, o.Window); err != nil {
		return err
	}
	if err := r.watchLock(ctx, o.Window); err != nil {
		return err
	}
	if err := r.readNotes(ctx, o.StateDir); err != nil {
		return err
	}
	r.notePast(&answer.past, o.StateDir)
	if err := r.readAsMaster(ctx, o.StateDir, o.HandedOver); err != nil {
		return err
	}
	return r.readEvents(ctx)
}

// statusReader reads a Status.
type statusReader struct {
	*Status

	slave    *server.Server
	conn     *sql.Conn // to the slave
	ownClock time.Duration
}

// readVariables reads the variables of the slave.
func (r *statusReader) readVariables(ctx context.Context) error {
	f, err := facts.ReadVariables(ctx, r.slave, r.conn)
	if err == nil {
		r.variables = f
	}
	return err
}

// readSlaveSide reads what does not change from one moment to the next.
func (r *statusReader) readSlaveSide(ctx context.Context) (err error) {
	f := r.variables
	r.Slave = SlaveSide{
		Version: r.slave.Version.String(), ServerID: f.ServerID(), ServerUUID: f.UUID(), ReadOnly: f.On("read_only"),
	}
	if _, ok := f.Variables["super_read_only"]; ok {
		super := f.On("super_read_only")
		r.Slave.SuperReadOnly = &super
	}
	if r.ownClock, _, err = r.slave.Clock(ctx, r.conn); err != nil {
		return err
	}
	if r.Slave.Writers, err = r.readWriters(ctx); err != nil {
		return err
	}
	if err := r.variables.ReadSources(ctx, r.slave, r.conn); err != nil {
		return err
	}
	return r.variables.ReadTransient(ctx, r.slave, r.conn)
}

// readNotes reads what runs of gtunnel that were cut off have noted. One that
// works was there before the slave was looked at, or is there after it.
func (r *statusReader) readNotes(ctx context.Context, directory string) error {
	notes, err := journal.ReadNotes(directory, r.Slave.ServerID)
	if err != nil {
		return err
	}
	if r.state, err = journal.ReadState(directory, r.variables); err != nil {
		return err
	}
	busy, err := r.slave.Busy(ctx, r.conn)
	if r.busy = r.busy || busy; !r.busy {
		r.compared, r.repaired = notes.Comparison, notes.Repair
	}
	last, unread := journal.ReadNote[journal.ComparedNote](journal.ComparedFile(directory, r.Slave.ServerID))
	if unread == nil && last != nil && last.Slave == r.variables.Identity() {
		r.Compared = last // without it status has one line less
	}
	r.runner = journal.Runner(directory)
	r.copying = r.state.Stage == journal.StageSeeding && (r.busy || r.runner != 0)
	return err
}

// readEvents finds the enabled events of what is replicated, as far as the login
// sees events.
func (r *statusReader) readEvents(ctx context.Context) error {
	if r.Connection == nil {
		return nil
	}
	enabled, err := facts.EnabledEvents(ctx, r.slave, r.conn, nil)
	for _, e := range enabled {
		if r.Connection.ReplicatesOf(e.Database) {
			r.events = append(r.events, e.Database+"."+e.Name)
		}
	}
	return err
}

// readWriters lists the accounts that can write in spite of read_only; none where the
// slave is read-only for all.
func (r *statusReader) readWriters(ctx context.Context) ([]string, error) {
	if r.variables.ReadOnlyForAll() {
		return []string{}, nil
	}
	return facts.ListWriters(ctx, r.slave, r.conn)
}

// readConnection reads the slave's status and what else tells its age.
func (r *statusReader) readConnection(ctx context.Context) error {
	statuses, err := r.slave.SlaveStatuses(ctx, r.conn)
	if err != nil {
		return err
	}
	r.Connection, r.Others, r.others = nil, nil, nil
	for _, status := range statuses {
		if status.Channel == "" {
			r.Connection = status
		} else {
			r.Others, r.others = append(r.Others, status.Channel), append(r.others, status)
		}
	}
	c := r.Connection
	if c == nil {
		return nil
	}
	r.sameMaster = r.Master.Reachable && (c.MasterID == 0 || c.MasterID == r.Master.ServerID) &&
		(c.MasterUUID == "" || c.MasterUUID == r.Master.ServerUUID)
	r.measure()
	if r.slave.Version.AtLeast(server.MySQL, 8, 0, 0) {
		if err := r.readSilence(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measure sets the lag in bytes and seconds.
func (r *statusReader) measure() {
	c := r.Connection
	r.Lag = Lag{Seconds: c.SecondsBehind, Silence: r.Lag.Silence}
	if r.sameMaster {
		r.Lag.Bytes, r.Lag.Unread = r.Master.after(c.Executed), r.Master.after(c.Read)
	}
}

// readSilence asks MySQL when it last received anything.
func (r *statusReader) readSilence(ctx context.Context) error {
	rows, err := server.ReadRecords(ctx, r.conn,
		"SELECT s.count_received_heartbeats AS beats, c.heartbeat_interval AS period, TIMESTAMPDIFF(MICROSECOND,"+
			" GREATEST(s.last_heartbeat_timestamp, s.last_queued_transaction_end_queue_timestamp), NOW(6)) AS silence"+
			" FROM performance_schema.replication_connection_status s"+
			" JOIN performance_schema.replication_connection_configuration c USING (channel_name)"+
			" WHERE channel_name = ''")
	if server.IsDenied(err) || err == nil && len(rows) == 0 {
		return nil
	}
	if err != nil {
		return r.slave.Explain("read performance_schema.replication_connection_status", err)
	}
	if period, err := strconv.ParseFloat(rows[0]["period"], 64); err == nil {
		r.Connection.HeartbeatPeriod = time.Duration(period * float64(time.Second))
	}
	r.Connection.Heartbeats = rows[0].Number("beats")
	if microseconds, err := strconv.ParseFloat(rows[0]["silence"], 64); err == nil && r.Connection.Heartbeats > 0 {
		silence := microseconds / 1e6
		r.Lag.Silence = &silence
	}
	return nil
}

// String is the state in a sentence: of threads that run, with what is wrong all the
// same.
func (s *Status) String() string {
	state := fmt.Sprintf("%s: %s", s.State, s.Summary)
	switch s.State {
	case HealthOK, HealthLagging, HealthMaster:
		if len(s.Problems) > 0 {
			return fmt.Sprintf("not well: %s (%s)", s.Problems[0].Text, state)
		}
	default: // they say it
	}
	return state
}
