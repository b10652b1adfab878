package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
)

// SlavesNote tells which slaves a master was seen to have: the server itself forgets one
// when its connection ends. A status notes them.
type SlavesNote struct {
	Master string       `json:"master"` // whose slaves they are: see facts.Facts.Identity
	Slaves []KnownSlave `json:"slaves"`
}

// KnownSlave is a slave that a master was seen to have.
type KnownSlave struct {
	ServerID  uint32    `json:"server_id"`
	Host      string    `json:"host,omitempty"`        // its report_host; empty: it does not say
	UUID      string    `json:"server_uuid,omitempty"` // MySQL only
	OfPair    bool      `json:"of_pair,omitempty"`     // it is the other host of this host's pair
	Connected bool      `json:"connected"`             // it was at the last look
	First     time.Time `json:"first_seen"`
	Last      time.Time `json:"last_seen"`
}

// String names it.
func (s KnownSlave) String() string {
	text := fmt.Sprintf("server_id %d", s.ServerID)
	if s.Host != "" {
		text += " (" + s.Host + ")"
	}
	return text
}

// NoteTime is a time as notes are told.
func NoteTime(t time.Time) string { return noteTime(t) }

// SlavesFile is the file of the SlavesNote of a master; empty: nothing is noted.
func SlavesFile(directory string, masterID uint32) NoteFile {
	if directory == "" {
		return ""
	}
	return NoteFile(filepath.Join(directory, fmt.Sprintf("slaves_of_%d.json", masterID)))
}

// See gives the note as it is after a look at a master, whose slaves are registered now. The
// server_id of the other host of the pair is peer; 0: that is not known, or it is of none.
func (n *SlavesNote) See(master *facts.Facts, peer uint32, now time.Time) *SlavesNote {
	next := &SlavesNote{Master: master.Identity()}
	if n != nil && n.Master == next.Master {
		next.Slaves = slices.Clone(n.Slaves)
	}
	for i := range next.Slaves {
		next.Slaves[i].Connected = false
		if peer != 0 {
			next.Slaves[i].OfPair = next.Slaves[i].ServerID == peer
		}
	}
	now = now.UTC().Truncate(time.Second)
	for _, r := range master.Registered {
		// One that was set up anew, or got another id, is the same by its UUID.
		i := slices.IndexFunc(next.Slaves, func(s KnownSlave) bool {
			return s.ServerID == r.ServerID || r.UUID != "" && s.UUID == r.UUID
		})
		if i < 0 {
			next.Slaves = append(next.Slaves, KnownSlave{First: now})
			i = len(next.Slaves) - 1
		}
		s := &next.Slaves[i]
		s.ServerID, s.UUID, s.Connected, s.Last = r.ServerID, r.UUID, true, now
		if r.Host != "" {
			s.Host = r.Host
		}
		if peer != 0 {
			s.OfPair = r.ServerID == peer
		}
	}
	slices.SortFunc(next.Slaves, func(a, b KnownSlave) int { return int(int64(a.ServerID) - int64(b.ServerID)) })
	return next
}

// Forget leaves a slave out, and reports whether it was there.
func (n *SlavesNote) Forget(serverID uint32) bool {
	before := len(n.Slaves)
	n.Slaves = slices.DeleteFunc(n.Slaves, func(s KnownSlave) bool { return s.ServerID == serverID })
	return len(n.Slaves) < before
}

// Gone are those that are not connected. The other host of the pair is told of otherwise.
func (n *SlavesNote) Gone() []KnownSlave {
	return slices.DeleteFunc(slices.Clone(n.Slaves), func(s KnownSlave) bool { return s.Connected || s.OfPair })
}

// OfPair is the other host of the pair, as it was seen last; nil: it was not.
func (n *SlavesNote) OfPair() *KnownSlave {
	i := slices.IndexFunc(n.Slaves, func(s KnownSlave) bool { return s.OfPair })
	if i < 0 {
		return nil
	}
	return &n.Slaves[i]
}

// Keep writes the note, unless the folder is not there or this user may not write it.
func (n *SlavesNote) Keep(f NoteFile) {
	if _, err := os.Stat(filepath.Dir(string(f))); f == "" || err != nil {
		return
	}
	_ = f.Write(n) // the next one does it
}
