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
	conn, err := master.Session(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	f, err := facts.ReadVariables(ctx, master, conn, "server_id", "server_uuid", "log_bin")
	if err != nil || !f.HasBinaryLog() {
		return nil, err
	}
	n := &MasterNote{Slave: slave.Identity(), Seen: time.Now().UTC(), ID: f.ServerID(), UUID: f.UUID()}
	if n.At, err = master.Position(ctx, conn); err != nil {
		return nil, unlessDenied(err)
	}
	if master.Version.AtLeast(server.MariaDB, 10, 0, 2) {
		if n.At.GTID, _, err = master.GTIDsBefore(ctx, conn, n.At); err != nil {
			return nil, unlessDenied(err)
		}
	}
	n.Started, err = master.Started(ctx, conn)
	return n, err
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

// LostBy reports whether the master does not have the past that was noted, as far as its
// binary log tells. What it has purged since is not known.
func (n *MasterNote) LostBy(ctx context.Context, master *server.Server, now *MasterNote) (bool, error) {
	base := func(file string) string { return file[:strings.LastIndexByte(file, '.')+1] }
	if base(n.At.File) != base(now.At.File) { // somebody calls the files otherwise since
		return master.LacksGTIDs(ctx, n.At.GTID)
	}
	if now.At.Before(n.At) || n.RestartedBefore(now) && now.At.File == n.At.File {
		return true, nil // a restart begins a new file
	}
	logs, err := master.BinaryLogs(ctx, master.DB)
	if err != nil {
		return false, unlessDenied(err)
	}
	i := slices.IndexFunc(logs, func(l server.BinaryLog) bool { return l.File == n.At.File })
	if i < 0 {
		return master.LacksGTIDs(ctx, n.At.GTID)
	}
	if logs[i].Bytes < n.At.Offset {
		return true, nil
	}
	if master.Version.Family == server.MySQL {
		return master.LacksGTIDs(ctx, n.At.GTID)
	}
	before, known, err := master.GTIDsBefore(ctx, master.DB, n.At)
	if err != nil {
		return false, unlessDenied(err)
	}
	return !known || !sameGTIDs(before, n.At.GTID), nil
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
