package replication

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// newRowLook is what differs in two tables, beside one that is refused and a view.
func newRowLook() *compare.RowLook {
	lost := "/CN=one"
	return &compare.RowLook{
		At: server.Position{File: "mysql-bin.000007", Offset: 5000},
		Tables: []*compare.TableRows{{
			Table: "voms.log", Key: "id", LocksMaster: true, Rows: []compare.RowChange{{Kind: compare.Missing, Key: "id 1"}},
			Statements: []server.Statement{server.SQL("INSERT INTO `voms`.`log` the master's rows id IN (1)")},
		}, {
			Table: "voms.usr", Key: "id", Rows: []compare.RowChange{
				{Kind: compare.Differs, Key: "id 7", Columns: []string{"dn"}, Lost: map[string]*string{"dn": &lost}},
				{Kind: compare.Extra, Key: "id 9", Lost: map[string]*string{"id": &lost, "dn": nil}},
			},
			Statements: []server.Statement{
				server.SQL("DELETE FROM `voms`.`usr` WHERE id IN (7, 9)"),
				server.SQL("INSERT INTO `voms`.`usr` the master's rows id IN (7)"),
			},
		}},
		Others: []string{"view voms.v is missing on the slave"},
	}
}

// TestRowPlans keeps the plans that put rows right.
func TestRowPlans(t *testing.T) {
	for _, v := range versions {
		if v.Series() != "10.11" && v.Series() != "9.7" {
			continue
		}
		t.Run(v.String(), func(t *testing.T) {
			master, slave, want := established(v)
			slave.Slaves, slave.Variables["read_only"], slave.Variables["super_read_only"] = []uint32{13}, "OFF", "OFF"
			want.MasterFacts, want.SlaveFacts = master, slave
			golden(t, fileName("rows", v), show(PlanRowRepair(want.Situation, newRowLook(), true)))
		})
	}
}

// TestRefusedRows: a table that is refused keeps the others from being put right, and how
// they are put right by themselves is said.
func TestRefusedRows(t *testing.T) {
	master, slave, want := established(versions[0])
	want.MasterFacts, want.SlaveFacts = master, slave
	look := newRowLook()
	look.Tables[0].Table = "voms.it's"
	look.Refused = []*finding.Problem{finding.New(finding.Slave, "rows-key", "copy it", "voms.none: no key")}
	p := PlanRowRepair(want.Situation, look, false)
	const cure = `copy it; the others by themselves: gtunnel replication compare --repair-rows --table 'voms.it'\''s'` +
		" --table voms.usr"
	if len(p.Problems) != 1 || p.Problems[0].Cure != cure {
		t.Errorf("got %+v", p.Problems)
	}
	if look.Refused[0].Cure != "copy it" {
		t.Errorf("the plan has changed what it is made of: %q", look.Refused[0].Cure)
	}
	p = PlanRowRepair(want.Situation, &compare.RowLook{Others: look.Others}, false)
	if len(p.Steps) > 0 || p.Err() != nil {
		t.Errorf("without rows: %+v, %v", p.Steps, p.Err())
	}
}

// rowRepair makes a plan of rows, for TestPlansArePure.
func rowRepair(v server.Version) (input, func() *Plan) {
	master, slave, want := established(v)
	want.MasterFacts, want.SlaveFacts = master, slave
	look := newRowLook()
	return input{Want: look}, func() *Plan { return PlanRowRepair(want.Situation, look, true) }
}
