package journal

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

// MostPacket is the largest max_allowed_packet that a server takes. A dump writes
// a BLOB in twice its bytes, so that the master's own value is not enough.
const MostPacket = 1 << 30

// PacketNote tells what max_allowed_packet of a slave was before a copy raised it.
type PacketNote struct {
	Began            time.Time `json:"began"`
	MaxAllowedPacket uint64    `json:"max_allowed_packet"`
}

// PacketFile is the file of a slave's PacketNote; empty: nothing is noted.
func PacketFile(directory string, serverID uint32) NoteFile {
	if directory == "" {
		return ""
	}
	return NoteFile(filepath.Join(directory, fmt.Sprintf("packet-%d.json", serverID)))
}

// Holds reports whether a server still has the value that a copy gave it, which was
// cut off: not if it has started since.
func (n *PacketNote) Holds(f *facts.Facts, uptime time.Duration) bool {
	return n != nil && f.MaxAllowedPacket() == MostPacket && uptime > time.Since(n.Began)
}

// Restore gives a server its own value again.
func (n *PacketNote) Restore() server.Statement {
	return server.SQL("SET GLOBAL max_allowed_packet=%d", n.MaxAllowedPacket)
}
