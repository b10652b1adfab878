package replication

import (
	"context"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// connect adds the steps that point the slave to its master.
func (s *slavePlan) connect(seeded bool) {
	if !s.connects(seeded) {
		s.keepConnection()
		return
	}
	v := s.slave.Version
	s.add(s.changeMaster(seeded))
	s.add(&Step{
		Name: "filter", On: finding.Slave, What: "replicate only " + finding.List(s.want.Databases),
		Why: "the pattern also takes statements that name a table of another database than the current one",
		SQL: []server.Statement{v.SetFilter(s.want.Databases)}, Undo: Undo{v.SetFilter(nil)},
	})
	s.startSlave()
}

// startSlave adds the step that starts both threads.
func (s *slavePlan) startSlave() {
	v := s.slave.Version
	s.add(&Step{
		Name: "start-slave", On: finding.Slave, What: "start the replication",
		SQL: []server.Statement{v.StartSlave(server.BothThreads)}, Undo: Undo{v.StopSlave(server.BothThreads)},
		Action: noteRunning{},
	})
}

// keepConnection adds the steps that make a connection right which is there.
func (s *slavePlan) keepConnection() {
	v := s.slave.Version
	if !s.filtered() { // the server was restarted, or the run before was cut off here
		s.add(&Step{
			Name: "filter", On: finding.Slave, What: "replicate only " + finding.List(s.want.Databases),
			SQL:  []server.Statement{v.StopSlave(server.SQLThread), v.SetFilter(s.want.Databases)},
			Undo: Undo{v.SetFilter(nil)}, Action: noteUncompared{},
		})
	}
	if s.newPassword() {
		password := s.want.HandOver.Passwords[facts.ReplicationUser]
		s.add(&Step{
			Name: "password", On: finding.Slave, What: "give the slave the password of the replication that the hand-over has",
			Why: "the master refuses the one that the slave has, or will when it connects again; " + whyApplied,
			SQL: []server.Statement{
				v.StopSlave(server.BothThreads), v.ChangeLogin(facts.ReplicationUser, password),
				v.StartSlave(server.BothThreads),
			},
			Action: givePassword{password: password, uncompared: !s.knowsMaster()},
		})
	}
	s.restateOptions()
	switch {
	case s.Notes.Comparison.Holds(s.status) && s.filtered():
		s.add(&Step{
			Name: "start-slave", On: finding.Slave,
			What: "start the SQL thread, which a comparison that was cut off has stopped",
			SQL:  []server.Statement{v.StopSlave(server.SQLThread), v.StartSlave(server.BothThreads)},
			Undo: Undo{v.StopSlave(server.SQLThread)}, Action: startAgain{},
		})
	case !s.filtered() || !s.status.Running():
		s.startSlave()
	}
}

// changeMaster is the step that points the slave to its master.
func (s *slavePlan) changeMaster(seeded bool) *Step {
	v := s.slave.Version
	why := "every option is stated, because a server keeps some of an earlier CHANGE; " +
		"the tunnel encrypts, so there is no TLS in it"
	c := connect{
		to: server.Connection{
			Host: server.Loopback, Port: s.want.Port, User: facts.ReplicationUser,
			Password: s.want.HandOver.Passwords[facts.ReplicationUser], Algorithms: s.algorithms(),
		},
		method: s.want.Method,
		gtids:  s.master.Version.Family == v.Family && s.master.GTIDs() && s.slave.GTIDs(),

		fromNothing: v.Family == server.MariaDB,
	}
	if on, reason := s.compresses(); on {
		why += "; what comes is compressed: " + reason
	}
	var missing string
	switch {
	case s.want.Method == journal.SeedNone:
		c.begins, c.to = s.want.Databases, c.at(s.want.Start)
		missing = s.want.Start.GTID
	case !seeded:
		c.method = s.State.Method
		c.to = c.at(s.State.Start)
		missing = s.Lacking
		if v.Family == server.MariaDB {
			missing = s.State.Start.GTID
		}
	default:
		c.ofCopy = true
		why += "; the coordinates are those of the copy"
	}
	shown := c.to
	if c.ofCopy {
		shown, missing = c.at(server.Position{File: "FILE", GTID: "GTIDS"}), "GTIDS"
	}
	return &Step{
		Name: "change-master", On: finding.Slave,
		What: fmt.Sprintf("make the master the one at %s:%d", server.Loopback, s.want.Port),
		Why:  why, SQL: changeMaster(v, shown, missing), Undo: Undo{v.ResetSlaveAll()}, Action: c,
	}
}

// restateOptions adds the step that ends a drift. The slave goes on from where it
// is, and by GTID only if it has its GTIDs from the beginning.
func (s *slavePlan) restateOptions() {
	options := s.drift()
	if len(options) == 0 {
		return
	}
	v := s.slave.Version
	verb := "CHANGE MASTER TO "
	if v.ReplicaWords() {
		verb = "CHANGE REPLICATION SOURCE TO "
	}
	s.add(&Step{
		Name: "connection", On: finding.Slave, What: "state the options of the replication again",
		Why: "they are others than they should be; " + whyApplied,
		SQL: []server.Statement{
			v.StopSlave(server.BothThreads), server.SQL("%s%s", server.JoinStatements(verb, options), v.Channel()),
			v.StartSlave(server.BothThreads),
		},
		Action: restate{byGTID: s.goesByGTID()},
	})
}

// whyApplied says what comes before CHANGE MASTER.
const whyApplied = "what the slave has received is applied before, because CHANGE MASTER throws it away"

// restate runs SQL with a CHANGE MASTER, once the slave has applied what it has received.
type restate struct {
	uncompared bool // that the slave is to be compared is noted first: see noteUncompared
	byGTID     bool // the slave follows by GTID from then on
}

func (a *Applier) restate(ctx context.Context, step *Step, r restate) error {
	if err := a.applyRelayLog(ctx); err != nil {
		return err
	}
	if r.uncompared {
		return a.noteUncompared(ctx, step)
	}
	if err := a.run(ctx, step); err != nil || !r.byGTID {
		return err
	}
	return a.note(func(state *journal.State) { state.ByGTID = true })
}

// drift are the options of a connection that somebody has changed since it was set
// up, as they should be. The user is left alone, because the password goes with it,
// and so is a delay, which somebody wants.
func (s *slavePlan) drift() []server.Statement {
	v, status := s.slave.Version, s.status
	word := v.Word("MASTER", "SOURCE")
	var options []server.Statement
	if status.ConnectRetry > 0 && status.ConnectRetry != server.ConnectRetry {
		options = append(options, server.SQL("%s_CONNECT_RETRY=%d", word, int(server.ConnectRetry.Seconds())))
	}
	// MariaDB's is an option of the server, which its newer versions show for each connection.
	if v.Family == server.MySQL && status.RetryCount > 0 && status.RetryCount != server.RetryCount {
		options = append(options, server.SQL("%s_RETRY_COUNT=%d", word, server.RetryCount))
	}
	if status.SSLAllowed == "Yes" {
		options = append(options, server.SQL("%s_SSL=0", word), server.SQL("%s_SSL_VERIFY_SERVER_CERT=0", word))
	}
	if status.GetsPublicKey != nil && !*status.GetsPublicKey {
		options = append(options, server.SQL("GET_%s_PUBLIC_KEY=1", word))
	}
	if algorithms := s.otherAlgorithms(); algorithms != "" {
		options = append(options, server.SQL("%s_COMPRESSION_ALGORITHMS=%s", word, server.QuoteString(algorithms)))
	}
	if !status.ByGTID && (s.State.ByGTID || s.goesByGTID()) {
		if v.Family == server.MariaDB {
			options = append(options, server.SQL("MASTER_USE_GTID=slave_pos"))
		} else {
			options = append(options, server.SQL("%s_AUTO_POSITION=1", word))
		}
	}
	return options
}

// connect points the slave to its master. Where it begins is in the step's SQL; but
// the coordinates of a copy are known only when that is done.
type connect struct {
	to     server.Connection  // of the SQL; with the start of a copy left out
	ofCopy bool               // begin with the coordinates of the copy, which the SQL has FILE and GTIDS for
	method journal.SeedMethod // of the copy, or of the data that is there
	gtids  bool               // both ends can replicate by GTID

	fromNothing bool // also from a position without GTIDs: MariaDB's binary log that was just begun has none yet

	begins []string // the databases of data that is there, with which the setup begins; nil: it has begun
}

func (a *Applier) connect(ctx context.Context, step *Step, c connect) error {
	if err := a.forgetRepair(); err != nil {
		return err
	}
	if c.begins != nil {
		err := a.note(func(state *journal.State) { // the same command again is to go on
			state.Stage, state.Databases, state.Method, state.Start = journal.StageNone, c.begins, c.method, c.to.Start
			state.Begin(nil, time.Time{})
		})
		if err != nil {
			return err
		}
	}
	if !c.ofCopy {
		return a.follow(ctx, c.to, step.SQL)
	}
	to := c.at(a.State.Start)
	missing := to.Start.GTID
	if to.ByGTID && a.Slave.Version.Family == server.MySQL {
		var err error
		if missing, err = lacking(ctx, a.Slave, missing); err != nil {
			return err
		}
	}
	return a.follow(ctx, to, changeMaster(a.Slave.Version, to, missing))
}

// at is the connection from a position on.
func (c connect) at(start server.Position) server.Connection {
	to := c.to
	to.Start = start
	to.ByGTID = c.gtids && (start.GTID != "" || c.fromNothing && c.method != journal.SeedNone)
	return to
}

// follow runs the statements of change-master, and notes first if the slave follows
// its master by GTID, and then with which password.
func (a *Applier) follow(ctx context.Context, to server.Connection, statements []server.Statement) error {
	if err := a.note(func(state *journal.State) { state.ByGTID = to.ByGTID }); err != nil {
		return err
	}
	if err := a.Slave.Run(ctx, statements); err != nil {
		return err
	}
	return a.note(func(state *journal.State) { state.GavePassword(to.Password) })
}

// changeMaster are the statements that point a slave to its master. missing are the
// GTIDs of the start that the slave does not have; MySQL takes no others.
func changeMaster(v server.Version, to server.Connection, missing string) []server.Statement {
	if !to.ByGTID || v.Family == server.MySQL && missing == "" {
		return []server.Statement{v.ChangeMaster(to)}
	}
	return []server.Statement{v.SetStart(missing), v.ChangeMaster(to)}
}

// noteRunning runs the step's SQL, and notes that the slave runs.
type noteRunning struct{}

func (a *Applier) noteRunning(ctx context.Context, step *Step) error {
	if err := a.startAgain(ctx, step); err != nil {
		return err
	}
	return a.note(func(s *journal.State) {
		s.Stage = journal.StageRunning
		s.Begin(nil, time.Time{})
	})
}

// noteUncompared runs SQL that changes what the slave follows. That it is to be compared
// is noted first: once it is changed, nothing else tells.
type noteUncompared struct{}

func (a *Applier) noteUncompared(ctx context.Context, step *Step) error {
	if a.State.Stage != journal.StageSeeded {
		if err := a.note(func(s *journal.State) { s.Stage = journal.StageRunning }); err != nil {
			return err
		}
	}
	return a.run(ctx, step)
}

// givePassword runs SQL that gives the slave another password, and notes which.
type givePassword struct {
	password   server.Password
	uncompared bool // whether the master is the same is not known
}

func (a *Applier) givePassword(ctx context.Context, step *Step, g givePassword) error {
	if err := a.restate(ctx, step, restate{uncompared: g.uncompared}); err != nil {
		return err
	}
	return a.note(func(s *journal.State) { s.GavePassword(g.password) })
}
