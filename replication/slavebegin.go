package replication

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// restorePackets adds the step that ends what a copy which was cut off has left.
func (s *slavePlan) restorePackets() {
	if s.Notes.Packets == nil {
		return
	}
	s.add(&Step{
		Name: "packets", On: finding.Slave,
		What: "give max_allowed_packet its own value again, which a copy that was cut off has raised",
		SQL:  []server.Statement{s.Notes.Packets.Restore()}, Action: endPackets{},
	})
}

// endPackets runs the step's SQL, and removes the note of the copy which was cut off.
type endPackets struct{}

func (a *Applier) endPackets(ctx context.Context, step *Step) error {
	if err := a.run(ctx, step); err != nil {
		return err
	}
	return journal.PacketFile(a.StateDir, a.SlaveFacts.ServerID()).Remove()
}

// settings are the variables that the slave must have. Read-only is made after the
// copy, for the running server, but must not be forgotten by a restart.
func (s *slavePlan) settings() []wantedSetting {
	id := s.slave.ServerID()
	// One that an earlier run has given it may still be registered there as its own.
	ours := s.State.Stage != journal.StageNone || s.DropIn.Sets("server_id", fmt.Sprint(id))
	clash := id == 0 || id == s.master.ServerID() ||
		!s.established && !ours && (id == presetServerID || slices.Contains(s.master.Slaves, id))
	if clash {
		id = s.freeServerID()
	}
	packet := max(s.master.MaxAllowedPacket(), s.slave.MaxAllowedPacket())
	wanted := []wantedSetting{
		{
			name: "server_id", value: fmt.Sprint(id), literal: fmt.Sprint(id), ok: !clash,
			why: "master and slave need different ones", always: true,
		},
		netTimeout(s.slave),
		{
			name: "max_allowed_packet", value: fmt.Sprint(packet), literal: fmt.Sprint(packet),
			ok: s.slave.MaxAllowedPacket() >= s.master.MaxAllowedPacket(), why: "the slave must take what the master writes",
		},
		{name: "read_only", value: "ON", ok: s.slave.On("read_only"), why: "nobody may write on a slave", always: true},
		{
			name: "replicate_wild_do_table", ok: s.established && s.filtered(),
			value: strings.Join(persistentFilter(s.slave.Version, s.want.Databases), "\n"),
			why:   "only the named databases are replicated", always: true,
		},
	}
	wanted = append(wanted, s.crashSettings()...)
	wanted = append(wanted, s.compressionSetting()...)
	if s.want.TrustCreators {
		wanted = append(wanted, trustCreators(s.slave))
	}
	if _, ok := s.slave.Variables["super_read_only"]; ok {
		wanted = append(wanted,
			wantedSetting{
				name: "super_read_only", value: "ON", ok: s.slave.On("super_read_only"), why: "nor may root", always: true,
			})
	}
	if s.want.Pair != nil {
		wanted = mergeSettings(pairSettings(s.slave, s.want.Databases, s.byGTID()), wanted)
		wanted = mergeSettings(wanted, masterSettings(s.slave, false, s.want.TrustCreators))
	}
	return wanted
}

// OldServerID is the code of sessions that keep a server_id which is changed.
const OldServerID = "old-server-id"

// warnOldSessions names the programs that keep the slave's server_id when that is changed.
func (s *slavePlan) warnOldSessions(settings []wantedSetting) {
	if !slices.ContainsFunc(settings, func(w wantedSetting) bool { return w.name == "server_id" && !w.ok }) {
		return
	}
	var programs, ends []string
	for _, session := range s.slave.Sessions {
		ends = append(ends, server.Kill(session.ID).Reveal())
		if name := session.User + "@" + session.Host; !slices.Contains(programs, name) {
			programs = append(programs, name)
		}
	}
	if len(programs) == 0 {
		return
	}
	s.Warn(finding.Slave, OldServerID, "once this command has ended, on the slave: "+strings.Join(ends, "; ")+
		"; or restart these programs; promote and switchover end the sessions, too",
		"programs that are connected to it keep the server_id %s, and if this server becomes the master, the other "+
			"passes over what they write with that: %s", s.slave.Variable("server_id"), finding.Items(programs))
}

// presetServerID is what every server has whose administrator has given it none: another
// slave that is set up at the same moment as well.
const presetServerID = 1

// freeServerID gives the wanted id, or one after it, that neither the master has, nor any
// of its slaves, nor another master or a slave of this slave.
func (s *slavePlan) freeServerID() uint32 {
	taken := append(slices.Concat(s.master.Slaves, s.slave.Slaves), s.master.ServerID())
	for _, m := range s.slave.Masters {
		taken = append(taken, m.MasterID)
	}
	id := max(s.want.FreshID, presetServerID+1)
	for slices.Contains(taken, id) {
		id++
	}
	return id
}
