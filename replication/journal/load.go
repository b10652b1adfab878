package journal

import (
	"fmt"
	"path/filepath"
	"time"
)

// LoadNote tells how far the load of a dump has come that was made before.
type LoadNote struct {
	Began   time.Time `json:"began"`
	SHA256  string    `json:"sha256"`  // of the dump
	Whole   int       `json:"whole"`   // how many of its tables are: all that comes before the next one is loaded
	Next    string    `json:"next"`    // that table, as "database.table"
	Durable bool      `json:"durable"` // the server has kept what was loaded so that no end of its own loses it
}

// LoadFile is the file of a slave's LoadNote; empty: nothing is noted.
func LoadFile(directory string, serverID uint32) NoteFile {
	if directory == "" {
		return ""
	}
	return NoteFile(filepath.Join(directory, fmt.Sprintf("load-%d.json", serverID)))
}

// Holds reports whether a server still has what was loaded by then of a dump: it has run ever
// since, or has lost nothing by its own end.
func (n *LoadNote) Holds(sha256 string, uptime time.Duration) bool {
	return n != nil && n.Whole > 0 && n.SHA256 == sha256 && (n.Durable || uptime > time.Since(n.Began))
}
