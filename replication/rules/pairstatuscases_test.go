package rules_test

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// The hosts of the pair.
const oneHost, otherHost = "server1", "server2"

// pairSeen is a pair with which nothing is wrong, as the slave sees it, or the master.
func pairSeen(master bool) *rules.SeenPair {
	p := &rules.SeenPair{
		Name: otherHost, Peer: oneHost, Mode: term.Strict, Guard: true, Slave: true,
		PeerGuard: new(bool), PeerWritable: new(bool),
		Record: &term.Record{},
	}
	*p.PeerGuard, *p.PeerWritable = true, !master
	if master {
		p.Name, p.Peer, p.Writable, p.Slave, p.Slaves = oneHost, otherHost, true, false, 1
	}
	p.Note = term.Note{HostID: "x", Name: p.Name, Peer: p.Peer, Term: term.Term{Number: 1, Nonce: "n", Master: oneHost}}
	return p
}

// seenPair makes cases of what a status sees in a pair, of the slave and of the master, or of
// one of them.
func seenPair(at rules.Moment, want, words string, change func(*rules.Subject, *rules.SeenPair)) ruleCase {
	return ruleCase{want: want, at: at, words: words, change: func(s *rules.Subject) {
		s.Seen.Pair = pairSeen(s.Moment == rules.StatusMaster)
		change(s, s.Seen.Pair)
	}}
}

const inAnyRole = rules.Status | rules.StatusMaster

var pairStatusCases = []ruleCase{
	{
		want: "problem pair-unseen this host", at: inAnyRole, words: "line 3|lists all that is wrong",
		change: func(s *rules.Subject) { s.Seen.PairUnseen = []*finding.Problem{{Text: "line 3"}} },
	},
	seenPair(inAnyRole, "warning semi-sync-off this host", "fell back 2 times",
		func(_ *rules.Subject, p *rules.SeenPair) {
			p.SemiSync = &rules.SemiSync{Wanted: true, At: time.Unix(1, 0), Fallbacks: 2}
		}),
	seenPair(inAnyRole, "problem split-brain this host", "both have it|rejoin --give-up",
		func(_ *rules.Subject, p *rules.SeenPair) {
			p.Decision = term.Decision{
				Code: term.SplitBrain, Reason: "both have it", Cure: "gtunnel replication rejoin --give-up server1",
			}
		}),
	seenPair(rules.Status, "problem split-brain this host",
		"can both be written to|closes this server; then: gtunnel replication rejoin",
		func(_ *rules.Subject, p *rules.SeenPair) { p.Writable = true }),
	seenPair(rules.StatusMaster, "problem split-brain this host", "can both be written to|on server2: systemctl enable",
		func(_ *rules.Subject, p *rules.SeenPair) { *p.PeerWritable = true }),
	seenPair(rules.StatusMaster, "problem guard-read-only this host", "it waits|bring it up",
		func(s *rules.Subject, p *rules.SeenPair) {
			p.Writable, s.Master.Variables["read_only"] = false, "ON"
			p.Decision = term.Decision{Code: term.PeerSilent, Reason: "it waits", Cure: "bring it up"}
		}),
	seenPair(rules.Status, "problem guard-read-only this host", "is not its slave|gtunnel replication rejoin",
		func(s *rules.Subject, p *rules.SeenPair) {
			p.Slave, s.Slave.Masters = false, nil
			p.Decision = term.Decision{
				Code: term.NotFollowing, Reason: "this server is not its slave", Cure: "gtunnel replication rejoin",
			}
		}),
	seenPair(rules.Status, "problem guard-read-only this host", "knows nothing",
		func(_ *rules.Subject, p *rules.SeenPair) {
			p.Note.Term, p.Decision = term.Term{}, term.Decision{Code: term.TermUnknown, Reason: "it knows nothing"}
		}),
	seenPair(rules.Status, "problem writable-slave this host", "server1 is the master|the guard makes it read-only within",
		func(_ *rules.Subject, p *rules.SeenPair) { p.Writable, p.PeerWritable = true, nil }),
	seenPair(rules.StatusMaster, "problem no-slave this host", "server2, the slave|status on server2",
		func(_ *rules.Subject, p *rules.SeenPair) { p.Slaves = 0 }),
	seenPair(rules.StatusMaster, "problem no-slave this host", "bring server2 or the tunnel",
		func(_ *rules.Subject, p *rules.SeenPair) { p.Slaves, p.Silent = 0, true }),
	seenPair(rules.StatusMaster, "problem no-slave this host", "looks connected|or the link to it",
		func(_ *rules.Subject, p *rules.SeenPair) { p.Silent, p.Mute = true, true }),
	seenPair(rules.StatusMaster, "problem no-slave this host", "gtunnel replication rejoin there",
		func(_ *rules.Subject, p *rules.SeenPair) { p.Slaves, p.Note.Promotion = 0, &term.Promotion{} }),
	seenPair(inAnyRole, "problem no-guard this host", "systemctl enable --now gtunnel-guard",
		func(_ *rules.Subject, p *rules.SeenPair) { p.Guard = false }),
	seenPair(inAnyRole, "warning no-guard this host", ": systemctl enable --now gtunnel-guard",
		func(_ *rules.Subject, p *rules.SeenPair) { *p.PeerGuard = false }),
	seenPair(rules.Status, "warning master-silent this host",
		"do not restart|do not start the slave|promote --dry-run|switchover",
		func(_ *rules.Subject, p *rules.SeenPair) { p.Silent = true }),
	seenPair(rules.Status, "warning stands-aside this host", "this host stands aside since 2026-01-02",
		func(_ *rules.Subject, p *rules.SeenPair) {
			p.Note.StandsAside = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		}),
	seenPair(rules.StatusMaster, "warning stands-aside this host", "server2 stands aside since 2026-01-02",
		func(_ *rules.Subject, p *rules.SeenPair) {
			p.Record.StandsAside = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		}),
	seenPair(rules.Status, "problem copy-cut-off slave", "rejoin --new-copy --replace-databases voms; it goes on",
		func(s *rules.Subject, p *rules.SeenPair) {
			p.Note.Copying, s.Slave.Masters = "nonce", nil
			s.State = journal.State{Stage: journal.StageSeeding, Databases: []string{"voms"}}
		}),
	seen("problem writable-slave slave", "not read-only any more|SET GLOBAL read_only=1|compare",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.State.Stage, s.Slave.Variables["read_only"] = journal.StageDone, "OFF"
		}),
	{
		want: "problem stopped slave", at: rules.Status,
		also:  "warning master-silent this host|warning master-unreachable master",
		words: "promote here|Do not start the slave before", // and not START SLAVE
		change: func(s *rules.Subject) {
			s.Seen.Pair = pairSeen(false)
			isLost(s)
			s.Seen.Pair.Silent = true
		},
	},
	{
		want: "problem stopped slave", at: rules.Status, also: "warning master-unreachable master",
		words: "bring it and the tunnel up; gtunnel|Do not start the slave before", change: isLost,
	},
}

// isLost makes the master silent, and stops the slave.
func isLost(s *rules.Subject) {
	c := s.Connection()
	c.IORunning, c.SQLRunning = "No", "No"
	s.Seen = rules.Seen{Pair: s.Seen.Pair, Tunnel: server.WaySilent, ThroughEnd: true, Reason: "no answer"}
}
