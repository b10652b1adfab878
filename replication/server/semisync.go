package server

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Semi-synchronous replication: a commit on the master is answered only when a slave has
// it in its relay log. It is built into MariaDB from 10.3, and two plugins of MySQL's.
// What follows is from the manuals of both, tried on MariaDB 10.5, 10.11, 11.8 and MySQL 9.7.

// EndlessTimeout is the longest time-out that both families take: 49 days. It stands for
// one without an end.
const EndlessTimeout = (1<<32 - 1) * time.Millisecond

// SemiSync is how a server replicates semi-synchronously, of both sides.
type SemiSync struct {
	Known bool // the server has it; of MySQL's: the plugins are there

	Source  bool // it waits for its slaves, if it has any
	Replica bool // it tells its master what it has received, from the next start of its I/O thread on

	// Of the source.
	InForce   bool          // a commit waits now
	Slaves    uint64        // that acknowledge
	Fallbacks uint64        // how often it has gone on without, since the server's start
	Timeout   time.Duration // after which it does so
	WaitPoint string        // AFTER_SYNC, AFTER_COMMIT
	WaitsOn   bool          // it waits for the time-out although no slave is there

	Acknowledges bool // of the replica: the master knows that it does
}

// AfterSync is the wait point at which nobody sees what a slave does not have.
const AfterSync = "AFTER_SYNC"

// Off are the statements that end both sides, where they are on.
func (s SemiSync) Off(v Version) []Statement {
	var statements []Statement
	if s.Source {
		statements = append(statements, v.StopSemiSyncSource())
	}
	if s.Replica {
		statements = append(statements, v.StopSemiSyncReplica())
	}
	return statements
}

// Endless reports whether the source never goes on without a slave.
func (s SemiSync) Endless() bool { return s.Timeout >= EndlessTimeout && s.WaitsOn }

// WaitsNow reports whether a commit on the source waits for a slave at this moment: it has
// one, or waits for one without end.
func (s SemiSync) WaitsNow() bool { return s.InForce && (s.Slaves > 0 || s.Endless()) }

// semiSyncWords are what a version calls the sides: its variables and its status.
func (v Version) semiSyncWords() (source, replica string) {
	if v.AtLeast(MySQL, 8, 0, 26) {
		return "rpl_semi_sync_source", "rpl_semi_sync_replica"
	}
	return "rpl_semi_sync_master", "rpl_semi_sync_slave"
}

// HasSemiSync reports whether the version can replicate semi-synchronously as we want it.
func (v Version) HasSemiSync() bool {
	return v.AtLeast(MariaDB, 10, 3, 3) || v.AtLeast(MySQL, 5, 7, 3)
}

// SemiSync reads how the server replicates semi-synchronously. Every login may.
func (s *Server) SemiSync(ctx context.Context, on Execer) (SemiSync, error) {
	variables, err := s.values(ctx, on, "SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync\\_%'")
	if err != nil {
		return SemiSync{}, err
	}
	status, err := s.values(ctx, on, "SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_%'")
	if err != nil {
		return SemiSync{}, err
	}
	return s.Version.readSemiSync(variables, status), nil
}

// values are the rows of a SHOW, by their names in lower case.
func (s *Server) values(ctx context.Context, on Execer, query string) (Record, error) {
	rows, err := s.Query(ctx, on, query)
	values := make(Record, len(rows))
	for _, r := range rows {
		values[strings.ToLower(r["variable_name"])] = r["value"]
	}
	return values, err
}

// readSemiSync reads variables and status, by their names in lower case.
func (v Version) readSemiSync(variables, status Record) SemiSync {
	source, replica := v.semiSyncWords()
	milliseconds, _ := strconv.ParseFloat(variables[source+"_timeout"], 64) // MariaDB's have 64 bits
	wait := variables[source+"_wait_no_slave"]
	if strings.HasSuffix(source, "_source") {
		wait = variables[source+"_wait_no_replica"]
	}
	_, known := variables[source+"_enabled"]
	_, knownReplica := variables[replica+"_enabled"]
	return SemiSync{
		Known:   known && knownReplica,
		Source:  variables[source+"_enabled"] == "ON",
		Replica: variables[replica+"_enabled"] == "ON",
		// MySQL says ON of one that is switched off, too.
		InForce:      status[source+"_status"] == "ON" && variables[source+"_enabled"] == "ON",
		Slaves:       status.Number(source + "_clients"),
		Fallbacks:    status.Number(source + "_no_times"),
		Timeout:      time.Duration(min(milliseconds, float64(EndlessTimeout/time.Millisecond))) * time.Millisecond,
		WaitPoint:    variables[source+"_wait_point"],
		WaitsOn:      wait == "ON",
		Acknowledges: status[replica+"_status"] == "ON",
	}
}

// InstallSemiSync makes both sides known to a server of MySQL's that does not have them.
// It is not logged, and a server that is super_read_only refuses it (1290).
func (v Version) InstallSemiSync() []Statement {
	if v.Family == MariaDB {
		return nil
	}
	var statements []Statement
	source, replica := v.semiSyncWords()
	for _, plugin := range []string{source, replica} {
		library := "semisync_" + plugin[strings.LastIndexByte(plugin, '_')+1:] + ".so"
		statements = append(statements, SQL("INSTALL PLUGIN %s SONAME %s", plugin, QuoteString(library)))
	}
	return statements
}

// StartSemiSyncSource makes a master wait for a slave, for a time-out at most; 0: without end. A
// commit is seen by others only when the slave has it. It waits also while no slave is
// there: so only where one has come.
func (v Version) StartSemiSyncSource(timeout time.Duration) Statement {
	if timeout == 0 {
		timeout = EndlessTimeout
	}
	source, _ := v.semiSyncWords()
	wait := "_wait_no_slave"
	if strings.HasSuffix(source, "_source") {
		wait = "_wait_no_replica"
	}
	return SQL("SET GLOBAL %[1]s_timeout=%[2]d, GLOBAL %[1]s_wait_point='"+AfterSync+"', GLOBAL %[1]s%[3]s=ON,"+
		" GLOBAL %[1]s_enabled=ON", source, timeout.Milliseconds(), wait)
}

// StopSemiSyncSource makes a server not wait any more. Commits that wait are answered as done
// though no slave has them: end their sessions first, where that matters.
func (v Version) StopSemiSyncSource() Statement {
	source, _ := v.semiSyncWords()
	return SQL("SET GLOBAL %s_enabled=OFF", source)
}

// StartSemiSyncReplica makes a slave acknowledge what it has on its disk, from the next
// start of its I/O thread on.
func (v Version) StartSemiSyncReplica() Statement {
	_, replica := v.semiSyncWords()
	return SQL("SET GLOBAL sync_relay_log=1, GLOBAL %s_enabled=ON", replica)
}

// StopSemiSyncReplica ends that, from the next start of the I/O thread on.
func (v Version) StopSemiSyncReplica() Statement {
	_, replica := v.semiSyncWords()
	return SQL("SET GLOBAL %s_enabled=OFF", replica)
}
