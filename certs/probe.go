package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
	judge := &judge{own: new(tls.Certificate), role: RoleServer, host: serverName}
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
	return nil, explainHandshake(ctx, err, observed.first(), RoleServer)
}

// Probing is what the two ends of a connection say of each other.
type Probing struct {
	Chain     []*x509.Certificate // what the server sent, its own first
	Result    *Result             // nil if this end refuses the server
	Refusal   error               // why this end refuses the server: a *Refusal; nil if it does not
	Objection error               // why the server broke off: a *HandshakeError; nil if it did not
	Answered  bool                // the server sent something after the handshake: it accepts us
}

// Probe runs a handshake with a server to learn what each end objects to. It
// goes on when this end would refuse, so that the server speaks its mind too,
// and waits until ctx ends for the first octet or the refusal of a server
// that judges after the handshake (TLS 1.3). It sends no data and gives no
// connection away. The error is a *HandshakeError if there was no handshake;
// the caller closes conn.
func (e *Endpoint) Probe(ctx context.Context, conn net.Conn, host string) (*Probing, error) {
	judge := e.newJudge(RoleServer, host)
	config := e.clientConfig(judge)
	probing := new(Probing)
	config.VerifyConnection = func(state tls.ConnectionState) error {
		probing.Chain = state.PeerCertificates
		probing.Refusal = judge.verifyConnection(state)
		probing.Result = judge.result
		return nil
	}
	observed := &observedConn{Conn: conn}
	tlsConn := tls.Client(observed, config)
	if err := tlsConn.HandshakeContext(ctx); err != nil {
		err = explainHandshake(ctx, err, observed.first(), RoleServer)
		if probing.Chain == nil {
			return nil, err
		}
		probing.Objection = err
		return probing, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends the Read
	defer stop()
	n, err := tlsConn.Read(make([]byte, 1))
	probing.Answered = n > 0
	switch {
	case n > 0 || ctx.Err() != nil:
	case errors.Is(err, io.EOF):
		probing.Objection = &HandshakeError{
			CodeDisconnected, "the other end closed the connection right after the handshake",
			"Look in its log: its target (MySQL) may not be running, or it refused this host without saying so.", err,
		}
	default:
		probing.Objection = explainHandshake(ctx, err, observed.first(), RoleServer)
	}
	return probing, nil
}
