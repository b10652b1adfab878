package rules_test

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// pairOf is what a host of a pair publishes, by whose term a host is the master.
func pairOf(name, master string) *term.Record {
	return &term.Record{Name: name, Term: term.Term{Number: 2, Nonce: "n", Master: master}}
}

// outsideCases are about slaves beside the two hosts of a pair.
var outsideCases = []ruleCase{
	{
		want: "problem not-the-master slave", at: rules.SetupSlave,
		words: "server2, is not the master of its pair: that is server1, by the term 2|" +
			"on server1: gtunnel replication setup-master",
		change: func(s *rules.Subject) { s.PairOfMaster = pairOf(otherHost, oneHost) },
	},
	onSlave("problem not-the-master slave", "is not the master of its pair|gtunnel replication follow",
		rules.SetupSlave|rules.Status,
		func(s *rules.Subject, _ *server.SlaveStatus) { s.PairOfMaster = pairOf(otherHost, oneHost) }),
	{
		want: "warning semi-sync-outside slave", at: rules.SetupSlave | rules.Status,
		words: "is not of the pair|SET GLOBAL rpl_semi_sync_slave_enabled=OFF; STOP SLAVE IO_THREAD; START SLAVE IO_THREAD; ",
		change: func(s *rules.Subject) {
			s.PairOfMaster = pairOf(oneHost, oneHost)
			s.Slave.Variables["rpl_semi_sync_slave_enabled"] = "ON"
		},
	},
	{ // which has no SLAVE in its words any more
		want: "warning semi-sync-outside slave", at: rules.Status,
		words: "is not of the pair|SET GLOBAL rpl_semi_sync_replica_enabled=OFF; STOP REPLICA IO_THREAD FOR CHANNEL ''; " +
			"START REPLICA IO_THREAD FOR CHANNEL ''; ",
		change: func(s *rules.Subject) {
			s.PairOfMaster, s.Slave.Version = pairOf(oneHost, oneHost), server.Version{Family: server.MySQL, Major: 9, Minor: 7}
			s.Slave.Variables["rpl_semi_sync_replica_enabled"] = "ON"
		},
	},
	{
		want: "warning slave-gone master", at: rules.StatusMaster,
		words: "server_id 7 (server3), a slave of this master, is not connected: it was seen last at 1970-01-01|" +
			"--forget 7",
		change: func(s *rules.Subject) {
			s.Seen.Gone = []journal.KnownSlave{{ServerID: 7, Host: "server3", Last: time.Unix(0, 0)}}
		},
	},
	seenPair(rules.StatusMaster, "warning semi-sync-outside this host", "2 slaves acknowledge",
		func(_ *rules.Subject, p *rules.SeenPair) {
			p.SemiSync = &rules.SemiSync{Wanted: true, InForce: true, At: time.Unix(1, 0), Slaves: 2}
		}),
}
