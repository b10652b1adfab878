package page

import "time"

// SocketName is the name of the socket in the runtime folder at which the
// process that watches the replication answers GET /replication with a
// Replication as JSON.
const SocketName = "replication.sock"

// HistoryLimit is how many points of a history are shown: an hour, one in ten
// seconds.
const HistoryLimit = 360

// ReplicationState is how the replication goes, in a word.
type ReplicationState string

// The states. One that is not known is unknown, never running.
const (
	ReplicationRunning ReplicationState = "running"
	ReplicationStopped ReplicationState = "stopped" // somebody stopped it
	ReplicationBroken  ReplicationState = "broken"  // it does not go on without a person
	ReplicationUnknown ReplicationState = "unknown" // the slave does not answer
)

// Replication is what the process that watches the replication with a login of
// its own knows of it. The process of the tunnel has no login.
type Replication struct {
	State      ReplicationState     `json:"state"`
	Summary    string               `json:"summary"`        // one line in plain words
	Hint       string               `json:"hint,omitempty"` // the next step; empty: there is none
	Master     string               `json:"master"`         // host:port, as the slave has it
	LagSeconds *float64             `json:"lag_seconds"`    // nil: not known
	Since      time.Time            `json:"since"`          // when the state began
	Findings   []ReplicationFinding `json:"findings"`
	History    []LagPoint           `json:"history"`  // the last hour, the oldest first, at most HistoryLimit
	Compared   *Comparison          `json:"compared"` // nil: never
}

// ReplicationFinding is something that is wrong, or may become so.
type ReplicationFinding struct {
	Level string `json:"level"` // problem or warning
	Code  string `json:"code"`
	Text  string `json:"text"`
	Cure  string `json:"cure,omitempty"`
}

// LagPoint is how far the slave was behind at a moment.
type LagPoint struct {
	At         time.Time `json:"at"`
	LagSeconds *float64  `json:"lag_seconds"` // nil: not known
}

// Comparison is how the last comparison of the data ended.
type Comparison struct {
	At      time.Time `json:"at"`
	Equal   bool      `json:"equal"`
	Summary string    `json:"summary"` // one line in plain words
}
