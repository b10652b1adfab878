package replication

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// mostPacket is the largest max_allowed_packet that a server takes. A dump writes
// a BLOB in twice its bytes, so that the master's own value is not enough.
const mostPacket = 1 << 30

// packetNote tells what max_allowed_packet of a slave was before a copy raised it.
type packetNote struct {
	Began            time.Time `json:"began"`
	MaxAllowedPacket uint64    `json:"max_allowed_packet"`
}

// packetFile is the file of a slave's packetNote.
func packetFile(directory string, serverID uint32) noteFile {
	if directory == "" {
		return ""
	}
	return noteFile(filepath.Join(directory, fmt.Sprintf("packet-%d.json", serverID)))
}

// holds tells whether a server still has the value that a copy gave it, which was
// cut off: not if it has started since.
func (n *packetNote) holds(f *Facts, uptime time.Duration) bool {
	return n != nil && f.MaxAllowedPacket() == mostPacket && uptime > time.Since(n.Began)
}

// restore gives a server its own value again.
func (n *packetNote) restore() Statement {
	return statement("SET GLOBAL max_allowed_packet=%d", n.MaxAllowedPacket)
}

// widenPackets raises max_allowed_packet of the slave until restore, which works
// also when ctx has ended. A login that may not raise it leaves it.
func (s *Seed) widenPackets(ctx context.Context) (restore func() error, err error) {
	f := &Facts{}
	if f.Variables, err = s.Slave.variables(ctx, s.Slave.db, "server_id", "max_allowed_packet"); err != nil {
		return nil, err
	}
	file := packetFile(s.StateDir, f.ServerID())
	note, err := readNote[packetNote](file)
	if err != nil {
		return nil, err
	}
	uptime, err := s.Slave.uptime(ctx, s.Slave.db)
	if err != nil {
		return nil, err
	}
	if !note.holds(f, uptime) {
		if f.MaxAllowedPacket() == mostPacket {
			return func() error { return nil }, nil
		}
		note = &packetNote{Began: time.Now(), MaxAllowedPacket: f.MaxAllowedPacket()}
	}
	if err := file.write(note); err != nil {
		return nil, &Problem{Code: "state", Text: "what is about to be done cannot be noted", Err: err, Cure: "name a directory that this user may write with --state-dir"}
	}
	err = s.Slave.run(ctx, []Statement{statement("SET GLOBAL max_allowed_packet=%d", mostPacket)})
	if isDenied(err) {
		return file.remove, nil
	}
	restore = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := s.Slave.run(ctx, []Statement{note.restore()}); err != nil {
			return err
		}
		return file.remove()
	}
	if err != nil { // it may have come to the server
		return nil, cmp.Or(err, restore())
	}
	return restore, nil
}

// readPackets makes the slave's value in the facts its own again if that of a copy
// which was cut off is there.
func (s *Setup) readPackets(ctx context.Context) error {
	note, err := readNote[packetNote](packetFile(s.State.Directory(), s.SlaveFacts.ServerID()))
	if err != nil || note == nil {
		return err
	}
	uptime, err := s.Slave.uptime(ctx, s.Slave.db)
	if err != nil || !note.holds(s.SlaveFacts, uptime) {
		return err
	}
	s.SlaveFacts.Variables["max_allowed_packet"] = strconv.FormatUint(note.MaxAllowedPacket, 10)
	s.Want.packets = note
	return nil
}

// restorePackets adds the step that ends what a copy which was cut off has left.
func (s *slavePlan) restorePackets() {
	note := s.want.packets
	if note == nil {
		return
	}
	s.add(&Step{
		Name: "packets", On: Slave, What: "give max_allowed_packet its own value again, which a copy that was cut off has raised",
		SQL: []Statement{note.restore()}, run: func(ctx context.Context, a *Applier) error {
			if err := a.Slave.run(ctx, []Statement{note.restore()}); err != nil {
				return err
			}
			return packetFile(a.StateDir, a.SlaveFacts.ServerID()).remove()
		},
	})
}
