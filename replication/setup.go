package replication

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// MasterSetup is the making of a master on this host.
type MasterSetup struct {
	Master    *server.Server // an administrator's login
	Want      MasterWant     // without what Run finds: DropIn, HandOver, Host, Fresh, Refused and Untried
	ConfigDir string         // from which the server reads option files; empty: it is looked for
	DryRun    bool           // nothing will be applied, so no password is tried
	Wait      bool           // for what the administrator must do, such as a restart
	Pair      *Pair          // that this host is of; nil: of none

	Dialogue

	Objects int // how many tables, views and routines the databases have, once Run has read them
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
	for _, name := range want.Databases {
		if d := f.Database(name); d != nil {
			s.Objects += d.Tables + d.Others + d.Routines
		}
	}
	plan := PlanMaster(f, want)
	if agreed, err := s.Consent(plan); !agreed || err != nil {
		return nil, err
	}
	applier := &Applier{Master: s.Master, MasterFacts: f, Wait: s.Wait, Pair: s.Pair, Dialogue: s.Dialogue}
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
	if want.DropIn, err = findDropIn(f, s.ConfigDir); err != nil {
		return want, err
	}
	return want, s.readPair(ctx, f, &want)
}

// readPair completes what is wanted of a pair: the databases and passwords that an earlier
// run has left on this host, if the hand-over file has been removed since.
func (s *MasterSetup) readPair(ctx context.Context, f *facts.Facts, want *MasterWant) (err error) {
	if want.Pair, err = s.Pair.read(ctx, s.Master); want.Pair == nil || err != nil {
		return err
	}
	want.Host = want.Pair.Name
	if len(want.Databases) == 0 {
		want.Databases = want.Pair.Note.Databases
	}
	if want.HandOver == nil && !s.DryRun {
		known := &HandOver{Passwords: want.Pair.Known}
		want.Refused = known.Refused(ctx, s.Master, f)
		for _, user := range want.Refused {
			delete(want.Pair.Known, user)
		}
	}
	if s.Pair.GTIDs && len(f.Slaves) > 0 {
		want.Pair.PeerMode = s.peerMode(ctx, want)
	}
	return nil
}

// peerMode asks the peer's server for its gtid_mode; empty if it does not answer.
func (s *MasterSetup) peerMode(ctx context.Context, want *MasterWant) string {
	password, known := want.Pair.Known[facts.MonitorUser]
	if want.HandOver != nil && !known {
		password = want.HandOver.Passwords[facts.MonitorUser]
	}
	peer, err := server.Open(ctx, finding.Slave, server.Login{
		Network: "tcp", Address: net.JoinHostPort(server.Loopback, strconv.Itoa(want.Pair.Port)),
		User: facts.MonitorUser, Password: password,
	})
	if err != nil {
		return ""
	}
	defer func() { _ = peer.Close() }() // it was only asked
	mode, err := peer.Value(ctx, peer.DB, "SELECT @@GLOBAL.gtid_mode")
	if err != nil {
		return ""
	}
	return mode
}

// findDropIn reads gtunnel's own option file of a server. Without a directory one is
// looked for; nil if there is none.
func findDropIn(f *facts.Facts, directory string) (*optionfile.DropIn, error) {
	if directory = cmp.Or(directory, f.ConfigDirectory()); directory == "" {
		return nil, nil //nolint:nilnil // there may be none
	}
	return optionfile.ReadDropIn(directory)
}

// Setup is the making of a slave on this host.
type Setup struct {
	// Master's login is the seeding account's or the monitor account's, as of
	// HandOver.OpenMaster; an administrator's if Want has no hand-over.
	Master, Slave *server.Server
	Want          SlaveWant
	State         *journal.StateFile // of this host, which Run makes that of the slave
	Address       string             // of the tunnel's end on this host, where status logs in to the master
	ConfigDir     string             // from which the slave reads option files; empty: it is looked for
	MonitorPath   string             // where the login for status is to be kept; empty: nowhere

	// NewPasswords lets an administrator's login replace those that other slaves use.
	NewPasswords bool

	Pair *Pair // that this host is of; nil: of none

	Dump *seed.DumpSource // of journal.SeedFile

	Dialogue

	Situation // of both ends, which Run reads

	dump *seed.DumpFile // that was found whole

	small     bool           // the files of the databases are known to be
	early     sync.WaitGroup // of the line's measurement, while the servers are read
	earlyLine facts.Line     // read after that
}

// Run makes the slave: it sets the master up first if the login there is an
// administrator's, reads both ends, plans, has the plan agreed to, and applies it. It
// reports whether the plan of the slave was applied to its end.
func (s *Setup) Run(ctx context.Context) (applied bool, err error) {
	early := s.Want.HandOver != nil && s.Pair == nil // nothing changes before they are read
	if len(s.Want.Databases) == 0 && s.Want.HandOver != nil {
		s.Want.Databases = s.Want.HandOver.Databases
	}
	ctx, end := context.WithCancel(ctx)
	defer func() { end(); s.early.Wait() }()
	if err := s.readFirst(ctx, early); err != nil {
		return false, err
	}
	if s.Want.HandOver == nil {
		if s.Want.HandOver, err = s.setUpMaster(ctx); err != nil || s.Want.HandOver == nil {
			return false, err
		}
	}
	if len(s.Want.Databases) == 0 {
		s.Want.Databases = s.Want.HandOver.Databases
	}
	if _, known := s.Want.HandOver.Passwords[facts.MonitorUser]; known && s.MonitorPath != "" {
		monitor := s.Want.HandOver.login(facts.MonitorUser, s.Address)
		s.Want.MonitorFile = &optionfile.ClientFile{Path: s.MonitorPath, Login: monitor}
	}
	if err := s.openDump(ctx); err != nil {
		return false, err
	}
	defer s.dump.Close()
	if goOn, err := s.turnGTIDsOn(ctx); !goOn || err != nil {
		return false, err
	}
	if err := s.readPair(ctx); err != nil {
		return false, err
	}
	if !early {
		if err := s.readEnds(ctx); err != nil {
			return false, err
		}
	}
	if err := s.read(ctx); err != nil {
		return false, err
	}
	if s.Want.FreshID == 0 {
		s.Want.FreshID = newServerID()
	}
	plan := PlanSlave(s.Situation, s.Want)
	if agreed, err := s.Consent(plan); !agreed || err != nil {
		return false, err
	}
	if err := s.applier().Apply(ctx, plan); err != nil {
		return false, &UnfinishedError{
			Err: err, Stage: s.State.Stage, Databases: s.Want.Databases, Method: s.Want.Method,
		}
	}
	return true, nil
}

// readFirst reads what all else depends on, and, where nothing changes before, both servers.
func (s *Setup) readFirst(outer context.Context, ends bool) error {
	return s.Master.Together(outer, s.Master.DB,
		func(ctx context.Context) error { return s.Slave.MustDiffer(ctx, s.Master) },
		func(ctx context.Context) error {
			err := s.State.Of(ctx, s.Slave)
			if err == nil && ends {
				s.readLineEarly(ctx, outer) // beside what is asked here, which does not wait for it
			}
			return err
		},
		s.readPairOfMaster,
		func(ctx context.Context) error {
			if ends {
				return s.readEnds(ctx)
			}
			return nil
		})
}

// readPair completes what is wanted of a pair.
func (s *Setup) readPair(ctx context.Context) (err error) {
	if s.Want.Pair, err = s.Pair.read(ctx, s.Slave); s.Want.Pair == nil || err != nil {
		return err
	}
	if s.Want.Pair.Record, err = term.ReadRecord(ctx, s.Master, s.Master.DB); err != nil {
		return err
	}
	f, err := facts.Read(ctx, s.Slave)
	if err != nil {
		return err
	}
	s.Want.Pair.Refused = s.Want.HandOver.Refused(ctx, s.Slave, f)
	return nil
}

// readPairOfMaster reads what the master publishes of its pair, where this host is of none.
// A login that may not read it is none of gtunnel's for a pair.
func (s *Setup) readPairOfMaster(ctx context.Context) (err error) {
	if s.Pair != nil {
		return nil
	}
	s.Want.PairOfMaster, err = term.ReadRecord(ctx, s.Master, s.Master.DB)
	if server.IsDenied(err) {
		return nil
	}
	return err
}

// UnfinishedError is that of a setup which has begun and did not come to its end.
type UnfinishedError struct {
	Err       error
	Stage     journal.Stage      // how far it has come
	Databases []string           // of the setup
	Method    journal.SeedMethod // of the copy
}

// Error is what kept it from its end.
func (e *UnfinishedError) Error() string { return e.Err.Error() }

// Unwrap gives that error.
func (e *UnfinishedError) Unwrap() error { return e.Err }

// Hint says what to do, what the setup has left, and how it goes on.
func (e *UnfinishedError) Hint() string {
	p, ok := errors.AsType[*finding.Problem](e.Err)
	switch {
	case !ok || p.Cure == "":
		return e.goOn()
	case strings.Contains(p.Cure, "--reseed"): // which is all that helps
		return p.Cure
	default:
		return p.Cure + "; " + e.goOn()
	}
}

func (e *UnfinishedError) goOn() string {
	switch {
	case finding.HasCode(e.Err, "broken"):
		return "unless that mends it: the same command again with --reseed --replace-databases " +
			strings.Join(e.Databases, ",")
	case e.Stage == journal.StageSeeding && e.Method == journal.SeedClone: // whose leavings nothing tells from data
		return "the slave has no replication and perhaps no whole copy; the same command again copies from the beginning, " +
			"with --replace-databases for what the clone has brought, if it names some"
	case e.Stage == journal.StageSeeding && e.Method == journal.SeedFile:
		return "the slave has no replication and no whole copy; " +
			"the same command again goes on at the table where the load stopped"
	case e.Stage == journal.StageSeeding && e.Method == journal.SeedParallel:
		return "the slave has no replication and no whole copy; " +
			"the same command again keeps the tables that are whole, and copies the others"
	case e.Stage == journal.StageSeeding:
		return "the slave has no replication and no whole copy; the same command again copies from the beginning"
	case e.Stage == journal.StageSeeded:
		return "the copy is whole; the same command again goes on from there"
	default:
		return "the same command again goes on from here"
	}
}

// applier carries plans for the slave out.
func (s *Setup) applier() *Applier {
	return &Applier{
		Master: s.Master, Slave: s.Slave, MasterFacts: s.MasterFacts, SlaveFacts: s.SlaveFacts,
		State: s.State, StateDir: s.State.Directory(), Pair: s.Pair, Dialogue: s.Dialogue, Slaves: s.Want.HandOver.Slaves,
		Dump: s.dump,
	}
}

// setUpMaster does what MasterSetup does, by an administrator's login and with no
// hand-over file. It gives the hand-over; nil if the master is not set up and is not to
// be.
//
// A slave that follows this master already keeps the accounts that it uses, unless a
// run that was cut off has made them: nobody knows their passwords then, and the login
// for status is still to be kept.
func (s *Setup) setUpMaster(ctx context.Context) (*HandOver, error) {
	f, err := facts.Read(ctx, s.Master)
	if err != nil {
		return nil, err
	}
	already, err := follows(ctx, s.Slave, s.Want.Port)
	if err != nil {
		return nil, err
	}
	newPasswords := s.NewPasswords || s.State.MadeAccounts(f) // no other slave has those of a run that was cut off
	s.Want.NewPasswords = already && !s.Want.Reseed && newPasswords
	keep := already && !s.Want.Reseed && !newPasswords
	plan := PlanMaster(f, MasterWant{
		Databases: s.Want.Databases, Fresh: NewFresh(), KeepAccounts: keep, NewPasswords: newPasswords, SeedAgain: !keep,
		TrustCreators: s.Want.TrustCreators,
	})
	if len(plan.Steps) == 0 && len(plan.Problems) == 0 {
		return plan.HandOver, nil
	}
	if agreed, err := s.Consent(plan); !agreed || err != nil {
		return nil, err
	}
	applier := &Applier{Master: s.Master, MasterFacts: f, Dialogue: s.Dialogue}
	if err := applier.Apply(ctx, plan); err != nil {
		return nil, err
	}
	return plan.HandOver, plan.HandOver.noteAccounts(s.State)
}
