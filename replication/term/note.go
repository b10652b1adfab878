package term

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// Note is what a host of a pair knows, and must not forget: the truth about its term.
// It is kept in a file of mode 0600 outside the data directory; see File.
type Note struct {
	HostID string `json:"host_id"` // random: who reads it in a row of another server reads his own
	Name   string `json:"name"`    // of this host, as in [pair] hosts
	Peer   string `json:"peer"`    // of the other

	// Databases are those of the pair, as the setups were told.
	Databases []string `json:"databases,omitempty"`

	// Others are databases on the two servers that are not of the pair. The administrator
	// has agreed that they are read-only with the pair's on the slave, whoever that is, and
	// are not replicated.
	Others []string `json:"others,omitempty"`

	Term Term `json:"term"`

	// Request is of a switchover or promotion that this host has begun and not ended.
	// It is withdrawn, or becomes the Term, in one write of the file.
	Request *Request `json:"request,omitempty"`

	// Withdrawn is the nonce that was withdrawn last: of a request of this host's, or of
	// one for which the peer has demoted itself and which this host does not have.
	Withdrawn string `json:"withdrawn,omitempty"`

	// Demotion is of this host, which has answered its peer's request. It ends when the
	// request was read as withdrawn. When its term was read as raised, it stays until this
	// host follows the new master: that is how it knows that it may by itself.
	Demotion *Demotion `json:"demotion,omitempty"`

	// EventScheduler is what event_scheduler was before a demotion turned it off: to be set
	// again when this server is writable, or follows the new master. Empty: nothing is to be done.
	EventScheduler string `json:"event_scheduler,omitempty"`

	// Resume is that a request which was withdrawn may have stopped the slave, which is to
	// be started when the master answers.
	Resume bool `json:"resume,omitempty"`

	// StandsAside is since when this host has promised not to be promoted; zero: it has
	// not. On the master it is nothing.
	StandsAside time.Time `json:"stands_aside,omitzero"`

	// Alone is why this host may become writable although its peer does not answer.
	Alone Alone `json:"alone,omitempty"`

	// PeerAlone is the same of the peer, as this host has read it last. Such a peer may
	// start by itself at any time: only one that is fenced cannot.
	PeerAlone Alone `json:"peer_alone,omitempty"`

	// Seen is what was last seen of the master while this host was its slave.
	Seen *Seen `json:"seen,omitempty"`

	// Promotion is what a promotion or switchover to this host has still to do, or to
	// undo, once the term is this host's. It ends when the peer has rejoined.
	Promotion *Promotion `json:"promotion,omitempty"`

	// Judged are GTIDs of this host's own that its peer does not need: a rejoin has seen
	// that nothing of the pair's databases is in them, and saved what is. The new master
	// lets its own history come beyond them (MySQL: by empty transactions with these
	// GTIDs), or it could not follow this host later.
	Judged string `json:"judged,omitempty"`

	// Copying is the nonce of a new copy of the peer's data that this host makes: meanwhile,
	// the peer lets it log in as the account of copies, by a password that both derive from
	// that of the replication and the nonce. Empty: it makes none.
	Copying string `json:"copying,omitempty"`

	// LetsCopy is the nonce of a copy of this host's data for which its guard has made the
	// account of copies: to be dropped when the peer does not copy any more.
	LetsCopy string `json:"lets_copy,omitempty"`

	// StrictOff is that a rejoin has turned MariaDB's gtid_strict_mode off, until this server
	// has caught up.
	StrictOff bool `json:"strict_off,omitempty"`

	// Joined is the nonce of the term whose master this host follows, or has followed:
	// its history is the master's since then. What a promotion keeps for it can go.
	Joined string `json:"joined,omitempty"`

	// SemiSync is that the administrator wants semi-synchronous replication.
	SemiSync *SemiSync `json:"semi_sync,omitempty"`

	// Hooks are the last runs of hooks.
	Hooks []HookRun `json:"hooks,omitempty"`

	Changed time.Time `json:"changed"`
}

// Request is a term that a host wants to raise.
type Request struct {
	Number uint64    `json:"number"`
	Nonce  string    `json:"nonce"`
	By     Cause     `json:"by"`
	Since  time.Time `json:"since"`
}

// Demotion is that the master has made itself read-only, because its peer has asked for
// its term.
type Demotion struct {
	Nonce string    `json:"nonce"` // of the request
	Since time.Time `json:"since"`

	// Refused is why it could not, and is writable again; empty: it is read-only.
	Refused string `json:"refused,omitempty"`
}

// Alone is why a master may become writable without having heard its peer.
type Alone string

// The reasons. All but StoodAside end when the peer is seen to have the same term.
const (
	NotAlone   Alone = ""
	Fenced     Alone = "fenced"      // the administrator, or the cluster, has stated that the peer cannot serve
	Demoted    Alone = "demoted"     // the peer has made itself read-only for this very term
	StoodAside Alone = "stood-aside" // the peer has promised not to be promoted
	Stated     Alone = "stated"      // guard --i-am-master
)

// Seen is what a slave's guard has last seen of the master.
type Seen struct {
	At time.Time `json:"at"` // the last answer of the master

	// Of its binary log, then.
	File   string `json:"file,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
	GTID   string `json:"gtid,omitempty"`

	// Whole is when this host was last seen to have received all of the master's binary log.
	Whole time.Time `json:"whole,omitzero"`

	// Events are the enabled events of the replicated databases on the master, as
	// "database.event", and EventsAt when they were read; zero: they are not known.
	Events   []string  `json:"events,omitempty"`
	EventsAt time.Time `json:"events_at,omitzero"`

	// Sequences are where the sequences of the replicated databases stood on the master:
	// "database.sequence" to its next value.
	Sequences map[string]int64 `json:"sequences,omitempty"`

	// SemiSync is the settings and counters that the master had, if it had any.
	SemiSync *SemiSyncSeen `json:"semi_sync,omitempty"`
}

// SemiSync is how semi-synchronous replication is wanted. Without one nobody has said.
type SemiSync struct {
	Off     bool          `json:"off,omitempty"` // it is not
	Timeout time.Duration `json:"timeout"`       // 0: without end
}

// Wanted reports whether it is.
func (s *SemiSync) Wanted() bool { return s != nil && !s.Off }

// String is how long a commit waits, in words.
func (s *SemiSync) String() string {
	if s.Off {
		return "not at all"
	}
	if s.Timeout == 0 {
		return "however long that takes"
	}
	return "for " + finding.FormatDuration(s.Timeout) + " at most"
}

// Same reports whether both want the same; nil: that nothing is wanted.
func (s *SemiSync) Same(other *SemiSync) bool {
	return s == other || s != nil && other != nil && *s == *other
}

// SemiSyncSeen is what a master's semi-synchronous replication looked like.
type SemiSyncSeen struct {
	InForce   bool      `json:"in_force"`
	At        time.Time `json:"at"`         // when it was looked at
	Since     time.Time `json:"since"`      // since when it has been in force, as far as it was looked at
	Fallbacks uint64    `json:"fallbacks"`  // since the master's start
	Endless   bool      `json:"endless"`    // its time-out never ends
	WaitPoint string    `json:"wait_point"` // AFTER_SYNC, AFTER_COMMIT
}

// Promotion is what is left to do after a host has become the master.
type Promotion struct {
	Events    []string          `json:"events,omitempty"`    // to be enabled: known to have been so on the old master
	Sequences map[string]int64  `json:"sequences,omitempty"` // to be set beyond these values
	KeepLogs  string            `json:"keep_logs,omitempty"` // the retention of the binary log before, to be given back
	Old       map[string]string `json:"old,omitempty"`       // the connection to the old master, to show
}

// Store keeps the Note of a host. A File is one; simulations have others.
type Store interface {
	// Load reads the note. That there is none is a note without a HostID; Update then
	// makes one with a new HostID, and without a term.
	Load(ctx context.Context) (Note, error)

	// Update changes the note, and has it on the disk before it returns. No other
	// process changes it between. An error of change leaves it as it was. change must be
	// one of the functions of this package on Notes, or several, and nothing that waits.
	Update(ctx context.Context, change func(*Note) error) (Note, error)

	// Work takes the right to change who is the master, until done: a promotion,
	// switchover or rejoin. The Problem busy is that another process has it.
	Work(ctx context.Context) (done func(), err error)

	// Working reports whether a process has that right.
	Working(ctx context.Context) bool
}
