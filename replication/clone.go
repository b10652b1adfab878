package replication

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// clone seeds by MySQL's clone plugin, which copies the whole master over the
// whole slave. The slave then restarts, or, where nothing is there to restart
// it, shuts itself down and is waited for.
func (s *Seed) clone(ctx context.Context) (Position, error) {
	found := &seedCheck{seed: s}
	if found.clone(); len(found.Problems) > 0 {
		return Position{}, found.Err()
	}
	for _, end := range []*Server{s.Master, s.Slave} {
		if err := installClone(ctx, end); err != nil {
			return Position{}, err
		}
	}
	restore, err := s.keepEventsOff(ctx)
	if err != nil {
		return Position{}, err
	}
	position, err := s.becomeClone(ctx)
	if err != nil {
		if ctx.Err() == nil { // otherwise it may still become a clone, whose events must not run
			_ = s.Slave.run(ctx, restore) // the first error says more
		}
		return Position{}, err
	}
	if position, err = s.becomeSlave(ctx, position); err != nil {
		return Position{}, err
	}
	return position, s.Slave.run(ctx, restore)
}

// becomeClone makes the slave a clone, and gives the coordinates of what it has
// got.
func (s *Seed) becomeClone(ctx context.Context) (Position, error) {
	if err := s.runClone(ctx); err != nil {
		return Position{}, err
	}
	return s.waitForClone(ctx)
}

// becomeSlave makes a slave of a clone: our accounts, which are the master's
// alone, are dropped, and the events disabled.
func (s *Seed) becomeSlave(ctx context.Context, position Position) (Position, error) {
	position, err := s.Master.verifyCoordinates(ctx, s.Master.db, position)
	if err != nil {
		return Position{}, err
	}
	if s.Started != nil {
		if err := s.Started(ctx, position); err != nil {
			return Position{}, err
		}
	}
	// With our option file the restart has made it read-only.
	if err := s.Slave.run(ctx, append([]Statement{statement("SET GLOBAL read_only=0")}, dropOurAccounts()...)); err != nil {
		return Position{}, err
	}
	whole := *s
	if whole.Databases, err = s.clonedDatabases(ctx); err != nil {
		return Position{}, err
	}
	return position, whole.disableEvents(ctx)
}

// dropOurAccounts removes what setup-master has made from a clone of the master.
func dropOurAccounts() []Statement {
	statements := []Statement{statement("SET SESSION sql_log_bin=0")}
	for _, user := range accountUsers {
		statements = append(statements, statement("DROP USER IF EXISTS %s", quoteAccount(user, loopback)))
	}
	return append(statements, statement("DROP PROCEDURE IF EXISTS %s", quoteTable("mysql", dropSeedProcedure)))
}

// installClone makes a server have the plugin.
func installClone(ctx context.Context, s *Server) error {
	const installed = "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'clone' AND plugin_status = 'ACTIVE'"
	if n, err := s.value(ctx, s.db, installed); err != nil || n == "1" {
		return err
	}
	return s.exec(ctx, s.db, installPlugin)
}

var installPlugin = statement("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")

// keepEventsOff makes the slave's restart leave the event scheduler off, for
// its events are the master's then. It gives what ends that.
func (s *Seed) keepEventsOff(ctx context.Context) (restore []Statement, err error) {
	before := s.PersistedEvents
	if before == nil {
		if before, err = persistedEvents(ctx, s.Slave); err != nil {
			return nil, err
		}
	}
	return []Statement{persistEvents(*before)}, s.Slave.run(ctx, []Statement{statement("SET PERSIST event_scheduler=OFF")})
}

// persistedEvents gives what event_scheduler is persisted as; empty if it is not.
func persistedEvents(ctx context.Context, s *Server) (*string, error) {
	value, err := s.value(ctx, s.db, "SELECT variable_value FROM performance_schema.persisted_variables WHERE variable_name = 'event_scheduler'")
	return &value, err
}

// persistEvents makes event_scheduler persisted with a value, or not at all if
// it is empty, and leaves that of the running server.
func persistEvents(value string) Statement {
	if value == "" {
		return statement("RESET PERSIST IF EXISTS event_scheduler")
	}
	return statement("SET PERSIST_ONLY event_scheduler=%s", quoteString(value))
}

// runClone runs CLONE INSTANCE to its end, which is the end of the session.
func (s *Seed) runClone(ctx context.Context) error {
	host, port := splitAddress(s.Master.Login.Address)
	told := s.tellClone(ctx)
	defer told()
	// The login before warmed the master's cache of caching_sha2_password:
	// without TLS, the plugin cannot get through a cold one.
	if err := s.Master.db.PingContext(ctx); err != nil {
		return s.Master.explain("ping", err)
	}
	err := s.Slave.run(ctx, []Statement{
		statement("SET GLOBAL clone_valid_donor_list=%s", quoteString(host+":"+port)),
		statement("CLONE INSTANCE FROM %s:%s IDENTIFIED BY %s REQUIRE NO SSL", quoteAccount(s.Master.Login.User, host), port, s.Master.Login.Password),
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if number := serverError(err); number != 0 && number != errNotManaged {
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
		m.enter(SeedCopies)
		for pause(ctx, progressEvery) == nil {
			rows, err := readRecords(ctx, s.Slave.db, "SELECT SUM(estimate) AS estimate, SUM(data) AS data FROM performance_schema.clone_progress")
			if err != nil || len(rows) == 0 { // it restarts
				continue
			}
			bytes, _ := strconv.ParseUint(rows[0]["data"], 10, 64)        // empty before it begins
			estimate, _ := strconv.ParseUint(rows[0]["estimate"], 10, 64) // likewise
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

// startHint is what is said if a slave does not come back after its clone.
const startHint = "the slave has shut down after the clone; start it: systemctl start mysql (or mysqld)"

// waitForClone waits until the slave is back, and gives the coordinates of what
// it has got.
func (s *Seed) waitForClone(ctx context.Context) (Position, error) {
	begun, told := time.Now(), time.Time{}
	for {
		rows, err := readRecords(ctx, s.Slave.db, "SELECT state, error_no, error_message, binlog_file AS file, binlog_position AS position, gtid_executed AS executed_gtid_set FROM performance_schema.clone_status")
		switch {
		case ctx.Err() != nil:
			return Position{}, context.Cause(ctx)
		case err == nil && len(rows) > 0 && rows[0]["state"] == "Completed":
			return newPosition(rows[0]), nil
		case err == nil && len(rows) > 0 && rows[0]["state"] == "Failed":
			return Position{}, problem(Slave, "clone-failed", "", "the clone has failed: %s (%s)", rows[0]["error_message"], errorNumberText(rows[0]["error_no"]))
		case serverError(err) == 1045 || serverError(err) == 1698 || isDenied(err):
			return Position{}, problem(Slave, "clone-login", "log in with an account of the master's", "the slave is a clone, with the accounts and passwords of the master: %s cannot log in any more", s.Slave.Login)
		case s.Waiting != nil && time.Since(begun) > 15*time.Second && time.Since(told) > time.Minute:
			told = time.Now()
			s.Waiting(startHint)
		}
		if err := pause(ctx, progressEvery); err != nil {
			return Position{}, err
		}
	}
}

func errorNumberText(number string) string {
	n, _ := strconv.Atoi(number) // a number on every server
	return errorNumber(n)
}

// clonedDatabases are all that the slave has now.
func (s *Seed) clonedDatabases(ctx context.Context) ([]string, error) {
	rows, err := s.Slave.query(ctx, s.Slave.db, "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN ("+quoteList(systemDatabases)+")")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r["name"]
	}
	return names, nil
}

// CloneErases says what a seed by SeedClone takes from a slave, to be agreed to.
func CloneErases(slave *Facts) []string {
	var erased []string
	for _, d := range slave.Databases {
		erased = append(erased, "database "+d.Name+", "+FormatBytes(d.Bytes))
	}
	return append(erased, "all accounts with their passwords: those of the master take their place",
		"its binary log and GTIDs", "what it knows of its own masters")
}

// clone finds what keeps the plugin from copying.
func (c *seedCheck) clone() {
	master, slave := c.seed.MasterFacts, c.seed.SlaveFacts
	const instead = "use the method dump"
	for _, f := range []*Facts{master, slave} {
		if !f.Version.atLeast(MySQL, 8, 0, 17) {
			c.problem(f.Role, "no-clone", instead, "%s has no clone plugin", f.Version)
		}
	}
	if len(c.Problems) > 0 {
		return
	}
	for _, f := range []*Facts{master, slave} {
		if !f.Plugins["clone"] && !f.hasPrivilege("INSERT") { // into mysql.plugin
			c.problem(f.Role, "no-clone-plugin", "as an administrator of the "+string(f.Role)+": "+installPlugin.String(), "the clone plugin is not installed, and this login may not install it")
		}
	}
	switch {
	case master.Version.Series() != slave.Version.Series(),
		master.Version != slave.Version && (!master.Version.atLeast(MySQL, 8, 0, 37) || !slave.Version.atLeast(MySQL, 8, 0, 37)):
		c.problem("", "no-clone", instead, "the clone plugin copies between servers of the same series, before 8.0.37 of the same release, only: these are %s and %s", master.Version, slave.Version)
	}
	if len(c.seed.Tables) > 0 {
		c.problem("", "seed-method", instead, "a clone is of the whole server")
	}
	var lost []string
	for _, d := range master.Databases {
		lost = append(lost, d.Locked...)
	}
	if len(lost) > 0 {
		c.problem(Master, "not-transactional", "make them InnoDB: ALTER TABLE ... ENGINE=InnoDB; or "+instead, "the clone plugin copies the rows of InnoDB tables only, and not those of %s", listed(lost))
	}
	if len(master.Masters) > 0 {
		c.problem(Master, "is-slave", instead, "it is itself a slave: its clone would begin to follow the same master")
	}
	if user, host, _ := splitAccount(slave.User); master.Accounts != nil && master.account(user, host) == nil {
		c.problem(Slave, "clone-login", "log in as an account that is on both, with the same password; or "+instead,
			"a clone has the accounts of the master, and %s is not among them: this login would end", quoteAccount(user, host))
	}
	c.warn(Slave, "clone-erases", "", "the slave loses: %s", strings.Join(CloneErases(slave), "; "))
}
