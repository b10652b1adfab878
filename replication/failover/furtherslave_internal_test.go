package failover

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// twoViews are what both hosts say after a promotion of the second: the first is back with
// the old term.
func twoViews() []viewed {
	end := func(host string, port int, number uint64, writable bool) viewed {
		v := viewed{End: End{Host: host, Port: port}, Writable: writable}
		v.Record = &term.Record{HostID: host, Name: host, Term: term.Term{
			Number: number, Nonce: fmt.Sprint(number), Master: fmt.Sprintf("server%d", number),
		}}
		v.Server.Variables = map[string]string{"log_bin": "ON", "server_id": "9"}
		return v
	}
	return []viewed{end("server1", 3307, 1, true), end("server2", 3308, 2, true)}
}

// TestChoose: the host that is the master by the highest term is followed, if it serves, and
// no other.
func TestChoose(t *testing.T) {
	t.Parallel()
	silent := errors.New("connection refused")
	for name, c := range map[string]struct {
		code   string // empty: server2 is chosen
		change func(v []viewed, seen *seenTerm)
	}{
		"the old master is writable": {"", func([]viewed, *seenTerm) {}},
		"the old master is silent":   {"", func(v []viewed, _ *seenTerm) { v[0].Silence = silent }},
		"it was seen before":         {"", func(_ []viewed, s *seenTerm) { *s = seenTerm{2, "2"} }},
		"both know the new term":     {"", func(v []viewed, _ *seenTerm) { v[0].Record.Term = v[1].Record.Term }},
		"the other is of no pair":    {"", func(v []viewed, _ *seenTerm) { v[0].Record = nil }},
		"the new master is silent": {"stale-term", func(v []viewed, s *seenTerm) {
			v[1].Silence, *s = silent, seenTerm{2, "2"}
		}},
		"only the other knows the term": {"master-silent", func(v []viewed, _ *seenTerm) {
			v[0].Record.Term, v[1].Silence = v[1].Record.Term, silent
		}},
		"its own row is behind": {"term-behind", func(v []viewed, _ *seenTerm) {
			v[0].Record.Term, v[1].Record.Term.Number = v[1].Record.Term, 1
		}},
		"it is read-only": {"master-read-only", func(v []viewed, _ *seenTerm) { v[1].Writable = false }},
		"it logs nothing": {"not-ready", func(v []viewed, _ *seenTerm) {
			v[1].Server.Variables["log_bin"] = "OFF"
		}},
		"two terms of one number":     {"split-brain", func(v []viewed, _ *seenTerm) { v[0].Record.Term.Number = 2 }},
		"another nonce than was seen": {"split-brain", func(_ []viewed, s *seenTerm) { *s = seenTerm{2, "other"} }},
		"both ends lead to one host":  {"one-host", func(v []viewed, _ *seenTerm) { v[0].Record.HostID = "server2" }},
		"nobody answers": {"no-master", func(v []viewed, _ *seenTerm) {
			v[0].Silence, v[1].Silence = silent, silent
		}},
		"neither has a term": {"no-master", func(v []viewed, _ *seenTerm) {
			v[0].Record.Term, v[1].Record = term.Term{}, nil
		}},
		"a lower split of a time long ago": {"", func(v []viewed, s *seenTerm) {
			v[0].Record.Term.Nonce, *s = "other", seenTerm{1, "1"}
		}},
	} {
		views, seen := twoViews(), seenTerm{}
		c.change(views, &seen)
		chosen, refused := choose(views, seen)
		switch {
		case c.code == "":
			if refused != nil || chosen == nil || chosen.Master != "server2" || chosen.End.Port != 3308 ||
				len(chosen.Others) != 1 {
				t.Errorf("%s: chosen is %+v; %v", name, chosen, refused)
			}
		case refused == nil || refused.Code != c.code || refused.Cure == "":
			t.Errorf("%s: refused is %+v, want %s", name, refused, c.code)
		}
	}
}

// furtherParted is a slave that follows the old master, of whose binary log the new one had
// up to 100 when it was promoted.
func furtherParted(family server.Family, byGTID bool) *furtherParting {
	v := server.Version{Family: family, Major: 10, Minor: 11, Patch: 6}
	if family == server.MySQL {
		v = server.Version{Family: family, Major: 9, Minor: 7}
	}
	mode := "OFF"
	if byGTID {
		mode = "ON"
	}
	end := func() historyEnd {
		return historyEnd{Version: v, Variables: map[string]string{
			"gtid_mode": mode, "server_id": "3", "server_uuid": furtherUUID, "gtid_executed": ownUUID + ":1-100",
			"gtid_purged":    "",
			"gtid_slave_pos": "0-1-100", "log_bin": "ON", "log_slave_updates": "ON",
		}}
	}
	s := &furtherParting{own: end(), master: end(), fromOld: true, status: &server.SlaveStatus{
		MasterHost: server.Loopback, MasterPort: 3307, IORunning: "Connecting", SQLRunning: "Yes", ByGTID: byGTID,
		Read: server.Position{File: "a.000001", Offset: 900}, Executed: server.Position{File: "a.000001", Offset: 900},
	}}
	s.master.Variables["server_id"], s.master.Variables["server_uuid"] = "2", peerUUID
	s.master.Variables["gtid_executed"] = ownUUID + ":1-100," + peerUUID + ":1-7"
	s.master.Variables["gtid_binlog_state"] = "0-1-98,0-2-107" // 99 and 100 were of other databases
	s.master.Logs = []server.BinaryLog{{File: "b.000004", Bytes: 5000}}
	s.start = term.Start{
		OldFile: "a.000001", OldOffset: 900, OldGTID: "0-1-100", File: "b.000004", Offset: 700, GTID: "0-1-98",
	}
	return s
}

const furtherUUID = "cccccccc-0000-0000-0000-000000000003"

// furtherHistoryCase is a further slave, and how it stands to the new master.
type furtherHistoryCase struct {
	make            func() *furtherParting
	change          func(s *furtherParting)
	alone, copy, at string // copy: a part of it
}

// furtherOf makes a slave that follows by GTID.
func furtherOf(family server.Family) func() *furtherParting {
	return func() *furtherParting { return furtherParted(family, true) }
}

func furtherByPosition() *furtherParting { return furtherParted(server.MySQL, false) }

var furtherHistoryCases = map[string]furtherHistoryCase{
	"MySQL, equal": {make: furtherOf(server.MySQL), change: func(*furtherParting) {}},
	"MySQL, behind": {make: furtherOf(server.MySQL), change: func(s *furtherParting) {
		s.own.Variables["gtid_executed"] = ownUUID + ":1-90"
	}},
	"MySQL, ahead": {make: furtherOf(server.MySQL), change: func(s *furtherParting) {
		s.own.Variables["gtid_executed"] = ownUUID + ":1-102," + furtherUUID + ":1-3"
	}, alone: ownUUID + ":101-102"},
	"MySQL, ahead in the relay log": {make: furtherOf(server.MySQL), change: func(s *furtherParting) {
		s.status.GTIDReceived = ownUUID + ":80-101"
	}, alone: ownUUID + ":101"},
	"MySQL, ahead, and the master has empty ones": {make: furtherOf(server.MySQL), change: func(s *furtherParting) {
		s.own.Variables["gtid_executed"], s.judged = ownUUID+":1-101", ownUUID+":101"
		s.master.Variables["gtid_executed"] = ownUUID + ":1-101"
	}, alone: ownUUID + ":101"},
	"MySQL, purged": {make: furtherOf(server.MySQL), change: func(s *furtherParting) {
		s.own.Variables["gtid_executed"], s.master.Variables["gtid_purged"] = ownUUID+":1-50", ownUUID+":1-60"
	}, copy: "does not go back"},
	"MariaDB, equal": {make: furtherOf(server.MariaDB), change: func(*furtherParting) {}, at: "0-1-98"},
	"MariaDB, behind": {make: furtherOf(server.MariaDB), change: func(s *furtherParting) {
		s.own.Variables["gtid_slave_pos"] = "0-1-90"
	}, at: "0-1-90"},
	"MariaDB, ahead": {make: furtherOf(server.MariaDB), change: func(s *furtherParting) {
		s.own.Variables["gtid_slave_pos"] = "0-1-101"
	}, alone: "0-1-101", at: "0-1-98"},
	"MariaDB, ahead in the relay log": {make: furtherOf(server.MariaDB), change: func(s *furtherParting) {
		s.status.GTIDReceived = "0-1-101"
	}, alone: "0-1-101", at: "0-1-98"},
	"MariaDB, a part of a transaction": {make: furtherOf(server.MariaDB), change: func(s *furtherParting) {
		s.status.GTIDReceived, s.incomplete = "0-1-101", true
	}, at: "0-1-98"},
	"MariaDB, purged": {make: furtherOf(server.MariaDB), change: func(s *furtherParting) {
		s.own.Variables["gtid_slave_pos"], s.oldest = "0-1-50", "0-1-60"
	}, copy: "does not go back", at: "0-1-50"},
	"MariaDB, after a second switchover": {make: furtherOf(server.MariaDB), change: func(s *furtherParting) {
		s.own.Variables["gtid_slave_pos"], s.master.Variables["gtid_binlog_state"] = "0-1-60", "0-1-220,0-2-180"
		s.start.OldGTID, s.start.GTID = "0-2-180", "0-2-180"
	}, at: "0-1-60"},
	"position, equal": {make: furtherByPosition, change: func(*furtherParting) {}, at: "b.000004:700"},
	"position, behind": {make: furtherByPosition, change: func(s *furtherParting) {
		s.status.Read.Offset, s.status.Executed.Offset = 800, 800
	}, copy: "up to a.000001:800, and the new master up to a.000001:900", at: "b.000004:700"},
	"position, ahead": {make: furtherByPosition, change: func(s *furtherParting) {
		s.status.Read.Offset = 950
	}, alone: "a.000001:950", copy: "has received", at: "b.000004:700"},
	"position, of another master": {make: furtherByPosition, change: func(s *furtherParting) {
		s.fromOld = false
	}, copy: "nothing says that this one does", at: "b.000004:700"},
}

// TestFurtherHistory: what a further slave has beyond the new master is found, and where it
// goes on.
func TestFurtherHistory(t *testing.T) {
	t.Parallel()
	for name, c := range furtherHistoryCases {
		s := c.make()
		c.change(s)
		h := s.judge()
		at := h.SlavePos
		if !h.ByGTID {
			at = h.Start.String()
		}
		if h.Alone != c.alone || at != c.at || (h.Copy == "") != (c.copy == "") || !strings.Contains(h.Copy, c.copy) {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// furtherCases are situations of a further slave, by the name of their golden file.
var furtherCases = map[string]func(f *furtherFacts, want *FurtherWant){
	"follows": func(*furtherFacts, *FurtherWant) {},
	"unwatched": func(f *furtherFacts, want *FurtherWant) {
		f.MonitorIsTold, want.SkipCompare, f.SemiSync = false, true, true
	},
	"settled": func(f *furtherFacts, _ *FurtherWant) {
		f.Status.MasterPort, f.Status.IORunning, f.MonitorThere = 3308, "Yes", true
		f.State.Term, f.State.TermNonce, f.State.Stage = 2, "2", "done"
	},
	"not-noted": func(f *furtherFacts, _ *FurtherWant) { f.Status.MasterPort, f.Status.IORunning = 3308, "Yes" },
	"stopped": func(f *furtherFacts, _ *FurtherWant) {
		f.Status.MasterPort, f.Status.IORunning, f.Status.SQLRunning = 3308, "No", "No"
	},
	"ahead": func(f *furtherFacts, _ *FurtherWant) { f.ahead() },
	"ahead-replace": func(f *furtherFacts, want *FurtherWant) {
		f.ahead()
		want.Replace, f.HandedOver = []string{"voms"}, nil
	},
	"ahead-no-hand-over": func(f *furtherFacts, want *FurtherWant) {
		f.ahead()
		want.Replace = []string{"voms"}
	},
	"ahead-unreadable": func(f *furtherFacts, want *FurtherWant) {
		f.ahead()
		f.Errant, f.Unreadable, want.Replace = nil, "this slave keeps no binary log", []string{"voms"}
	},
}

// ahead gives the facts something that only this slave has.
func (f *furtherFacts) ahead() {
	f.Parting.own.Variables["gtid_executed"], f.Parting.own.Variables["gtid_slave_pos"] = ownUUID+":1-101", "0-1-101"
	f.History = f.Parting.judge()
	f.HandedOver = errors.New("no such file")
	at := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	f.Errant = &Errant{
		Transactions: 1, First: at, Last: at, Tables: []ErrantTable{{Name: "voms.t", Rows: 1}}, Touched: []string{"voms"},
	}
	f.SavedAs = "/var/lib/gtunnel/errant-term-2.sql"
}

// TestFurtherPlans holds the plans of further slaves against golden files, which
// -update-rejoin writes anew.
func TestFurtherPlans(t *testing.T) {
	t.Parallel()
	for name, change := range furtherCases {
		var b strings.Builder
		for _, family := range []server.Family{server.MariaDB, server.MySQL} {
			s := furtherParted(family, true)
			chosen, _ := choose(twoViews(), seenTerm{})
			chosen.Term.Start = s.start
			f := &furtherFacts{
				Choice: chosen, Databases: []string{"voms"}, Present: []string{"voms"}, Own: s.own, Status: s.status,
				Parting: *s, History: s.judge(), MonitorIsTold: true,
			}
			want := FurtherWant{}
			change(f, &want)
			fmt.Fprintf(&b, "== %s\n%s", s.own.Version, showPlan(planFurther(f, want)))
			if again := showPlan(planFurther(f, want)); !strings.HasSuffix(b.String(), again) {
				t.Errorf("%s: the second plan of %s is another one", name, family)
			}
		}
		path := filepath.Join("testdata", "further", name+".txt")
		if *updateRejoin {
			if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if golden, err := os.ReadFile(path); err != nil || string(golden) != b.String() {
			t.Errorf("%s (%v) is not:\n%s", path, err, b.String())
		}
	}
}
