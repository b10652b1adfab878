package term

import (
	"bytes"
	"encoding/json"
	"time"
)

// Record is what a host publishes of its Note, in the row of its server's table. A
// host that reads its own HostID there has not read its peer.
type Record struct {
	Format      int       `json:"format"`
	HostID      string    `json:"host_id"`
	Name        string    `json:"name"`
	Term        Term      `json:"term"`
	Request     *Request  `json:"request,omitempty"`
	Withdrawn   string    `json:"withdrawn,omitempty"`
	Demotion    *Demotion `json:"demotion,omitempty"`
	StandsAside time.Time `json:"stands_aside,omitzero"`
	Alone       Alone     `json:"alone,omitempty"`

	// SemiSync is how this host was told to replicate semi-synchronously. The master does
	// as its slave was told, where setup-slave runs.
	SemiSync *SemiSync `json:"semi_sync,omitempty"`
	Judged   string    `json:"judged,omitempty"`
	Joined   string    `json:"joined,omitempty"`
	Copying  string    `json:"copying,omitempty"`

	// LoggedIn is when this host has last logged in to its peer by the account of the
	// replication, as it will when it becomes its slave; zero: never.
	LoggedIn time.Time `json:"logged_in,omitzero"`
	LoginErr string    `json:"login_error,omitempty"` // why that did not work when it was tried last
}

// The table of a Record: one row, never replicated.
const (
	Database = "gtunnel"
	Table    = "pair"
)

// recordFormat is the format of a Record.
const recordFormat = 1

// Says reports whether a row says what it is to say: r.
func (r *Record) Says(want Record) bool {
	if r == nil {
		return false
	}
	is, err := json.Marshal(r)
	if err != nil {
		return false
	}
	wanted, err := json.Marshal(want)
	return err == nil && bytes.Equal(is, wanted)
}

// Record is what is published of the note.
func (n *Note) Record() Record {
	return Record{
		Format: recordFormat, HostID: n.HostID, Name: n.Name, Term: n.Term, Request: n.Request, Withdrawn: n.Withdrawn,
		Demotion: n.Demotion, StandsAside: n.StandsAside, Alone: n.Alone,
		Judged: n.Judged, Joined: n.Joined, Copying: n.Copying, SemiSync: n.SemiSync,
	}
}
