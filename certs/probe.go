package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
)

// errFetched ends the handshake of FetchChain.
var errFetched = errors.New("certificates fetched")

// FetchChain asks a TLS server for its certificates, its own first, and
// trusts none of them: the handshake is broken off before it is complete, so
// nothing can be sent or received. serverName goes into the hello if it is a
// name; it is not checked. The error is a *HandshakeError; the caller closes
// conn.
func FetchChain(ctx context.Context, conn net.Conn, serverName string) ([]*x509.Certificate, error) {
	judge := &judge{own: new(tls.Certificate), role: PeerServer, host: serverName}
	config := new(Endpoint).clientConfig(judge)
	var chain []*x509.Certificate
	config.VerifyConnection = func(state tls.ConnectionState) error {
		chain = state.PeerCertificates
		return errFetched
	}
	observed := &observedConn{Conn: conn}
	err := tls.Client(observed, config).HandshakeContext(ctx)
	if errors.Is(err, errFetched) {
		return chain, nil
	}
	return nil, explainHandshake(ctx, err, observed.first(), PeerServer)
}

// Probing is what the two ends of a connection say of each other.
type Probing struct {
	Chain     []*x509.Certificate // what the server sent, its own first
	Result    *Result             // nil if this end refuses the server
	Refusal   error               // why this end refuses it: a *Refusal, or a *HandshakeError; nil if it does not
	Objection error               // why the server broke off: a *HandshakeError; nil if it did not
	Checked   bool                // the server knows CheckProtocol: its target has seen nothing of this
	Answered  bool                // the server accepts us: it sent something after the handshake
	Target    TargetState         // of a server that is Checked and has Answered
}

// Problems are the objections of both ends, this one's first, in words that
// say whose they are.
func (p *Probing) Problems() []error {
	var problems []error
	if p.Refusal != nil {
		problems = append(problems, fmt.Errorf("this host refuses it: %w", p.Refusal))
	}
	if p.Objection != nil {
		problems = append(problems, fmt.Errorf("it does not go on: %w", p.Objection))
	}
	return problems
}

// errHeldBack ends the handshake of a quiet Probe.
var errHeldBack = errors.New("the server has proved itself, and is told nothing")

// Probe runs a handshake with a server to learn what each end objects to. It
// goes on when this end would refuse, so that the server speaks its mind too,
// and waits until ctx ends for the answer, or the refusal, of a server that
// judges after the handshake (TLS 1.3). It gives no connection away and sends
// no data. A server that does not know CheckProtocol connects to its target
// meanwhile.
//
// A quiet probe disturbs nobody: the handshake is broken off, as soon as the
// server has proved itself, with one that does not know CheckProtocol or that
// this end refuses. What such a server thinks of this end stays unknown, and
// it learns nothing of it.
//
// The error is a *HandshakeError if there was no handshake; the caller closes
// conn.
func (e *Endpoint) Probe(ctx context.Context, conn net.Conn, host string, quiet bool) (*Probing, error) {
	judge := e.newJudge(PeerServer, host)
	config := e.clientConfig(judge)
	config.NextProtos = []string{CheckProtocol}
	probing := new(Probing)
	observed := &observedConn{Conn: conn}
	muzzle := &muzzledConn{Conn: observed}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		probing.Chain = state.PeerCertificates
		probing.Refusal = judge.verifyConnection(state)
		probing.Result = judge.result
		probing.Checked = state.NegotiatedProtocol == CheckProtocol
		muzzle.silent = quiet && (!probing.Checked || probing.Refusal != nil)
		return nil
	}
	tlsConn := tls.Client(muzzle, config)
	if err := tlsConn.HandshakeContext(ctx); errors.Is(err, errHeldBack) {
		return probing, nil
	} else if err != nil {
		explained := explainHandshake(ctx, err, observed.first(), PeerServer)
		switch {
		case probing.Chain == nil || muzzle.silent:
			return nil, explained
		case isOurs(err): // it does not hold the key, for one
			probing.Result, probing.Refusal = nil, cmp.Or(probing.Refusal, explained)
		default:
			probing.Objection = explained
		}
		return probing, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends the Read
	defer stop()
	err := probing.read(tlsConn)
	answer, isAnswer := errors.AsType[*HandshakeError](err)
	switch {
	case err == nil || ctx.Err() != nil:
	case isAnswer: // and not one of CheckProtocol
		probing.Objection = answer
	case errors.Is(err, io.EOF):
		probing.Objection = &HandshakeError{
			Code:   CodeDisconnected,
			Reason: "the other end closed the connection right after the handshake",
			Cure: "Look in its log: its target (MySQL) may not be running," +
				" or it refused this host without saying so.",
			Err: err,
		}
	default:
		probing.Objection = explainHandshake(ctx, err, observed.first(), PeerServer)
	}
	return probing, nil
}

// isOurs reports whether it was this end that broke off a handshake which
// failed so: no alert came, the connection was there, and there was time.
func isOurs(err error) bool {
	_, isNet := errors.AsType[net.Error](err) // an alert, too
	return !isNet && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled)
}

// read waits for what the server says after the handshake.
func (p *Probing) read(conn io.Reader) (err error) {
	if p.Checked {
		p.Target, err = readCheckAnswer(conn)
	} else {
		_, err = io.ReadFull(conn, make([]byte, 1))
	}
	p.Answered = err == nil
	return err
}

// muzzledConn sends nothing once it is silent. The first thing that a client
// sends after a server's certificates comes when the server has proved that it
// holds their key: after its CertificateVerify and Finished (RFC 8446, section
// 2), or its signed ServerKeyExchange (RFC 5246, section 7.3).
type muzzledConn struct {
	net.Conn
	silent bool
}

// Write is the connection's Write, or fails.
func (c *muzzledConn) Write(data []byte) (int, error) {
	if c.silent {
		return 0, errHeldBack
	}
	return c.Conn.Write(data)
}
