package seed

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// A dump that is carried to the slave as a whole is, in this order:
//
//   - its head: one line of JSON, in clear;
//   - SQL, as load takes it, compressed by zstd (RFC 8878);
//   - its tail: JSON in a frame that zstd skips, of a fixed size.
//
// So head -n 1 FILE shows what it is, and tail -n +2 FILE | zstd -d gives the SQL to
// whoever has no gtunnel. The tail has the checksum of all that is before it: it finds
// what was cut or damaged on the way. It is no signature.

// dumpFormat is the version of that.
const dumpFormat = 1

// DumpHead is what a dump says of itself, before its SQL.
type DumpHead struct {
	Format    int             `json:"gtunnel_dump"`
	Program   string          `json:"gtunnel"` // the version of gtunnel that has made it
	Begun     time.Time       `json:"begun"`
	Host      string          `json:"host"` // of the master, to show
	Family    server.Family   `json:"family"`
	Version   string          `json:"version"` // of the master's server, to show
	ServerID  uint32          `json:"server_id"`
	UUID      string          `json:"server_uuid,omitempty"` // of MySQL
	Mark      string          `json:"server_mark,omitempty"` // of MariaDB: see facts.Facts.Mark
	Databases []string        `json:"databases"`
	Bytes     uint64          `json:"estimated_bytes"` // of the tables, by the server's estimate
	Start     server.Position `json:"start"`           // where replication has to begin
	Warnings  []dumpWarning   `json:"warnings,omitempty"`

	Collations map[string]string `json:"default_collations"` // of the master, by character set
}

// dumpWarning is what was found when the dump was made, and is to be known when it is
// loaded.
type dumpWarning struct {
	On   finding.Role `json:"on,omitempty"`
	Code string       `json:"code"`
	Text string       `json:"text"`
	Cure string       `json:"cure,omitempty"`
}

// DumpTail is what a dump says of itself at its end.
type DumpTail struct {
	Bytes  uint64 `json:"bytes"` // of its SQL
	Tables int    `json:"tables"`
	SHA256 string `json:"sha256"` // of all that is before the tail, in hex
}

const (
	// mostDumpHead bounds the head, which has MySQL's set of GTIDs.
	mostDumpHead = 4 << 20
	// tailSize is that of the whole tail.
	tailSize = 512
	// skippedFrame is how a frame begins that zstd skips; its length follows.
	skippedFrame = 0x184D2A5D
	frameHead    = 8
)

// encode is the head's line.
func (h *DumpHead) encode() ([]byte, error) {
	line, err := json.Marshal(h)
	if err == nil && len(line) >= mostDumpHead {
		err = fmt.Errorf("the head of the dump has %d bytes: too many databases, or sets of GTIDs", len(line))
	}
	return append(line, '\n'), err
}

// encode is the tail's frame.
func (t *DumpTail) encode() ([]byte, error) {
	text, err := json.Marshal(t)
	if err != nil || len(text) >= tailSize-frameHead {
		return nil, fmt.Errorf("the tail of the dump does not fit: %w", err)
	}
	frame := binary.LittleEndian.AppendUint32(nil, skippedFrame)
	frame = binary.LittleEndian.AppendUint32(frame, tailSize-frameHead)
	frame = append(frame, text...)
	for len(frame) < tailSize-1 {
		frame = append(frame, ' ')
	}
	return append(frame, '\n'), nil
}

// decodeTail reads a tail; nil if it is none.
func decodeTail(frame []byte) *DumpTail {
	if len(frame) != tailSize || binary.LittleEndian.Uint32(frame) != skippedFrame ||
		binary.LittleEndian.Uint32(frame[4:]) != tailSize-frameHead {
		return nil
	}
	var t DumpTail
	if json.Unmarshal(frame[frameHead:], &t) != nil || t.SHA256 == "" {
		return nil
	}
	return &t
}

// decodeHead reads a head's line. Name is that of the dump, for the error.
func decodeHead(line []byte, name string) (*DumpHead, error) {
	var h DumpHead
	var format struct {
		Format  int    `json:"gtunnel_dump"`
		Program string `json:"gtunnel"`
	}
	if err := json.Unmarshal(line, &format); err != nil || format.Format < 1 {
		return nil, noDump(name, line)
	}
	if format.Format > dumpFormat {
		return nil, finding.New("", "dump-format", "install that version here, or an older one on the master",
			"%s is of a newer format (%d) than this gtunnel reads (%d): it was made by gtunnel %s",
			name, format.Format, dumpFormat, format.Program)
	}
	if err := json.Unmarshal(line, &h); err != nil || h.Start.IsZero() || len(h.Databases) == 0 {
		return nil, noDump(name, line)
	}
	return &h, nil
}

// beginnings are those of what may be taken for a dump.
var beginnings = []struct {
	bytes []byte
	what  string
}{
	{[]byte{0x1f, 0x8b}, "it is compressed by gzip"},
	{[]byte{0x28, 0xb5, 0x2f, 0xfd}, "it is compressed by zstd and lacks its first line"},
	{[]byte("-- M"), "it is the SQL of a dump tool"},
	{[]byte("/*M!"), "it is the SQL of a dump tool"},
	{[]byte("{"), "its first line is not that of a dump"},
}

// noDump is the problem of what is no dump of ours, by how it begins.
func noDump(name string, begin []byte) *finding.Problem {
	what := "it begins otherwise"
	for _, b := range beginnings {
		if bytes.HasPrefix(begin, b.bytes) {
			what = b.what
			break
		}
	}
	return finding.New("", "no-dump",
		"make one on the master: gtunnel replication dump; of data that another tool has brought and that is loaded:"+
			" --method none with --start",
		"%s is no dump of gtunnel replication dump: %s", name, what)
}

// cutDump is the problem of a dump without its end.
func cutDump(name string) *finding.Problem {
	return finding.New("", "dump-cut",
		"carry it here again, as rsync --append-verify does from where it stopped; or make it anew:"+
			" what it said on the master tells why it ended",
		"%s is cut short: it ends without its checksum", name)
}
