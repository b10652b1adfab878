package rules_test

import (
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestDistanceOfVersions: what MySQL supports is not warned of.
func TestDistanceOfVersions(t *testing.T) {
	series := func(major, minor int) server.Version {
		return server.Version{Family: server.MySQL, Major: major, Minor: minor, Patch: 3}
	}
	for _, c := range []struct {
		master, slave server.Version
		want          string
	}{
		{series(5, 7), series(5, 7), ""},
		{series(5, 7), series(8, 0), ""},
		{series(5, 7), series(8, 4), "warning far-versions slave"},
		{series(5, 7), series(9, 7), "warning far-versions slave"},
		{series(8, 0), series(8, 3), ""},
		{series(8, 0), series(8, 4), ""},
		{series(8, 0), series(9, 1), "warning far-versions slave"},
		{series(8, 4), series(9, 7), ""},
		{series(8, 3), series(9, 0), ""},
		{series(9, 1), series(9, 7), ""},
		{series(9, 7), series(10, 1), ""},
		{series(8, 4), series(10, 1), "warning far-versions slave"},
		{series(8, 4), series(8, 0), "problem older-slave slave"},
		{series(9, 7), series(8, 4), "problem older-slave slave"},
	} {
		s := wellSubject(rules.CheckPair, finding.Slave)
		ofMySQL(s)
		s.Master.Version, s.Slave.Version = c.master, c.slave
		found := codesOf(rules.Judge(s))
		if c.want == "" && len(found) > 0 || c.want != "" && !slices.Contains(found, c.want) {
			t.Errorf("%s to %s: found %q, want %q", c.master, c.slave, found, c.want)
		}
	}
}
