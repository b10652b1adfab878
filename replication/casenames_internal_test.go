package replication

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestCaseOfNames plans slaves where names of databases differ in case only.
func TestCaseOfNames(t *testing.T) {
	maria, mysql := server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6},
		server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0}
	for name, c := range map[string]struct {
		change func(master, slave *facts.Facts, want *planned)
		on     server.Version
		codes  string
		text   string // that is said
	}{
		"another case on the master": {func(m, _ *facts.Facts, _ *planned) {
			m.Databases = append(m.Databases, facts.Database{Name: "VOMS"})
		}, maria, "problem case-of-name", "its database VOMS differs from that of voms in case only"},
		"another case on the slave": {func(_, s *facts.Facts, _ *planned) {
			s.Databases = append(s.Databases, facts.Database{Name: "Voms", Tables: 1})
		}, maria, "problem case-of-name", "slave: the name of its database Voms"},
		"another case, replicated too": {func(m, _ *facts.Facts, w *planned) {
			m.Databases = append(m.Databases, facts.Database{Name: "VOMS"})
			w.Databases = append(w.Databases, "VOMS")
			w.HandOver.Databases = w.Databases
		}, maria, "", ""},
		"another case on MySQL": {func(m, s *facts.Facts, _ *planned) {
			m.Databases = append(m.Databases, facts.Database{Name: "VOMS"})
			s.Databases = []facts.Database{{Name: "VOMS"}}
		}, mysql, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			master, slave := newFacts(finding.Master, c.on), newFacts(finding.Slave, c.on)
			want := newPlanned(master)
			c.change(master, slave, &want)
			found := want.plan(master, slave).Findings
			if got, text := findingsCodes(found), findingsText(found); got != c.codes || !strings.Contains(text, c.text) {
				t.Errorf("found is %q, want %q with %q:\n%s", got, c.codes, c.text, text)
			}
		})
	}
}
