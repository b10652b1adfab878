package replication

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Pair is the host of a setup as one of two that can both be the master.
type Pair struct {
	Name, Peer string // as in [pair] hosts
	Store      term.Store
	Port       int // of 127.0.0.1: where this host finds the peer's server

	// Where the logins at the peer's server are kept, by option files.
	MonitorPath, ReplicationPath string

	Others []string // databases beside the pair's that the administrator has agreed to
	GTIDs  bool     // turn MySQL's GTIDs on

	SemiSync SemiSyncWish // of the setup of a slave
}

// PairWant is what makes a server one of a pair, beside what makes it a master or slave.
type PairWant struct {
	Name, Peer string
	Port       int
	Others     []string
	GTIDs      bool
	PeerMode   string // gtid_mode of the peer's server; empty: not known
	SemiSync   SemiSyncWish

	Note     term.Note    // of this host, as it is
	Record   *term.Record // of the master, for the setup of its slave; nil: it has none
	HasTable bool         // the table of the record is there, and the view of the accounts
	Columns  facts.GrantColumns
	Files    []LoginFile
	Known    map[string]server.Password // what the files have, by account
	Refused  []string                   // accounts of this host's server with another password than that of the hand-over
	Nonce    string                     // random, for the first term
	Now      time.Time
}

// LoginFile is the place of an option file with a login at the peer's server.
type LoginFile struct {
	Name    string // of its step
	User    string
	Path    string
	Content string // what is there; empty: nothing
	Foreign bool   // gtunnel has not made it
}

// read completes what is wanted by what is there.
func (p *Pair) read(ctx context.Context, s *server.Server) (*PairWant, error) {
	if p == nil {
		return nil, nil //nolint:nilnil // the host is not of a pair
	}
	fresh := NewFresh()
	w := &PairWant{
		Name: p.Name, Peer: p.Peer, Port: p.Port, GTIDs: p.GTIDs, SemiSync: p.SemiSync, Nonce: fresh.Nonce, Now: fresh.Now,
		Known: map[string]server.Password{},
	}
	var err error
	if w.Note, err = p.Store.Load(ctx); err != nil {
		return nil, err
	}
	w.Others = slices.Concat(p.Others, w.Note.Others)
	record, err := term.ReadRecord(ctx, s, s.DB)
	if err != nil {
		return nil, err
	}
	view, err := facts.HasRightsView(ctx, s)
	if err != nil {
		return nil, err
	}
	w.HasTable = record != nil && view
	if w.Columns, err = facts.ReadGrantColumns(ctx, s); err != nil {
		return nil, err
	}
	w.Files = []LoginFile{
		{Name: "monitor-file", User: facts.MonitorUser, Path: p.MonitorPath},
		{Name: "replication-file", User: facts.ReplicationUser, Path: p.ReplicationPath},
	}
	for i := range w.Files {
		if err := w.Files[i].read(w.Known); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// read reads what is in the place of the file, and the password of one that is gtunnel's.
func (f *LoginFile) read(known map[string]server.Password) error {
	content, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.Content = string(content)
	f.Foreign = (&optionfile.ClientFile{Path: f.Path}).Foreign()
	options, err := optionfile.Parse(f.Content)
	if f.Foreign || err != nil {
		return nil //nolint:nilerr // it tells no password
	}
	login := map[string]string{}
	for _, o := range options {
		login[o.Key] = o.Value
	}
	if login["user"] == f.User && login["password"] != "" {
		known[f.User] = server.NewPassword(login["password"])
	}
	return nil
}

// knows reports whether the files of this host have every password of the pair.
func (w *PairWant) knows() bool { return w != nil && len(w.Known) == len(w.Files) }

// subject is what rules judge of the pair.
func (w *PairWant) subject() *rules.Pair {
	if w == nil {
		return nil
	}
	p := &rules.Pair{
		Name: w.Name, Peer: w.Peer, Port: w.Port, Term: w.Note.Term, Others: w.Others, GTIDs: w.GTIDs,
		Record: w.Record,
	}
	for _, f := range w.Files {
		if f.Foreign {
			p.Foreign = append(p.Foreign, f.Path)
		}
	}
	return p
}

// tableSteps make the table of the pair, which the monitor account may read.
func (w *PairWant) tableSteps(p *Plan, f *facts.Facts, copied, again bool) {
	have := facts.ParseGrants(f.OurGrants[facts.MonitorUser])
	can := facts.Given(have, facts.ObjectOf("", term.Database, term.Table), "SELECT")
	if w.HasTable && can && !again {
		return
	}
	step := &Step{
		Name: "pair-table", On: f.Role, What: "make the table in which the other host reads who is the master, " +
			"and a view by which it compares the accounts",
		Why: "they are of this server alone, and never replicated; the view shows digests, and neither passwords nor rights",
		SQL: whileWritable(f, copied, slices.Concat(term.MakeTable(facts.MonitorUser, server.Loopback),
			facts.MakeRightsView(w.Columns, facts.MonitorUser, server.Loopback))),
	}
	if !w.HasTable {
		step.Undo = whileWritable(f, copied, []server.Statement{
			server.SQL("SET SESSION sql_log_bin=0"), server.SQL("DROP DATABASE %s", server.QuoteName(term.Database)),
		})
	}
	p.add(step)
}

// whileWritable puts what lets administrators write around statements for a server where
// nobody can. A server that is being copied to is writable.
func whileWritable(f *facts.Facts, copied bool, statements []server.Statement) []server.Statement {
	if !f.ReadOnlyForAll() || copied {
		return statements
	}
	begin, end := f.LetAdministratorsWrite()
	return slices.Concat([]server.Statement{begin}, statements, []server.Statement{end})
}

// runBesideGuard runs statements in one session, as Server.Run does. The guard of a host of a
// pair closes a server that administrators can write to, within a second, and so perhaps
// between two of these statements: what lets them write comes first, and is then run again.
func runBesideGuard(ctx context.Context, on *server.Server, statements []server.Statement) error {
	const isReadOnly, tries = 1290, 5
	conn, err := on.Session(ctx)
	if err != nil {
		return err
	}
	defer server.Discard(conn)
	for _, statement := range statements {
		err := on.Exec(ctx, conn, statement)
		for i := 1; i < tries && server.ErrorNumber(err) == isReadOnly; i++ {
			if err := on.Exec(ctx, conn, statements[0]); err != nil {
				return err
			}
			err = on.Exec(ctx, conn, statement)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fileSteps keep the logins at the peer's server on this host. but names one that another
// step writes.
func (w *PairWant) fileSteps(p *Plan, on finding.Role, passwords map[string]server.Password, but string) {
	why := map[string]string{
		facts.MonitorUser:     "guard, status and compare ask the other host's server by it, whichever is the master",
		facts.ReplicationUser: "this host becomes the slave of the other by it",
	}
	for _, f := range w.Files {
		password, known := passwords[f.User]
		if !known {
			password, known = w.Known[f.User]
		}
		if f.User == but || !known {
			continue
		}
		file := &optionfile.ClientFile{Path: f.Path, Login: server.Login{
			Network: "tcp", Address: net.JoinHostPort(server.Loopback, strconv.Itoa(w.Port)), User: f.User, Password: password,
		}}
		if file.Content().Reveal() == f.Content {
			continue
		}
		p.add(&Step{
			Name: f.Name, On: on, What: "keep the login of " + server.QuoteAccount(f.User, server.Loopback) +
				" at the server of " + w.Peer,
			Why: why[f.User], File: &File{Path: f.Path, Mode: 0o600, Content: file.Content()}, UndoByHand: "remove the file",
		})
	}
}

// noteStep notes which databases are of the pair, and the term: the first one of a
// master, or the one that the master of a slave has.
func (w *PairWant) noteStep(p *Plan, on finding.Role, databases []string) {
	n := notePair{databases: databases, others: w.Others, nonce: w.Nonce, now: w.Now}
	what := "note that this host is the master of the pair"
	if on == finding.Slave {
		n.adopt, what = w.Record.Term, "note that "+w.Record.Term.Master+" is the master of the pair"
	}
	known := w.Note.Term.Number > 0 && (on == finding.Master || w.Note.Term.Same(n.adopt))
	if known && slices.Equal(w.Note.Databases, databases) && sameNames(w.Note.Others, w.Others) {
		return
	}
	p.add(&Step{
		Name: "pair-note", On: on, What: what,
		Why: "the guard makes the server of that host writable, and no other", Action: n,
		UndoByHand: "on both hosts remove " + term.FileName + " from the state directory: there is no pair then",
	})
}

// sameNames reports whether two lists have the same names.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}

// notePair changes the note of this host, and publishes it.
type notePair struct {
	databases, others []string

	adopt term.Term // of the master; zero: this host is the master
	nonce string    // of the first term
	now   time.Time
}

func (a *Applier) notePair(ctx context.Context, step *Step, n notePair) error {
	note, err := a.Pair.Store.Update(ctx, func(note *term.Note) error {
		note.Share(n.databases, n.others)
		if n.adopt.IsZero() {
			return note.Establish(n.nonce, n.now)
		}
		return note.Adopt(n.adopt)
	})
	if err != nil {
		return err
	}
	on := a.on(step)
	f, err := facts.ReadVariables(ctx, on, on.DB, "super_read_only")
	if err != nil {
		return err
	}
	return term.PublishRecord(ctx, on, note.Record(), f.On("super_read_only"))
}
