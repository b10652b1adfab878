package rules_test

import (
	"errors"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

const (
	one, two   = "server1.domain.one", "server2.domain.two"
	bothSetups = rules.SetupMaster | rules.SetupSlave
)

// termOf is a term whose master is a host.
func termOf(number uint64, master string) term.Term {
	return term.Term{Number: number, Nonce: master, Master: master}
}

// beingPair makes a setup that of the pair of server1, the master, and server2.
func beingPair(change func(*rules.Subject, *rules.Pair)) func(*rules.Subject) {
	return func(s *rules.Subject) {
		s.Pair = &rules.Pair{Name: one, Peer: two, Port: 3307}
		if s.Moment == rules.SetupSlave {
			s.Pair.Name, s.Pair.Peer = two, one
			s.Pair.Record = &term.Record{Name: one, Term: termOf(1, one)}
		}
		change(s, s.Pair)
	}
}

// pairSetupCases are about servers that are to be a pair.
var pairSetupCases = []ruleCase{
	{
		want: "problem pair-role master", at: rules.SetupMaster,
		words:  two + " is the master of this pair, by the term 3|setup-slave here",
		change: beingPair(func(_ *rules.Subject, p *rules.Pair) { p.Term = termOf(3, two) }),
	},
	{
		want: "problem pair-role master", at: rules.SetupMaster, words: "it is the slave of " + two,
		also: "problem is-slave master",
		change: beingPair(func(s *rules.Subject, _ *rules.Pair) {
			s.Master.Masters = []*server.SlaveStatus{{MasterHost: server.Loopback, MasterPort: 3307, IORunning: "Yes"}}
			s.Master.Variables["log_slave_updates"] = "OFF"
		}),
	},
	{
		want: "problem pair-role slave", at: rules.SetupSlave,
		words:  "this host is the master of the pair, by the term 2|switchover",
		change: beingPair(func(_ *rules.Subject, p *rules.Pair) { p.Term = termOf(2, two) }),
	},
	{
		want: "problem pair-record master", at: rules.SetupSlave,
		words:  "has not been set up as one of the pair|setup-master, with [pair]",
		change: beingPair(func(_ *rules.Subject, p *rules.Pair) { p.Record = nil }),
	},
	{
		want: "problem pair-record master", at: rules.SetupSlave, words: `it says that it is "c"|right one?`,
		change: beingPair(func(_ *rules.Subject, p *rules.Pair) { p.Record.Name = "c" }),
	},
	{
		want: "problem pair-record master", at: rules.SetupSlave, words: "it is not the master of the pair: " + two,
		change: beingPair(func(_ *rules.Subject, p *rules.Pair) { p.Record.Term = termOf(4, two) }),
	},
	{
		want: "problem pair-term slave", at: rules.SetupSlave, words: "knows the term 5|the term 1, whose master is " + one,
		change: beingPair(func(_ *rules.Subject, p *rules.Pair) { p.Term = termOf(5, one) }),
	},
	{
		want: "problem pair-family slave", at: rules.SetupSlave,
		words: "the older MariaDB 10.11.6 could not follow MariaDB 11.8.6",
		change: beingPair(func(s *rules.Subject, _ *rules.Pair) {
			s.Slave.Version = server.Version{Family: server.MariaDB, Major: 11, Minor: 8, Patch: 6}
		}),
	},
	{
		want: "problem other-databases master", at: rules.SetupMaster,
		words: "beside those of the pair: iam|--other-databases iam",
		change: beingPair(func(s *rules.Subject, _ *rules.Pair) {
			s.Master.Databases = append(s.Master.Databases, facts.Database{Name: "iam"}, facts.Database{Name: "agreed"})
			s.Pair.Others = []string{"agreed"}
		}),
	},
	{
		want: "problem other-databases slave", at: rules.SetupSlave, words: "beside those of the pair: iam",
		change: beingPair(func(s *rules.Subject, _ *rules.Pair) {
			s.Slave.Databases = append(s.Slave.Databases, facts.Database{Name: "iam"})
		}),
	},
	{
		want: "warning no-gtids master", at: rules.SetupMaster, words: "gtid_mode is OFF|--turn-gtids-on",
		change: beingPair(func(s *rules.Subject, _ *rules.Pair) { ofMySQL(s); s.Master.Variables["gtid_mode"] = "OFF" }),
	},
	{
		want: "warning no-gtids slave", at: rules.SetupSlave, words: "gtid_mode is OFF|--turn-gtids-on",
		change: beingPair(func(s *rules.Subject, _ *rules.Pair) {
			ofMySQL(s)
			s.Master.Variables["gtid_mode"], s.Slave.Variables["gtid_mode"] = "OFF", "OFF"
		}),
	},
	{
		want: "problem foreign-file master", at: rules.SetupMaster, words: "/etc/a.cnf exists and was not made by gtunnel",
		change: beingPair(func(_ *rules.Subject, p *rules.Pair) { p.Foreign = []string{"/etc/a.cnf"} }),
	},
	{
		want: "problem foreign-file slave", at: rules.SetupSlave, words: "/etc/a.cnf exists and was not made by gtunnel",
		change: beingPair(func(_ *rules.Subject, p *rules.Pair) { p.Foreign = []string{"/etc/a.cnf"} }),
	},
}

// wellReady is a pair, on its slave, that is ready for a failover.
func wellReady() *rules.Ready {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	host := func(name string) rules.PairHost {
		return rules.PairHost{
			Name: name, Facts: wellServer(finding.Slave), Rights: facts.Rights{"'voms'@'%'": {Login: "1", Rights: "2"}},
			Record: &term.Record{Name: name, Term: termOf(1, one), LoggedIn: now.Add(-time.Minute)},
		}
	}
	r := &rules.Ready{
		Now: now, Own: host(two), Peer: host(one),
		Note: term.Note{Name: two, Peer: one, Term: termOf(1, one), Seen: &term.Seen{EventsAt: now}},
	}
	r.Own.Facts.Masters = []*server.SlaveStatus{{IORunning: "Yes", SQLRunning: "Yes"}}
	return r
}

// ready changes such a pair.
func ready(want string, at rules.Moment, words string, change func(*rules.Ready)) ruleCase {
	return ruleCase{want: want, at: at, words: words, change: func(s *rules.Subject) { change(s.Ready) }}
}

const (
	promote, swap, rejoin = rules.CheckPromote, rules.CheckSwitchover, rules.CheckRejoin
	anyFailover           = promote | swap | rejoin
)

// readyCases are about pairs before a failover.
var readyCases = []ruleCase{
	ready("warning peer-silent the other host",
		promote, "cannot be asked through the tunnel: no answer|replication status",
		func(r *rules.Ready) { *r = silent(*r) }),
	ready("problem peer-silent the other host", swap|rejoin, "cannot be asked",
		func(r *rules.Ready) { *r = silent(*r) }),
	ready("problem pair-term this host", anyFailover, "does not know who is the master|setup-master on the master",
		func(r *rules.Ready) { r.Note.Term = term.Term{} }),
	ready("problem pair-term this host", anyFailover, one+" does not know|on "+one+": gtunnel replication setup-master",
		func(r *rules.Ready) { r.Peer.Record.Term = term.Term{} }),
	ready("problem pair-term this host",
		anyFailover, "it knows the term 1, whose master is "+one+"|the term 1, whose master is "+two,
		func(r *rules.Ready) { r.Peer.Record.Term = termOf(1, two) }),
	ready("warning no-gtids", anyFailover, "rejoins by a new copy|setup-slave --turn-gtids-on", func(r *rules.Ready) {
		for _, f := range []*facts.Facts{r.Own.Facts, r.Peer.Facts} {
			f.Version, f.Variables["gtid_mode"] = mysql, "OFF"
		}
	}),
	ready("problem pair-family the other host", swap|rejoin, "this host MariaDB 10.11.6|update the older",
		func(r *rules.Ready) {
			r.Peer.Facts.Version = server.Version{Family: server.MariaDB, Major: 11, Minor: 8}
		}),
	ready("warning accounts-differ", promote|swap, "only "+two+" has these accounts: 'a'@'%'|SHOW CREATE USER",
		func(r *rules.Ready) {
			r.Own.Rights = facts.Rights{"'a'@'%'": {}, "'voms'@'%'": {Login: "1", Rights: "2"}}
		}),
	ready("warning accounts-differ",
		promote|swap, "other rights on "+one+" than on "+two+": 'voms'@'%'|REVOKE ALL PRIVILEGES|with ALTER USER in place",
		func(r *rules.Ready) { r.Own.Rights = facts.Rights{"'voms'@'%'": {Login: "3", Rights: "4"}} }),
	ready("warning accounts-differ", promote|swap, "or the same with another salt|SET GLOBAL super_read_only=0; SET|"+
		"print_identified_with_as_hex=1|log in on both, nothing need be done",
		func(r *rules.Ready) {
			r.Own.Facts.Version, r.Peer.Facts.Version = mysql, mysql
			for _, f := range []*facts.Facts{r.Own.Facts, r.Peer.Facts} {
				f.Variables["gtid_mode"] = "ON"
			}
			r.Own.Rights = facts.Rights{"'voms'@'%'": {Login: "3", Rights: "2"}}
		}),
	ready("warning accounts-unknown", promote|swap, "were not compared|once more",
		func(r *rules.Ready) { r.Peer.Rights = nil }),
	ready("warning options-differ", promote|swap, `sql_mode: "STRICT_ALL_TABLES" here, "" there`, func(r *rules.Ready) {
		r.Own.Facts.Variables["sql_mode"], r.Peer.Facts.Variables["sql_mode"] = "STRICT_ALL_TABLES", ""
	}),
	ready("warning plugins-differ", promote|swap, "only "+one+" has these plugins: audit", func(r *rules.Ready) {
		r.Own.Facts.Plugins = map[string]bool{"binlog": true}
		r.Peer.Facts.Plugins = map[string]bool{"binlog": true, "audit": true}
	}),
	ready("warning events-unseen this host", promote, "has not been noted yet|gtunnel-guard", func(r *rules.Ready) {
		r.Note.Seen = nil
	}),
	ready("problem stands-aside this host", promote|swap, "since 2026-01-02|--stand-by", func(r *rules.Ready) {
		r.Note.StandsAside = r.Now
	}),
	ready("warning awaits-cluster this host", anyFailover, "waits for the cluster manager|pcs", func(r *rules.Ready) {
		r.Mode, r.Note.Term.Master = term.Cluster, r.Note.Name
		r.Own.Facts.Variables["read_only"] = "ON"
	}),
	ready("problem slave-stopped this host", swap, "does not run",
		func(r *rules.Ready) { r.Own.Facts.Masters[0].SQLRunning = "No" }),
	ready("problem pair-settings this host",
		anyFailover, "lacks settings of a pair: sync_binlog|gtunnel replication setup-slave",
		func(r *rules.Ready) { r.Own.Unset = []string{"sync_binlog"} }),
	ready("problem pair-settings the other host",
		anyFailover, "sync_binlog|on "+one+": gtunnel replication setup-master",
		func(r *rules.Ready) { r.Peer.Unset = []string{"sync_binlog"} }),
	ready("problem no-guard this host", anyFailover, "no guard runs", func(r *rules.Ready) { r.Own.Guard = new(bool) }),
	ready("problem no-guard the other host", anyFailover, "no guard runs|on "+one+": systemctl", func(r *rules.Ready) {
		r.Peer.Guard = new(bool)
	}),
	ready("problem replication-login this host", swap|rejoin, "account of the replication: denied",
		func(r *rules.Ready) {
			r.Login = errors.New("denied")
		}),
	ready("problem replication-login the other host", swap|rejoin, "account of the replication: denied",
		func(r *rules.Ready) {
			r.Peer.Record.LoginErr = "denied"
		}),
}

// silent is a pair whose other host does not answer.
func silent(r rules.Ready) rules.Ready {
	r.Silent, r.Peer = errors.New("no answer"), rules.PairHost{Name: one}
	return r
}
