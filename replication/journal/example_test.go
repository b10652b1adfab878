package journal_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// A setup notes how far it has come, and the next one goes on from there.
func ExampleStateFile() {
	directory, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	state, err := journal.OpenState(context.Background(), directory)
	if err != nil {
		panic(err)
	}
	state.Stage, state.Method, state.Databases = journal.StageSeeded, journal.SeedDump, []string{"voms"}
	state.Start = server.Position{File: "mysql-bin.000007", Offset: 4711}
	if err := state.Save(); err != nil {
		panic(err)
	}
	_ = state.Close()

	again, err := journal.OpenState(context.Background(), directory)
	if err != nil {
		panic(err)
	}
	defer again.Close()
	fmt.Println(again.Stage, again.Method, again.Databases, again.Start)
	// Output:
	// seeded dump [voms] mysql-bin.000007:4711
}

// A repair that is cut off is told of until the next one has done its work.
func ExampleRepairNote() {
	directory, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	_, file := journal.NoteFiles(directory, 2)
	if err := file.Write(journal.RepairNote{Tables: []string{"voms.users"}}); err != nil {
		panic(err)
	}
	notes, err := journal.ReadNotes(directory, 2)
	fmt.Println(notes.Comparison == nil, notes.Repair.Tables, err)
	fmt.Println(journal.RepairCommand(notes.Repair.Tables))
	// Output:
	// true [voms.users] <nil>
	// gtunnel replication compare --repair-table voms.users
}

// One of rows leaves no half a copy, and a comparison ends it.
func ExampleRepairNote_CutOff() {
	note := journal.RepairNote{
		Began: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Tables: []string{"voms.users"}, Rows: true,
	}
	slave := &facts.Facts{Version: server.Version{Family: server.MySQL}}
	problem := note.CutOff(slave, &server.SlaveStatus{SQLRunning: "No"})
	fmt.Println(problem)
	fmt.Println(problem.Cure)
	// Output:
	// slave: the repair of 2026-07-01 12:00:00 UTC was cut off, of rows of voms.users; the replication stands
	// gtunnel replication compare, which ends it
}
