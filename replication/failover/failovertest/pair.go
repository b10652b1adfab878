package failovertest

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Kinds are those that tests of a failover run on: one of each family.
var Kinds = []servertest.Kind{servertest.MariaDB, servertest.MySQL97}

// The pair's data. The table has the columns id BIGINT PRIMARY KEY, host VARCHAR and
// at DATETIME(6); a Writer fills it.
const (
	Database = "voms"
	Table    = Database + ".acts"
)

// Patience is how long something may take that takes seconds on a quiet machine.
const Patience = 2 * time.Minute

// Pair is two hosts.
type Pair struct {
	Kind servertest.Kind

	// A is the master of term 1, and B its slave.
	A, B *Host

	t testing.TB
}

// Host is one of a Pair. Its methods are for one goroutine at a time.
type Host struct {
	Name     string
	Peer     *Host
	Server   *servertest.Server
	StateDir string // holds the Note
	Port     int    // of 127.0.0.1, where it finds the Peer's server
	Link     *Link  // which listens there; nil: see Of
	Mode     term.Mode

	t     testing.TB
	guard *runningGuard
	looks atomic.Int64
	procs []*Process
}

// lab is where the servers of all tests of a package run.
var lab = sync.OnceValues(servertest.NewLab)

// New starts a pair, which ends with the test. Where the programs of the kind are
// missing, the test fails in CI and is skipped elsewhere.
func New(t testing.TB, kind servertest.Kind) *Pair {
	t.Helper()
	t.Attr("needs", string(kind))
	if testing.Short() {
		t.Skip("left out by -short: needs a database server")
	}
	var given [2]Given
	var starting sync.WaitGroup
	errs := make([]error, 2)
	for i, name := range []string{"server1.domain.one", "server2.domain.two"} {
		given[i] = Given{Name: name, StateDir: t.TempDir()}
		starting.Go(func() { given[i].Server, errs[i] = startServer(t, kind, name, i+1) })
	}
	starting.Wait()
	mustStart(t, errors.Join(errs...))
	p := Of(t, given[0], given[1])
	for _, h := range p.hosts() {
		t.Cleanup(h.closeServer)
	}
	for _, h := range p.hosts() {
		h.Link = newLink(t, h.Peer.Server.Address(), newTunnel(t))
		h.Port = h.Link.port
	}
	p.prepare()
	for _, h := range p.hosts() {
		t.Cleanup(h.endProcesses)
	}
	return p
}

// Given is a host that is there already.
type Given struct {
	Name     string
	Server   *servertest.Server
	StateDir string
	Port     int // where it finds the other's server
}

// Of is a pair of two hosts that are there already, with another way than Links between
// them. Their Failover, Start, PowerCut and Boot must not be used.
func Of(t testing.TB, a, b Given) *Pair {
	t.Helper()
	p := &Pair{Kind: a.Server.Kind, t: t}
	host := func(g Given) *Host {
		return &Host{Name: g.Name, Server: g.Server, StateDir: g.StateDir, Port: g.Port, Mode: term.Strict, t: t}
	}
	p.A, p.B = host(a), host(b)
	p.A.Peer, p.B.Peer = p.B, p.A
	return p
}

func (p *Pair) hosts() []*Host { return []*Host{p.A, p.B} }

// startServer starts a server with the options of a ready pair.
func startServer(t testing.TB, kind servertest.Kind, name string, id int) (*servertest.Server, error) {
	t.Helper()
	l, err := lab()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	return l.Start(ctx, kind, servertest.Options{Name: name, ServerID: id, Flags: options(kind)})
}

// options are those of the servers of a ready pair, in every role.
func options(kind servertest.Kind) []string {
	common := []string{
		"--read-only=ON", "--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1", "--sync-relay-log=1",
		"--relay-log-recovery=OFF", "--replicate-wild-do-table=" + Database + ".%",
	}
	if kind.IsMySQL() {
		return append(common, "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--log-replica-updates=ON",
			"--skip-replica-start=ON")
	}
	return append(common, "--log-slave-updates=ON", "--skip-slave-start")
}

// mustStart ends the test if a server did not start.
func mustStart(t testing.TB, err error) {
	t.Helper()
	if missing, ok := errors.AsType[*servertest.MissingError](err); ok {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: %s", missing, missing.Hint())
		}
		t.Skipf("%v: %s", missing, missing.Hint())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (h *Host) closeServer() {
	if h.t.Failed() {
		h.t.Logf("%s: %s", h.Name, h.Server.Log())
	}
	if err := h.Server.Close(); err != nil {
		h.t.Error(err)
	}
}

// prepare makes the accounts and the data, lets B follow A, makes A writable, and writes the
// Notes, on servers that are empty.
func (p *Pair) prepare() {
	p.t.Helper()
	for _, h := range p.hosts() {
		h.Exec(accounts(h.Own().Version)...)
	}
	p.Content()
	p.B.Follow()
	p.A.Exec("SET GLOBAL read_only=0")
	p.Sync(p.A)
	p.A.Update(func(n *term.Note) error { return n.Establish("of-the-setup", time.Now()) })
	begun := p.A.Note().Term
	p.B.Update(func(n *term.Note) error { return n.Adopt(begun) })
	for _, h := range p.hosts() {
		h.Update(func(n *term.Note) error {
			n.Databases = []string{Database}
			return nil
		})
	}
}

// Content makes the Database with its Table on A, and the application's account on both.
func (p *Pair) Content() {
	p.t.Helper()
	for _, h := range p.hosts() {
		name := server.QuoteAccount(AppUser, "localhost")
		h.Exec("SET SESSION sql_log_bin=0",
			h.Own().Version.CreateAccount(AppUser, "localhost", server.NewPassword(AppPassword)).Reveal(),
			"GRANT ALL ON `"+Database+"`.* TO "+name)
	}
	p.A.Exec("CREATE DATABASE "+Database,
		"CREATE TABLE "+Table+" (id BIGINT PRIMARY KEY, host VARCHAR(60) NOT NULL, at DATETIME(6) NOT NULL)")
}

// Store is that of the host's Note.
func (h *Host) Store() term.Store { return h.spec().store() }

// Note reads the host's Note.
func (h *Host) Note() term.Note {
	h.t.Helper()
	n, err := h.Store().Load(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// Update changes the host's Note.
func (h *Host) Update(change func(*term.Note) error) {
	h.t.Helper()
	if _, err := h.Store().Update(h.t.Context(), change); err != nil {
		h.t.Fatal(err)
	}
}

// Failover is what a guard and a command of the host have.
func (h *Host) Failover() failover.Host { return h.spec().host() }

// PowerCut ends all of the host at once: its server, its guard and other processes, and
// both ways to it, which are silent from then on.
func (h *Host) PowerCut() {
	h.t.Helper()
	h.Link.Silence(Both)
	h.Peer.Link.Silence(Both)
	h.endProcesses()
	h.Server.Kill()
}

// Boot starts the host's server, and restores the ways. Its guard is started by StartGuard
// or Start.
func (h *Host) Boot() {
	h.t.Helper()
	h.StartServer()
	h.Link.Restore()
	h.Peer.Link.Restore()
}

// KillServer ends the host's server as a crash does.
func (h *Host) KillServer() { h.Server.Kill() }

// StartServer starts it again.
func (h *Host) StartServer() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), Patience)
	defer cancel()
	if err := h.Server.Start(ctx); err != nil {
		h.t.Fatal(err)
	}
}

// spec is the host for a process.
func (h *Host) spec() *spec {
	tunnel := ""
	if h.Link != nil {
		tunnel = h.Link.tunnel
	}
	return &spec{
		Name: h.Name, Peer: h.Peer.Name, Mode: h.Mode, StateDir: h.StateDir,
		Socket: h.Server.Socket, User: h.Server.User, Port: h.Port, Tunnel: tunnel,
	}
}
