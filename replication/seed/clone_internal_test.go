package seed

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

func TestCloneRefused(t *testing.T) {
	mariadb := server.Version{Family: server.MariaDB, Major: 11, Minor: 8, Patch: 3}
	mysql := func(major, minor, patch int) server.Version {
		return server.Version{Family: server.MySQL, Major: major, Minor: minor, Patch: patch}
	}
	for name, test := range map[string]struct {
		master, slave server.Version
		change        func(master, slave *facts.Facts)
		code          string // empty: none
	}{
		"one release":  {mysql(8, 0, 20), mysql(8, 0, 20), nil, ""},
		"one series":   {mysql(8, 4, 1), mysql(8, 4, 7), nil, ""},
		"old releases": {mysql(8, 0, 20), mysql(8, 0, 36), nil, "no-clone"},
		"two series":   {mysql(8, 0, 40), mysql(8, 4, 3), nil, "no-clone"},
		"too old":      {mysql(8, 0, 16), mysql(8, 0, 16), nil, "no-clone"},
		"MariaDB":      {mariadb, mariadb, nil, "no-clone"},
		"MyISAM elsewhere": {
			mysql(8, 4, 1), mysql(8, 4, 1), func(m, _ *facts.Facts) { m.Databases[1].Locked = []string{"other.old"} },
			"not-transactional",
		},
		"a slave": {
			mysql(8, 4, 1), mysql(8, 4, 1), func(m, _ *facts.Facts) { m.Masters = []*server.SlaveStatus{{}} }, "is-slave",
		},
		"unknown login": {
			mysql(8, 4, 1), mysql(8, 4, 1), func(_, s *facts.Facts) { s.User = "admin@localhost" }, "clone-login",
		},
	} {
		t.Run(name, func(t *testing.T) {
			facts := func(v server.Version) *facts.Facts {
				return &facts.Facts{
					Version: v, User: "root@localhost", Accounts: []facts.Account{{User: "root", Host: "localhost"}},
					Databases: []facts.Database{{Name: "db"}, {Name: "other"}}, Variables: map[string]string{},
					Grants: []string{"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`"},
				}
			}
			seed := &Seed{
				Master: &server.Server{Version: test.master}, MasterFacts: facts(test.master), SlaveFacts: facts(test.slave),
				Databases: []string{"db"}, Method: journal.SeedClone,
			}
			if test.change != nil {
				test.change(seed.MasterFacts, seed.SlaveFacts)
			}
			found := (&seedCheck{seed: seed})
			if err := found.clone(t.Context()); err != nil {
				t.Fatal(err)
			}
			if test.code == "" && len(found.Problems) > 0 || test.code != "" && !finding.HasCode(found.Err(), test.code) {
				t.Errorf("found was\n%v", found.Err())
			}
		})
	}
}
