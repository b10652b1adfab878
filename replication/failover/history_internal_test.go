package failover

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

const (
	ownUUID  = "aaaaaaaa-0000-0000-0000-000000000001"
	peerUUID = "bbbbbbbb-0000-0000-0000-000000000002"
)

// partedMySQL is an old master of MySQL's that has nothing alone, and went on with a new
// binary log after its start.
func partedMySQL() *parting {
	v := server.Version{Family: server.MySQL, Major: 9, Minor: 7}
	return &parting{
		own: historyEnd{Version: v, Variables: map[string]string{
			"gtid_mode": "ON", "gtid_executed": ownUUID + ":1-100", "server_uuid": ownUUID, "server_id": "1",
		}, Logs: []server.BinaryLog{{File: "b.000007", Bytes: 5000}, {File: "b.000008", Bytes: 157}}},
		peer: historyEnd{Version: v, Variables: map[string]string{
			"gtid_mode": "ON", "gtid_executed": ownUUID + ":1-100," + peerUUID + ":1-20", "gtid_purged": ownUUID + ":1-50",
			"server_uuid": peerUUID, "server_id": "2",
		}, Logs: []server.BinaryLog{{File: "b.000003", Bytes: 9000}}},
		start: term.Start{
			OldFile: "b.000007", OldOffset: 5000, OldGTID: ownUUID + ":1-100",
			File: "b.000003", Offset: 4000, GTID: ownUUID + ":1-100",
		},
	}
}

// partedMariaDB is the same of MariaDB's.
func partedMariaDB() *parting {
	v := server.Version{Family: server.MariaDB, Major: 10, Minor: 11}
	return &parting{
		own: historyEnd{Version: v, Variables: map[string]string{
			"gtid_binlog_pos": "0-1-100", "gtid_binlog_state": "0-1-100", "server_id": "1",
		}, Logs: []server.BinaryLog{{File: "b.000007", Bytes: 5000}, {File: "b.000008", Bytes: 157}}},
		peer: historyEnd{Version: v, Variables: map[string]string{
			"gtid_binlog_pos": "0-2-120", "gtid_binlog_state": "0-1-98,0-2-120", "gtid_slave_pos": "0-1-100",
			"server_id": "2",
		}, Logs: []server.BinaryLog{{File: "b.000003", Bytes: 9000}}},
		start: term.Start{
			OldFile: "b.000007", OldOffset: 5000, OldGTID: "0-1-100", File: "b.000003", Offset: 4000, GTID: "0-1-98",
		},
		common: "0-1-100", known: true, oldest: "0-1-20",
	}
}

// partedByPosition is one without GTIDs.
func partedByPosition() *parting {
	s := partedMySQL()
	s.own.Variables["gtid_mode"], s.peer.Variables["gtid_mode"] = "OFF", "OFF"
	s.own.Logs = s.own.Logs[:1]
	return s
}

// partedCase is what is to be judged of two histories.
type partedCase struct {
	name   string
	parted *parting
	change func(*parting)

	alone, copied string // parts; copied "" : by history
	tail          bool
	pos           string // MariaDB
}

var partedCases = []partedCase{
	{name: "MySQL has nothing alone", parted: partedMySQL()},
	{
		name: "MySQL has a tail alone", parted: partedMySQL(), alone: ownUUID + ":101-102",
		change: func(s *parting) { s.own.Variables["gtid_executed"] = ownUUID + ":1-102" },
	},
	{
		name: "MySQL lost its tail", parted: partedMySQL(), tail: true, copied: "takes back nothing",
		change: func(s *parting) {
			s.own.Variables["gtid_executed"], s.own.Logs[0].Bytes = ownUUID+":1-90", 4000
		},
	},
	{
		name: "MySQL lost its tail and went on", parted: partedMySQL(), tail: true, alone: ownUUID + ":101",
		copied: "the end of its binary log was lost",
		change: func(s *parting) {
			s.own.Variables["gtid_executed"], s.own.Logs[0].Bytes = ownUUID+":1-101", 4000
		},
	},
	{
		name: "the master of MySQL's lost its own", parted: partedMySQL(), alone: peerUUID + ":21",
		copied: "has written itself",
		change: func(s *parting) { s.own.Variables["gtid_executed"] += "," + peerUUID + ":1-21" },
	},
	{
		name: "the master of MySQL's has purged", parted: partedMySQL(), copied: "does not go back",
		change: func(s *parting) { s.peer.Variables["gtid_purged"] = ownUUID + ":1-100," + peerUUID + ":1-3" },
	},

	{name: "MariaDB has nothing alone", parted: partedMariaDB(), pos: "0-1-98"},
	{
		name: "MariaDB has a tail alone", parted: partedMariaDB(), alone: "0-1-103", pos: "0-1-98",
		change: func(s *parting) { s.own.Variables["gtid_binlog_state"] = "0-1-103" },
	},
	{
		name: "MariaDB's own was judged", parted: partedMariaDB(), pos: "0-1-98",
		change: func(s *parting) { s.own.Variables["gtid_binlog_state"], s.judged = "0-1-103", "0-1-103" },
	},
	{
		name: "MariaDB lost its tail", parted: partedMariaDB(), tail: true, pos: "0-1-95", copied: "takes back nothing",
		change: func(s *parting) {
			s.own.Variables["gtid_binlog_state"], s.common, s.own.Logs[0].Bytes = "0-1-95", "0-1-95", 4000
		},
	},
	{
		name: "MariaDB lost its tail and went on", parted: partedMariaDB(), tail: true, alone: "0-1-97", pos: "0-1-95",
		copied: "the end of its binary log was lost",
		change: func(s *parting) {
			s.own.Variables["gtid_binlog_state"], s.common, s.own.Logs[0].Bytes = "0-1-97", "0-1-95", 4000
		},
	},
	{
		name: "MariaDB's log is another", parted: partedMariaDB(), alone: "0-1-100", pos: "0-1-98",
		copied: "is not the log that was replicated",
		change: func(s *parting) { s.common = "0-1-44" },
	},
	{
		name: "MariaDB's log was begun anew", parted: partedMariaDB(), pos: "0-1-98", copied: "was begun anew",
		change: func(s *parting) {
			s.own.Variables["gtid_binlog_state"], s.own.Logs, s.known = "0-1-3", []server.BinaryLog{{
				File:  "b.000001",
				Bytes: 900,
			}}, false
		},
	},
	{
		name: "the master of MariaDB's has purged", parted: partedMariaDB(), pos: "0-1-98", copied: "does not go back",
		change: func(s *parting) { s.oldest = "0-2-110" },
	},
	{
		name: "MariaDB follows since", parted: partedMariaDB(), pos: "0-2-115",
		change: func(s *parting) {
			s.follows, s.own.Variables["gtid_slave_pos"] = true, "0-2-115"
			s.own.Variables["gtid_binlog_state"] = "0-1-100,0-2-115"
		},
	},
	{
		name: "MariaDB has had another master before", parted: partedMariaDB(), pos: "0-1-98",
		change: func(s *parting) { s.own.Variables["gtid_slave_pos"] = "0-2-40" },
	},

	{name: "by position, nothing alone", parted: partedByPosition()},
	{
		name: "by position, perhaps something alone", parted: partedByPosition(), alone: "b.000007:5100",
		change: func(s *parting) { s.own.Logs[0].Bytes = 5100 },
	},
	{
		name: "by position, the tail lost", parted: partedByPosition(), tail: true, copied: "which the master has",
		change: func(s *parting) { s.own.Logs[0].Bytes = 4900 },
	},
	{
		name: "by position, purged here", parted: partedByPosition(), copied: "up to which the master has applied it",
		change: func(s *parting) { s.own.Logs[0].File = "b.000009" },
	},
	{
		name: "by position, purged there", parted: partedByPosition(), copied: "where its own history begins",
		change: func(s *parting) { s.peer.Logs[0].File = "b.000004" },
	},
}

func TestHistoriesAreJudged(t *testing.T) {
	t.Parallel()
	for _, c := range partedCases {
		if c.change != nil {
			c.change(c.parted)
		}
		h := c.parted.judgeHistory()
		if h.Alone != c.alone || h.Tail != c.tail || h.SlavePos != c.pos ||
			(c.copied == "") != (h.Copy == "") || !strings.Contains(h.Copy, c.copied) {
			t.Errorf("%s: %+v", c.name, h)
		}
	}
}
