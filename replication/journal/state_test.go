package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// newSlave is what a server says of itself.
func newSlave(family server.Family) *facts.Facts {
	f := &facts.Facts{Role: finding.Slave, Version: server.Version{Family: family}, Variables: map[string]string{
		"port": "3306", "hostname": "server2.domain.two", "datadir": "/var/lib/mysql/",
	}}
	if family == server.MySQL {
		f.Variables["server_uuid"] = "11111111-0000-0000-0000-000000000002"
	}
	return f
}

// reread is the state that one server has noted, as another one has it that reads it.
// It was noted by nobody if by is nil.
func reread(t *testing.T, state journal.State, by, reader *facts.Facts) *journal.StateFile {
	t.Helper()
	directory := t.TempDir()
	open := func() *journal.StateFile {
		f, err := journal.OpenState(t.Context(), directory)
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
	f.State = state
	if by != nil {
		f.SetSlave(by)
		f.State = state
	}
	save(f)
	f = open()
	f.SetSlave(reader)
	save(f)
	f = open()
	t.Cleanup(func() { f.Close() })
	return f
}

// TestStateOf: a state of another server is forgotten; one that does not say whose
// it is tells of no data that may be lost.
func TestStateOf(t *testing.T) {
	mysql, mariadb := newSlave(server.MySQL), newSlave(server.MariaDB)
	seeding := journal.State{
		Stage: journal.StageSeeding, Databases: []string{"voms"}, Begun: []string{"voms"}, AccountsOf: "1",
	}
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
			server := newSlave(c.on.Version.Family)
			if c.other != "" {
				server.Variables[c.other] = "another"
			}
			f := reread(t, c.state, c.by, server)
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

// TestStateOfKilledRun: a program that a run was just starting when it was killed has
// the lock of the state a little longer.
func TestStateOfKilledRun(t *testing.T) {
	directory := t.TempDir()
	f, err := journal.OpenState(t.Context(), directory)
	if err != nil {
		t.Fatal(err)
	}
	released := time.AfterFunc(100*time.Millisecond, func() { _ = f.Close() })
	defer released.Stop()
	again, err := journal.OpenState(t.Context(), directory)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestStateRefused: nobody works by a state that another run holds, or that cannot
// be read.
func TestStateRefused(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "made")
	f, err := journal.OpenState(t.Context(), directory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.OpenState(t.Context(), directory); !finding.HasCode(err, "busy") {
		t.Errorf("a second run: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "replication.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.OpenState(t.Context(), directory); !finding.HasCode(err, "state") {
		t.Errorf("one that is no JSON: %v", err)
	}
	file := filepath.Join(directory, "replication.json")
	if _, err := journal.OpenState(t.Context(), file); err == nil {
		t.Error("a file was taken for the directory")
	}
}

// TestMadeAccounts: whose accounts a setup has made is known after it was cut off.
func TestMadeAccounts(t *testing.T) {
	directory := t.TempDir()
	f, err := journal.OpenState(t.Context(), directory)
	if err != nil {
		t.Fatal(err)
	}
	master, other := newSlave(server.MySQL), newSlave(server.MariaDB)
	master.Variables["server_id"], other.Variables["server_id"] = "7", "8"
	if err := errors.Join(f.NoteAccounts(master.ServerID(), master.UUID()), f.Close()); err != nil {
		t.Fatal(err)
	}
	if f, err = journal.OpenState(t.Context(), directory); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !f.MadeAccounts(master) || f.MadeAccounts(other) {
		t.Errorf("the accounts are those of %q", f.AccountsOf)
	}
}

// TestLook: who only looks sees the state of a slave, and which process has it.
func TestLook(t *testing.T) {
	directory := t.TempDir()
	slave := &facts.Facts{Variables: map[string]string{"server_uuid": "one"}}
	if pid := journal.Runner(directory); pid != 0 {
		t.Errorf("process %d has what is not there", pid)
	}
	file, err := journal.OpenState(t.Context(), directory)
	if err != nil {
		t.Fatal(err)
	}
	file.SetSlave(slave)
	file.Stage = journal.StageSeeding
	if err := file.Save(); err != nil {
		t.Fatal(err)
	}
	if pid := journal.Runner(directory); pid != os.Getpid() {
		t.Errorf("process %d has the state", pid)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if pid := journal.Runner(directory); pid != 0 {
		t.Errorf("process %d has what was given back", pid)
	}
	state, err := journal.ReadState(directory, slave)
	if err != nil || state.Stage != journal.StageSeeding {
		t.Errorf("%+v, %v", state, err)
	}
	other := &facts.Facts{Variables: map[string]string{"server_uuid": "two"}}
	if state, err := journal.ReadState(directory, other); err != nil || state.Stage != journal.StageNone {
		t.Errorf("of another: %+v, %v", state, err)
	}
}
