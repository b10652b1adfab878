package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Endpoint is one end of TLS connections: what this host proves itself with,
// and how it judges the other end. Its methods are the only way to a TLS
// connection, and none returns one whose peer Verify has not accepted.
//
// Sessions of TLS 1.3 are resumed, within an hour of the last full handshake
// and with the same Endpoint only; never those of TLS 1.2. A resumed session
// is judged as a new one is, by the trust and the Policy of its moment: the
// chain is that of the full handshake. It saves both ends their signatures and
// nothing else. No ticket outlives the certificate that either end has shown.
//
// The connections read from the net.Conn that they were given through a
// wrapper, which is what their NetConn returns. An Endpoint must not be copied
// or changed once it is in use, but by SetAccess.
type Endpoint struct {
	Store      *Store
	Credential *Credential
	Policy     Policy // a Server without Access admits nobody
	MinVersion uint16 // tls.VersionTLS12 (also if 0) or tls.VersionTLS13

	access atomic.Pointer[Access] // in place of Policy.Access, once it is set

	verdicts      verdicts
	ticketKeys    ticketKeys    // of the tickets that Server gives
	clientTickets clientTickets // that Client was given
}

// Server runs the accepting side's handshake on conn until ctx ends. What
// comes out may be a connection that only checks: see IsCheck. The error is a
// *Refusal or a *HandshakeError; the caller closes conn.
func (e *Endpoint) Server(ctx context.Context, conn net.Conn) (*tls.Conn, *Result, error) {
	judge := e.newJudge(PeerClient, "")
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
		return nil, nil, VerifyOptions{}.refuseUnsaid()
	}
	judge := e.newJudge(PeerServer, host)
	config := e.clientConfig(judge)
	scope := ticketScope{host: host, address: conn.RemoteAddr().String()}
	if e.clientTickets.knows(judge.own, scope) {
		config.SessionTicketsDisabled = false
		config.ClientSessionCache = &clientSession{tickets: &e.clientTickets, scope: scope, judge: judge}
	}
	tlsConn, result, err := handshake(ctx, conn, judge, func(conn net.Conn) *tls.Conn {
		return tls.Client(conn, config)
	})
	if err == nil {
		e.clientTickets.learn(judge.own, scope, judge.version)
	}
	return tlsConn, result, err
}

// SetAccess changes whom the Endpoint admits, nobody if it is nil, also while
// handshakes run. Every verdict from then on is by the new rules, whether the
// peer has a ticket or not; Recheck judges those that were accepted before.
func (e *Endpoint) SetAccess(access *Access) {
	if access == nil {
		access = nobody
	}
	e.access.Store(access)
}

// judge is the verdict of one connection.
type judge struct {
	endpoint *Endpoint
	own      *tls.Certificate // what this end shows
	role     PeerRole
	host     string

	// Set when the peer is accepted.
	result  *Result
	version uint16

	// proved is when the peer proved that it holds its key: in this
	// connection, or in the one which the ticket that was used comes from.
	proved time.Time
}

func (e *Endpoint) newJudge(peer PeerRole, host string) *judge {
	own := e.Credential.tlsCertificate(e.Store.Snapshot(), wallClock())
	return &judge{endpoint: e, own: own, role: peer, host: host}
}

// nobody is the access of a Server that was given none.
var nobody = new(Access)

// policyFor is what is asked of a peer in this role at this moment.
func (e *Endpoint) policyFor(peer PeerRole) Policy {
	policy := e.Policy
	if access := e.access.Load(); access != nil {
		policy.Access = access
	}
	if peer == PeerClient && policy.Access == nil {
		policy.Access = nobody
	}
	return policy
}

// verifyConnection is the hook of crypto/tls, the same for new and for resumed
// sessions. It runs once: in a full handshake just before the peer must prove
// that it holds its key, so that crypto/tls uses no key that is not accepted;
// in a resumed one, after the peer has proved that it holds the secret of its
// ticket.
func (j *judge) verifyConnection(state tls.ConnectionState) error {
	now := wallClock()
	result, err := j.endpoint.verdicts.verify(j.endpoint.Store.Snapshot(), state.PeerCertificates, VerifyOptions{
		Role: j.role, Host: j.host, Time: now, Policy: j.endpoint.policyFor(j.role),
	})
	if err != nil {
		return err
	}
	if !state.DidResume {
		j.proved = now
	}
	j.result, j.version = result, state.Version
	return nil
}

// serverConfig and clientConfig turn off the verification of crypto/tls, and
// nothing else in this program does. Each sets VerifyConnection, without
// which any certificate would do, and any ticket.
func (e *Endpoint) serverConfig(judge *judge) *tls.Config {
	config := e.commonConfig(judge)
	config.Certificates = []tls.Certificate{*judge.own}
	// ClientCAs stays empty: the names of all grid CAs make a large message,
	// and a peer may take them for the only ones that are welcome.
	config.ClientAuth = tls.RequireAnyClientCert
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		checks := slices.Contains(hello.SupportedProtos, CheckProtocol) // others are taken no notice of
		if !checks && !slices.Contains(hello.SupportedVersions, tls.VersionTLS13) {
			return nil, nil // as it is: without tickets
		}
		config := config.Clone()
		config.GetConfigForClient = nil
		if checks {
			config.NextProtos = []string{CheckProtocol}
			return config, nil // without tickets
		}
		tickets := &serverTickets{keys: e.ticketKeys.current(judge.own, wallClock()), judge: judge}
		config.MinVersion = tls.VersionTLS13
		config.SessionTicketsDisabled = false
		config.WrapSession, config.UnwrapSession = tickets.wrap, tickets.unwrap
		return config, nil
	}
	return config
}

func (e *Endpoint) clientConfig(judge *judge) *tls.Config {
	config := e.commonConfig(judge)
	config.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection judges
	// A server's list of CAs never keeps us from proving who we are.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return judge.own, nil }
	if _, err := netip.ParseAddr(judge.host); err != nil {
		config.ServerName = judge.host
	}
	return config
}

// cipherSuites are those of TLS 1.2: crypto/tls would take CBC too, whose
// padding has been attacked again and again. Those of TLS 1.3 are all sound.
var cipherSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

func (e *Endpoint) commonConfig(judge *judge) *tls.Config {
	return &tls.Config{
		MinVersion:             max(e.MinVersion, tls.VersionTLS12),
		SessionTicketsDisabled: true,
		VerifyConnection:       judge.verifyConnection,
		CipherSuites:           cipherSuites,

		// Small records at the beginning serve browsers, not streams.
		DynamicRecordSizingDisabled: true,
	}
}

// handshake runs one handshake and explains its failure.
func handshake(
	ctx context.Context, conn net.Conn, judge *judge, start func(net.Conn) *tls.Conn,
) (*tls.Conn, *Result, error) {
	observed := &observedConn{Conn: conn}
	tlsConn := start(observed)
	err := tlsConn.HandshakeContext(ctx)
	if err == nil && judge.result == nil {
		err = errors.New("tls: the handshake ended without a verdict on the peer")
	}
	if err != nil {
		return nil, nil, explainHandshake(ctx, err, observed.first(), judge.role)
	}
	observed.done = true
	result := judge.result
	judge.result = nil // or the trust of this moment would live as long as the connection
	return tlsConn, result, nil
}
