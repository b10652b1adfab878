package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// A comparison is worth nothing if one of the pairs leaves out the work. So
// each end is made to prove, before anything is measured, that it verifies its
// peer and speaks the version and the cipher suite that all are told to.

// prove checks both ends of a pair on their own and says what it saw.
func (b *bench) prove(ctx context.Context, i installed) (string, error) {
	ours := b.sites[certstest.RSA]
	folder, err := os.MkdirTemp(b.folder, "check-")
	if err != nil {
		return "", fmt.Errorf("a folder for the check: %w", err)
	}
	strangers, err := newSite(filepath.Join(folder, "strangers"), certstest.RSA)
	if err != nil {
		return "", err
	}
	o := pairOptions{site: ours, folder: folder, most: b.scale.most()}
	state, err := b.proveServer(ctx, i, o, strangers)
	if err != nil {
		return "", fmt.Errorf("server end: %w", err)
	}
	if err := b.proveClient(ctx, i, o, strangers); err != nil {
		return "", fmt.Errorf("client end: %w", err)
	}
	return fmt.Sprintf("%s, %s, both ends verify", tls.VersionName(state.Version),
		tls.CipherSuiteName(state.CipherSuite)), nil
}

// proveServer connects to a server end as its client, with a certificate,
// without one, and with that of another CA.
func (b *bench) proveServer(
	ctx context.Context, i installed, o pairOptions, strangers *site,
) (state tls.ConnectionState, err error) {
	p, _, e, err := b.startEnd(ctx, i, o, end{connect: b.backend.address(), identity: o.site.server})
	if p != nil {
		defer func() { err = errors.Join(err, p.stop()) }()
	}
	if err != nil {
		return state, err
	}
	config := &tls.Config{RootCAs: o.site.roots, ServerName: serverName, MinVersion: tls.VersionTLS12}
	attempt := func(certificates ...tls.Certificate) (tls.ConnectionState, error) {
		config := config.Clone()
		config.Certificates = certificates
		return clientExchange(ctx, e.accept, config)
	}
	if state, err = attempt(o.site.client.loaded); err != nil {
		return state, p.failed("refuses its client: " + err.Error())
	}
	if state.Version != tls.VersionTLS13 || state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		return state, fmt.Errorf("agreed on %s with %s, not on %s with %s", tls.VersionName(state.Version),
			tls.CipherSuiteName(state.CipherSuite), tlsVersion, cipherSuite)
	}
	if _, err := attempt(); err == nil {
		return state, errors.New("lets a client in that shows no certificate")
	}
	if _, err := attempt(strangers.client.loaded); err == nil {
		return state, errors.New("lets a client in whose CA is unknown")
	}
	return state, nil
}

func clientExchange(ctx context.Context, address string, config *tls.Config) (tls.ConnectionState, error) {
	plain, err := dial(ctx, address, patience)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	conn := tls.Client(plain, config)
	defer conn.Close() //nolint:errcheck // all is exchanged, or an error says more
	if err := conn.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, fmt.Errorf("handshake: %w", err)
	}
	return conn.ConnectionState(), ping(conn, 1)
}

// proveClient has a client end connect to servers of this process: one with
// the right certificate, one with the right name of another CA, and one with
// another name of the right CA.
func (b *bench) proveClient(ctx context.Context, i installed, o pairOptions, strangers *site) (err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &impostor{site: o.site, listener: listener}
	server.become(o.site.server) // a client may try its server at its start
	server.serving.Go(server.serve)
	defer func() { err = errors.Join(err, server.close()) }()

	p, _, e, err := b.startEnd(ctx, i, o, end{client: true, connect: listener.Addr().String(), identity: o.site.client})
	if p != nil {
		defer func() { err = errors.Join(err, p.stop()) }()
	}
	if err != nil {
		return err
	}
	attempt := func(as identity) error {
		server.become(as)
		conn, err := dial(ctx, e.accept, patience)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // all is exchanged, or an error says more
		return ping(conn, 1)
	}
	if err := attempt(o.site.server); err != nil {
		return p.failed("refuses its server: " + err.Error())
	}
	if err := attempt(strangers.server); err == nil {
		return errors.New("trusts a server whose CA is unknown")
	}
	if err := attempt(o.site.client); err == nil {
		return errors.New("trusts a server with another name")
	}
	return nil
}

// impostor is a TLS server that shows one certificate after the other, and
// sends back what it gets.
type impostor struct {
	site     *site
	listener net.Listener
	serving  sync.WaitGroup
	mu       sync.Mutex
	config   *tls.Config
}

// become changes the certificate for connections to come. Each has ticket keys
// of its own, so that no session outlives the change.
func (s *impostor) become(i identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config = &tls.Config{
		Certificates: []tls.Certificate{i.loaded},
		ClientCAs:    s.site.roots,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS13,
	}
}

func (s *impostor) serve() {
	for {
		plain, err := s.listener.Accept()
		if err != nil {
			return
		}
		_ = plain.SetDeadline(time.Now().Add(patience))
		s.mu.Lock()
		conn := tls.Server(plain, s.config)
		s.mu.Unlock()
		s.serving.Go(func() {
			_, _ = io.Copy(conn, conn) // the client sees what went wrong
			_ = conn.Close()
		})
	}
}

func (s *impostor) close() error {
	err := s.listener.Close()
	s.serving.Wait()
	return err
}
