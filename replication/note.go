package replication

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
)

// Work that stops a slave for a while, or opens it to writes, is noted in a
// file as long as it lasts, so that what a kill of this process leaves is known
// for what it is. Where the server says otherwise, the server is right.

// compareNote tells of a comparison that has stopped the slave.
type compareNote struct {
	Began time.Time `json:"began"`
	At    Position  `json:"at,omitzero"` // where the slave is told to stop; zero: it has not been told yet
}

// repairNote tells of a repair.
type repairNote struct {
	Began         time.Time `json:"began"`
	Tables        []string  `json:"tables"`
	SuperReadOnly bool      `json:"super_read_only"` // it was ON, and is to be so again
}

// noteFile is a note's file; empty: nothing is noted.
type noteFile string

// noteFiles are those of a slave in the directory of its state. A host may have
// several.
func noteFiles(directory string, serverID uint32) (compare, repair noteFile) {
	if directory == "" {
		return "", ""
	}
	name := func(work string) noteFile {
		return noteFile(filepath.Join(directory, fmt.Sprintf("%s-%d.json", work, serverID)))
	}
	return name("compare"), name("repair")
}

// notes gives the noteFiles of a slave.
func notesOf(ctx context.Context, s *Server, directory string) (compare, repair noteFile, err error) {
	f := &Facts{}
	f.Variables, err = s.variables(ctx, s.db, "server_id")
	compare, repair = noteFiles(directory, f.ServerID())
	return compare, repair, err
}

// readNote reads a note; nil if there is none, or this user may not see it.
func readNote[T any](file noteFile) (*T, error) {
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
		return nil, &Problem{Code: "state", Text: "the note " + string(file) + " of work that was cut off cannot be read", Err: err, Cure: "move it away: gtunnel replication compare tells what differs"}
	}
	return note, nil
}

// write notes work, so that it survives a crash.
func (f noteFile) write(note any) error {
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
	return writeFile(string(f), append(content, '\n'), 0o600)
}

// remove ends a note, if there is one.
func (f noteFile) remove() error {
	err := os.Remove(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// holds tells whether the slave still stands, or will, where the comparison has
// stopped it. One that has gone on since has been started by somebody.
func (n *compareNote) holds(s *SlaveStatus) bool {
	return n != nil && s != nil && s.SQLErrno == 0 && (s.SQLRunning == "No" || s.Until != "") && (n.At.IsZero() || !n.At.before(s.Executed))
}

// cutOff is the problem of a comparison that was cut off and holds the slave.
func (n *compareNote) cutOff(v Version, s *SlaveStatus) *Problem {
	left := "has left the SQL thread stopped"
	if s.SQLRunning != "No" {
		left = "has told the SQL thread to stop at " + s.Until
	}
	return problem(Slave, "compare-cut-off", "gtunnel replication compare, which starts it again; or "+restartSQL(v),
		"the comparison of %s was cut off, and %s", noteTime(n.Began), left)
}

// noteTime is the time of a note, for a sentence.
func noteTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// restartSQL is how the SQL thread is started for good. Stopped first, it
// forgets where it was told to stop.
func restartSQL(v Version) string {
	return v.stopSlave(sqlThread).String() + "; " + v.startSlave(sqlThread).String()
}

// traces says in words what a server shows of a repair that was cut off.
func (n *repairNote) traces(f *Facts, s *SlaveStatus) []string {
	var traces []string
	if s != nil && slices.ContainsFunc(n.Tables, func(t string) bool { return slices.Contains(s.IgnoreTable, t) }) {
		traces = append(traces, "the slave leaves their changes out")
	}
	if s != nil && s.SQLErrno == 0 && (s.SQLRunning == "No" || s.Until != "") {
		traces = append(traces, "the replication stands")
	}
	if n.SuperReadOnly && !f.on("super_read_only") {
		traces = append(traces, "super_read_only is still off")
	}
	return traces
}

// cutOff is the problem of a repair that was cut off.
func (n *repairNote) cutOff(f *Facts, s *SlaveStatus) *Problem {
	text := fmt.Sprintf("the repair of %s was cut off: what the slave has of %s may be half a copy", noteTime(n.Began), listed(n.Tables))
	return problem(Slave, "repair-cut-off", "the repair again: "+repairCommand(n.Tables), "%s", strings.Join(append([]string{text}, n.traces(f, s)...), "; "))
}

// repairCommand is the command line that repairs tables.
func repairCommand(tables []string) string {
	return "gtunnel replication compare --repair-table " + strings.Join(tables, " --repair-table ")
}

// goOn starts a slave that a comparison which was cut off has stopped. What the
// server shows of a repair that was cut off must be ended first.
func (c *Comparison) goOn(ctx context.Context) error {
	compareFile, repairFile, err := notesOf(ctx, c.Slave, c.StateDir)
	if err != nil {
		return err
	}
	compared, err := readNote[compareNote](compareFile)
	if err != nil {
		return err
	}
	repaired, err := readNote[repairNote](repairFile)
	if err != nil || compared == nil && repaired == nil {
		return err
	}
	status, err := c.Slave.slaveStatus(ctx, c.Slave.db)
	if err != nil {
		return err
	}
	if repaired != nil {
		f := &Facts{}
		if f.Variables, err = c.Slave.variables(ctx, c.Slave.db, "super_read_only"); err != nil {
			return err
		}
		if len(repaired.traces(f, status)) > 0 {
			return repaired.cutOff(f, status)
		}
	}
	if compared.holds(status) {
		return (&pausedSlave{server: c.Slave, note: compareFile, paused: true}).resume(ctx)
	}
	return nil
}

// endRepair ends the note of a repair that was cut off, of which the server
// shows nothing, if its tables have turned out to be equal.
func (c *Comparison) endRepair(ctx context.Context, r *CompareResult) error {
	_, file, err := notesOf(ctx, c.Slave, c.StateDir)
	if err != nil {
		return err
	}
	note, err := readNote[repairNote](file)
	if note == nil || err != nil {
		return err
	}
	for _, name := range note.Tables {
		if !slices.ContainsFunc(r.Tables, func(t TableResult) bool { return t.Table == name && t.Equal() }) {
			return nil
		}
	}
	return file.remove()
}

// readNotes reads what runs have noted that work on a slave, or were cut off.
func readNotes(directory string, serverID uint32) (compared *compareNote, repaired *repairNote, err error) {
	compareFile, repairFile := noteFiles(directory, serverID)
	if compared, err = readNote[compareNote](compareFile); err == nil {
		repaired, err = readNote[repairNote](repairFile)
	}
	return compared, repaired, err
}

// busy tells whether a run of gtunnel works on a server at this moment.
func (s *Server) busy(ctx context.Context, on execer) (bool, error) {
	connection, err := s.value(ctx, on, "SELECT IS_USED_LOCK(?)", lockName)
	return connection != "", err
}
