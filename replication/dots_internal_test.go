package replication

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

func TestWarnOfDots(t *testing.T) {
	f := newFacts(finding.Master, server.Version{Family: server.MariaDB, Major: 10, Minor: 11})
	f.Databases = []facts.Database{{Name: "vo"}, {Name: "vo.example.org"}}
	for wanted, want := range map[string]string{
		"vo": "", "vo.example.org": `tables of vo whose names begin with "example.org."`,
	} {
		var warnings []string
		for _, w := range rules.Judge(
			&rules.Subject{Moment: rules.CheckServer, Master: f, Databases: []string{wanted}},
		).Warnings {
			if w.Code == "dotted-name" {
				warnings = append(warnings, w.Text)
			}
		}
		if got := strings.Join(warnings, "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q", wanted, got)
		}
	}
}
