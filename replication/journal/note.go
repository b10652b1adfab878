package journal

import (
	"context"
	"encoding/json"
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
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Work that stops a slave for a while, or opens it to writes, is noted in a
// file as long as it lasts, so that what a kill of this process leaves is known
// for what it is. Where the server says otherwise, the server is right.

// ComparisonNote tells of a comparison that has stopped the slave.
type ComparisonNote struct {
	Began time.Time       `json:"began"`
	At    server.Position `json:"at,omitzero"` // where the slave is told to stop; zero: it has not been told yet
}

// RepairNote tells of a repair.
type RepairNote struct {
	Began         time.Time `json:"began"`
	Tables        []string  `json:"tables"`
	SuperReadOnly bool      `json:"super_read_only"` // it was ON, and is to be so again
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

// notes gives the noteFiles of a slave.
func NotesOf(ctx context.Context, s *server.Server, directory string) (compare, repair NoteFile, err error) {
	f := &facts.Facts{}
	f.Variables, err = s.Variables(ctx, s.DB, "server_id")
	compare, repair = NoteFiles(directory, f.ServerID())
	return compare, repair, err
}

// ReadNote reads a note; nil if there is none, or this user may not see it.
func ReadNote[T any](file NoteFile) (*T, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // nothing is noted
	}
	content, err := os.ReadFile(string(file))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil //nolint:nilnil // nothing is known
	}
	note := new(T)
	if err == nil {
		err = json.Unmarshal(content, note)
	}
	if err != nil {
		return nil, &finding.Problem{Code: "state", Text: "the note " + string(file) + " of work that was cut off cannot be read", Err: err, Cure: "move it away: gtunnel replication compare tells what differs"}
	}
	return note, nil
}

// Write notes work, so that it survives a crash.
func (f NoteFile) Write(note any) error {
	if f == "" {
		return nil
	}
	content, err := json.MarshalIndent(note, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(string(f)), 0o700)
	}
	if err != nil {
		return err
	}
	return optionfile.WriteFile(string(f), append(content, '\n'), 0o600)
}

// Remove ends a note, if there is one.
func (f NoteFile) Remove() error {
	err := os.Remove(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Holds tells whether the slave still stands, or will, where the comparison has
// stopped it. One that has gone on since has been started by somebody.
func (n *ComparisonNote) Holds(s *server.SlaveStatus) bool {
	return n != nil && s != nil && s.SQLErrno == 0 && (s.SQLRunning == "No" || s.Until != "") && (n.At.IsZero() || !n.At.Before(s.Executed))
}

// CutOff is the problem of a comparison that was cut off and holds the slave.
func (n *ComparisonNote) CutOff(v server.Version, s *server.SlaveStatus) *finding.Problem {
	left := "has left the SQL thread stopped"
	if s.SQLRunning != "No" {
		left = "has told the SQL thread to stop at " + s.Until
	}
	return finding.New(finding.Slave, "compare-cut-off", "gtunnel replication compare, which starts it again; or "+RestartSQL(v),
		"the comparison of %s was cut off, and %s", noteTime(n.Began), left)
}

// noteTime is the time of a note, for a sentence.
func noteTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// RestartSQL is how the SQL thread is started for good. Stopped first, it
// forgets where it was told to stop.
func RestartSQL(v server.Version) string {
	return v.StopSlave(server.SQLThread).String() + "; " + v.StartSlave(server.SQLThread).String()
}

// Traces says in words what a server shows of a repair that was cut off.
func (n *RepairNote) Traces(f *facts.Facts, s *server.SlaveStatus) []string {
	var traces []string
	if s != nil && slices.ContainsFunc(n.Tables, func(t string) bool { return slices.Contains(s.IgnoreTable, t) }) {
		traces = append(traces, "the slave leaves their changes out")
	}
	if s != nil && s.SQLErrno == 0 && (s.SQLRunning == "No" || s.Until != "") {
		traces = append(traces, "the replication stands")
	}
	if n.SuperReadOnly && !f.On("super_read_only") {
		traces = append(traces, "super_read_only is still off")
	}
	return traces
}

// CutOff is the problem of a repair that was cut off.
func (n *RepairNote) CutOff(f *facts.Facts, s *server.SlaveStatus) *finding.Problem {
	text := fmt.Sprintf("the repair of %s was cut off: what the slave has of %s may be half a copy", noteTime(n.Began), finding.List(n.Tables))
	return finding.New(finding.Slave, "repair-cut-off", "the repair again: "+RepairCommand(n.Tables), "%s", strings.Join(append([]string{text}, n.Traces(f, s)...), "; "))
}

// RepairCommand is the command line that repairs tables.
func RepairCommand(tables []string) string {
	return "gtunnel replication compare --repair-table " + strings.Join(tables, " --repair-table ")
}

// ReadNotes reads what runs have noted that work on a slave, or were cut off.
func ReadNotes(directory string, serverID uint32) (compared *ComparisonNote, repaired *RepairNote, err error) {
	compareFile, repairFile := NoteFiles(directory, serverID)
	if compared, err = ReadNote[ComparisonNote](compareFile); err == nil {
		repaired, err = ReadNote[RepairNote](repairFile)
	}
	return compared, repaired, err
}
