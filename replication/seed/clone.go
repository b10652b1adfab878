package seed

import (
	"cmp"
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

// clone seeds by MySQL's clone plugin, which copies the whole master over the
// whole slave. The slave then restarts, or, where nothing is there to restart
// it, shuts itself down and is waited for.
func (s *Seed) clone(ctx context.Context) (server.Position, error) {
	found := &seedCheck{seed: s}
	if err := found.clone(ctx); err != nil || len(found.Problems) > 0 {
		return server.Position{}, cmp.Or(err, found.Err())
	}
	for _, end := range []*server.Server{s.Master, s.Slave} {
		if err := installClone(ctx, end); err != nil {
			return server.Position{}, err
		}
	}
	restore, err := s.keepEventsOff(ctx)
	if err != nil {
		return server.Position{}, err
	}
	position, err := s.becomeClone(ctx)
	if err != nil {
		if ctx.Err() == nil { // otherwise it may still become a clone, whose events must not run
			_ = s.Slave.Run(ctx, restore) // the first error says more
		}
		return server.Position{}, err
	}
	if position, err = s.becomeSlave(ctx, position); err != nil {
		return server.Position{}, err
	}
	return position, s.Slave.Run(ctx, restore)
}

// becomeClone makes the slave a clone, and gives the coordinates of what it has
// got.
func (s *Seed) becomeClone(ctx context.Context) (server.Position, error) {
	before, err := s.Slave.Value(ctx, s.Slave.DB, "SELECT begin_time FROM performance_schema.clone_status")
	if err != nil {
		return server.Position{}, err
	}
	if err := s.runClone(ctx); err != nil {
		return server.Position{}, err
	}
	return s.waitForClone(ctx, before)
}

// becomeSlave makes a slave of a clone: our accounts, which are the master's
// alone, are dropped, and the events disabled.
func (s *Seed) becomeSlave(ctx context.Context, position server.Position) (server.Position, error) {
	position, err := s.Master.VerifyCoordinates(ctx, s.Master.DB, position)
	if err != nil {
		return server.Position{}, err
	}
	if s.Started != nil {
		if err := s.Started(ctx, position); err != nil {
			return server.Position{}, err
		}
	}
	// With our option file the restart has made it read-only.
	statements := append([]server.Statement{server.SQL("SET GLOBAL read_only=0")}, dropOurAccounts()...)
	if err := s.Slave.Run(ctx, statements); err != nil {
		return server.Position{}, err
	}
	whole := *s
	if whole.Databases, err = facts.ListDatabases(ctx, s.Slave, s.Slave.DB); err != nil {
		return server.Position{}, err
	}
	return position, whole.disableEvents(ctx)
}

// dropOurAccounts removes what setup-master has made from a clone of the master.
func dropOurAccounts() []server.Statement {
	statements := []server.Statement{server.SQL("SET SESSION sql_log_bin=0")}
	for _, user := range facts.AccountUsers {
		statements = append(statements,
			server.SQL("DROP USER IF EXISTS %s", server.QuoteAccount(user, server.Loopback)))
	}
	return append(statements,
		server.SQL("DROP PROCEDURE IF EXISTS %s", server.QuoteTable("mysql", facts.DropSeedProcedure)))
}

// installClone makes a server have the plugin.
func installClone(ctx context.Context, s *server.Server) error {
	const installed = "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'clone'" +
		" AND plugin_status = 'ACTIVE'"
	if n, err := s.Value(ctx, s.DB, installed); err != nil || n == "1" {
		return err
	}
	return s.Exec(ctx, s.DB, installPlugin)
}

var installPlugin = server.SQL("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")

// keepEventsOff makes the slave's restart leave the event scheduler off, for
// its events are the master's then. It gives what ends that.
func (s *Seed) keepEventsOff(ctx context.Context) (restore []server.Statement, err error) {
	before := s.PersistedEvents
	if before == nil {
		if before, err = PersistedEvents(ctx, s.Slave); err != nil {
			return nil, err
		}
	}
	err = s.Slave.Run(ctx, []server.Statement{server.SQL("SET PERSIST event_scheduler=OFF")})
	return []server.Statement{PersistEvents(*before)}, err
}

// PersistedEvents gives what event_scheduler is persisted as; empty if it is not.
func PersistedEvents(ctx context.Context, s *server.Server) (*string, error) {
	persisted, err := s.Value(ctx, s.DB,
		"SELECT variable_value FROM performance_schema.persisted_variables WHERE variable_name = 'event_scheduler'")
	return &persisted, err
}

// PersistEvents makes event_scheduler persisted with a value, or not at all if
// it is empty, and leaves that of the running server.
func PersistEvents(value string) server.Statement {
	if value == "" {
		return server.SQL("RESET PERSIST IF EXISTS event_scheduler")
	}
	return server.SQL("SET PERSIST_ONLY event_scheduler=%s", server.QuoteString(value))
}

// runClone runs CLONE INSTANCE to its end, which is the end of the session.
func (s *Seed) runClone(ctx context.Context) error {
	host, port := server.SplitAddress(s.login(s.Master).Address)
	told := s.tellClone(ctx)
	defer told()
	// The login before warmed the master's cache of caching_sha2_password:
	// without TLS, the plugin cannot get through a cold one.
	if err := s.Master.DB.PingContext(ctx); err != nil {
		return s.Master.Explain("ping", err)
	}
	err := s.Slave.Run(ctx, []server.Statement{
		server.SQL("SET GLOBAL clone_enable_compression=%t", s.Compress),
		server.SQL("SET GLOBAL clone_valid_donor_list=%s", server.QuoteString(host+":"+port)),
		server.SQL("CLONE INSTANCE FROM %s:%s IDENTIFIED BY %s REQUIRE NO SSL",
			server.QuoteAccount(s.Master.Login.User, host), port, s.Master.Login.Password),
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if number := server.ErrorNumber(err); number != 0 && number != errNotManaged {
		return err
	}
	return nil // the connection ends with the restart
}

// errNotManaged is the server's error that nothing would start it again, so
// that it shuts down instead of restarting.
const errNotManaged = 3707

// tellClone tells the progress of a running clone. What it returns ends that.
func (s *Seed) tellClone(ctx context.Context) (end func()) {
	if s.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m := newMeter(nil)
		m.enter(PhaseCopy)
		for server.Pause(ctx, progressEvery) == nil {
			rows, err := server.ReadRecords(ctx, s.Slave.DB,
				"SELECT SUM(estimate) AS estimate, SUM(data) AS data FROM performance_schema.clone_progress")
			if err != nil || len(rows) == 0 { // it restarts
				continue
			}
			bytes, estimate := rows[0].Number("data"), rows[0].Number("estimate") // empty before it begins
			m.bytes.Store(bytes)
			p := m.progress(time.Now())
			if p.EstimatedBytes = max(estimate, bytes); p.Rate > 0 {
				p.Left = time.Duration(float64(p.EstimatedBytes-bytes) / p.Rate * float64(time.Second))
			}
			s.Progress(p)
		}
	}()
	return func() { cancel(); <-done }
}
