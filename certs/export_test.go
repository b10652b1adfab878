package certs

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// What the tests of package certs_test reach beyond the surface.

// ParseFiles runs the parsers of certificate and key files.
func ParseFiles(data []byte) {
	parseCertificates(data)
	_, _ = parseKey("file", data)
}

// ParseConstraints parses nameConstraints and applies them to themselves.
func ParseConstraints(der []byte) error {
	c, err := parseConstraints(der)
	if err != nil {
		return err
	}
	for _, name := range append(c.permitted, c.excluded...) {
		_ = name.String()
		_, _ = c.violation([]generalName{name}, new(int))
	}
	return nil
}

// Cure is the usual cure of a code.
func Cure(code Code, depth int, file string) string { return usualCure(code, depth, file) }

// Configs gives the configurations that an Endpoint builds.
func (e *Endpoint) Configs() (server, client *tls.Config) {
	return e.serverConfig(e.newJudge(PeerClient, "")), e.clientConfig(e.newJudge(PeerServer, "host.test"))
}

// VerifyClient judges a client as its handshake would.
func (e *Endpoint) VerifyClient(chain []*x509.Certificate, now time.Time) (*Result, error) {
	return e.verdicts.verify(e.Store.Snapshot(), chain,
		VerifyOptions{Role: PeerClient, Time: now, Policy: e.policyFor(PeerClient)})
}

// Remembered is how many verdicts the Endpoint remembers.
func (e *Endpoint) Remembered() int { return len(e.verdicts.accepted) }

// PassTime has a Store take the time for d later than it was. From then on
// it stands still.
func (s *Store) PassTime(d time.Duration) {
	s.reload.Lock()
	defer s.reload.Unlock()
	at := s.now().Add(d)
	s.now = func() time.Time { return at }
}

// SentAt is what a Credential sends.
func (c *Credential) SentAt(snapshot *Snapshot, now time.Time) [][]byte {
	return c.tlsCertificate(snapshot, now).Certificate
}
