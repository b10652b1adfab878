package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
)

// CheckProtocol is the application protocol (ALPN, RFC 7301) of a connection
// that only asks whether both ends accept each other. A server that knows it
// judges the client as any other, answers with AnswerCheck where it accepts it
// and ends the connection: nothing is carried, and the target is not connected
// to. One that does not know it takes no notice of the name, and the
// connection for one that carries data; those offer no protocol at all.
const CheckProtocol = "gtunnel-check/1"

// IsCheck reports whether a connection that Endpoint.Server has accepted is of
// CheckProtocol.
func IsCheck(conn *tls.Conn) bool {
	return conn.ConnectionState().NegotiatedProtocol == CheckProtocol
}

// TargetState is what a server says of its target in a connection of
// CheckProtocol.
type TargetState string

// The states of a target.
const (
	TargetUnknown TargetState = ""     // the server has not looked, or cannot tell
	TargetUp      TargetState = "up"   // somebody listens there
	TargetDown    TargetState = "down" // it cannot be connected to
)

// The answer of CheckProtocol is one line of ASCII: the first word says that
// the server accepts the client, and what follows after a space what it says of
// its target. Words that are not known count for nothing.
const (
	checkAccepted = "accepted"
	checkTarget   = "target="
	maxCheck      = 256 // bytes, the line feed included
)

// AnswerCheck tells the client of a connection of CheckProtocol that it is
// accepted, and ends the TLS session in order. The caller closes the
// connection beneath.
func AnswerCheck(conn *tls.Conn, target TargetState) error {
	line := checkAccepted
	if target != TargetUnknown {
		line += " " + checkTarget + string(target)
	}
	_, err := io.WriteString(conn, line+"\n")
	return errors.Join(err, conn.CloseWrite())
}

var errNoAnswer = errors.New("no answer of " + CheckProtocol)

// readCheckAnswer reads what AnswerCheck writes.
func readCheckAnswer(conn io.Reader) (TargetState, error) {
	answer, err := io.ReadAll(io.LimitReader(conn, maxCheck))
	line, _, whole := strings.Cut(string(answer), "\n")
	switch {
	case whole: // how the connection ends after it does not matter
	case err != nil:
		return TargetUnknown, err
	case line == "":
		return TargetUnknown, io.EOF
	}
	words := strings.Fields(line)
	if !whole || len(words) == 0 || words[0] != checkAccepted {
		return TargetUnknown, &HandshakeError{
			Code:   CodeProtocol,
			Reason: fmt.Sprintf("the other end answers %s with %q", CheckProtocol, printable([]byte(line))),
			Cure:   "Look whether both ends are of the same version: gtunnel version.",
			Err:    errNoAnswer,
		}
	}
	for _, word := range words[1:] {
		state, ok := strings.CutPrefix(word, checkTarget)
		if ok && (state == string(TargetUp) || state == string(TargetDown)) {
			return TargetState(state), nil
		}
	}
	return TargetUnknown, nil
}
