package watch

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// masterAnswer is what the master says.
type masterAnswer struct {
	MasterSide

	clock    time.Duration // against this host's
	hasClock bool
	past     masterPast
	mute     bool             // the slave does not answer: nothing is held against it
	same     *finding.Problem // see sameServer
}

// askMaster asks the master, if there is one, and answers once.
func (r *statusReader) askMaster(
	ctx context.Context, master *server.Server, unreachable error, a masterAnswer, answer chan<- masterAnswer,
) {
	err := unreachable
	if master != nil {
		err = a.read(ctx, r.slave, r.variables, master)
	}
	a.Reachable = master != nil && err == nil
	a.Tunnel = server.WayOf(err)
	if master == nil && err == nil {
		a.Tunnel = server.WayUnknown
	}
	if err != nil {
		a.Reason, a.logsNothing = err.Error(), finding.HasCode(err, "no-binary-log")
		if hinter, ok := errors.AsType[interface {
			error
			Hint() string
		}](err); ok {
			a.cure = hinter.Hint()
		}
	}
	answer <- a
}

// read asks the master all that is asked of it, in one round trip where that can be.
func (a *masterAnswer) read(
	ctx context.Context, slave *server.Server, slaveFacts *facts.Facts, master *server.Server,
) error {
	ctx, cancel := context.WithTimeout(ctx, server.ConnectTimeout)
	defer cancel()
	return master.Together(ctx, master.DB, func(ctx context.Context) error {
		return a.readSide(ctx, master)
	}, func(ctx context.Context) error {
		if !a.mute {
			a.same = sameServer(ctx, slave, master)
		}
		return nil
	}, func(ctx context.Context) error {
		return a.past.read(ctx, slaveFacts, master)
	})
}

// readSide reads what the master says of itself.
func (a *masterAnswer) readSide(ctx context.Context, master *server.Server) error {
	a.Version = master.Version.String()
	var f *facts.Facts
	var rows []server.Record
	var logErr error // of a binary log that may be off
	err := master.Together(ctx, master.DB, func(ctx context.Context) (err error) {
		f, err = facts.ReadVariables(ctx, master, master.DB, "server_id", "server_uuid", "log_bin", "gtid_mode",
			"gtid_executed", "gtid_binlog_state")
		return err
	}, func(ctx context.Context) (err error) {
		a.clock, a.hasClock, err = master.Clock(ctx, master.DB)
		return err
	}, func(ctx context.Context) error {
		// The files come first: the last may grow until the position is read.
		a.logs, logErr = master.BinaryLogs(ctx, master.DB)
		return nil
	}, func(ctx context.Context) (err error) {
		rows, err = master.Query(ctx, master.DB, master.Version.ShowMasterStatus())
		return err
	})
	if f != nil {
		a.ServerID, a.ServerUUID = f.ServerID(), f.UUID()
	}
	switch {
	case f != nil && len(f.Variables) > 0 && !f.HasBinaryLog():
		return finding.New(finding.Master, "no-binary-log", "gtunnel replication setup-master there",
			"its binary log is off")
	case err != nil || logErr != nil:
		return cmp.Or(err, logErr)
	}
	a.facts = f
	if len(rows) > 0 {
		a.Position = rows[0].Position()
		f.BinlogDo, f.BinlogNot = rows[0].List("binlog_do_db"), rows[0].List("binlog_ignore_db")
	}
	return nil
}

// sameServer is the problem of logins that reach one server; nil if they do not, or
// that cannot be asked.
func sameServer(ctx context.Context, slave, master *server.Server) *finding.Problem {
	if p, ok := errors.AsType[*finding.Problem](slave.MustDiffer(ctx, master)); ok && p.Code == "same-server" {
		return p
	}
	return nil
}

// after counts the bytes of the binary log after a position; nil if its file is
// no longer there.
func (m *MasterSide) after(p server.Position) *uint64 {
	var bytes uint64
	found := false
	for _, log := range m.logs {
		switch {
		case log.File == m.Position.File:
			log.Bytes = m.Position.Offset
		case m.Position.BeforeFile(log.File):
			continue // it was begun after the position was read
		}
		if log.File == p.File {
			found = true
			bytes += log.Bytes - min(log.Bytes, p.Offset)
		} else if found {
			bytes += log.Bytes
		}
	}
	if !found {
		if !p.IsZero() && m.Position.BeforeFile(p.File) {
			return new(uint64) // the slave has what came after the master was asked
		}
		return nil
	}
	return &bytes
}
