package failover

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

var updateRejoin = flag.Bool("update-rejoin", false, "write the golden files of rejoins anew")

// newRejoinFacts are those of an old master that has nothing alone.
func newRejoinFacts(v server.Version) *rejoinFacts {
	s := partedMariaDB()
	if v.Family == server.MySQL {
		s = partedMySQL()
		s.own.Variables["super_read_only"] = "ON"
	}
	s.own.Version, s.peer.Version = v, v
	for _, e := range []*historyEnd{&s.own, &s.peer} {
		e.Variables["log_bin"], e.Variables["read_only"] = "ON", "ON"
	}
	s.peer.Variables["read_only"] = "OFF"
	now := term.Term{Number: 2, Nonce: "two", Master: "server2", By: term.ByPromotion, Start: s.start}
	f := &rejoinFacts{
		Name: "server1", Peer: "server2", Port: 3307, Databases: []string{"voms"}, Present: []string{"voms"},
		Password: server.NewPassword("secret"),
		Note:     term.Note{HostID: "one", Name: "server1", Peer: "server2", Term: now},
		Record:   term.Record{HostID: "other", Name: "server2", Term: now},
	}
	f.parted(s)
	return f
}

// parted gives the facts other histories.
func (f *rejoinFacts) parted(s *parting) {
	f.Own, f.Master, f.Parting, f.History = s.own, s.peer, s, s.judgeHistory()
}

// withErrant gives the facts something that only the old master has.
func (f *rejoinFacts) withErrant(table string, touched ...string) {
	s := f.Parting
	if s.own.Version.Family == server.MySQL {
		s.own.Variables["gtid_executed"] = ownUUID + ":1-102"
	} else {
		s.own.Variables["gtid_binlog_pos"], s.own.Variables["gtid_binlog_state"] = "0-1-102", "0-1-102"
	}
	f.parted(s)
	at := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	f.Errant = &Errant{
		Transactions: 2, First: at, Last: at.Add(time.Minute), Tables: []ErrantTable{{Name: table, Rows: 3}},
		Touched: touched,
	}
	f.SavedName = "errant-term-2.sql"
	f.SavedAs = "/var/lib/gtunnel/" + f.SavedName
}

// rejoinCases are situations of a rejoin, by the name of their golden file.
var rejoinCases = map[string]func(f *rejoinFacts, want *RejoinWant){
	"history": func(*rejoinFacts, *RejoinWant) {},
	"no-guard": func(f *rejoinFacts, _ *RejoinWant) {
		f.Note.Term = term.Term{Number: 1, Nonce: "one", Master: "server1"}
		f.Own.Variables["read_only"], f.Own.Variables["super_read_only"] = "OFF", "OFF"
		f.Events = []facts.Event{{
			Database: "voms", Name: "e", Definer: "root@localhost", Completion: "PRESERVE", TimeZone: "SYSTEM",
			CharacterSet: "utf8mb4", Collation: "utf8mb4_bin",
		}}
	},
	"others": func(f *rejoinFacts, _ *RejoinWant) {
		f.withErrant("other.x")
		f.Own.Variables["gtid_strict_mode"] = "ON"
	},
	"others-saved": func(f *rejoinFacts, want *RejoinWant) {
		f.withErrant("other.x")
		f.Saved, want.SkipCompare = true, true
	},
	"of-pair": func(f *rejoinFacts, _ *RejoinWant) { f.withErrant("voms.t", "voms") },
	"of-pair-replace": func(f *rejoinFacts, want *RejoinWant) {
		f.withErrant("voms.t",
			"voms")
		want.Replace = []string{"voms"}
	},
	"new-server": func(f *rejoinFacts, _ *RejoinWant) { f.Present = nil },
	"unreadable": func(f *rejoinFacts, want *RejoinWant) {
		f.withErrant("")
		f.Errant, f.SavedAs, f.Unreadable, want.Replace = nil, "", "mysqlbinlog is not installed on this host",
			[]string{"voms"}
	},
	"split-brain": func(f *rejoinFacts, want *RejoinWant) {
		f.Note.Term = term.Term{Number: 2, Nonce: "another", Master: "server1"}
		want.GiveUp = "server1"
	},
	"joined": func(f *rejoinFacts, _ *RejoinWant) {
		f.Note.Joined = "two"
		f.Slave = &server.SlaveStatus{MasterHost: server.Loopback, MasterPort: 3307, IORunning: "Yes", SQLRunning: "Yes"}
	},
	"cut-off-before-its-note": func(f *rejoinFacts, _ *RejoinWant) {
		f.Slave = &server.SlaveStatus{MasterHost: server.Loopback, MasterPort: 3307, IORunning: "Yes", SQLRunning: "Yes"}
	},
	"broken": func(f *rejoinFacts, want *RejoinWant) {
		f.Slave = &server.SlaveStatus{
			MasterHost: server.Loopback, MasterPort: 3307, IORunning: "Yes", SQLRunning: "No", SQLErrno: 1062,
			SQLError: "Duplicate entry",
		}
		want.Replace = []string{"voms"}
	},
	"master-not-open": func(f *rejoinFacts, _ *RejoinWant) { f.Master.Variables["read_only"] = "ON" },
}

// TestRejoinPlans holds the plans of rejoins against golden files.
func TestRejoinPlans(t *testing.T) {
	t.Parallel()
	versions := []server.Version{
		{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6},
		{Family: server.MySQL, Major: 9, Minor: 7},
		{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42},
	}
	for name, change := range rejoinCases {
		var b strings.Builder
		for _, v := range versions {
			f, want := newRejoinFacts(v), RejoinWant{}
			change(f, &want)
			fmt.Fprintf(&b, "== %s\n%s", v, showPlan(planRejoin(f, want)))
			if again := showPlan(planRejoin(f, want)); !strings.HasSuffix(b.String(), again) {
				t.Errorf("%s: the second plan of %s is another one", name, v)
			}
		}
		path := filepath.Join("testdata", "rejoin", name+".txt")
		if *updateRejoin {
			if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if golden, err := os.ReadFile(path); err != nil || string(golden) != b.String() {
			t.Errorf("%s (%v) is not:\n%s", path, err, b.String())
		}
		if strings.Contains(b.String(), "secret") {
			t.Errorf("%s shows the password", name)
		}
	}
}

// TestRejoinForbids has what the terms of both forbid.
func TestRejoinForbids(t *testing.T) {
	t.Parallel()
	for code, change := range map[string]func(f *rejoinFacts) string{
		"":             func(*rejoinFacts) string { return "" },
		"term-unknown": func(f *rejoinFacts) string { f.Record.Term = term.Term{}; return "" },
		"own-row":      func(f *rejoinFacts) string { f.Record.HostID = "one"; return "" },
		"split-brain":  func(f *rejoinFacts) string { f.Note.Term.Nonce = "another"; return "server2" },
		"is-master": func(f *rejoinFacts) string {
			f.Note.Term = term.Term{Number: 3, Nonce: "three", Master: "server1"}
			return ""
		},
		"term-behind": func(f *rejoinFacts) string { f.Note.Term.Number, f.Note.Term.Nonce = 3, "three"; return "" },
		"busy":        func(f *rejoinFacts) string { f.Note.Request = &term.Request{Number: 3, Nonce: "three"}; return "" },
	} {
		f := newRejoinFacts(server.Version{Family: server.MariaDB, Major: 10, Minor: 11})
		p := f.forbids(change(f))
		if p == nil && code != "" || p != nil && (p.Code != code || p.Cure == "") {
			t.Errorf("%q: %+v", code, p)
		}
	}
}
