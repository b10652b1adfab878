package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// grid is the throw-away grid of the examples: a CA, two hosts that it has
// certified, and its files as a package of CAs installs them.
type grid struct {
	folder        string
	capath        string
	ca            *certstest.CA
	master, slave *certstest.Host
	masterFiles   [2]string // certificate, key
	slaveFiles    [2]string
}

// newGrid makes the files below a new folder, which remove takes away again.
func newGrid() (s *grid, remove func()) {
	s = &grid{folder: must(os.MkdirTemp("", "certs-example-"))}
	s.capath = filepath.Join(s.folder, "certificates")
	s.ca = must(certstest.NewCA("Grid CA", certstest.Options{}))
	if err := certstest.WriteCApath(s.capath, s.ca); err != nil {
		panic(err)
	}
	s.master = must(s.ca.NewHost("server1.test", certstest.Options{}))
	s.slave = must(s.ca.NewHost("server2.test", certstest.Options{}))
	for _, host := range []struct {
		issued *certstest.Host
		files  *[2]string
	}{{s.master, &s.masterFiles}, {s.slave, &s.slaveFiles}} {
		cert, key, err := host.issued.Write(must(os.MkdirTemp(s.folder, "host-")))
		if err != nil {
			panic(err)
		}
		*host.files = [2]string{cert, key}
	}
	s.revoke()
	return s, func() { _ = os.RemoveAll(s.folder) }
}

// revoke writes the CA's list, with these certificates on it.
func (s *grid) revoke(revoked ...*x509.Certificate) {
	must(certstest.WriteCRL(s.capath, s.ca, certstest.CRLOptions{Revoked: revoked}))
}

// A Store holds what a host trusts, CA by CA with their policies and lists.
func ExampleOpenStore() {
	s, remove := newGrid()
	defer remove()
	store, err := certs.OpenStore(certs.StoreConfig{CApath: s.capath})
	if err != nil {
		fmt.Println(err)
		return
	}
	snapshot := store.Snapshot()
	for _, ca := range snapshot.CAs() {
		fmt.Println(ca.Subject.Slash(), "a root:", ca.Anchor)
		for _, policy := range ca.Policies {
			fmt.Println("  policy:", policy.Kind, "sound:", policy.Problem == nil)
		}
		for _, list := range ca.CRLs {
			code, _ := list.State(time.Now())
			fmt.Println("  list:", list.Entries, "entries, current:", code == "")
		}
	}
	fmt.Println("problems:", len(snapshot.Problems()))
	fmt.Println(snapshot.CRLReport(certs.Policy{}, time.Now()))
	// Output:
	// /DC=test/DC=gtunnel/CN=Grid CA a root: true
	//   policy: signing_policy sound: true
	//   list: 0 entries, current: true
	// problems: 0
	// revocation lists of 1 CA: 1 current
}

// What Reload finds is told, and puts a new Snapshot in place of the old.
func ExampleStore_Reload() {
	s, remove := newGrid()
	defer remove()
	store := must(certs.OpenStore(certs.StoreConfig{CApath: s.capath}))
	if err := certstest.WriteCApath(s.capath, must(certstest.NewCA("Other CA", certstest.Options{}))); err != nil {
		fmt.Println(err)
	}
	s.revoke(s.slave.Certificate)
	change, err := store.Reload()
	if err != nil {
		fmt.Println(err) // the Store keeps what it had
		return
	}
	fmt.Println("CAs added:", change.CAs.Added)
	fmt.Println("CRLs renewed:", change.CRLs.Renewed)
	// Output:
	// CAs added: [/DC=test/DC=gtunnel/CN=Other CA]
	// CRLs renewed: [/DC=test/DC=gtunnel/CN=Grid CA]
}

// Verify judges a chain offline, and tells what permitted each certificate.
func ExampleVerify() {
	s, remove := newGrid()
	defer remove()
	store := must(certs.OpenStore(certs.StoreConfig{CApath: s.capath}))
	result, err := certs.Verify(store.Snapshot(), s.master.Chain, certs.VerifyOptions{
		Role:   certs.PeerServer,
		Host:   "server1.test",
		Policy: certs.Policy{CRL: certs.CRLRequire},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("proves", result.Peer.Hosts, "by", result.Peer.Rule)
	for depth, checks := range result.Checks() {
		fmt.Println(depth, result.Path[depth].DN)
		for _, check := range checks {
			if check.Name == certs.LinkPolicy {
				fmt.Printf("  %s, line %d: %s\n", filepath.Ext(check.File), check.Line, check.Text)
			}
		}
	}
	// Output:
	// proves [server1.test] by subjectAltName
	// 0 /DC=test/DC=gtunnel/O=hosts/CN=server1.test
	//   .signing_policy, line 4: the signing policy permits "/DC=test/DC=gtunnel/*"
	// 1 /DC=test/DC=gtunnel/CN=Grid CA
}

// A Refusal says why, and what to do about it.
func ExampleRefusal() {
	s, remove := newGrid()
	defer remove()
	s.revoke(s.slave.Certificate)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: s.capath}))
	_, err := certs.Verify(store.Snapshot(), s.slave.Chain, certs.VerifyOptions{
		Role:   certs.PeerClient,
		Anyone: true,
		Policy: certs.Policy{Namespaces: certs.NamespacesIgnore},
	})
	if refusal, ok := errors.AsType[*certs.Refusal](err); ok {
		fmt.Println(refusal.Code, "at depth", refusal.Depth, "by a file", filepath.Ext(refusal.File))
		fmt.Println(refusal.Cure)
	}
	// Output:
	// revoked at depth 0 by a file .r0
	// Ask the CA for a new certificate: a revoked one stays revoked.
}

// What a Policy tolerates is a Warning of the Result.
func ExampleWarning() {
	s, remove := newGrid()
	defer remove()
	for _, file := range must(filepath.Glob(filepath.Join(s.capath, "*.r0"))) {
		_ = os.Remove(file)
	}
	store := must(certs.OpenStore(certs.StoreConfig{CApath: s.capath}))
	result := must(certs.Verify(store.Snapshot(), s.master.Chain, certs.VerifyOptions{Host: "server1.test"}))
	for _, warning := range result.Warnings {
		fmt.Println(warning)
	}
	// Output:
	// crl-missing: there is no list of /DC=test/DC=gtunnel/CN=Grid CA
}

// endpoints are both ends of a tunnel: a server that admits server2.test, and
// a client.
func (s *grid) endpoints() (server, client *certs.Endpoint) {
	store := must(certs.OpenStore(certs.StoreConfig{CApath: s.capath}))
	server = &certs.Endpoint{
		Store:      store,
		Credential: must(certs.LoadCredential(s.masterFiles[0], s.masterFiles[1])),
		Policy:     certs.Policy{Access: must(certs.NewAccess([]string{"server2.test"}, nil, false))},
	}
	client = &certs.Endpoint{
		Store:      store,
		Credential: must(certs.LoadCredential(s.slaveFiles[0], s.slaveFiles[1])),
		MinVersion: tls.VersionTLS13,
	}
	return server, client
}

// The two ends of a connection judge each other; neither gets a connection to
// a peer that it has not accepted.
func ExampleEndpoint() {
	s, remove := newGrid()
	defer remove()
	server, client := s.endpoints()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	near, far := net.Pipe()
	served := make(chan error)
	go func() {
		defer far.Close()
		conn, result, err := server.Server(ctx, far)
		if err == nil {
			_, err = fmt.Fprintf(conn, "welcome %s", result.Peer.Hosts[0])
			err = errors.Join(err, conn.CloseWrite())
		}
		served <- err
	}()
	conn, result, err := client.Client(ctx, near, "server1.test")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	greeting, err := io.ReadAll(conn)
	fmt.Println("accepted:", result.Peer.DN)
	fmt.Printf("it says: %s; errors: %v, %v\n", greeting, err, <-served)
	// Output:
	// accepted: /DC=test/DC=gtunnel/O=hosts/CN=server1.test
	// it says: welcome server2.test; errors: <nil>, <nil>
}

// The peer of an open connection is judged again when the trust has changed.
func ExampleEndpoint_Recheck() {
	s, remove := newGrid()
	defer remove()
	server, _ := s.endpoints()
	session := must(certs.Verify(server.Store.Snapshot(), s.slave.Chain, certs.VerifyOptions{
		Role:   certs.PeerClient,
		Policy: server.Policy,
	}))
	s.revoke(s.slave.Certificate)
	change := must(server.Store.Reload())
	_, err := server.Recheck(session, time.Now())
	refusal, _ := errors.AsType[*certs.Refusal](err)
	fmt.Println("changed:", !change.Empty(), "code:", refusal.Code)
	// Output:
	// changed: true code: revoked
}

// Access says whom a server admits, by host or by DN.
func ExampleNewAccess() {
	s, remove := newGrid()
	defer remove()
	store := must(certs.OpenStore(certs.StoreConfig{CApath: s.capath}))
	for _, access := range []*certs.Access{
		must(certs.NewAccess([]string{"server2.test"}, nil, false)),
		must(certs.NewAccess(nil, []string{"/DC=test/DC=gtunnel/O=hosts/*"}, false)),
		must(certs.NewAccess([]string{"server3.test"}, nil, false)),
	} {
		_, err := certs.Verify(store.Snapshot(), s.slave.Chain, certs.VerifyOptions{
			Role:   certs.PeerClient,
			Policy: certs.Policy{Access: access},
		})
		fmt.Println(strings.ReplaceAll(fmt.Sprint(err), " is refused: ", " is refused:\n"))
	}
	_, err := certs.NewAccess([]string{"server2.test:3307"}, nil, false)
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// not-allowed: the certificate of /DC=test/DC=gtunnel/O=hosts/CN=server2.test is refused:
	// no access rule names it; it proves server2.test
	// the access rule "server2.test:3307" can match nobody: it is not a host name
}

// A probe learns what each end objects to, and carries nothing.
func ExampleEndpoint_Probe() {
	s, remove := newGrid()
	defer remove()
	server, client := s.endpoints()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		conn, _, err := server.Server(ctx, far)
		if err == nil && certs.IsCheck(conn) {
			_ = certs.AnswerCheck(conn, certs.TargetDown) // fails only if the client has gone
		}
	}()
	probing, err := client.Probe(ctx, near, "server1.test", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("problems:", len(probing.Problems()), "answered:", probing.Answered, "target:", probing.Target)
	// Output:
	// problems: 0 answered: true target: down
}

// A handshake with something else fails with a HandshakeError.
func ExampleHandshakeError() {
	s, remove := newGrid()
	defer remove()
	_, client := s.endpoints()
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		go func() { _, _ = io.WriteString(far, "SSH-2.0-OpenSSH_9.9\r\n") }()
		_, _ = io.Copy(io.Discard, far)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, _, err := client.Client(ctx, near, "server1.test")
	near.Close()
	if failed, ok := errors.AsType[*certs.HandshakeError](err); ok {
		fmt.Println(failed)
		fmt.Println(certs.NameSettings(failed.Cure, func(s certs.Setting) string { return "--" + string(s) }))
	}
	// Output:
	// not-tls: the other end speaks SSH on this port
	// Point --connect at the gtunnel server's port, usually 3307.
}

// LoadCredential refuses what would not work, and its error has a hint.
func ExampleLoadCredential() {
	s, remove := newGrid()
	defer remove()
	credential := must(certs.LoadCredential(s.masterFiles[0], s.masterFiles[1]))
	store := must(certs.OpenStore(certs.StoreConfig{CApath: s.capath}))
	fmt.Println(credential.Identity().Hosts, "ended CAs:", len(credential.EndedCAs(store.Snapshot(), time.Now())))

	_ = os.Chmod(s.masterFiles[1], 0o644)
	_, err := certs.LoadCredential(s.masterFiles[0], s.masterFiles[1])
	var hinting interface{ Hint() string }
	fmt.Println(errors.As(err, &hinting) && hinting.Hint() == "chmod 0400 "+s.masterFiles[1])
	// Output:
	// [server1.test] ended CAs: 0
	// true
}

// Describe shows what a certificate says of itself; it judges nothing.
func ExampleDescribe() {
	s, remove := newGrid()
	defer remove()
	description := must(certs.Describe(s.master.Chain, 0, certs.HostModeGrid))
	fmt.Println(description.Kind, description.AltNames, description.Key)
	fmt.Println(description.KeyUsages, description.ExtendedUsages)
	fmt.Println(certs.ServesAs(s.master.Certificate, certs.PeerClient, certs.EKUStrict))
	// Output:
	// host [DNS:server1.test] ECDSA P-256
	// [digitalSignature] [serverAuth clientAuth]
	//  true
}

// Each code has a meaning and a usual cure.
func ExampleCodes() {
	for _, known := range certs.Codes() {
		if known.Code == certs.CodeTooDeep {
			fmt.Println(known.Meaning)
			fmt.Println(known.Cure)
		}
	}
	// Output:
	// the path has more CA certificates than ‹max-depth›
	// Raise ‹max-depth› if a path of this length is meant; otherwise have the peer send only its own chain.
}
