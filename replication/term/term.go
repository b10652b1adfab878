package term

import "time"

// Term is who of a pair is the master, and since when. Two terms are the same if both
// the number and the nonce are.
type Term struct {
	Number uint64    `json:"number"` // 0: no term is known
	Nonce  string    `json:"nonce"`  // of whoever raised it
	Master string    `json:"master"` // the name of the host that has it, as in [pair] hosts
	Since  time.Time `json:"since,omitzero"`
	By     Cause     `json:"by"`

	// Start is where the history of the new master parts from that of the old one.
	Start Start `json:"start,omitzero"`
}

// Cause is what has raised a term.
type Cause string

// The causes.
const (
	BySetup      Cause = "setup"
	ByPromotion  Cause = "promote"
	BySwitchover Cause = "switchover"
)

// Start is where the slave stood that was made the master.
type Start struct {
	// Of the old master: what of its binary log the new one had applied.
	OldFile   string `json:"old_file,omitempty"`
	OldOffset uint64 `json:"old_offset,omitempty"`
	OldGTID   string `json:"old_gtid,omitempty"` // MariaDB: gtid_slave_pos; MySQL: gtid_executed

	// Of the new master: where its own binary log stood.
	File   string `json:"file,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
	GTID   string `json:"gtid,omitempty"` // MariaDB: gtid_binlog_pos; MySQL: gtid_executed
}

// IsZero reports whether no term is known.
func (t Term) IsZero() bool { return t.Number == 0 }

// Same reports whether both are one term.
func (t Term) Same(other Term) bool { return t.Number == other.Number && t.Nonce == other.Nonce }

// Conflicts reports whether the two terms exclude each other: one number was raised to
// twice. Nothing but an administrator can choose between them.
func (t Term) Conflicts(other Term) bool {
	return t.Number == other.Number && t.Nonce != other.Nonce && !t.IsZero()
}
