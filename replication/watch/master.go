package watch

import (
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
}

// askMaster asks the master, if there is one, and answers once.
func askMaster(ctx context.Context, master *server.Server, unreachable error, answer chan<- masterAnswer) {
	var a masterAnswer
	err := unreachable
	if master != nil {
		err = a.read(ctx, master)
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

func (a *masterAnswer) read(ctx context.Context, master *server.Server) error {
	ctx, cancel := context.WithTimeout(ctx, server.ConnectTimeout)
	defer cancel()
	conn, err := master.Session(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	a.Version = master.Version.String()
	f, err := facts.ReadVariables(ctx, master, conn, "server_id", "server_uuid", "log_bin", "gtid_mode",
		"gtid_executed", "gtid_binlog_state")
	if err != nil {
		return err
	}
	a.ServerID, a.ServerUUID = f.ServerID(), f.UUID()
	if !f.HasBinaryLog() {
		return finding.New(finding.Master, "no-binary-log", "gtunnel replication setup-master there",
			"its binary log is off")
	}
	if a.clock, a.hasClock, err = master.Clock(ctx, conn); err != nil {
		return err
	}
	// The files come first: the last may grow until the position is read.
	if a.logs, err = master.BinaryLogs(ctx, conn); err != nil {
		return err
	}
	rows, err := master.Query(ctx, conn, master.Version.ShowMasterStatus())
	if err != nil {
		return err
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
	ctx, cancel := context.WithTimeout(ctx, server.ConnectTimeout)
	defer cancel()
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
