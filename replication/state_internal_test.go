package replication

import (
	"context"
	"database/sql"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

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
	for before, want := range map[journal.Stage]journal.Stage{
		journal.StageDone: journal.StageRunning, journal.StageSeeded: journal.StageSeeded,
	} {
		state, err := journal.OpenState(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer state.Close()
		state.Stage = before
		if err := (&Applier{State: state, Slave: &server.Server{DB: db}}).noteUncompared(
			ctx, &Step{On: finding.Slave},
		); err == nil {
			t.Fatal("it was not cut off")
		}
		if state.Stage != want {
			t.Errorf("%s before, and then %s", before, state.Stage)
		}
	}
}
