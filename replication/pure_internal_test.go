package replication

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestPlansArePure makes each plan twice of the same values: it is the same, and the
// values are as they were. Its steps are data.
func TestPlansArePure(t *testing.T) {
	for name, build := range planners() {
		for _, v := range versions {
			used, plan := build(v)
			untouched, _ := build(v)
			first, second := plan(), plan()
			if len(first.Steps) == 0 {
				t.Errorf("%s, %s: there are no steps: %v", name, v, first.Err())
			}
			same := reflect.DeepEqual(first.Steps, second.Steps) && reflect.DeepEqual(first.HandOver, second.HandOver)
			if !same || show(first) != show(second) {
				t.Errorf("%s, %s: the second plan is another one:\n%s\n%s", name, v, show(first), show(second))
			}
			if !reflect.DeepEqual(used, untouched) {
				t.Errorf("%s, %s: planning has changed what it was given", name, v)
			}
			for _, step := range first.Steps {
				mustBeData(t, name+" "+step.Name, reflect.ValueOf(step))
			}
		}
	}
}

// input is what a plan is made of.
type input struct {
	Facts *facts.Facts
	Want  any
}

// planner makes what a plan is made of, the same each time, and the plan of it.
type planner func(server.Version) (input, func() *Plan)

// planners are those of plans of all kinds.
func planners() map[string]planner {
	slave := func(change func(master, slave *facts.Facts, want *planned)) planner {
		return func(v server.Version) (input, func() *Plan) {
			master, slave, want := established(v)
			change(master, slave, &want)
			want.MasterFacts, want.SlaveFacts = master, slave
			return input{Want: &want}, func() *Plan { return PlanSlave(want.Situation, want.SlaveWant) }
		}
	}
	mislabelled := finding.Findings{Warnings: []*finding.Problem{{Code: seed.MislabelledCode, Text: "voms.t"}}}
	return map[string]planner{
		"a fresh master": func(v server.Version) (input, func() *Plan) {
			f := newFacts(finding.Master, v)
			f.Variables["binlog_format"], f.Persisted = "MIXED", map[string]string{"binlog_format": "MIXED"}
			want := &MasterWant{
				Databases: []string{"voms"}, HandOverPath: "/h.json", Fresh: fresh(),
				DropIn: &optionfile.DropIn{Path: "/d", Settings: []optionfile.Setting{{Name: "server_id", Value: "7"}}},
			}
			return input{Facts: f, Want: want}, func() *Plan { return PlanMaster(f, *want) }
		},
		"a master with another password": func(v server.Version) (input, func() *Plan) {
			f := newFacts(finding.Master, v)
			f.Accounts = append(f.Accounts, facts.Account{User: facts.MonitorUser, Host: server.Loopback})
			want := &MasterWant{
				Databases: []string{"voms"}, HandOverPath: "/h.json", Fresh: fresh(), HandOver: handOverOf(f, "voms"),
				Refused: []string{facts.MonitorUser},
			}
			return input{Facts: f, Want: want}, func() *Plan { return PlanMaster(f, *want) }
		},
		"a fresh slave": slave(func(_, s *facts.Facts, w *planned) {
			*s, w.State, w.Beginning = *newFacts(finding.Slave, s.Version), journal.State{}, mislabelled
			w.MonitorThere, w.MonitorFile = OtherFile, &optionfile.ClientFile{Path: "/m.cnf"}
			s.Variables["max_allowed_packet"] = "1024"
		}),
		"a slave that is copied anew": slave(func(_, s *facts.Facts, w *planned) {
			w.Reseed, w.Replace, w.Notes.Repair = true, w.Databases, &journal.RepairNote{Tables: []string{"voms.t"}}
			s.Databases[0].EnabledEvents = []facts.Event{{Database: "DB_1", Name: "e"}}
		}),
		"a slave that is made of a dump": slave(ofDump),
		"a slave whose data is there": slave(func(_, s *facts.Facts, w *planned) {
			s.Masters, w.State, w.Method = nil, journal.State{}, journal.SeedNone
			w.Start = server.Position{File: "mysql-bin.000007", Offset: 4}
			s.Databases[0].EnabledEvents = []facts.Event{{Database: "DB_1", Name: "e"}}
		}),
		"a slave with all kinds of trouble": slave(func(m, s *facts.Facts, w *planned) {
			s.Masters[0].WildDoTable, s.Masters[0].SSLAllowed, w.NewPasswords = nil, "Yes", true
			s.Variables["server_id"], m.Slaves = "1", []uint32{3, 2}
			w.Notes = journal.Notes{
				Comparison: &journal.ComparisonNote{}, Packets: &journal.PacketNote{MaxAllowedPacket: 1 << 20},
			}
		}),
		"a repair": func(v server.Version) (input, func() *Plan) {
			master, slave, want := established(v)
			slave.Masters[0].SQLRunning, want.Notes.Comparison = "No", &journal.ComparisonNote{}
			slave.Masters[0].IgnoreTable = []string{"voms.u", "voms.t"}
			want.MasterFacts, want.SlaveFacts = master, slave
			tables := []string{"voms.t"}
			return input{Want: &want}, func() *Plan { return PlanRepair(want.Situation, tables, true) }
		},
		"a repair of rows": rowRepair,
	}
}

// ofDump makes a fresh slave of a dump.
func ofDump(_, s *facts.Facts, w *planned) {
	*s, w.State = *newFacts(finding.Slave, s.Version), journal.State{}
	w.Method, w.Dump = journal.SeedFile, &WantedDump{Name: "/voms.dump", Head: seed.DumpHead{Host: "server1"}}
}

// mustBeData fails if there is a function or a channel in a value.
func mustBeData(t *testing.T, where string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		t.Errorf("%s holds a %s", where, v.Type())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			mustBeData(t, where, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			mustBeData(t, where+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			mustBeData(t, where, v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			mustBeData(t, where, v.MapIndex(key))
		}
	default: // numbers and texts
	}
}

// TestUndoJSON: a step's way back is one text, as programs know it.
func TestUndoJSON(t *testing.T) {
	for want, step := range map[string]*Step{
		`{"name":"a","on":"slave","what":"","undo":"STOP SLAVE; SET GLOBAL read_only=0"}`: {
			Undo: Undo{server.SQL("STOP SLAVE"), server.SQL("SET GLOBAL read_only=0")},
		},
		`{"name":"a","on":"slave","what":"","undo_by_hand":"remove the file"}`: {
			UndoByHand: "remove the file", Action: catchUp{},
		},
		`{"name":"a","on":"slave","what":""}`: {Undo: Undo{}},
	} {
		step.Name, step.On = "a", finding.Slave
		if got, err := json.Marshal(step); err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

// TestNoFreshPassword: no account is ever made without a password.
func TestNoFreshPassword(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an account was planned without a password")
		}
	}()
	PlanMaster(newFacts(finding.Master, versions[0]), MasterWant{Databases: []string{"voms"}})
}
