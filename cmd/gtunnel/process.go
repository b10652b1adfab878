package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// process is what a configuration becomes. Tunnels share what is loaded from
// the same files. Once it serves, the reloader alone changes it and reads it
// freely; others read it by its methods that lock.
type process struct {
	stores      map[certs.StoreConfig]opened[*certs.Store]
	credentials map[credentialFiles]opened[*certs.Credential]
	sockets     *sockets // that systemd has for it
	sound       bool     // the values are

	mu      sync.Mutex
	config  config.Config
	tunnels []*member // in the order of the configuration
	leaving []*member // that a reload has taken out, while their connections go on
	running int       // tunnels whose end has not been seen
	over    bool      // the process ends: no tunnel may begin any more
}

// member is a tunnel of a process, with what it was made of.
type member struct {
	*tunnel.Tunnel

	config    config.Tunnel
	endpoint  *certs.Endpoint
	stopTries func() // of its targets; nil before it serves
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
	return (&process{sockets: noSockets(logger)}).next(c, logger)
}

// next is newProcess for a configuration that is to come after p's. It shares
// with p what p has loaded, and the tunnels that can go on: neither they nor p
// are touched.
func (p *process) next(c config.Config, logger *zap.Logger) (*process, error) {
	next := &process{
		config:      c,
		stores:      map[certs.StoreConfig]opened[*certs.Store]{},
		credentials: map[credentialFiles]opened[*certs.Credential]{},
		sockets:     p.sockets,
	}
	found := c.Faults()
	next.sound = len(found) == 0
	for i := range c.Tunnels {
		m, problems := next.newMember(&c.Tunnels[i], p, logger)
		found = append(found, problems...)
		next.tunnels = append(next.tunnels, m)
	}
	return next, usage.Join(found)
}

// named finds the tunnel of a name; nil if there is none.
func (p *process) named(name string) *member {
	for _, m := range p.tunnels {
		if m.config.Name == name {
			return m
		}
	}
	return nil
}

// newMember makes a tunnel, or gives that of the process before it another
// configuration, which is not in force yet.
func (p *process) newMember(t *config.Tunnel, before *process, logger *zap.Logger) (*member, []*usage.Error) {
	var found []*usage.Error
	add := func(err error, keys ...string) {
		for _, err := range usage.Split(err) {
			found = append(found, p.config.ErrorAbout(t, err, keys...))
		}
	}
	m := &member{config: *t, endpoint: &certs.Endpoint{Policy: t.Policy(), MinVersion: uint16(t.MinTLS)}}
	from, files := t.Trust(), credentialFiles{cert: t.Cert, key: t.Key}
	store, isNew := open(p.stores, before.stores, from, p.config.Sound(t, "capath", "cafile"),
		func() (*certs.Store, error) { return certs.OpenStore(from) })
	if isNew && store.err != nil {
		add(store.err, "capath", "cafile")
	}
	credential, isNew := open(p.credentials, before.credentials, files, p.config.Sound(t, "cert", "key"),
		func() (*certs.Credential, error) { return certs.LoadCredential(t.Cert, t.Key) })
	if isNew && credential.err != nil {
		add(hintOfCopy(credential.err, files), "cert", "key")
	}
	m.endpoint.Store, m.endpoint.Credential = store.value, credential.value
	if !p.sound || store.err != nil || credential.err != nil || len(found) > 0 {
		return m, found // a tunnel could only say the same again
	}
	var err error
	if t.Role == tunnel.Server {
		if m.endpoint.Policy.Access, err = t.Access(); err != nil {
			add(err)
			return m, found
		}
	}
	if running := before.named(t.Name); running != nil && running.config.CanBecome(t) {
		m.Tunnel, m.stopTries = running.Tunnel, running.stopTries
		if running.config.SameEndpoint(t) {
			m.endpoint = running.endpoint // with its memory
		}
		return m, nil
	}
	ready := m.ready()
	ready.Logger = logger
	if m.Tunnel, err = tunnel.New(ready); err != nil {
		add(err)
	}
	return m, found
}

// hintOfCopy says where the certificate and the key come from that systemd copies for the
// service, if they are not there.
func hintOfCopy(err error, files credentialFiles) error {
	if filepath.Dir(files.cert) != config.CopyFolder || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return usage.WithHint(err, "install the host's as /etc/grid-security/hostcert.pem and hostkey.pem: "+
		"systemd copies them; why it has not: journalctl -u gtunnel-credentials")
}

// ready is the configuration of the tunnel for package tunnel.
func (m *member) ready() tunnel.Config {
	ready := m.config.Config()
	ready.Endpoint = m.endpoint
	return ready
}

// open gives what is loaded from a key already, here or in the process before,
// or loads it if the values of the key are sound; isNew reports whether it did.
func open[K comparable, T any](
	here, before map[K]opened[T], key K, sound bool, load func() (T, error),
) (loaded opened[T], isNew bool) {
	loaded, known := here[key]
	if known || !sound {
		return loaded, false
	}
	if loaded, known = before[key]; !known {
		loaded.value, loaded.err = load()
	}
	here[key] = loaded
	return loaded, !known
}

// logStart tells what the process is, proves itself with and trusts. Each
// tunnel says itself what it serves.
func (p *process) logStart(logger *zap.Logger, now time.Time) {
	build := thisBuild()
	logger.Info("gtunnel starting",
		zap.String("version", build.Version), zap.String("commit", build.Commit), zap.Int("tunnels", len(p.tunnels)))
	p.logLoaded(logger, new(process), now)
}

// logLoaded tells what the process proves itself with and trusts that it did not
// before.
func (p *process) logLoaded(logger *zap.Logger, before *process, now time.Time) {
	for files, credential := range p.credentials {
		if _, known := before.credentials[files]; !known {
			logCredential(logger, "certificate", files, credential.value, now)
		}
	}
	for trust, store := range p.stores {
		if _, known := before.stores[trust]; known {
			continue
		}
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
