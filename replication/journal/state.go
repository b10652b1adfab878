package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// SeedMethod is how a seed copies.
type SeedMethod string

// The methods.
const (
	SeedParallel SeedMethod = "parallel" // as dump, by several of them at one snapshot
	SeedDump     SeedMethod = "dump"     // mariadb-dump or mysqldump, streamed into the slave; nothing on disk
	SeedMydumper SeedMethod = "mydumper" // mydumper and myloader, in parallel, by a folder on the slave
	SeedClone    SeedMethod = "clone"    // MySQL's clone plugin, which replaces the whole slave
	SeedFile     SeedMethod = "file"     // a dump that was made on the master before, by gtunnel replication dump
	SeedNone     SeedMethod = "none"     // the data is there already
)

// State is what a slave's setup has done so far, kept in a file of mode 0600
// without passwords, so that a run that was cut off can go on. Where the
// server says otherwise, the server is right.
type State struct {
	Slave     string     `json:"slave,omitempty"` // whose state it is: see facts.Facts.Identity
	Stage     Stage      `json:"stage"`
	Databases []string   `json:"databases,omitempty"`
	Method    SeedMethod `json:"method,omitempty"`

	// Begun are those of the databases of which the slave has nothing of its own any more.
	Begun      []string        `json:"begun,omitempty"`
	BegunFrom  time.Time       `json:"begun_from,omitzero"`  // by the slave's clock: when that began
	BegunUntil time.Time       `json:"begun_until,omitzero"` // and when it was last seen to go on
	MasterID   uint32          `json:"master_server_id,omitempty"`
	MasterUUID string          `json:"master_server_uuid,omitempty"`
	MasterMark string          `json:"master_server_mark,omitempty"` // of MariaDB: see Facts.Mark
	ByGTID     bool            `json:"by_gtid,omitempty"`            // how the slave was told to follow the master
	Start      server.Position `json:"start"`                        // where the slave begins: the coordinates of the seed
	Changed    time.Time       `json:"changed"`

	// Term and TermNonce are the highest term of the master's pair that was seen, of a slave
	// that is not of the pair itself; zero: it follows none, as far as is known.
	Term      uint64 `json:"term,omitempty"`
	TermNonce string `json:"term_nonce,omitempty"`

	// EventScheduler is what event_scheduler was before the seed turned it off;
	// empty once it is back.
	EventScheduler string `json:"event_scheduler,omitempty"`

	// PersistedEvents is what event_scheduler was persisted as before a clone
	// made it OFF, empty if it was not; null once it is back.
	PersistedEvents *string `json:"persisted_event_scheduler,omitempty"`

	// AccountsOf is the master whose accounts this setup has given their
	// passwords, which are known to no other slave; empty: none, or it is done.
	AccountsOf string `json:"accounts_of,omitempty"`

	// PasswordMark tells the password that the slave was given last from others; empty:
	// it is not known.
	PasswordMark string `json:"password_mark,omitempty"`

	// SeedAccount is that the seeding account is still on the master.
	SeedAccount bool `json:"seed_account,omitempty"`
}

// leftSlack is how long after the last note a copy that was cut off may have
// gone on.
const leftSlack = time.Minute

// Left reports whether a database is what a copy that was cut off has left: all in
// it was made while that went on.
func (s *State) Left(d *facts.Database) bool {
	return s.Stage == StageSeeding && slices.Contains(s.Begun, d.Name) &&
		!d.Oldest.IsZero() && !d.Oldest.Before(s.BegunFrom) && !d.Newest.After(s.BegunUntil.Add(leftSlack))
}

// Begin notes that nothing is left of databases that is not a copy; without
// any, that the slave has no such leavings any more.
func (s *State) Begin(databases []string, now time.Time) {
	s.Begun, s.BegunFrom, s.BegunUntil = databases, now, now
}

// Stage is how far a slave's setup has come.
type Stage string

// The stages, in their order.
const (
	StageNone    Stage = ""        // nothing has been done to the slave's data
	StageSeeding Stage = "seeding" // the databases are being copied: what is there is no copy yet
	StageSeeded  Stage = "seeded"  // the copy is whole, and Start known
	StageRunning Stage = "running" // the slave has been started
	StageDone    Stage = "done"    // it was seen to have caught up and to be equal
)

// StateFile is a State in its file, locked against other runs until Close.
type StateFile struct {
	State

	path  string
	lock  *os.File
	slave string // of Of; empty: not known yet
}

// stateName is the file in its directory.
const stateName = "replication.json"

// lockPatience is how long the lock of a run that was killed may stay: a program that it
// was just starting has it until it is that program.
const lockPatience = time.Second

// OpenState locks and reads the state in a directory, which is made if it is
// missing. Another run that holds it is a *finding.Problem, and
// so is a file that cannot be read. Close gives it back.
func OpenState(ctx context.Context, directory string) (*StateFile, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for the state: %w", err)
	}
	path := filepath.Join(directory, stateName)
	lock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return nil, err
	}
	f := &StateFile{path: path, lock: lock}
	if _, err := read(path, &f.State); err != nil {
		_ = f.Close() // the first error says more
		if finding.HasCode(err, "state") {
			return nil, err
		}
		return nil, &finding.Problem{
			Code: "state", Text: "the state " + path + " cannot be read", Err: err,
			Cure: "move it away: the servers tell what else is known",
		}
	}
	return f, nil
}

// lockFile locks a file, which is made if it is missing.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	for patience := time.Now().Add(lockPatience); ; {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			if err = sign(lock); err == nil {
				return lock, nil
			}
			_ = lock.Close() // the first error says more
			return nil, err
		}
		held := errors.Is(err, syscall.EWOULDBLOCK)
		if held && time.Now().Before(patience) {
			if err = server.Pause(ctx, lockPatience/50); err == nil {
				continue
			}
			held = false
		}
		_ = lock.Close() // it is not ours
		if held {
			return nil,
				&finding.Problem{Code: "busy", Text: "another gtunnel replication runs on this host", Cure: "wait for its end"}
		}
		return nil, fmt.Errorf("lock the state: %w", err)
	}
}

// sign writes this process into its lock: see Runner.
func sign(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return fmt.Errorf("write the lock of the state: %w", err)
	}
	_, err := fmt.Fprintln(lock, os.Getpid())
	return err
}

// Of makes it the state of a slave. What it says of another server, such as one
// that was there before, or another instance of this host, is forgotten.
func (f *StateFile) Of(ctx context.Context, slave *server.Server) (err error) {
	known := &facts.Facts{Version: slave.Version}
	known.Variables, err = slave.Variables(ctx, slave.DB, "server_uuid", "hostname", "port", "datadir")
	if err == nil {
		f.SetSlave(known)
	}
	return err
}

// SetSlave makes it the state of the slave with these facts, as Of does.
func (f *StateFile) SetSlave(slave *facts.Facts) {
	f.slave = slave.Identity()
	switch {
	case f.Slave == f.slave:
	case f.Slave != "":
		f.State = State{}
	default: // an earlier version has not noted whose it is: no data is lost by it
		f.Begun = nil
		if f.Stage == StageSeeded {
			f.Stage = StageNone
		}
	}
}

// NoteAccounts notes that this setup has made the accounts of a master, or
// replaced their passwords.
func (f *StateFile) NoteAccounts(serverID uint32, uuid string) error {
	f.AccountsOf = accountsOf(serverID, uuid)
	return f.Save()
}

// MadeAccounts reports whether this setup, which is not done, has made the accounts
// of a master.
func (s *State) MadeAccounts(master *facts.Facts) bool {
	return s.AccountsOf == accountsOf(max(master.ServerID(), 1), master.UUID())
}

func accountsOf(id uint32, uuid string) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", id, uuid))
}

// Save writes the state, so that it survives a crash.
func (f *StateFile) Save() error {
	if f.slave != "" {
		f.Slave = f.slave
	}
	f.Changed = time.Now().UTC().Truncate(time.Second)
	return write(f.path, f.State)
}

// Directory is where the state is.
func (f *StateFile) Directory() string { return filepath.Dir(f.path) }

// Close gives the lock back.
func (f *StateFile) Close() error { return f.lock.Close() }
