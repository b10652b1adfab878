package replication

import (
	"context"
	"database/sql"
	"maps"
	"reflect"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestStateOf: a state of another server is forgotten; one that does not say whose
// it is tells of no data that may be lost.
func TestStateOf(t *testing.T) {
	mysql, mariadb := newFacts(finding.Slave, server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0}), newFacts(finding.Slave, server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6})
	mariadb.Variables["hostname"], mariadb.Variables["datadir"] = "server2.domain.two", "/var/lib/mysql/"
	seeding := journal.State{Stage: journal.StageSeeding, Databases: []string{"voms"}, Begun: []string{"voms"}, AccountsOf: "1"}
	seeded, done := seeding, seeding
	seeded.Stage, done.Stage = journal.StageSeeded, journal.StageDone
	unknown := journal.State{Databases: seeding.Databases, AccountsOf: seeding.AccountsOf}
	as := func(stage journal.Stage) journal.State {
		s := unknown
		s.Stage = stage
		return s
	}
	for name, c := range map[string]struct {
		state journal.State
		by    *facts.Facts // who has noted it; nil: nobody said
		other string       // a variable of the server that reads it, which is another's
		on    *facts.Facts
		want  journal.State
	}{
		"MySQL's own":             {seeding, mysql, "", mysql, seeding},
		"MariaDB's own":           {seeded, mariadb, "", mariadb, seeded},
		"another UUID":            {seeding, mysql, "server_uuid", mysql, journal.State{}},
		"the same UUID elsewhere": {seeding, mysql, "datadir", mysql, seeding},
		"another host":            {seeded, mariadb, "hostname", mariadb, journal.State{}},
		"another port":            {seeding, mariadb, "port", mariadb, journal.State{}},
		"another data directory":  {done, mariadb, "datadir", mariadb, journal.State{}},
		"another family":          {done, mariadb, "", mysql, journal.State{}},
		"nobody's, cut off":       {seeding, nil, "", mysql, as(journal.StageSeeding)},
		"nobody's, copied":        {seeded, nil, "", mariadb, as(journal.StageNone)},
		"nobody's, set up":        {done, nil, "", mariadb, as(journal.StageDone)},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			open := func() *journal.StateFile {
				f, err := journal.OpenState(directory)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			save := func(f *journal.StateFile) {
				if err := f.Save(); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
			}
			f := open()
			f.State = c.state
			if c.by != nil {
				f.SetSlave(c.by)
				f.State = c.state
			}
			save(f)

			server := newFacts(finding.Slave, c.on.Version)
			maps.Copy(server.Variables, c.on.Variables)
			if c.other != "" {
				server.Variables[c.other] = "another"
			}
			f = open()
			f.SetSlave(server)
			save(f)
			f = open()
			defer f.Close()
			if f.Slave != server.Identity() {
				t.Errorf("it is noted as the state of %q", f.Slave)
			}
			got := f.State
			got.Slave, got.Changed = "", c.want.Changed
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("it is %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestLostFilterIsNoted: a run that is cut off when it filters again has noted that
// the slave is still to be seen to be equal.
func TestLostFilterIsNoted(t *testing.T) {
	db, err := sql.Open("mysql", "unix(/nowhere)/")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for before, want := range map[journal.Stage]journal.Stage{journal.StageDone: journal.StageRunning, journal.StageSeeded: journal.StageSeeded} {
		state, err := journal.OpenState(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer state.Close()
		state.Stage = before
		if err := (&Applier{State: state, Slave: &server.Server{DB: db}}).noteUncompared(ctx, &Step{On: finding.Slave}); err == nil {
			t.Fatal("it was not cut off")
		}
		if state.Stage != want {
			t.Errorf("%s before, and then %s", before, state.Stage)
		}
	}
}
