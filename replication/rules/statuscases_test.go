package rules_test

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// seen makes a case of what a status sees of a slave.
func seen(want, words string, change func(*rules.Subject, *server.SlaveStatus)) ruleCase {
	return ruleCase{
		want: want, at: rules.Status, words: words,
		change: func(s *rules.Subject) { change(s, s.Connection()) },
	}
}

// statusCases are about a replication at work.
var statusCases = []ruleCase{
	seen("problem same-server slave", "this is server1, the master itself|on the host of the slave",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Masters = nil // nothing else is said
			s.Seen.OneServer = finding.New(finding.Slave, "same-server", "run it on the host of the slave",
				"this is server1, the master itself")
		}),
	{
		want: "problem restored-master master", at: rules.Status,
		words: "bin.000007:4711 any more, where its binary log stood at 2026-01-02|setup-slave compares|" +
			"--replace-databases voms",
		change: isRestored,
	},
	{
		want: "warning restored-master master", at: rules.SetupSlave,
		words:  "restored from an older copy|compared at the end",
		change: isRestored,
	},
	seen("problem not-set-up slave", "setup-slave",
		func(s *rules.Subject, _ *server.SlaveStatus) { s.Slave.Masters = nil }),
	seen("problem copying slave", "a copy of voms is being made by process 7, since 2026-01-02 03:04:05 UTC",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Masters, s.Seen.Copying, s.Seen.Runner = nil, true, 7
			s.State = journal.State{
				Stage: journal.StageSeeding, Databases: []string{"voms"},
				BegunFrom: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			}
		}),
	seen("problem copy-cut-off slave", "the copy of voms was cut off|setup-slave again",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Masters, s.State = nil, journal.State{Stage: journal.StageSeeding, Databases: []string{"voms"}}
		}),
	seen("problem copy-cut-off slave", "is whole, of b:4",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Masters = nil
			s.State = journal.State{
				Stage: journal.StageSeeded, Databases: []string{"voms"}, Start: server.Position{File: "b", Offset: 4},
			}
		}),
	seen("problem slave-error slave", "error 4711: something new|never skip it",
		func(_ *rules.Subject, c *server.SlaveStatus) {
			c.SQLRunning, c.SQLErrno, c.SQLError = "No", 4711, "something new"
		}),
	seen("problem slave-error slave", "error 4712",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.IORunning, c.IOErrno = "No", 4712 }),
	{
		want: "problem tunnel-down slave", at: rules.Status,
		words: "error 2003|that was at its last try, and of the tunnel at this moment: it works|START SLAVE IO_THREAD",
		change: func(s *rules.Subject) {
			c := s.Connection()
			c.IORunning, c.IOErrno = "Connecting", 2003
			s.Seen.Tunnel, s.Seen.ThroughEnd = server.WayAnswered, true
		},
	},
	seen("problem tunnel-down slave", "does not try again by itself: START SLAVE",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.IORunning, c.IOErrno = "No", 2003 }),
	seen("warning errant-transactions slave", "that the master has not, as if somebody wrote there: 0-2-9,1-2-3",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Variables["gtid_binlog_state"] = "0-1-7,0-2-9,1-2-3,2-2-4"
			s.Master.Variables["gtid_binlog_state"] = "0-1-8,0-2-5,2-2-4"
		}),
	{
		want: "warning errant-transactions slave", at: rules.CheckPair, words: "wrote there: b:1",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			follows(s)
			s.Master.Variables["gtid_mode"], s.Slave.Variables["gtid_mode"] = "ON", "ON"
			s.Master.Variables["gtid_executed"], s.Slave.Variables["gtid_executed"] = "a:1-9", "a:1-7,b:1"
		},
	},
	seen("problem connecting slave", "connecting to 127.0.0.1:3307",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.IORunning = "Connecting" }),
	seen("problem connecting slave", "the tunnel at this moment: it takes the connection|goes on by itself",
		func(s *rules.Subject, c *server.SlaveStatus) {
			c.IORunning, s.Seen.ThroughEnd, s.Seen.Tunnel = "Connecting", true, server.WayCut
		}),
	seen("problem busy slave", "has stopped the SQL thread",
		func(s *rules.Subject, c *server.SlaveStatus) { c.SQLRunning, s.Seen.Busy = "No", true }),
	seen("problem stopped-until slave", "to stop at b:4, and did|START SLAVE",
		func(_ *rules.Subject, c *server.SlaveStatus) {
			c.SQLRunning, c.Until = "No", "b:4"
		}),
	seen("problem stopped slave", "stopped both threads|START SLAVE", func(_ *rules.Subject, c *server.SlaveStatus) {
		c.IORunning, c.SQLRunning = "No", "No"
	}),
	seen("problem stopped slave", "stopped the I/O thread",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.IORunning = "No" }),
	seen("problem relay-disk-full slave", "the disk is full", func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Seen.Unanswered = finding.New(finding.Slave, server.RelayDiskFull, "", "the disk is full")
	}),
	seen("problem blocked-applier slave", "for up to 1m: Waiting for a lock|held by connection 7 (app@, 2m idle)|KILL 7",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Seen.Blocked = &server.LockWait{
				What: "Waiting for a lock", Time: time.Minute, Certain: true,
				Holders: []server.Process{{ID: 7, User: "app", Time: 2 * time.Minute}},
			}
		}),
	seen("problem stalled slave", "1.0 kB ahead|nothing came in 2s|STOP SLAVE IO_THREAD",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			unread := uint64(1000)
			s.Seen.Unread, s.Seen.Silent, s.Seen.Watched = &unread, true, 2*time.Second
		}),
	seen("problem stalled slave", "is 1m30s old, and a heartbeat is due every 30s",
		func(s *rules.Subject, c *server.SlaveStatus) {
			silence := 90 * time.Second
			s.Seen.Unread, s.Seen.Silence, c.HeartbeatPeriod = nil, &silence, 30*time.Second
		}),
	seen("problem stalled slave", "no heartbeat came in 4s", func(s *rules.Subject, c *server.SlaveStatus) {
		s.Seen.Unread, s.Seen.Silent, s.Seen.Watched, c.HeartbeatPeriod = nil, true, 4*time.Second, 2*time.Second
	}),
	{
		want: "problem repair-cut-off slave", at: rules.Status, words: "may be half a copy|--repair-table voms.t",
		change: func(s *rules.Subject) {
			s.Repaired = &journal.RepairNote{Tables: []string{"voms.t"}}
		},
	},
	{
		want: "problem repair-cut-off slave", at: rules.SetupSlave, words: "may be half a copy|or --reseed",
		change: func(s *rules.Subject) {
			follows(s)
			s.Repaired = &journal.RepairNote{Tables: []string{"voms.t"}}
		},
	},
	seen("problem compare-cut-off slave", "has left the SQL thread stopped|compare",
		func(s *rules.Subject, c *server.SlaveStatus) {
			c.SQLRunning, s.Compared = "No", &journal.ComparisonNote{}
		}),
	seen("warning until slave", "to stop at b:4, and will",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.Until = "b:4" }),
	seen("warning compared-unequal slave",
		"2026-01-02 03:04:05 UTC, has found 2 things NOT equal|gtunnel replication compare",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.LastCompared = &journal.ComparedNote{Ended: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Tables: 9, Differing: 2}
		}),
	seen("problem no-filter slave", "every database",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.WildDoTable = nil }),
	seen("warning filter-not-kept slave", "replicate every database", func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Slave.Transient = []string{"replicate_wild_do_table"}
	}),
	seen("warning read-only-not-kept slave", "loses read_only=1|loses super_read_only=1",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Transient = []string{"read_only", "super_read_only"}
		}),
	seen("warning writable slave", "not read-only", func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Slave.Variables["read_only"], s.Slave.Writers = "OFF", []string{"app@%"} // of whom nothing more is said
	}),
	seen("warning writable slave", "SUPER or CONNECTION_ADMIN can write: root@localhost",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Slave.Variables["super_read_only"], s.Slave.Writers = "OFF", []string{"root@localhost"}
		}),
	seen("warning master-unreachable master", "cannot be said: no|start it",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Seen = rules.Seen{Reason: "master: no", Cure: "start it"}
		}),
	seen("warning other-master master", "server_id 9, and the slave follows one with 1",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Seen = rules.Seen{Asked: true, MasterID: 9}
		}),
	{
		want: "problem purged master", at: rules.Status, words: "bin.000007 is not among them|--reseed",
		also: "warning not-crash-safe slave", change: func(s *rules.Subject) {
			s.Seen.Unread, s.Connection().ByGTID = nil, false
		},
	},
	{
		want: "problem purged slave", at: rules.Status, words: "error 1236",
		also: "warning not-crash-safe slave", change: func(s *rules.Subject) { // said once
			c := s.Connection()
			s.Seen.Unread, c.ByGTID, c.IORunning, c.IOErrno = nil, false, "No", 1236
			c.IOError = "Could not find first log file name in binary log index file"
		},
	},
	seen("warning clocks", "differ by 1m0s|chronyd", func(s *rules.Subject, _ *server.SlaveStatus) {
		behind := -time.Minute
		s.Seen.Clock = &behind
	}),
	seen("warning gives-up slave", "away for 10m (10 times 1m0s)", func(_ *rules.Subject, c *server.SlaveStatus) {
		c.RetryCount, c.ConnectRetry = 10, time.Minute
	}),
	seen("warning connect-retry slave", "waits 1h before",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.ConnectRetry = time.Hour }),
	seen("warning delayed slave", "stay 1h behind", func(_ *rules.Subject, c *server.SlaveStatus) { c.Delay = 3600 }),
	seen("warning tls-inside slave", "MASTER_SSL=1",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.SSLAllowed = "Yes" }),
	seen("warning public-key slave", "GET_SOURCE_PUBLIC_KEY is 0",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.GetsPublicKey = new(bool) }),
	seen("warning net-timeout slave", "noticed only after 1h", func(s *rules.Subject, _ *server.SlaveStatus) {
		s.Slave.Variables["slave_net_timeout"] = "3600"
	}),
	seen("warning events-enabled slave", "event_scheduler is ON here): voms.e",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Seen.Events = []string{"voms.e"}
		}),
}

func isRestored(s *rules.Subject) {
	follows(s)
	s.Restored = &journal.MasterNote{
		Seen: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), At: server.Position{File: "bin.000007", Offset: 4711},
	}
}
