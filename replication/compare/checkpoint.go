package compare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// begun is a table of which pieces are compared, and not all.
type begun struct {
	Shape  string       `json:"shape"`          // of its definitions: with others it begins anew
	After  keyValue     `json:"after"`          // the last key that is compared
	Upto   keyValue     `json:"upto,omitempty"` // the last key that will be: see endAt
	At     []string     `json:"at"`             // the positions of the pieces
	Rows   uint64       `json:"rows"`
	Anew   bool         `json:"anew,omitempty"` // it was begun anew
	Near   bool         `json:"near,omitempty"`
	Listed uint64       `json:"listed,omitempty"`
	Found  []Difference `json:"found,omitempty"`
	More   int          `json:"more,omitempty"`
	Open   bool         `json:"open,omitempty"` // the last of what was found may grow
}

// putDown notes how far the table has come.
func (w *tableWork) putDown() {
	w.begun[w.String()] = &begun{
		Shape: w.shape(), After: w.rest.after, Upto: w.rest.upto, At: w.result.At, Rows: w.result.Rows,
		Near: w.near, Anew: w.anew,
		Listed: w.listed, Found: slices.Clone(w.found.list), More: w.found.more, Open: w.found.open,
	}
}

// takeUp goes on where the table was put down, if it is the same still.
func (w *tableWork) takeUp() {
	b := w.begun[w.String()]
	switch {
	case b == nil:
	case b.Shape != w.shape():
		w.anew = true
		delete(w.begun, w.String())
	default:
		w.rest = keyRange{after: b.After, upto: b.Upto}
		w.near, w.anew, w.listed, w.result.Rows = b.Near, b.Anew, b.Listed, b.Rows
		w.found.list, w.found.more, w.found.open = slices.Clone(b.Found), b.More, b.Open
		if at := w.ends.at.String(); !slices.Contains(b.At, at) {
			w.result.At = append(slices.Clone(b.At), at)
		}
	}
}

// shape is a number for what both ends' definitions say of the rows and of the key.
func (p *tablePair) shape() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %v %v %v", p.master.columns, p.slave.columns, p.masterKey, p.slaveKey))
	return hex.EncodeToString(sum[:])
}

// checkpoint is what a comparison has found so far, in a file of mode 0600.
type checkpoint struct {
	Slave      string            `json:"slave"` // see facts.Facts.Identity
	Master     string            `json:"master"`
	Databases  []string          `json:"databases"` // that are named
	Tables     []string          `json:"tables"`    // that are named
	LockTables bool              `json:"lock_tables"`
	All        bool              `json:"all"`
	Began      time.Time         `json:"began"`
	Changed    time.Time         `json:"changed"`
	At         server.Position   `json:"at"`
	Until      server.Position   `json:"until"`
	Done       []doneTable       `json:"done"`
	Begun      map[string]*begun `json:"begun"`
}

// doneTable is a table that is compared.
type doneTable struct {
	TableResult

	Again bool `json:"again,omitempty"`
}

// checkpointAge is how old a checkpoint may be: what it tells of tables is from then on.
const checkpointAge = 7 * 24 * time.Hour

// checkpointFile keeps the checkpoint of a comparison.
type checkpointFile struct {
	file    journal.NoteFile
	content checkpoint
	written time.Time
	kept    bool // what was written last
}

// begin begins the first round, or goes on with it.
func (c *Comparison) begin(ctx context.Context) (*walk, error) {
	w := c.newWalk(c.Tables)
	if !c.Keep || c.StateDir == "" {
		return w, nil
	}
	var slave, master *facts.Facts
	err := server.AtOnce(ctx, func(ctx context.Context) (err error) {
		slave, err = facts.ReadVariables(ctx, c.Slave, c.Slave.DB, identity...)
		return err
	}, func(ctx context.Context) (err error) {
		master, err = facts.ReadVariables(ctx, c.Master, c.Master.DB, identity...)
		return err
	})
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	w.checkpoint = &checkpointFile{
		file: journal.CheckpointFile(c.StateDir, slave.ServerID()), written: now, content: checkpoint{
			Slave: slave.Identity(), Master: master.Identity(), Databases: slices.Sorted(slices.Values(c.Databases)),
			Tables: slices.Sorted(slices.Values(c.Tables)), LockTables: c.LockTables, All: c.All, Began: now,
		},
	}
	w.lookForLeft(now)
	return w, nil
}

// resumeCommand goes on with a comparison that was cut off.
const resumeCommand = "gtunnel replication compare --resume, with the same flags,"

// lookForLeft goes on from a checkpoint that is left, if that is wanted and it is of this
// comparison, and otherwise says what it is.
func (w *walk) lookForLeft(now time.Time) {
	left, err := journal.ReadNote[checkpoint](w.checkpoint.file)
	if err != nil {
		w.say("begins anew: " + err.Error())
	}
	if left == nil {
		return
	}
	when := left.Changed.UTC().Format("2006-01-02 15:04:05 UTC")
	tables := finding.Count(len(left.Done), "table")
	switch why := left.unlike(&w.checkpoint.content, now); {
	case why != "" && w.Resume:
		w.say("begins anew: the checkpoint of " + when + " is of a comparison " + why)
	case why != "":
	case !w.Resume:
		w.say("begins anew: the comparison of " + when + " was cut off after " + tables +
			"; " + resumeCommand + " would go on there")
	default:
		w.say("goes on with the comparison of " + when + ", which was cut off after " + tables)
		w.takeUp(left)
	}
}

// identity names the variables by which a server is known again.
var identity = []string{"server_id", "server_uuid", "hostname", "port", "datadir"}

// unlike says in how far a checkpoint is of another comparison; empty: it is of this one.
func (k *checkpoint) unlike(own *checkpoint, now time.Time) string {
	switch {
	case k.Slave != own.Slave || k.Master != own.Master:
		return "of other servers"
	case !slices.Equal(k.Databases, own.Databases) || !slices.Equal(k.Tables, own.Tables):
		return "of other databases or tables"
	case k.LockTables != own.LockTables || k.All != own.All:
		return "with other flags"
	case now.Sub(k.Changed) > checkpointAge:
		return "that is older than " + finding.FormatDuration(checkpointAge)
	}
	return ""
}

// takeUp goes on from a checkpoint.
func (w *walk) takeUp(k *checkpoint) {
	w.result = &Result{At: k.At, Until: k.Until, Tables: []TableResult{}, Objects: []string{}, Skipped: []string{}}
	w.checkpoint.content.Began = k.Began
	for _, t := range k.Done {
		t.again = t.Again
		if !t.Equal() {
			w.differing++
		}
		w.finish(&t.TableResult)
	}
	if k.Begun != nil {
		w.begun = k.Begun
	}
}

// say tells what has become of a checkpoint.
func (c *Comparison) say(text string) {
	if c.Say != nil {
		c.Say(text)
	}
}

// checkpointPause is how often a checkpoint is written, beside that at the end of each leg.
const checkpointPause = time.Second

// writeNowAndThen writes the checkpoint of a walk if it has not been written for a while.
func (f *checkpointFile) writeNowAndThen(w *walk) {
	if f != nil && time.Since(f.written) > checkpointPause {
		f.write(w)
	}
}

// write writes the checkpoint of a walk, if one is kept. Without it, as where this user may not
// write one, all is the same but for what is lost when it is cut off.
func (f *checkpointFile) write(w *walk) {
	if f == nil || w.result == nil || len(w.result.Tables) == 0 && len(w.begun) == 0 {
		return
	}
	f.written = time.Now()
	k := f.content
	k.Changed, k.At, k.Until, k.Begun = f.written.UTC(), w.result.At, w.result.Until, w.begun
	for _, t := range w.result.Tables {
		k.Done = append(k.Done, doneTable{TableResult: t, Again: t.again})
	}
	f.kept = f.file.Write(k) == nil
}

// tellKept says how a comparison that has ended too early is gone on with.
func (f *checkpointFile) tellKept(c *Comparison) {
	if f != nil && f.kept {
		c.say("what was compared so far is kept: " + resumeCommand + " goes on there")
	}
}

// remove ends the checkpoint of a comparison that has ended.
func (f *checkpointFile) remove() {
	if f != nil {
		_ = f.file.Remove() // this user may not have been allowed to write it either
	}
}
