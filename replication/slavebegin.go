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
		SQL:  []server.Statement{s.Notes.Packets.Restore()}, action: endPackets{},
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
	clash := id == 0 || id == s.master.ServerID() || !s.established && !ours && slices.Contains(s.master.Slaves, id)
	if clash {
		id = s.freeServerID()
	}
	packet := max(s.master.MaxAllowedPacket(), s.slave.MaxAllowedPacket())
	netTimeout := "slave_net_timeout"
	if _, ok := s.slave.Variables["replica_net_timeout"]; ok {
		netTimeout = "replica_net_timeout"
	}
	window := fmt.Sprint(int(server.SlaveNetTimeout.Seconds()))
	wanted := []wantedSetting{
		{
			name: "server_id", value: fmt.Sprint(id), literal: fmt.Sprint(id), ok: !clash,
			why: "master and slave need different ones", always: true,
		},
		{
			name: netTimeout, value: window, literal: window,
			ok:  s.slave.Number(netTimeout) <= uint64(server.SlaveNetTimeout.Seconds()),
			why: "a silent link must be noticed within a minute",
		},
		{
			name: "max_allowed_packet", value: fmt.Sprint(packet), literal: fmt.Sprint(packet),
			ok: s.slave.MaxAllowedPacket() >= s.master.MaxAllowedPacket(), why: "the slave must take what the master writes",
		},
		{name: "read_only", value: "ON", ok: s.slave.On("read_only"), why: "nobody may write on a slave", always: true},
		{
			name: "replicate_wild_do_table", value: strings.Join(s.persistentFilter(), "\n"), ok: s.established && s.filtered(),
			why: "only the named databases are replicated", always: true,
		},
	}
	wanted = append(wanted, s.crashSettings()...)
	if s.want.TrustCreators {
		wanted = append(wanted, trustCreators(s.slave))
	}
	if _, ok := s.slave.Variables["super_read_only"]; ok {
		wanted = append(wanted,
			wantedSetting{
				name: "super_read_only", value: "ON", ok: s.slave.On("super_read_only"), why: "nor may root", always: true,
			})
	}
	return wanted
}

// persistentFilter are the patterns as option files have them. MySQL takes those
// with a colon in front for the default channel, and others for every channel.
func (s *slavePlan) persistentFilter() []string {
	patterns := server.WildTables(s.want.Databases)
	if s.slave.Version.AtLeast(server.MySQL, 8, 0, 0) {
		for i := range patterns {
			patterns[i] = ":" + patterns[i]
		}
	}
	return patterns
}

// freeServerID gives the first id from 2 that neither the master has, nor any of
// its slaves, nor another master or a slave of this slave.
func (s *slavePlan) freeServerID() uint32 {
	taken := append(slices.Concat(s.master.Slaves, s.slave.Slaves), s.master.ServerID())
	for _, m := range s.slave.Masters {
		taken = append(taken, m.MasterID)
	}
	id := uint32(2)
	for slices.Contains(taken, id) {
		id++
	}
	return id
}
