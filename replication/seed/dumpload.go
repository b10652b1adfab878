package seed

import (
	"context"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// loadFile seeds by a dump that was made before.
func (s *Seed) loadFile(ctx context.Context) (server.Position, error) {
	c := &copying{Seed: s, meter: newMeter(nil)}
	c.meter.exact = s.File.Tail.Bytes
	return c.fill(ctx, func(ctx context.Context) (server.Position, error) {
		position, err := c.started(ctx, s.File.Head.Start)
		if err != nil {
			return server.Position{}, s.File.outdated(err)
		}
		c.meter.enter(PhaseCopy)
		return position, c.loadDump(ctx)
	})
}

// from says which dump it is.
func (d *DumpFile) from() string {
	return fmt.Sprintf("%s, of %s, ", d.Name, d.Head.Begun.Local().Format(time.DateTime))
}

// outdated is the error of a dump whose coordinates the master does not have any more.
func (d *DumpFile) outdated(err error) error {
	const anew = "make it anew on the master: gtunnel replication dump"
	switch {
	case finding.HasCode(err, "log-purged"):
		return finding.New(finding.Master, "log-purged", anew+"; and keep binary logs for as long as it is on its way",
			"%sis older than the master's binary log: %s, where replication would have to begin, was purged",
			d.from(), d.Head.Start.File)
	case finding.HasCode(err, "bad-coordinates"):
		return finding.New(finding.Master, "bad-coordinates", anew,
			"%sis of %s, which the master's binary log does not have: it was begun anew, or the server restored",
			d.from(), d.Head.Start)
	}
	return err
}

// file finds what keeps a dump from being loaded that was made before, and says what was
// found when it was made.
func (c *seedCheck) file(ctx context.Context) error {
	s, head := c.seed, &c.seed.File.Head
	for _, w := range head.Warnings {
		c.Warn(w.On, w.Code, w.Cure, "%s", w.Text)
	}
	at, err := s.Master.VerifyCoordinates(ctx, s.Master.DB, head.Start)
	if err == nil && s.Master.Version.Family == server.MySQL {
		at.GTID, err = s.commonGTIDs(ctx, head.Start.GTID)
	}
	if err == nil && at.GTID != head.Start.GTID {
		err = finding.New(finding.Master, "bad-coordinates", "", "it has others there")
	}
	if err != nil {
		return c.take(s.File.outdated(err))
	}
	if s.Master.Version.Family == server.MySQL && s.MasterFacts.GTIDs() && head.Start.GTID == "" {
		c.Problem(finding.Master, "dump-without-gtids", "make it anew on the master: gtunnel replication dump",
			"%shas no GTIDs, which the master has turned on since", s.File.from())
	}
	if s.Master.Version.Family != server.MariaDB || s.Slave.Version.Family != server.MySQL {
		return nil
	}
	generated, err := s.generatedColumns(ctx)
	if err == nil && len(generated) > 0 {
		c.Problem(finding.Slave, "generated-columns", "copy through the tunnel: leave --seed out",
			"MariaDB's dumps hold the values of generated columns, which MySQL refuses: %s", finding.Items(generated))
	}
	return err
}

// ofFile is Check for a dump that was made before. What was looked at then is not
// looked at again.
func (c *seedCheck) ofFile(ctx context.Context) error {
	c.databases()
	c.retention()
	for _, check := range []func(context.Context) error{
		c.file, c.behind, c.loaders, c.sequences, c.accounts, c.views, c.timeZones, c.tablespaces,
	} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// behind finds a slave that has come further than the dump, by GTIDs that it would not
// take for a second time: MySQL passes over them, and MariaDB stops in gtid_strict_mode.
// A copy through the tunnel is always newer than the slave.
func (c *seedCheck) behind(ctx context.Context) (err error) {
	s, f := c.seed, c.seed.SlaveFacts
	dumped := s.File.Head.Start.GTID
	var known string
	switch {
	case f.Version.Family != s.MasterFacts.Version.Family, dumped == "":
		return nil
	case f.Version.Family == server.MariaDB:
		if !f.On("gtid_strict_mode") || !f.HasBinaryLog() || !f.On("log_slave_updates") {
			return nil
		}
		known, err = s.Slave.Value(ctx, s.Slave.DB, "SELECT @@GLOBAL.gtid_binlog_state")
		if err != nil || !server.Behind(dumped, known) {
			known = ""
		}
	case s.MasterFacts.GTIDs() && f.GTIDs():
		later := server.SubtractGTIDs(f.Variable("gtid_executed"), dumped)
		known = server.SubtractGTIDs(later, server.SubtractGTIDs(later, s.MasterFacts.Variable("gtid_executed")))
	default:
		return nil
	}
	stop := f.Version.StopSlave(server.BothThreads).Reveal()
	switch status := f.Master(); {
	case err != nil:
	case status != nil && status.Active():
		c.Problem(finding.Slave, "dump-behind", "on the slave: "+stop+"; and make the dump after that",
			"it replicates, and so comes to have transactions that %shas not, and passes over them then", s.File.from())
	case known != "":
		c.Problem(finding.Slave, "dump-behind", "make the dump anew; or on the slave, unless somebody needs its binary log: "+
			f.Version.ResetBinaryLog(),
			"it has had transactions that %shas not, and would pass over them: %s", s.File.from(), known)
	}
	return err
}

// commonGTIDs are those of MySQL's that the master has executed, too: the same set if it
// has all.
func (s *Seed) commonGTIDs(ctx context.Context, set string) (string, error) {
	if set == "" {
		return "", nil
	}
	has, err := s.Master.Value(ctx, s.Master.DB, "SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed)", set)
	if err != nil || has != "1" {
		return "", err
	}
	return set, nil
}
