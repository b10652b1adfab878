package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Endpoint is one end of TLS connections: what this host proves itself with,
// and how it judges the other end. Its methods are the only way to a TLS
// connection, and none returns one whose peer Verify has not accepted.
//
// Sessions are never resumed: each connection is judged by the trust of its
// moment. The connections read from the net.Conn that they were given through
// a wrapper, which is what their NetConn returns.
type Endpoint struct {
	Store      *Store
	Credential *Credential
	Policy     Policy // a Server without Access admits nobody
	MinVersion uint16 // tls.VersionTLS12 (also if 0) or tls.VersionTLS13
}

// Server runs the accepting side's handshake on conn until ctx ends. The
// error is a *Refusal or a *HandshakeError; the caller closes conn.
func (e *Endpoint) Server(ctx context.Context, conn net.Conn) (*tls.Conn, *Result, error) {
	judge := e.newJudge(RoleClient, "")
	return handshake(ctx, conn, judge, func(conn net.Conn) *tls.Conn {
		return tls.Server(conn, e.serverConfig(judge))
	})
}

// Client runs the opening side's handshake on conn until ctx ends; the peer
// must prove host, a name or an IP address. In TLS 1.3 it returns before the
// server has judged us: a server's refusal comes as the error of the first
// Read, which Explain turns into words. The error is a *Refusal or a
// *HandshakeError; the caller closes conn.
func (e *Endpoint) Client(ctx context.Context, conn net.Conn, host string) (*tls.Conn, *Result, error) {
	if host == "" {
		return nil, nil, &Refusal{
			Code:   CodeWrongHost,
			Reason: "there is no host name that the server could be held to",
			Cure:   "Give the server's name with --server-name.",
		}
	}
	judge := e.newJudge(RoleServer, host)
	return handshake(ctx, conn, judge, func(conn net.Conn) *tls.Conn {
		return tls.Client(conn, e.clientConfig(judge))
	})
}

// judge is the verdict of one connection.
type judge struct {
	store    *Store
	snapshot *Snapshot // of the beginning, to complete our own chain from
	role     Role
	host     string
	policy   Policy
	result   *Result // set when the peer is accepted
}

func (e *Endpoint) newJudge(peer Role, host string) *judge {
	return &judge{store: e.Store, snapshot: e.Store.Snapshot(), role: peer, host: host, policy: e.policyFor(peer)}
}

// nobody is the access of a Server that was given none.
var nobody = new(Access)

// policyFor is what is asked of a peer in this role.
func (e *Endpoint) policyFor(peer Role) Policy {
	policy := e.Policy
	if peer == RoleClient && policy.Access == nil {
		policy.Access = nobody
	}
	return policy
}

// verifyConnection is the hook of crypto/tls. It runs once, after the peer
// has proved that it holds its key or, as a TLS 1.3 server, just before.
func (j *judge) verifyConnection(state tls.ConnectionState) error {
	result, err := Verify(j.store.Snapshot(), state.PeerCertificates, j.role, j.host, time.Now(), j.policy)
	if err != nil {
		return err
	}
	j.result = result
	return nil
}

// serverConfig and clientConfig turn off the verification of crypto/tls, and
// nothing else in this program does. Each sets VerifyConnection, without
// which any certificate would do.
func (e *Endpoint) serverConfig(judge *judge) *tls.Config {
	config := e.commonConfig(judge)
	config.Certificates = []tls.Certificate{*e.Credential.tlsCertificate(judge.snapshot)}
	// ClientCAs stays empty: the names of all grid CAs make a large message,
	// and a peer may take them for the only ones that are welcome.
	config.ClientAuth = tls.RequireAnyClientCert
	return config
}

func (e *Endpoint) clientConfig(judge *judge) *tls.Config {
	config := e.commonConfig(judge)
	config.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection judges
	certificate := e.Credential.tlsCertificate(judge.snapshot)
	// A server's list of CAs never keeps us from proving who we are.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	if _, err := netip.ParseAddr(judge.host); err != nil {
		config.ServerName = judge.host
	}
	return config
}

func (e *Endpoint) commonConfig(judge *judge) *tls.Config {
	return &tls.Config{
		MinVersion:             max(e.MinVersion, tls.VersionTLS12),
		SessionTicketsDisabled: true,
		VerifyConnection:       judge.verifyConnection,

		// Small records at the beginning serve browsers, not streams.
		DynamicRecordSizingDisabled: true,
	}
}

// handshake runs one handshake and explains its failure.
func handshake(ctx context.Context, conn net.Conn, judge *judge, start func(net.Conn) *tls.Conn) (*tls.Conn, *Result, error) {
	observed := &observedConn{Conn: conn}
	tlsConn := start(observed)
	err := tlsConn.HandshakeContext(ctx)
	if err == nil && judge.result == nil {
		err = errors.New("tls: the handshake ended without a verdict on the peer")
	}
	if err != nil {
		return nil, nil, explainHandshake(ctx, err, observed.first(), judge.role)
	}
	return tlsConn, judge.result, nil
}
