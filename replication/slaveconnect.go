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

// changeMaster points the slave to its master, from where the copy ends.
func (s *slavePlan) changeMaster(ctx context.Context, a *Applier) error {
	if err := a.forgetRepair(); err != nil {
		return err
	}
	start := a.State.Start
	if s.want.Method == journal.SeedNone {
		start = s.want.Start
		err := a.note(func(state *journal.State) { // the same command again is to go on
			state.Stage, state.Databases, state.Method, state.Start = journal.StageNone, s.want.Databases, journal.SeedNone, start
			state.Begin(nil, time.Time{})
		})
		if err != nil {
			return err
		}
	}
	c := s.connection(start, a.State.Method)
	if err := a.note(func(state *journal.State) { state.ByGTID = c.ByGTID }); err != nil {
		return err
	}
	conn, err := a.Slave.Session(ctx)
	if err != nil {
		return err
	}
	defer server.Discard(conn)
	if c.ByGTID && a.Slave.Version.Family == server.MySQL {
		missing, err := a.Slave.Value(ctx, conn, "SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)", start.GTID)
		if err != nil {
			return err
		}
		if c.Start.GTID = missing; missing == "" {
			return a.Slave.Exec(ctx, conn, a.Slave.Version.ChangeMaster(c))
		}
	}
	return a.Slave.Exec(ctx, conn, s.changeMasterSQL(c)...)
}

// startSlave starts both threads.
func startSlave(ctx context.Context, a *Applier) error {
	if err := a.Slave.Run(ctx, []server.Statement{a.Slave.Version.StartSlave(server.BothThreads)}); err != nil {
		return err
	}
	return a.note(func(s *journal.State) {
		s.Stage = journal.StageRunning
		s.Begin(nil, time.Time{})
	})
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
	if status.RetryCount > 0 && status.RetryCount != server.RetryCount {
		options = append(options, server.SQL("%s_RETRY_COUNT=%d", word, server.RetryCount))
	}
	if status.SSLAllowed == "Yes" {
		options = append(options, server.SQL("%s_SSL=0", word), server.SQL("%s_SSL_VERIFY_SERVER_CERT=0", word))
	}
	if status.GetsPublicKey != nil && !*status.GetsPublicKey {
		options = append(options, server.SQL("GET_%s_PUBLIC_KEY=1", word))
	}
	if !status.ByGTID && s.want.State.ByGTID {
		if v.Family == server.MariaDB {
			options = append(options, server.SQL("MASTER_USE_GTID=slave_pos"))
		} else {
			options = append(options, server.SQL("%s_AUTO_POSITION=1", word))
		}
	}
	return options
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
		Name: "connection", On: finding.Slave, What: "state the options of the replication again", Why: "somebody has changed them since it was set up",
		SQL: []server.Statement{v.StopSlave(server.BothThreads), server.SQL("%s%s", server.JoinStatements(verb, options), v.Channel()), v.StartSlave(server.BothThreads)},
	})
}

// connect adds the steps that point the slave to its master.
func (s *slavePlan) connect(seeded bool) {
	v := s.slave.Version
	if s.established && !seeded {
		if !s.filtered() { // the server was restarted, or the run before was cut off here
			filter := []server.Statement{v.StopSlave(server.BothThreads), v.SetFilter(s.want.Databases)}
			s.add(&Step{
				Name: "filter", On: finding.Slave, What: "replicate only " + finding.List(s.want.Databases),
				SQL: filter, run: uncompared(filter), Undo: v.SetFilter(nil).String(),
			})
		}
		if s.newPassword() {
			change := []server.Statement{v.StopSlave(server.BothThreads), v.ChangePassword(s.want.HandOver.Passwords[facts.ReplicationUser]), v.StartSlave(server.BothThreads)}
			step := &Step{
				Name: "password", On: finding.Slave, What: "give the slave the new password of the replication", Why: "the master refuses the one that it has, or will",
				SQL: change,
			}
			if !s.knowsMaster() {
				step.run = uncompared(change)
			}
			s.add(step)
		}
		s.restateOptions()
		if s.want.compared.Holds(s.status) && s.filtered() {
			s.add(&Step{
				Name: "start-slave", On: finding.Slave, What: "start the SQL thread, which a comparison that was cut off has stopped",
				SQL: []server.Statement{v.StopSlave(server.SQLThread), v.StartSlave(server.BothThreads)}, Undo: v.StopSlave(server.SQLThread).String(),
			})
		} else if !s.filtered() || !s.status.Running() {
			s.add(&Step{Name: "start-slave", On: finding.Slave, What: "start the replication", SQL: []server.Statement{v.StartSlave(server.BothThreads)}, run: startSlave, Undo: v.StopSlave(server.BothThreads).String()})
		}
		return
	}
	shown := s.connection(server.Position{File: "FILE", GTID: "GTIDS"}, s.want.Method)
	switch {
	case s.want.Method == journal.SeedNone:
		shown = s.connection(s.want.Start, journal.SeedNone)
	case !seeded:
		shown = s.connection(s.want.State.Start, s.want.State.Method)
	}
	why := "every option is stated, because a server keeps some of an earlier CHANGE; the tunnel encrypts, so there is no TLS in it"
	if seeded && s.want.Method != journal.SeedNone {
		why += "; the coordinates are those of the copy"
	}
	s.add(&Step{
		Name: "change-master", On: finding.Slave, What: fmt.Sprintf("make the master the one at %s:%d", server.Loopback, s.want.Port), Why: why,
		Undo: v.ResetSlaveAll().String(), SQL: s.changeMasterSQL(shown), run: s.changeMaster,
	})
	s.add(&Step{
		Name: "filter", On: finding.Slave, What: "replicate only " + finding.List(s.want.Databases), Why: "the pattern also takes statements that name a table of another database than the current one",
		SQL: []server.Statement{v.SetFilter(s.want.Databases)}, Undo: v.SetFilter(nil).String(),
	})
	s.add(&Step{Name: "start-slave", On: finding.Slave, What: "start the replication", SQL: []server.Statement{v.StartSlave(server.BothThreads)}, run: startSlave, Undo: v.StopSlave(server.BothThreads).String()})
}

// uncompared changes what the slave follows. That it is to be compared is noted first:
// once it is changed, nothing else tells.
func uncompared(change []server.Statement) func(context.Context, *Applier) error {
	return func(ctx context.Context, a *Applier) error {
		if a.State.Stage != journal.StageSeeded {
			if err := a.note(func(s *journal.State) { s.Stage = journal.StageRunning }); err != nil {
				return err
			}
		}
		return a.Slave.Run(ctx, change)
	}
}

// changeMasterSQL are the statements of the step change-master.
func (s *slavePlan) changeMasterSQL(c server.Connection) []server.Statement {
	v := s.slave.Version
	if !c.ByGTID {
		return []server.Statement{v.ChangeMaster(c)}
	}
	return []server.Statement{v.SetStart(c.Start.GTID), v.ChangeMaster(c)}
}

// connection is how the slave reaches its master from a position on, which a copy by
// a method has, or the administrator.
func (s *slavePlan) connection(start server.Position, method journal.SeedMethod) server.Connection {
	c := server.Connection{
		Host: server.Loopback, Port: s.want.Port, User: facts.ReplicationUser, Password: s.want.HandOver.Passwords[facts.ReplicationUser], Start: start,
	}
	c.ByGTID = s.master.Version.Family == s.slave.Version.Family && s.master.GTIDs() && s.slave.GTIDs() &&
		(start.GTID != "" || s.master.Version.Family == server.MariaDB && method != journal.SeedNone) // a binary log that was just begun has none yet
	return c
}
