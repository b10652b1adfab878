package replication

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// MasterSetup is the making of a master on this host.
type MasterSetup struct {
	Master    *server.Server // an administrator's login
	Want      MasterWant     // without what Run finds: DropIn, HandOver, Host, Fresh, Refused and Untried
	ConfigDir string         // from which the server reads option files; empty: it is looked for
	DryRun    bool           // nothing will be applied, so no password is tried
	Wait      bool           // for what the administrator must do, such as a restart

	Dialogue
}

// Run reads the server and the hand-over file of an earlier run, plans, has the plan
// agreed to, and applies it. It gives what the slave must know; nil if nothing was
// applied.
func (s *MasterSetup) Run(ctx context.Context) (*HandOver, error) {
	f, err := facts.Read(ctx, s.Master)
	if err != nil {
		return nil, err
	}
	want, err := s.read(ctx, f)
	if err != nil {
		return nil, err
	}
	plan := PlanMaster(f, want)
	if agreed, err := s.agree(plan); !agreed || err != nil {
		return nil, err
	}
	applier := &Applier{Master: s.Master, MasterFacts: f, Wait: s.Wait, Dialogue: s.Dialogue}
	if err := applier.Apply(ctx, plan); err != nil {
		return nil, err
	}
	return plan.HandOver, nil
}

// read completes what is wanted by what is there.
func (s *MasterSetup) read(ctx context.Context, f *facts.Facts) (MasterWant, error) {
	want := s.Want
	want.Fresh = NewFresh()
	var err error
	if want.Host, err = os.Hostname(); err != nil {
		return want, err
	}
	if want.HandOver, err = ReadHandOver(want.HandOverPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return want, err
	}
	if want.HandOver != nil {
		if s.DryRun {
			want.Untried = want.HandOver.Tried(s.Master, f)
		} else {
			want.Refused = want.HandOver.Refused(ctx, s.Master, f)
		}
		if len(want.Databases) == 0 {
			want.Databases = want.HandOver.Databases
		}
	}
	want.DropIn, err = findDropIn(f, s.ConfigDir)
	return want, err
}

// findDropIn reads gtunnel's own option file of a server. Without a directory one is
// looked for; nil if there is none.
func findDropIn(f *facts.Facts, directory string) (*optionfile.DropIn, error) {
	if directory = cmp.Or(directory, f.ConfigDirectory()); directory == "" {
		return nil, nil //nolint:nilnil // there may be none
	}
	return optionfile.ReadDropIn(directory)
}

// MasterWant is what a master should become.
type MasterWant struct {
	Databases []string
	DropIn    *optionfile.DropIn // as it is; nil: no directory for it is known

	HandOver     *HandOver // of an earlier run; nil if there is none
	HandOverPath string    // where it goes; empty: it is kept in memory, see Plan.HandOver
	Host         string    // the master's name, for the hand-over
	Fresh        Fresh     // for what is made anew

	// LogStatements makes it log statements, not rows: what MySQL 9 can follow
	// MariaDB by.
	LogStatements bool

	NewPasswords bool // replace passwords that are not known
	SeedAgain    bool // make the seeding account though it has been used and dropped
	KeepAccounts bool // leave the passwords of those that exist as they are, though they are not known

	Refused []string // of HandOver.Refused: accounts whose password in the file was wrong
	Untried []string // of HandOver.Tried: accounts whose password in the file is believed for now
}

// Fresh is what a plan for a master may need and cannot find out: the time, and what
// nobody else can know.
type Fresh struct {
	Now       time.Time
	Mark      string                     // for a server of MariaDB's, which has no UUID
	Passwords map[string]server.Password // by account
}

// NewFresh makes it, for one plan.
func NewFresh() Fresh {
	f := Fresh{Now: time.Now(), Mark: rand.Text(), Passwords: map[string]server.Password{}}
	for _, user := range facts.AccountUsers {
		f.Passwords[user] = server.GeneratePassword()
	}
	return f
}

// password is that of an account which is made anew. That a caller gives none is a
// mistake in the program: no account is made without.
func (f *Fresh) password(user string) server.Password {
	password := f.Passwords[user]
	if password.IsEmpty() {
		panic("replication: no fresh password for " + user)
	}
	return password
}
