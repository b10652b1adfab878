package replication

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// crashSettings are what a slave needs to go on after a crash. By GTID it finds its place
// by itself, and keeps its relay log, which may be all that is left of a lost master. By
// file and position MySQL throws away what it has received and asks for it once more, from
// the position that its tables tell; MariaDB has the position in a file.
func (s *slavePlan) crashSettings() []wantedSetting {
	f := s.slave
	var wanted []wantedSetting
	add := func(name, value string, dynamic bool, why string) {
		w := wantedSetting{name: name, value: value, ok: f.IsAs(name, value), why: why}
		if dynamic && (s.status == nil || !s.status.Active()) { // else the server refuses it
			w.literal = literal(value)
		}
		if _, ok := f.Variables[name]; ok {
			wanted = append(wanted, w)
		}
	}
	if f.Version.Family == server.MySQL && !f.Version.AtLeast(server.MySQL, 8, 0, 0) {
		const why = "a slave that has crashed finds its position in tables, not in files"
		add("master_info_repository", "TABLE", true, why)
		add("relay_log_info_repository", "TABLE", true, why)
	}
	const recovery = rules.RelayLogRecovery
	switch {
	case s.byGTID() && s.DropIn.Has(recovery):
		return append(wanted, wantedSetting{
			name: recovery, value: "OFF", gone: true,
			why: "by GTID a slave finds its place without relay_log_recovery, and its relay log is data",
		})
	case s.byGTID() || slices.ContainsFunc(f.Masters, func(m *server.SlaveStatus) bool { return m.Channel != "" }):
		return wanted // relay_log_recovery is of all connections
	}
	add(recovery, "ON", false, "by file and position a slave that has crashed asks its master once more for "+
		"what it has not applied: its relay log may have less, or more")
	if f.Version.Family == server.MariaDB {
		for _, name := range []string{"sync_master_info", "sync_relay_log", "sync_relay_log_info"} {
			add(name, "1", true, "MariaDB keeps the position in files, which are to be on the disk after each change")
		}
	}
	return wanted
}
