package replication

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// minRetention is how long a master must keep its binary logs, so that a slave
// that was cut off for some days can still catch up; retention is what it is
// set to otherwise.
const (
	minRetention = 3 * 24 * time.Hour
	retention    = 7 * 24 * time.Hour
)

// masterSettings are the variables that a master must have.
func masterSettings(f *facts.Facts, statements, trust bool) []wantedSetting {
	format, whyFormat := "ROW", "rows give the same result on the slave, statements not always"
	if statements {
		format, whyFormat = "STATEMENT", "MySQL 9 cannot read the rows that MariaDB logs"
	}
	id := fmt.Sprint(max(f.ServerID(), 1)) // its own: its slaves know it by that, and its master too
	keep := wantedSetting{
		name: "expire_logs_days", value: "7", literal: "7",
		ok:  f.HasBinaryLog() && f.Retention() == 0 || f.Retention() >= minRetention,
		why: "a slave that was cut off for days must still find what it missed",
	}
	if _, ok := f.Variables["binlog_expire_logs_seconds"]; ok {
		seconds := fmt.Sprint(int(retention.Seconds()))
		keep.name, keep.value, keep.literal = "binlog_expire_logs_seconds", seconds, seconds
	}
	switch { // what was chosen is left alone
	case f.KeepsLogsForEver():
		keep.judged = true
	case f.Retention() == 0 && f.LogLimit() > 0:
		name := f.VariableName("max_binlog_total_size", "binlog_space_limit")
		keep = wantedSetting{name: name, value: f.Variable(name), ok: true, why: keep.why}
	}
	settings := []wantedSetting{
		{name: "log_bin", value: "mysql-bin", ok: f.HasBinaryLog(), why: "the binary log is what is replicated"},
		{name: "server_id", value: id, literal: id, ok: f.ServerID() != 0, why: "a master needs a server_id"},
		{
			name: "binlog_format", value: format, literal: server.QuoteString(format), ok: f.Variable("binlog_format") == format,
			why: whyFormat,
		},
		{
			name: "binlog_row_image", value: "FULL", literal: "'FULL'",
			ok:  f.Variable("binlog_row_image") == "FULL" || f.Variable("binlog_row_image") == "",
			why: "a slave with other indexes finds a row by all its columns",
		},
		keep,
	}
	if trust {
		settings = append(settings, trustCreators(f))
	}
	return settings
}

// trustCreators lets accounts without SUPER create functions and triggers although there
// is a binary log.
func trustCreators(f *facts.Facts) wantedSetting {
	const name = "log_bin_trust_function_creators"
	return wantedSetting{
		name: name, value: "ON", literal: "1", ok: f.On(name), always: true,
		why: "accounts without SUPER are to create functions and triggers, too",
	}
}

// leavingsOfSlave are the settings of a slave that a server which is nobody's slave must
// not have at its next restart. One that is a slave too, or is only stopped, keeps them.
func leavingsOfSlave(f *facts.Facts) []wantedSetting {
	if !f.FollowsNobody() {
		return nil
	}
	var gone []wantedSetting
	for _, name := range rules.SlaveSettings {
		gone = append(gone, wantedSetting{
			name: name, value: "OFF", gone: true,
			why: "it is nobody's slave any more: it must not be read-only, nor filter, after its next restart",
		})
	}
	return gone
}
