package failover

import (
	"context"
	"io"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Host is what the guard and the commands have of the host that they run on.
type Host struct {
	Name string // of this host, as in [pair] hosts and in its certificate
	Peer string // of the other
	Mode term.Mode

	// Slaves are the names of further slaves beside the pair, as far as they are known.
	Slaves []string

	// Ordered is that this process is a command which a cluster manager has started, and may
	// make the server writable where Mode is term.Cluster. A guard's is not.
	Ordered bool

	// Store keeps the Note.
	Store term.Store

	// Own logs in to the server of this host as an administrator, by its socket.
	Own func(context.Context) (*server.Server, error)

	// PeerServer logs in to the peer's server through the tunnel, as the monitor account.
	PeerServer func(context.Context) (*server.Server, error)

	// Follower logs in to the peer's server through the tunnel as the account of the
	// replication, as this host's server does when it is the slave; nil: that is not tried.
	Follower func(context.Context) (*server.Server, error)

	// Databases are those of the pair.
	Databases []string

	// Port is the local end of the tunnel to the peer, on 127.0.0.1, for CHANGE MASTER.
	Port int

	// ReplicationPassword is that of the account by which either follows the other.
	ReplicationPassword server.Password

	// Alive asks the peer's host over TLS, whatever its server does. Any answer of TLS, a
	// refusal too, is life; what is an error is that this host could not ask.
	Alive func(context.Context) (Life, error)

	Hooks Hooks

	// KeepRelayLog copies the relay log of this host's server, whose index is named, to
	// where nothing deletes it, and gives the directory; nil: nobody can.
	KeepRelayLog func(ctx context.Context, own *server.Server, index string) (directory string, err error)

	// Decide is the judge of who may be written to; nil: term.Decide. Simulations have
	// others, with faults.
	Decide func(term.View) term.Decision

	// ReadBinaryLog has the program of the own server's family (mariadb-binlog,
	// mysqlbinlog) write what the own binary log holds, as SQL with the rows beside it as
	// comments: of files, from an offset of the first of them on; only these GTIDs of
	// MySQL's, if there are any.
	ReadBinaryLog func(ctx context.Context, files []string, from uint64, gtids string, to io.Writer) error

	// Shelf keeps what is saved before it is overwritten.
	Shelf Shelf

	// Copy makes the own server a slave by a new copy of the peer's databases: see
	// replication.Setup; nil: it cannot.
	Copy func(ctx context.Context, want CopyWant, talk replication.Dialogue) error

	// Compare compares the databases of the own server, the slave, with those of the peer's
	// at one position, for those who hold the lock of the own one; nil: nothing does.
	Compare func(ctx context.Context, own, peer *server.Server, talk replication.Dialogue) (equal bool, err error)

	// Tell is told what the guard does and sees, whenever that changes; nil: nobody. It
	// must not wait.
	Tell func(Event)
}

// Event is a line of the log.
type Event struct {
	Name    string         // "made writable", "peer does not answer"
	Trouble bool           // something waits for an administrator
	Fields  map[string]any // such as term, reason, position
}

// Life is what an attempt to reach a host has shown.
type Life struct {
	Answers bool
	How     string // in words: "its gtunnel answers", "nothing listens on its port 3307", "no route to it"
}

// Hooks are programs of the administrator's, by absolute paths; an empty one is none. Each
// is run without arguments, and has in its environment
//
//	GTUNNEL_HOOK      fence, pre-promote or post-promote
//	GTUNNEL_HOST      the name of this host, which is promoted
//	GTUNNEL_PEER      the name of the old master
//	GTUNNEL_TERM      the number of the new term
//	GTUNNEL_SOCKET    where this host's server listens
//	GTUNNEL_DATABASES those of the pair, with commas between
//	GTUNNEL_APPLIED   pre-promote, post-promote: what of the old master is applied, as file:offset
//	GTUNNEL_GTID      the same as GTIDs
//	GTUNNEL_UNKNOWN_SINCE  since when what the master committed may be lost, by RFC 3339; empty: not known
type Hooks struct {
	Fence, PrePromote, PostPromote string
	Timeout                        time.Duration // of each; 0: HookTimeout

	// Run runs a program and gives what it has printed; nil: Exec.
	Run func(ctx context.Context, path string, env []string) (string, error)
}

// Shelf is a place for files that are written once.
type Shelf interface {
	// Find gives the path of a name, and whether a whole file is there.
	Find(name string) (path string, there bool, err error)

	// Put writes a file of mode 0600. It has its name only once all of it is on the disk.
	Put(name string, write func(io.Writer) error) error
}

// SilentFor is how long a master must not have been heard on any way before it may be
// taken for lost.
const SilentFor = 10 * time.Second

// UnderWayFor is how long what the slave receives may be what was under way when its master was
// lost. After that it is a sign of life.
const UnderWayFor = 2 * time.Minute

// DemotionLock is the name of the lock that a demoted master's guard holds: as long as it
// is held, nothing is written to that server.
func DemotionLock(nonce string) string { return "gtunnel.demoted." + nonce[:min(len(nonce), 32)] }

// judge asks the Host's judge.
func (h *Host) judge(v term.View) term.Decision {
	if h.Decide != nil {
		return h.Decide(v)
	}
	return term.Decide(v)
}

// tell tells of an event.
func (h *Host) tell(e Event) {
	if h.Tell != nil {
		h.Tell(e)
	}
}

// plan is short for what every command shows.
type plan = replication.Plan
