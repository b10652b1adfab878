package replication_test

import (
	"errors"
	"fmt"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// What takes a step back is SQL that can be run; shown, it tells no password.
func ExampleUndo() {
	undo := replication.Undo{
		server.SQL("SET SESSION sql_log_bin=0"),
		server.SQL("ALTER USER 'db_rep'@'127.0.0.1' IDENTIFIED BY %s", server.NewPassword("a secret")),
	}
	fmt.Println(undo)
	// Output: SET SESSION sql_log_bin=0; ALTER USER 'db_rep'@'127.0.0.1' IDENTIFIED BY '********'
}

// A setup that was cut off tells what it has left, and how it goes on.
func ExampleUnfinishedError() {
	var err error = &replication.UnfinishedError{
		Err:   finding.New(finding.Slave, "no-room", "make room there", "the disk is full"),
		Stage: journal.StageSeeding, Databases: []string{"voms"},
	}
	fmt.Println(err)
	if unfinished, ok := errors.AsType[*replication.UnfinishedError](err); ok {
		fmt.Println("hint:", unfinished.Hint())
	}
	// Output:
	// slave: the disk is full
	// hint: make room there; the slave has no replication and no whole copy; the same command again copies from the beginning
}
