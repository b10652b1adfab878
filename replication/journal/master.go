package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

// MasterNote tells how a master was when it was last seen. One that does not have that
// past any more was restored from an older copy, or its binary log was begun anew: a
// slave may have what it has not, and nothing else tells once it has gone on from there.
type MasterNote struct {
	Slave   string          `json:"slave"`   // whose master it is: see facts.Facts.Identity
	Seen    time.Time       `json:"seen"`    // by this host's clock
	Started time.Time       `json:"started"` // by the master's: when that was
	ID      uint32          `json:"server_id"`
	UUID    string          `json:"server_uuid,omitempty"` // MySQL only
	At      server.Position `json:"at"`                    // where its binary log stood; its GTIDs, too

	// Restarted is that the master was restarted since both ends were seen to be equal:
	// only a comparison tells whether it came back with the same data.
	Restarted bool `json:"restarted,omitempty"`
}

// MasterFile is the file of the MasterNote of a slave; empty: nothing is noted. It is no
// note of work that was cut off, and its name is not like those of such notes.
func MasterFile(directory string, slaveID uint32) NoteFile {
	if directory == "" {
		return ""
	}
	return NoteFile(filepath.Join(directory, fmt.Sprintf("master_of_%d.json", slaveID)))
}

// LookAtMaster sees how the master of a slave is, as far as its login may; nil if it may
// not.
func LookAtMaster(ctx context.Context, master *server.Server, slave *facts.Facts) (*MasterNote, error) {
	n := &MasterNote{Slave: slave.Identity(), Seen: time.Now().UTC()}
	var f *facts.Facts
	var lacking error
	err := master.Together(ctx, master.DB, func(ctx context.Context) (err error) {
		f, err = facts.ReadVariables(ctx, master, master.DB, "server_id", "server_uuid", "log_bin")
		return err
	}, func(ctx context.Context) error {
		n.At, lacking = master.Position(ctx, master.DB)
		if lacking == nil && master.Version.AtLeast(server.MariaDB, 10, 0, 2) {
			n.At.GTID, _, lacking = master.GTIDsBefore(ctx, master.DB, n.At)
		}
		return nil
	}, func(ctx context.Context) (err error) {
		n.Started, err = master.Started(ctx, master.DB)
		return err
	})
	if err != nil || !f.HasBinaryLog() {
		return nil, err
	}
	if lacking != nil {
		return nil, unlessDenied(lacking)
	}
	n.ID, n.UUID = f.ServerID(), f.UUID()
	return n, nil
}

// Compare sees how the master of a slave is, and whether it lacks the past that was noted of
// it, if that is known.
func (n *MasterNote) Compare(
	ctx context.Context, master *server.Server, slave *facts.Facts,
) (now *MasterNote, lost bool, err error) {
	var past past
	err = master.Together(ctx, master.DB, func(ctx context.Context) (err error) {
		now, err = LookAtMaster(ctx, master, slave)
		return err
	}, func(ctx context.Context) error { // which needs no error where the note is of another master
		past = n.readPast(ctx, master)
		return nil
	})
	if err != nil || !n.IsOf(now) {
		return now, false, err
	}
	lost, err = n.lostBy(ctx, master, now, past)
	return now, lost, err
}

// past is what the binary log of a master tells of one that was noted.
type past struct {
	logs   []server.BinaryLog
	before string // MariaDB's GTIDs before the place that was noted
	known  bool   // they are

	logsErr, beforeErr error
}

// readPast reads it.
func (n *MasterNote) readPast(ctx context.Context, master *server.Server) past {
	var p past
	if n == nil {
		return p
	}
	_ = master.Together(ctx, master.DB, func(ctx context.Context) error {
		p.logs, p.logsErr = master.BinaryLogs(ctx, master.DB)
		return nil
	}, func(ctx context.Context) error {
		if master.Version.Family == server.MariaDB {
			p.before, p.known, p.beforeErr = master.GTIDsBefore(ctx, master.DB, n.At)
		}
		return nil
	})
	return p
}

func unlessDenied(err error) error {
	if server.IsDenied(err) {
		return nil
	}
	return err
}

// IsOf reports whether a note is of the master that is seen now, and of the same slave.
func (n *MasterNote) IsOf(now *MasterNote) bool {
	return n != nil && now != nil && n.Slave == now.Slave && n.ID == now.ID && n.UUID == now.UUID
}

// startSlack is what is taken for the same start: it is told in whole seconds.
const startSlack = time.Second

// RestartedBefore reports whether the master was restarted since the note.
func (n *MasterNote) RestartedBefore(now *MasterNote) bool {
	return now.Started.Sub(n.Started).Abs() > startSlack
}

// lostBy reports whether the master does not have the past that was noted, as far as its
// binary log tells. What it has purged since is not known.
func (n *MasterNote) lostBy(ctx context.Context, master *server.Server, now *MasterNote, p past) (bool, error) {
	base := func(file string) string { return file[:strings.LastIndexByte(file, '.')+1] }
	if base(n.At.File) != base(now.At.File) { // somebody calls the files otherwise since
		return master.LacksGTIDs(ctx, n.At.GTID)
	}
	if now.At.Before(n.At) || n.RestartedBefore(now) && now.At.File == n.At.File {
		return true, nil // a restart begins a new file
	}
	if p.logsErr != nil {
		return false, unlessDenied(p.logsErr)
	}
	i := slices.IndexFunc(p.logs, func(l server.BinaryLog) bool { return l.File == n.At.File })
	if i < 0 {
		return master.LacksGTIDs(ctx, n.At.GTID)
	}
	if p.logs[i].Bytes < n.At.Offset {
		return true, nil
	}
	if master.Version.Family == server.MySQL {
		return master.LacksGTIDs(ctx, n.At.GTID)
	}
	if p.beforeErr != nil {
		return false, unlessDenied(p.beforeErr)
	}
	return !p.known || !sameGTIDs(p.before, n.At.GTID), nil
}

// sameGTIDs reports whether two lists of MariaDB's have the same GTIDs.
func sameGTIDs(a, b string) bool {
	sorted := func(list string) []string { return slices.Sorted(strings.SplitSeq(list, ",")) }
	return slices.Equal(sorted(a), sorted(b))
}

// Refresh notes how the master is now, of which nothing is known to be lost, unless the
// folder is not there or this user may not write it. That it was restarted stays known.
func (f NoteFile) Refresh(n, now *MasterNote) {
	if _, err := os.Stat(filepath.Dir(string(f))); f == "" || err != nil || now == nil {
		return
	}
	next := *now
	if n.IsOf(now) {
		next.Restarted = n.Restarted || n.RestartedBefore(now)
	}
	_ = f.Write(next) // the next one does it
}
