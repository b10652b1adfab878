package main

import (
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// process is what a configuration becomes. Tunnels share what is loaded from
// the same files.
type process struct {
	config      config.Config
	tunnels     []*tunnel.Tunnel  // in the order of the configuration
	endpoints   []*certs.Endpoint // of these tunnels
	stores      map[certs.StoreConfig]opened[*certs.Store]
	credentials map[credentialFiles]opened[*certs.Credential]
	sound       bool // the values are
}

// opened is a thing loaded from files, or why it could not be.
type opened[T any] struct {
	value T
	err   error
}

type credentialFiles struct{ cert, key string }

// newProcess loads all that the configuration names and builds its tunnels.
// The error joins everything that is wrong, in the order of the file.
func newProcess(c config.Config, logger *zap.Logger) (*process, error) {
	p := &process{
		config:      c,
		stores:      map[certs.StoreConfig]opened[*certs.Store]{},
		credentials: map[credentialFiles]opened[*certs.Credential]{},
	}
	found := c.Faults()
	p.sound = len(found) == 0
	for i := range c.Tunnels {
		made, endpoint, problems := p.newTunnel(&c.Tunnels[i], logger)
		found = append(found, problems...)
		p.tunnels = append(p.tunnels, made)
		p.endpoints = append(p.endpoints, endpoint)
	}
	return p, usage.Join(found)
}

func (p *process) newTunnel(t *config.Tunnel, logger *zap.Logger) (*tunnel.Tunnel, *certs.Endpoint, []*usage.Error) {
	var found []*usage.Error
	add := func(err error, keys ...string) {
		for _, err := range usage.Split(err) {
			found = append(found, p.config.ErrorAbout(t, err, keys...))
		}
	}
	endpoint := &certs.Endpoint{
		Policy:     t.Policy(),
		MinVersion: uint16(t.MinTLS),
	}
	from := t.Trust()
	store, again := p.stores[from]
	if !again && p.config.Sound(t, "capath", "cafile") {
		store.value, store.err = certs.OpenStore(from)
		p.stores[from] = store
		if store.err != nil {
			add(store.err, "capath", "cafile")
		}
	}
	endpoint.Store = store.value
	files := credentialFiles{cert: t.Cert, key: t.Key}
	credential, again := p.credentials[files]
	if !again && p.config.Sound(t, "cert", "key") {
		credential.value, credential.err = certs.LoadCredential(t.Cert, t.Key)
		p.credentials[files] = credential
		if credential.err != nil {
			add(credential.err, "cert", "key")
		}
	}
	endpoint.Credential = credential.value
	if !p.sound || store.err != nil || credential.err != nil || len(found) > 0 {
		return nil, endpoint, found // a tunnel could only say the same again
	}
	var err error
	if t.Role == tunnel.Server {
		if endpoint.Policy.Access, err = t.Access(); err != nil {
			add(err)
			return nil, endpoint, found
		}
	}
	ready := t.Config()
	ready.Endpoint, ready.Logger = endpoint, logger
	made, err := tunnel.New(ready)
	if err != nil {
		add(err)
	}
	return made, endpoint, found
}

// logStart tells what the process is, proves itself with and trusts. Each
// tunnel says itself what it serves.
func (p *process) logStart(logger *zap.Logger, now time.Time) {
	build := thisBuild()
	logger.Info("gtunnel starting",
		zap.String("version", build.Version), zap.String("commit", build.Commit), zap.Int("tunnels", len(p.tunnels)))
	for files, credential := range p.credentials {
		logCredential(logger, "certificate", files, credential.value, now)
	}
	for trust, store := range p.stores {
		snapshot := store.value.Snapshot()
		logProblems(logger, snapshot.Problems())
		logWeakCAs(logger, snapshot, now)
		logger.Info("trust", append([]zap.Field{zap.Int("cas", len(snapshot.CAs()))}, trustFields(trust)...)...)
		p.logCRLs(logger, trust, snapshot, now)
	}
	p.logEndedCAs(logger, now)
}

// logCRLs says once for each policy of the tunnels how the revocation lists of
// all CAs stand. The tunnels warn of each that matters to a peer.
func (p *process) logCRLs(logger *zap.Logger, trust certs.StoreConfig, snapshot *certs.Snapshot, now time.Time) {
	said := map[string]bool{}
	for _, t := range p.config.Tunnels {
		report := snapshot.CRLReport(t.Policy(), now)
		state := report.String()
		if t.Trust() != trust || said[state] {
			continue
		}
		said[state] = true
		fields := append(trustFields(trust), zap.String("state", state))
		if report.Sound() {
			logger.Info("revocation lists", fields...)
			continue
		}
		if without := withoutCRL(snapshot, t.Policy(), now); len(without) > 0 {
			fields = append(fields, zap.Strings("first", without[:min(3, len(without))]))
		}
		logger.Warn("revocation lists", append(fields,
			zap.String("cure", "run fetch-crl, by a timer too; gtunnel certs list shows each"))...)
	}
}

// withoutCRL lists the CAs without a current list, first those whose peers are
// refused for it.
func withoutCRL(snapshot *certs.Snapshot, policy certs.Policy, now time.Time) []string {
	var refused, tolerated []string
	for _, ca := range snapshot.CAs() {
		code, _ := ca.CRLState(now)
		_, refuses := ca.CRLRefusal(policy, now)
		switch {
		case code == "" || now.After(ca.Certificate.NotAfter):
		case refuses:
			refused = append(refused, ca.Subject.Slash())
		default:
			tolerated = append(tolerated, ca.Subject.Slash())
		}
	}
	return append(refused, tolerated...)
}

// trustFields says where trust comes from.
func trustFields(trust certs.StoreConfig) []zap.Field {
	var fields []zap.Field
	if trust.CApath != "" {
		fields = append(fields, zap.String("capath", trust.CApath))
	}
	if trust.CAfile != "" {
		fields = append(fields, zap.String("cafile", trust.CAfile))
	}
	return fields
}

func logProblems(logger *zap.Logger, problems []certs.Problem) {
	for _, problem := range problems {
		logger.Warn("CA file not used as it is",
			zap.String("file", problem.File), zap.Int("line", problem.Line), zap.String("problem", problem.Message))
	}
}

// logWeakCAs warns of each CA with a key that could be broken, or that cannot
// be used.
func logWeakCAs(logger *zap.Logger, snapshot *certs.Snapshot, now time.Time) {
	for _, ca := range snapshot.CAs() {
		if text, _ := ca.Weakness(); text != "" && !now.After(ca.Certificate.NotAfter) {
			logger.Warn("weak CA",
				zap.String("ca", ca.Subject.Slash()), zap.String("file", ca.Files[0]), zap.String("problem", text),
				zap.String("cure", "remove the CA if no peer needs it, or ask it for a certificate of a larger key"))
		}
	}
}
