package replication

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestOtherDatabases goes through what databases that are not replicated mean for
// the plan of a new slave.
func TestOtherDatabases(t *testing.T) {
	maria, mysql, iam := server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6},
		server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0}, facts.Database{Name: "iam", Tables: 3}
	for name, c := range map[string]struct {
		change func(master, slave *facts.Facts, want *planned)
		on     server.Version
		codes  string
		text   string // that is said
		not    string // that is not; empty: anything may be
	}{
		"the master has others": {func(m, _ *facts.Facts, _ *planned) {
			m.Databases = append(m.Databases, iam)
		}, maria, "", "", ""},
		"both have one": {func(m, s *facts.Facts, _ *planned) {
			m.Databases, s.Databases = append(m.Databases, iam), []facts.Database{iam}
		}, mysql, "problem shared-name", "not replicated, whose changes can reach them: iam", ""},
		"both have one, given up": {func(m, s *facts.Facts, w *planned) {
			m.Databases, s.Databases, w.Replace = append(m.Databases, iam), []facts.Database{iam}, []string{"iam"}
		}, mysql, "", "", ""},
		"both have one, the slave's is empty": {func(m, s *facts.Facts, _ *planned) {
			m.Databases, s.Databases = append(m.Databases, iam), []facts.Database{{Name: "iam"}}
		}, maria, "", "", ""},
		"both have one, the slave's has a routine": {func(m, s *facts.Facts, _ *planned) {
			m.Databases, s.Databases = append(m.Databases, iam), []facts.Database{{Name: "iam", Routines: 1}}
		}, maria, "problem shared-name", "", ""},
		"both have one, the slave's has what came by replication": {func(m, s *facts.Facts, w *planned) {
			m.Databases, s.Databases = append(m.Databases, iam), []facts.Database{{Name: "iam", Routines: 1}}
			s.Masters, w.Reseed = []*server.SlaveStatus{{MasterHost: server.Loopback, MasterPort: 3307}}, true
		}, maria, "", "", ""},
		"both have one, and all is cloned": {func(m, s *facts.Facts, w *planned) {
			m.Databases, s.Databases, w.Method, w.Replace = append(m.Databases, iam),
				[]facts.Database{iam, {Name: "own", Tables: 1}}, journal.SeedClone, []string{"iam", "own"}
		}, mysql, "", "", ""},
		"the slave has others": {func(_, s *facts.Facts, _ *planned) {
			s.Databases = []facts.Database{iam}
		}, maria, "", "", ""},
		"the slave has others, and the login sees a part of the master": {func(m, s *facts.Facts, w *planned) {
			s.Databases, m.User, m.Grants, w.Method = []facts.Database{iam}, facts.MonitorUser+"@127.0.0.1",
				[]string{"GRANT PROCESS, BINLOG MONITOR ON *.* TO `gtunnel_monitor`@`127.0.0.1`"}, journal.SeedNone
			w.Start.GTID = "0-1-7"
		}, maria, "warning shared-name", "gtunnel_monitor@127.0.0.1 does not see all databases of the master", ""},
		"others have routines": {func(m, s *facts.Facts, _ *planned) {
			m.Databases = append(m.Databases, facts.Database{Name: "iam", Routines: 1}, facts.Database{Name: "wlcg", Events: 1})
			s.Databases = []facts.Database{{Name: "wlcg"}}
		}, maria, "warning passes-filter", "CREATE DATABASE `iam`;", "CREATE DATABASE `wlcg`"},
		"its own has routines": {func(m, _ *facts.Facts, _ *planned) {
			m.Databases[1].Routines = 2
		}, maria, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			master, slave := newFacts(finding.Master, c.on), newFacts(finding.Slave, c.on)
			want := newPlanned(master)
			c.change(master, slave, &want)
			found := want.plan(master, slave).Findings
			text := findingsText(found)
			if got := findingsCodes(found); got != c.codes || !strings.Contains(text, c.text) ||
				c.not != "" && strings.Contains(text, c.not) {
				t.Errorf("found is %q, want %q with %q:\n%s", got, c.codes, c.text, text)
			}
		})
	}
}

// findingsCodes are the codes of findings.
func findingsCodes(found finding.Findings) string {
	var codes []string
	for _, p := range found.Problems {
		codes = append(codes, "problem "+p.Code)
	}
	for _, p := range found.Warnings {
		codes = append(codes, "warning "+p.Code)
	}
	return strings.Join(codes, ", ")
}

// findingsText is what they say.
func findingsText(found finding.Findings) string {
	var text strings.Builder
	for _, p := range slices.Concat(found.Problems, found.Warnings) {
		text.WriteString(p.Error() + "\n" + p.Cure + "\n")
	}
	return text.String()
}
