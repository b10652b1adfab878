package main

import (
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
)

// fromStdin is the value of --seed for the standard input.
const fromStdin = "-"

// checkSeed refuses what does not go with --seed.
func (s *setupSlave) checkSeed() error {
	var flag, cure string
	switch {
	case s.seed == "":
		return nil
	case s.method != string(journal.SeedParallel):
		flag, cure = "--method", "leave one of them out"
	case s.lockTables:
		flag, cure = "--lock-tables", "give it to gtunnel replication dump on the master"
	case s.maxRate > 0:
		flag, cure = "--max-rate", "give it to gtunnel replication dump on the master"
	default:
		return nil
	}
	return &usage.Error{Where: flag, Message: "is not for --seed, whose dump is made already", Cure: cure}
}

// openSeed opens what --seed names; nil without it. What is asked is asked at the terminal
// of the command, if the standard input is the dump. The caller closes it.
func (m *Main) openSeed(s *setupSlave) (source *seed.DumpSource, end func(), err error) {
	switch s.seed {
	case "":
		return nil, func() {}, nil
	case fromStdin:
		if terminal.OpenKeyboard(m.Stdin) != nil {
			return nil, nil, &usage.Error{
				Where: "--seed", Message: "the standard input is a terminal, and no dump",
				Cure: "ssh root@MASTER gtunnel replication dump | gtunnel replication setup-slave --seed -; or name a file",
			}
		}
		source := &seed.DumpSource{From: m.Stdin, Name: "the dump of the standard input", Directory: s.stateDir}
		m.Stdin = strings.NewReader("")
		keyboard, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil { // as of a timer
			return source, func() {}, nil //nolint:nilerr // nobody can be asked
		}
		m.Stdin = keyboard
		return source, func() { _ = keyboard.Close() }, nil // it was only asked at
	}
	file, err := os.Open(s.seed)
	if info, e := os.Stat(s.seed); err == nil && e == nil && info.IsDir() {
		_ = file.Close() // nothing was read
		err = &fs.PathError{Op: "read", Path: s.seed, Err: syscall.EISDIR}
	}
	if err != nil {
		return nil, nil, &usage.Error{
			Where: "--seed", Err: err, Cure: "name a file that gtunnel replication dump wrote, or - for the standard input",
		}
	}
	return &seed.DumpSource{From: file, Name: s.seed, Directory: s.stateDir}, func() { _ = file.Close() }, nil
}
