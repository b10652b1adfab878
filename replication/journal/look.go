package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gtunnel/gtunnel/replication/facts"
)

// ReadState reads the state of a slave without its lock, for those who only look;
// zero if nothing is noted of that slave, or this user may not see it.
func ReadState(directory string, slave *facts.Facts) (State, error) {
	if directory == "" {
		return State{}, nil
	}
	state, err := ReadNote[State](NoteFile(filepath.Join(directory, stateName)))
	if err != nil || state == nil || state.Slave != slave.Identity() {
		return State{}, err
	}
	return *state, nil
}

// Runner is the process that has the state of a directory, as this host numbers
// it; 0 if there is none, or that is not known.
func Runner(directory string) int {
	if directory == "" {
		return 0
	}
	lock, err := os.Open(filepath.Join(directory, stateName+".lock"))
	if err != nil {
		return 0
	}
	defer func() { _ = lock.Close() }() // and what it holds with it
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	pid := 0
	_, _ = fmt.Fscan(lock, &pid) // an earlier version has not written it
	return pid
}
