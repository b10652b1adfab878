package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Notes are what runs have noted of their work on a slave, as long as it lasts: what is
// there when nothing works was cut off. Each is nil if nothing is noted.
type Notes struct {
	Comparison *ComparisonNote
	Repair     *RepairNote
	Packets    *PacketNote
	Load       *LoadNote
}

// ReadNotes reads what is noted of a slave in the directory of its state; empty:
// nothing is.
func ReadNotes(directory string, serverID uint32) (n Notes, err error) {
	comparison, repair := NoteFiles(directory, serverID)
	if n.Comparison, err = ReadNote[ComparisonNote](comparison); err != nil {
		return n, err
	}
	if n.Repair, err = ReadNote[RepairNote](repair); err != nil {
		return n, err
	}
	if n.Packets, err = ReadNote[PacketNote](PacketFile(directory, serverID)); err != nil {
		return n, err
	}
	n.Load, err = ReadNote[LoadNote](LoadFile(directory, serverID))
	return n, err
}

// ComparisonNote tells of a comparison that has stopped the slave.
type ComparisonNote struct {
	Began time.Time       `json:"began"`
	At    server.Position `json:"at,omitzero"` // where the slave is told to stop; zero: it has not been told yet
}

// RepairNote tells of a repair.
type RepairNote struct {
	Began         time.Time `json:"began"`
	Tables        []string  `json:"tables"`
	SuperReadOnly bool      `json:"super_read_only"` // it was read-only for all, and is to be so again
	Rows          bool      `json:"rows,omitempty"`  // of rows by their keys: each table is as it was, or repaired
}

// NoteFile is a note's file; empty: nothing is noted.
type NoteFile string

// NoteFiles are those of a slave in the directory of its state. A host may have
// several.
func NoteFiles(directory string, serverID uint32) (compare, repair NoteFile) {
	if directory == "" {
		return "", ""
	}
	name := func(work string) NoteFile {
		return NoteFile(filepath.Join(directory, fmt.Sprintf("%s-%d.json", work, serverID)))
	}
	return name("compare"), name("repair")
}

// CheckpointFile is the file of how far a slave's comparison has come, of which only a
// comparison knows the content; empty: it is not kept.
func CheckpointFile(directory string, serverID uint32) NoteFile {
	if directory == "" {
		return ""
	}
	return NoteFile(filepath.Join(directory, fmt.Sprintf("compare-checkpoint-%d.json", serverID)))
}

// ComparedNote tells what the last comparison of all that a slave replicates has found.
type ComparedNote struct {
	Slave       string          `json:"slave"` // see facts.Facts.Identity
	Ended       time.Time       `json:"ended"`
	At          server.Position `json:"at"` // of the master's binary log: its first piece
	Tables      int             `json:"tables"`
	Differing   int             `json:"differing"`           // tables, and definitions of other things
	NotCompared int             `json:"not_compared"`        // tables, and what was left out
	Databases   []string        `json:"databases,omitempty"` // to which it was restricted
}

// String is its result in words.
func (n *ComparedNote) String() string {
	text := "equal"
	if n.Differing > 0 {
		text = finding.Count(n.Differing, "thing") + " NOT equal"
	}
	if n.NotCompared > 0 {
		text += ", " + finding.Count(n.NotCompared, "thing") + " not compared"
	}
	if len(n.Databases) > 0 {
		text += fmt.Sprintf(", of %s", finding.Items(n.Databases))
	}
	return text + fmt.Sprintf(" (%s at %s)", finding.Count(n.Tables, "table"), n.At)
}

// ComparedFile is the file of the ComparedNote of a slave; empty: nothing is noted. It is no
// note of work that was cut off.
func ComparedFile(directory string, slaveID uint32) NoteFile {
	if directory == "" {
		return ""
	}
	return NoteFile(filepath.Join(directory, fmt.Sprintf("compared-%d.json", slaveID)))
}

// NotesOf are those of a server as a slave.
func NotesOf(ctx context.Context, s *server.Server, directory string) (compare, repair NoteFile, err error) {
	f := &facts.Facts{}
	f.Variables, err = s.Variables(ctx, s.DB, "server_id")
	compare, repair = NoteFiles(directory, f.ServerID())
	return compare, repair, err
}

// ReadNote reads a note; nil if there is none, or this user may not see it. One that
// cannot be read is a *finding.Problem.
func ReadNote[T any](file NoteFile) (*T, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // nothing is noted
	}
	note := new(T)
	found, err := read(string(file), note)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, nil //nolint:nilnil // nothing is known
	case finding.HasCode(err, "state"):
		return nil, err
	case err != nil:
		return nil, &finding.Problem{
			Code: "state", Text: "the note " + string(file) + " of work that was cut off cannot be read", Err: err,
			Cure: "move it away: gtunnel replication compare tells what differs",
		}
	case !found:
		return nil, nil //nolint:nilnil // nothing is noted
	}
	return note, nil
}

// Write notes work, so that it survives a crash.
func (f NoteFile) Write(note any) error {
	if f == "" {
		return nil
	}
	return write(string(f), note)
}

// Remove ends a note, if there is one.
func (f NoteFile) Remove() error {
	err := os.Remove(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Holds reports whether the slave still stands, or will, where the comparison has
// stopped it. One that has gone on since has been started by somebody.
func (n *ComparisonNote) Holds(s *server.SlaveStatus) bool {
	return n != nil && s != nil && s.SQLErrno == 0 && (s.SQLRunning == "No" || s.Until != "") &&
		(n.At.IsZero() || !n.At.Before(s.Executed))
}

// CutOff is the problem of a comparison that was cut off and holds the slave.
func (n *ComparisonNote) CutOff(v server.Version, s *server.SlaveStatus) *finding.Problem {
	left := "has left the SQL thread stopped"
	if s.SQLRunning != "No" {
		left = "has told the SQL thread to stop at " + s.Until
	}
	return finding.New(finding.Slave, "compare-cut-off",
		"gtunnel replication compare, which starts it again; or "+RestartSQL(v),
		"the comparison of %s was cut off, and %s", noteTime(n.Began), left)
}

// noteTime is the time of a note, for a sentence.
func noteTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// RestartSQL is how the SQL thread is started for good. Stopped first, it
// forgets where it was told to stop.
func RestartSQL(v server.Version) string {
	return v.StopSlave(server.SQLThread).String() + "; " + v.StartSlave(server.SQLThread).String()
}

// Holds reports whether the server shows anything of the repair. If it does not, the
// tables may be half a copy all the same: only a comparison tells.
func (n *RepairNote) Holds(f *facts.Facts, s *server.SlaveStatus) bool {
	return n != nil && len(n.traces(f, s)) > 0
}

// traces says in words what a server shows of a repair that was cut off.
func (n *RepairNote) traces(f *facts.Facts, s *server.SlaveStatus) []string {
	var traces []string
	if s != nil && slices.ContainsFunc(n.Tables, func(t string) bool { return slices.Contains(s.IgnoreTable, t) }) {
		traces = append(traces, "the slave leaves their changes out")
	}
	if s != nil && s.SQLErrno == 0 && (s.SQLRunning == "No" || s.Until != "") {
		traces = append(traces, "the replication stands")
	}
	if n.SuperReadOnly && !f.ReadOnlyForAll() {
		name := "super_read_only"
		if f.Version.Family == server.MariaDB {
			name = "read_only=NO_LOCK_NO_ADMIN"
		}
		traces = append(traces, name+" is still off")
	}
	return traces
}

// CutOff is the problem of a repair that was cut off.
func (n *RepairNote) CutOff(f *facts.Facts, s *server.SlaveStatus) *finding.Problem {
	text := fmt.Sprintf("the repair of %s was cut off: what the slave has of %s may be half a copy", noteTime(n.Began),
		finding.Items(n.Tables))
	cure := "the repair again: " + RepairCommand(n.Tables)
	if n.Rows {
		text = fmt.Sprintf("the repair of %s was cut off, of rows of %s", noteTime(n.Began), finding.Items(n.Tables))
		cure = "gtunnel replication compare, which ends it"
	}
	return finding.New(finding.Slave, "repair-cut-off", cure, "%s",
		strings.Join(append([]string{text}, n.traces(f, s)...), "; "))
}

// RepairCommand is the command line that repairs tables.
func RepairCommand(tables []string) string {
	return "gtunnel replication compare --repair-table " + strings.Join(tables, " --repair-table ")
}
