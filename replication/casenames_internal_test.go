package replication

import (
	"strings"
	"testing"
)

// TestCaseOfNames plans slaves where names of databases differ in case only.
func TestCaseOfNames(t *testing.T) {
	maria, mysql := Version{Family: MariaDB, Major: 10, Minor: 11, Patch: 6}, Version{Family: MySQL, Major: 9, Minor: 7, Patch: 0}
	for name, c := range map[string]struct {
		change func(master, slave *Facts, want *SlaveWant)
		on     Version
		codes  string
		text   string // that is said
	}{
		"another case on the master": {func(m, _ *Facts, _ *SlaveWant) {
			m.Databases = append(m.Databases, Database{Name: "VOMS"})
		}, maria, "problem case-of-name", "its database VOMS differs from that of voms in case only"},
		"another case on the slave": {func(_, s *Facts, _ *SlaveWant) {
			s.Databases = append(s.Databases, Database{Name: "Voms", Tables: 1})
		}, maria, "problem case-of-name", "slave: the name of its database Voms"},
		"another case, replicated too": {func(m, _ *Facts, w *SlaveWant) {
			m.Databases = append(m.Databases, Database{Name: "VOMS"})
			w.Databases = append(w.Databases, "VOMS")
			w.HandOver.Databases = w.Databases
		}, maria, "", ""},
		"another case on MySQL": {func(m, s *Facts, _ *SlaveWant) {
			m.Databases = append(m.Databases, Database{Name: "VOMS"})
			s.Databases = []Database{{Name: "VOMS"}}
		}, mysql, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			master, slave := newFacts(Master, c.on), newFacts(Slave, c.on)
			want := SlaveWant{HandOver: handOverOf(master, "DB_1", "voms"), Databases: []string{"DB_1", "voms"}, Port: 3307, Method: SeedDump, DropIn: &DropIn{Path: "/d/" + dropInName}}
			c.change(master, slave, &want)
			found := PlanSlave(master, slave, want).Findings
			if got, text := findingsCodes(found), findingsText(found); got != c.codes || !strings.Contains(text, c.text) {
				t.Errorf("found is %q, want %q with %q:\n%s", got, c.codes, c.text, text)
			}
		})
	}
}
