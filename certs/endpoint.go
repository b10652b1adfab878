package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
)

// Endpoint is one end of TLS connections: what this host proves itself with,
// and how it judges the other end. Its methods are the only way to a TLS
// connection, and none returns one whose peer Verify has not accepted.
type Endpoint struct {
	Store      *Store
	Credential *Credential
	Policy     Policy
	MinVersion uint16 // tls.VersionTLS12 (also if 0) or tls.VersionTLS13
}

// HandshakeError says why a handshake failed where Verify did not refuse: the
// other end does not speak TLS, went away, was silent, or refused us.
type HandshakeError struct {
	Code   Code
	Reason string
	Cure   string
	Err    error // the cause
}

// The reasons of a HandshakeError.
const (
	CodeNotTLS        Code = "not-tls"         // the other end spoke something else; Reason says what
	CodeSilent        Code = "silent"          // the other end sent nothing before the deadline
	CodeTimeout       Code = "timeout"         // the other end began and did not finish before the deadline
	CodeDisconnected  Code = "disconnected"    // the other end closed or reset the connection
	CodePeerRefusedUs Code = "peer-refused-us" // the other end sent an alert about our certificate
	CodeProtocol      Code = "tls-protocol"    // no common version or cipher, or a malformed message
)

// Error is the reason with its cause.
func (e *HandshakeError) Error() string { return string(e.Code) + ": " + e.Reason }

// Unwrap gives the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }

// Hint is the cure.
func (e *HandshakeError) Hint() string { return e.Cure }

// Server runs the accepting side's handshake on conn until ctx ends. The
// error is a *Refusal or a *HandshakeError; the caller closes conn.
func (e *Endpoint) Server(ctx context.Context, conn net.Conn) (*tls.Conn, *Result, error) {
	return nil, nil, errors.ErrUnsupported
}

// Client runs the opening side's handshake on conn until ctx ends; the peer
// must prove host. In TLS 1.3 it returns before the server has judged us: a
// server's refusal comes as the error of the first Read, which Explain turns
// into words. The error is a *Refusal or a *HandshakeError; the caller closes
// conn.
func (e *Endpoint) Client(ctx context.Context, conn net.Conn, host string) (*tls.Conn, *Result, error) {
	return nil, nil, errors.ErrUnsupported
}

// Explain turns an error of a handshake or of a Read on a TLS connection into
// a *HandshakeError where it is one, and returns others as they are.
func Explain(err error) error { return err }
