package term

import "time"

// Mode is how much a guard asks before it makes a server writable.
type Mode string

// The modes.
const (
	// Strict: a master that starts hears its peer first, unless there is a reason (Alone).
	Strict Mode = "strict"
	// Lenient: it waits for its peer for LenientPatience, and then goes on without. If the
	// peer was promoted meanwhile, there are two masters until they hear each other.
	Lenient Mode = "lenient"
	// Cluster: a cluster manager decides which host serves, and this host makes its server
	// writable for a command of that manager alone: see View.Ordered. Beside that it asks as
	// much as Strict.
	Cluster Mode = "cluster"
)

// Times of a guard.
const (
	// Look is how often a guard looks at its own server, and at its peer.
	Look = time.Second
	// PeerLimit is how long it waits for an answer of its peer. It is also how old what was
	// read of the peer may be when a server is made writable by it: older, it is read anew.
	PeerLimit = 2 * time.Second
	// Announce is how long a new term, which the peer has not taken yet, is published before
	// its server is made writable: two looks of the peer's guard. Whatever the peer did by
	// what it had read before, its guard has taken back by then.
	Announce = 2*Look + PeerLimit
	// LenientPatience is how long a lenient guard waits for its peer.
	LenientPatience = 30 * time.Second
	// AbandonedAfter is how long a request stays whose process has gone.
	AbandonedAfter = 3 * time.Second
)

// View is all that a host's decision depends on.
type View struct {
	Note    Note
	Mode    Mode
	Own     Own
	Peer    *Peer         // as it was just read; nil: its server did not answer
	Running time.Duration // how long this guard has been looking
	Known   time.Duration // how long this process has known the term, and it was published
	Working bool          // a command works on this host: see Store.Working
	Idle    time.Duration // how long none has, as far as this process knows

	// Ordered is that this process is a command of the cluster manager's which is to make the
	// server writable. It is of a process, and noted nowhere: it ends with that.
	Ordered bool
}

// Own is what the host's own server says.
type Own struct {
	Writable bool // a client without special rights can write: not read_only
	Loose    bool // MySQL: it is read_only and not super_read_only, so that administrators can write; MariaDB: false

	Slave       bool // it has a connection to a master
	SlaveActive bool // a thread of it runs

	// SlaveStands is that both threads stand since the server's start, and so because of
	// skip_slave_start: by no error, no hand, and no work of gtunnel.
	SlaveStands bool

	Row       *Record // its row, whoever has written it; nil: there is none
	Published bool    // that row is as it is to be: see Record.Says

	// LogHasAll is that its binary log has all that the peer has received from it; true if
	// the peer has received nothing, as far as that is known.
	LogHasAll bool

	// PeerHasAll is that the peer's binary log has all that this host has received from it.
	PeerHasAll bool

	// Demoted is that this process holds the lock of the demotion: nothing is written to
	// the server, and on MariaDB that is true of its row as well.
	Demoted bool
}

// Peer is what was read of the peer.
type Peer struct {
	Record   *Record // nil: it has no row that can be read
	Writable bool
	Locked   bool // it holds the lock of its demotion: see Demotion
}

// Act is one thing that a guard does.
type Act string

// The acts. Those of the Note alone are done by View.Apply: NewNote, Adopt, Withdraw and
// Heard; of Demote, TakeBack, Follow and StartSlave there is a function on the Note besides.
const (
	NewNote    Act = "new-note"    // there is none
	Publish    Act = "publish"     // write the row anew
	Adopt      Act = "adopt"       // take the term that was read
	Close      Act = "close"       // be read-only: the term is not ours
	Demote     Act = "demote"      // answer the peer's request, or hold on to what was answered
	TakeBack   Act = "take-back"   // end a demotion whose request was withdrawn
	Withdraw   Act = "withdraw"    // a request whose process has gone, or which this host does not have
	Open       Act = "open"        // be writable
	StartSlave Act = "start-slave" // the master answers
	Follow     Act = "follow"      // become the slave of the peer after a switchover
	Heard      Act = "heard"       // note what the peer says: it has our term, it stands aside
)

// Decision is what a guard does, in this order. An act that fails ends it, but for Close,
// which comes first, and after which the rest is tried all the same. When all is done it
// looks again at once if the Note was changed. Reason is for people, and for status; so is
// Cure, which is empty if there is nothing for them to do.
type Decision struct {
	Acts   []Act
	Reason string
	Code   Code
	Cure   string
}

// Code names, stably, a state in which something waits for an administrator or the peer.
type Code string

// The codes.
const (
	Well          Code = ""
	TermUnknown   Code = "term-unknown"    // the note is lost, and the peer does not say who is the master
	SplitBrain    Code = "split-brain"     // one number, two nonces
	PeerSilent    Code = "peer-silent"     // the master waits for its peer: strict
	PeerWritable  Code = "peer-writable"   // the peer can be written to, and must not be
	Announcing    Code = "announcing"      // the new term is published, the peer has not taken it
	BehindItsPeer Code = "behind-its-peer" // the peer has received what this log does not have
	IsDemoted     Code = "demoted"         // for a switchover that has not ended
	StillSlave    Code = "still-slave"     // the master's threads of a slave run
	NotFollowing  Code = "not-following"   // the other is the master, and this server is not its slave
	AwaitsCluster Code = "awaits-cluster"  // the cluster manager has not made this master writable
	OwnRow        Code = "own-row"         // the peer's row has this host's id
	OtherPair     Code = "of-another-pair" // the peer's row is of another host
)
