package failover

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

var updatePromote = flag.Bool("update-promote", false, "write the golden files of promotions anew")

// promoteCases are situations of a promotion, by the name of their golden file.
var promoteCases = map[string]func(f *promoteFacts, w *PromoteWant){
	"running": func(*promoteFacts, *PromoteWant) {},
	"hooks": func(f *promoteFacts, w *PromoteWant) {
		f.hooks = Hooks{Fence: "/etc/gtunnel/fence", PrePromote: "/etc/gtunnel/pre", PostPromote: "/etc/gtunnel/post"}
		w.Fenced = ""
	},
	"stopped": func(f *promoteFacts, _ *PromoteWant) {
		s := f.slave.status
		s.IORunning, s.SQLRunning, f.keeps = "No", "No", true
		if f.version.Family == server.MariaDB {
			f.slave.tail = &server.RelayTail{
				Start: server.Position{File: "relay-bin.000002", Offset: 1427}, Transactions: 3, GTIDs: "0-1-8",
			}
		}
	},
	"sql-stopped": func(f *promoteFacts, _ *PromoteWant) {
		f.slave.status.SQLRunning, f.slave.status.SQLErrno, f.slave.status.SQLError = "No", 1062, "Duplicate entry"
	},
	"left": func(f *promoteFacts, _ *PromoteWant) {
		f.left.raise = []raisedSequence{{"`voms`.`s`", "1041"}}
		f.left.keep, f.promotion.KeepLogs = true, "864000"
		f.left.enable = []facts.Event{{
			Database: "voms", Name: "purge", Definer: "voms@localhost", Completion: "PRESERVE", TimeZone: "SYSTEM",
			CharacterSet: "utf8mb4", Collation: "utf8mb4_general_ci",
		}}
		f.left.unknown = []string{"voms.unknown"}
	},
	"unstated": func(f *promoteFacts, w *PromoteWant) {
		f.canAsk, w.Fenced = false, ""
		f.loss = Loss{Whole: f.now.Add(-7 * time.Second), Seen: f.now, Counted: true, Transactions: 12}
	},
	"dry-run": func(f *promoteFacts, w *PromoteWant) {
		*w = PromoteWant{DryRun: true}
		f.loss = Loss{}
	},
	"old-sessions": func(f *promoteFacts, _ *PromoteWant) {
		f.old = []server.Process{{ID: 12, User: "voms", Host: "localhost"}, {ID: 15, User: "voms", Host: "localhost"}}
	},
	"again": func(f *promoteFacts, _ *PromoteWant) { // killed after the term was raised
		f.note.Term = term.Term{Number: 2, Nonce: "b", Master: f.name, By: term.ByPromotion}
		f.note.Promotion = f.promotion
	},
	"done": func(f *promoteFacts, _ *PromoteWant) {
		f.note.Term = term.Term{Number: 2, Nonce: "b", Master: f.name, By: term.ByPromotion}
		f.slave, f.left, f.writable = &slaveState{}, &leftovers{}, true
	},
	"is-master": func(f *promoteFacts, _ *PromoteWant) {
		f.note.Term.Master, f.writable = f.name, true
		f.slave, f.left = &slaveState{}, &leftovers{}
	},
	"is-master-read-only": func(f *promoteFacts, _ *PromoteWant) { // it was restarted while the other is off
		f.note.Term.Master = f.name
		f.slave, f.left = &slaveState{}, &leftovers{}
	},
	"demoted": func(f *promoteFacts, _ *PromoteWant) { // the master itself, whose peer was lost in a switchover
		f.note.Term.Master = f.name
		f.note.Demotion = &term.Demotion{Nonce: "c", Since: f.now}
		f.slave, f.left = &slaveState{}, &leftovers{}
	},
	"alive": func(f *promoteFacts, _ *PromoteWant) { f.signs.way = "its server answers" },
	"host-alive": func(f *promoteFacts, _ *PromoteWant) {
		f.signs.way, f.signs.host = "its gtunnel answers, and says that its database does not listen", true
	},
	"no-slave": func(f *promoteFacts, _ *PromoteWant) { f.slave, f.left = &slaveState{}, &leftovers{} },
	"no-term":  func(f *promoteFacts, _ *PromoteWant) { f.note.Term = term.Term{} },
}

// newPromoteFacts is a slave whose master is lost.
func newPromoteFacts(v server.Version) *promoteFacts {
	now := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	f := &promoteFacts{
		name: "server2", peer: "server1", version: v, databases: []string{"voms"}, now: now, canAsk: true,
		note: term.Note{HostID: "h", Name: "server2", Peer: "server1", Term: term.Term{
			Number: 1, Nonce: "a", Master: "server1", By: term.BySetup,
		}},
		variables: map[string]string{"log_bin": "ON", "relay_log_index": "/var/lib/mysql/relay-bin.index"},
		promotion: &term.Promotion{},
	}
	status := &server.SlaveStatus{
		IORunning: "Connecting", SQLRunning: "Yes", ByGTID: true,
		Read: server.Position{File: "bin.000001", Offset: 700}, Executed: server.Position{File: "bin.000001", Offset: 500},
	}
	f.slave = &slaveState{status: status}
	f.left = &leftovers{connected: true, status: status}
	f.loss = Loss{Whole: now, Seen: now, Counted: true}
	return f
}

// TestPromotePlans holds the plans of promotions, for both families, against golden files.
func TestPromotePlans(t *testing.T) {
	versions := []server.Version{
		{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6},
		{Family: server.MySQL, Major: 9, Minor: 7},
		{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42},
	}
	for name, change := range promoteCases {
		var b strings.Builder
		for _, v := range versions {
			f, want := newPromoteFacts(v), PromoteWant{Fenced: "server1"}
			change(f, &want)
			fmt.Fprintf(&b, "== %s\n%s", v, showPlan(planPromotion(f, want)))
			if again := showPlan(planPromotion(f, want)); !strings.HasSuffix(b.String(), again) {
				t.Errorf("%s: the second plan of %s is another one", name, v)
			}
		}
		path := filepath.Join("testdata", "promote", name+".txt")
		if *updatePromote {
			if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if golden, err := os.ReadFile(path); err != nil || string(golden) != b.String() {
			t.Errorf("%s (%v) is not:\n%s", path, err, b.String())
		}
	}
}

// showPlan is a plan as a golden file has it.
func showPlan(p *replication.Plan) string {
	var b strings.Builder
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning %s: %v\n  cure: %s\n", w.Code, w, w.Cure)
	}
	for _, e := range p.Problems {
		fmt.Fprintf(&b, "problem %s: %v\n  cure: %s\n", e.Code, e, e.Cure)
	}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s: %s\n", s.Name, s.What)
		for _, statement := range s.SQL {
			fmt.Fprintf(&b, "  SQL: %s\n", statement)
		}
	}
	return b.String()
}

// lossCase is what was seen and received, and what may be lost by that.
type lossCase struct {
	v        server.Version
	seen     *term.Seen
	received *Received
	window   time.Duration
	known    bool
	count    uint64
	bytes    uint64
	nothing  bool
}

// lossCases are such, by what they are.
func lossCases() map[string]lossCase {
	maria := server.Version{Family: server.MariaDB, Major: 10, Minor: 11}
	mysql := server.Version{Family: server.MySQL, Major: 9, Minor: 7}
	at := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	const four, uuid = 4 * time.Second, "aaaaaaaa-eb30-11f1-a653-02fc00000001"
	whole := at.Add(-four)
	received := func(file string, offset uint64, gtid string) *Received {
		p := server.Position{File: file, Offset: offset, GTID: gtid}
		return &Received{Read: p, Applied: p}
	}
	semiSync := func(fallbacks uint64) *term.Seen {
		return &term.Seen{
			At: at, Whole: whole, File: "b.1", Offset: 105, GTID: "0-1-9", SemiSync: &term.SemiSyncSeen{
				InForce: true, At: at, Since: whole, Endless: true, WaitPoint: "AFTER_SYNC", Fallbacks: fallbacks,
			},
		}
	}
	return map[string]lossCase{
		"never seen": {v: maria, received: received("b.1", 5, "0-1-4")},
		"all of it": {
			v: maria, seen: &term.Seen{At: at, Whole: at, File: "b.1", Offset: 5, GTID: "0-1-4"},
			received: received("b.1", 5, "0-1-4"), known: true,
		},
		"came later": { // after the last look at the master
			v: maria, seen: &term.Seen{At: at, Whole: whole, File: "b.1", Offset: 5, GTID: "0-1-4"},
			received: received("b.1", 9, "0-1-6"), known: true,
		},
		"behind": {
			v: maria, seen: &term.Seen{At: at, Whole: whole, File: "b.1", Offset: 105, GTID: "0-1-9"},
			received: received("b.1", 5, "0-1-4"), window: four, known: true, count: 5, bytes: 100,
		},
		"MySQL behind": {
			v: mysql, seen: &term.Seen{At: at, Whole: whole, File: "b.2", Offset: 105, GTID: uuid + ":1-9"},
			received: received("b.1", 5, uuid+":1-7"), window: four, known: true, count: 2, bytes: 105,
		},
		"never whole": {
			v: mysql, seen: &term.Seen{At: at, File: "b.1", Offset: 105, GTID: uuid + ":1-9"},
			received: received("b.1", 5, uuid+":1-7"), count: 2, bytes: 100,
		},
		"semi-sync": {
			v: maria, received: received("b.1", 5, "0-1-4"), window: four, known: true, count: 5, bytes: 100,
			nothing: true, seen: semiSync(0),
		},
		"semi-sync that fell back": {
			v: maria, received: received("b.1", 5, "0-1-4"), window: four, known: true, count: 5, bytes: 100,
			seen: semiSync(1),
		},
	}
}

// TestLoss has what may be lost, and what of that is agreed to.
func TestLoss(t *testing.T) {
	for name, c := range lossCases() {
		l := lossOf(c.v, c.seen, c.received)
		window, known := l.Window()
		same := window == c.window && known == c.known && l.Transactions == c.count && l.Bytes == c.bytes
		if !same || l.Nothing != c.nothing {
			t.Errorf("%s: %+v (%s, %t)", name, l, window, known)
		}
		agreed := []bool{
			LoseAtMost{}.Covers(&l), LoseAtMost{Time: 3 * time.Second}.Covers(&l), LoseAtMost{Time: 4 * time.Second}.Covers(&l),
			LoseAtMost{Any: true}.Covers(&l),
		}
		zero := c.nothing || c.known && c.window == 0
		if want := []bool{zero, zero, c.nothing || c.known, true}; fmt.Sprint(agreed) != fmt.Sprint(want) {
			t.Errorf("%s: agreed to %v, want %v", name, agreed, want)
		}
		t.Logf("%s: %q %s", name, l.Lines("server1"), l.flagFor())
	}
}

// TestBeyond has where sequences are set.
func TestBeyond(t *testing.T) {
	const most, least = "9223372036854775806", "1"
	for _, c := range []struct {
		next, step, cache, least, most string
		seen                           int64
		want                           string
		room                           bool
	}{
		{"5", "1", "0", least, most, 40, "1040", true},
		{"5", "1", "1000", least, most, 40, "10040", true},
		{"1040", "1", "0", least, most, 40, "", true}, // done already
		{"5", "2", "0", least, most, 41, "2041", true},
		{"5", "0", "0", least, most, 40, "1040", true},
		{"-5", "-1", "0", "-9223372036854775807", "-1", -40, "-1040", true},
		{"5", "1", "0", least, "100", 40, "", false},
		{"5", "1", "0", least, most, 9223372036854775800, "", false},
	} {
		row := server.Record{"next": c.next, "step": c.step, "cache": c.cache, "least": c.least, "most": c.most}
		if next, room := beyond(c.seen, row); next != c.want || room != c.room {
			t.Errorf("%+v: %s, %t", c, next, room)
		}
	}
}
