package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
	"github.com/gtunnel/gtunnel/tunnel"
)

// defaultReplicationFile is the option file with the login of the account by which either
// host of a pair follows the other. It has the form of defaultMasterFile.
const defaultReplicationFile = "/etc/gtunnel/replication.cnf"

// pairFlags say where a host of a pair finds its files, and how it logs in to its own
// server. The zero value is completed by settings.
type pairFlags struct {
	login                                       loginFlags
	config, stateDir, monitor, replicationLogin string
}

// presets are where the setups put the files.
func (f *pairFlags) presets() {
	f.config, f.stateDir = config.DefaultFile, defaultStateDir
	f.monitor, f.replicationLogin = defaultMasterFile, defaultReplicationFile
	f.login.unsafePlaintext = new(bool)
}

// loginFiles is what the files with the logins at the other host hold, as far as they can be
// read: to be compared.
func (f *pairFlags) loginFiles() (all [2]string) {
	for i, path := range []string{f.monitor, f.replicationLogin} {
		if content, err := os.ReadFile(path); err == nil {
			all[i] = string(content)
		}
	}
	return all
}

// settings are the flags. What they leave out is as the setups make it.
func (f *pairFlags) settings() []config.Setting {
	f.presets()
	return append(pairFileSettings(f), f.login.settings()...)
}

// pairFileSettings are the flags of the files of a pair.
func pairFileSettings(f *pairFlags) []config.Setting {
	return []config.Setting{
		{
			Name: "config", Group: config.GroupPair, Arg: "FILE", Target: &f.config, File: true,
			Usage: "with the section [pair]",
		},
		{
			Name: "state-dir", Group: config.GroupPair, Arg: "DIR", Target: &f.stateDir, File: true,
			Usage: "where its notes are",
		},
		{
			Name: "monitor-file", Group: config.GroupPair, Arg: "FILE", Target: &f.monitor, File: true,
			Usage: "the login at the peer",
		},
		{
			Name: "replication-file", Group: config.GroupPair, Arg: "FILE", Target: &f.replicationLogin, File: true,
			Usage: "the replication's",
		},
	}
}

// openHost reads the configuration and the logins of this host, one of a pair, and logs
// in to its own server once, as the commands will again and again: that asks for the
// password if there is none. The peer is not asked. The error says what is missing, and
// what makes it.
func (m *Main) openHost(ctx context.Context, f *pairFlags) (failover.Host, error) {
	pair, way, err := config.PairOf(f.config)
	if err != nil {
		return failover.Host{}, err
	}
	m.seeCluster(pair)
	endpoint, err := pairEndpoint(f.config, way)
	if err != nil {
		return failover.Host{}, err
	}
	host := failover.Host{
		Name: pair.Host, Peer: pair.Peer, Slaves: pair.Slaves,
		Mode: term.Mode(pair.Guard), Store: term.NewFile(f.stateDir, pair.Host, pair.Peer),
		Hooks: failover.Hooks{
			Fence: pair.Fence, PrePromote: pair.PrePromote, PostPromote: pair.PostPromote, Timeout: pair.HookTimeout,
		},
	}
	host.Alive = func(ctx context.Context) (failover.Life, error) { return askLife(ctx, endpoint, way) }
	_, port, err := net.SplitHostPort(way.Accept.String())
	if err == nil {
		host.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		return host, &usage.Error{Where: f.config, Err: err, Cure: "give [pair] local as 127.0.0.1:3307"}
	}
	peer, err := pairLogin("--monitor-file", f.monitor, pair.Peer, way.Accept)
	if err != nil {
		return host, err
	}
	host.PeerServer = func(ctx context.Context) (*server.Server, error) { return server.Open(ctx, finding.Peer, peer) }
	replicates, err := pairLogin("--replication-file", f.replicationLogin, pair.Peer, way.Accept)
	if err != nil {
		return host, err
	}
	host.ReplicationPassword = replicates.Password
	host.Follower = func(ctx context.Context) (*server.Server, error) {
		return server.Open(ctx, finding.Peer, replicates)
	}
	own, err := f.login.credentials(m)
	if err != nil {
		return host, err
	}
	opened, err := m.open(ctx, finding.Own, own)
	if err != nil {
		return host, err
	}
	_ = opened.Close()    // it was only tried
	login := opened.Login // with the password that was typed
	host.Own = func(ctx context.Context) (*server.Server, error) { return server.Open(ctx, finding.Own, login) }
	note, err := host.Store.Load(ctx)
	host.Databases = note.Databases
	return host, err
}

// pairLogin reads an option file, which a flag names, with a login at the peer's server.
// Its host and port, where it has them, are of this very end of the tunnel.
func pairLogin(flag, file, peer string, end tunnel.Address) (server.Login, error) {
	copied := finding.ShellWord(file)
	cure := fmt.Sprintf("copy it from the other host: scp -p root@%s:%s %s; only if this pair was never set up: "+
		"gtunnel replication setup-master, then setup-slave", peer, copied, copied)
	options, err := readOptionFile(flag, file)
	if _, missing := os.Stat(file); err != nil && errors.Is(missing, fs.ErrNotExist) {
		return server.Login{}, usage.WithHint(err, cure)
	}
	if err != nil {
		return server.Login{}, err
	}
	name := options["user"].text
	if name == "" {
		return server.Login{}, &usage.Error{
			Where: flag, Message: file + " does not name the account at " + peer, Cure: cure,
		}
	}
	login := server.Login{User: name, Password: server.NewPassword(options["password"].text)}
	login.Network, login.Address, err = (&masterFlags{address: end}).plainEnd(nil)
	return login, err
}

// pairEndpoint is what this host proves itself with to its peer, and asks of it.
func pairEndpoint(file string, way *config.Tunnel) (*certs.Endpoint, error) {
	store, err := certs.OpenStore(way.Trust())
	if err != nil {
		return nil, usage.WithHint(err, "gtunnel run --check --config "+file+" says what is wrong")
	}
	credential, err := certs.LoadCredential(way.Cert, way.Key)
	if err != nil { // which names flags that commands of a pair do not have
		return nil, usage.WithHint(err, "gtunnel run --check --config "+file+" says what is wrong")
	}
	return &certs.Endpoint{Policy: way.Policy(), MinVersion: uint16(way.MinTLS), Store: store, Credential: credential}, nil
}

// lifePatience is how long the peer's host is waited for.
const lifePatience = 5 * time.Second

// askLife shakes hands with the peer's gtunnel, which connects to no database for it.
// Whatever comes back in TLS is life, a refusal too.
func askLife(ctx context.Context, endpoint *certs.Endpoint, way *config.Tunnel) (failover.Life, error) {
	target := way.Connect[0]
	limited, cancel := context.WithTimeout(ctx, lifePatience)
	defer cancel()
	network, address := target.ForDial()
	conn, err := new(net.Dialer).DialContext(limited, network, address)
	if err != nil {
		reason, _ := tunnel.ExplainDial(target, err)
		return failover.Life{How: fmt.Sprintf("%s: %s", target, reason)}, ctx.Err()
	}
	defer func() { _ = conn.Close() }() // it was only asked
	probing, err := endpoint.Probe(limited, conn, way.ServerName, true)
	if err != nil {
		if ctx.Err() != nil {
			return failover.Life{}, ctx.Err()
		}
		return lifeOf(target, err), nil
	}
	life := failover.Life{Answers: true, How: fmt.Sprintf("the gtunnel of %s answers at %s", way.ServerName, target)}
	if problems := probing.Problems(); len(problems) > 0 {
		life.How += fmt.Sprintf(" (%v)", problems[0])
	} else if probing.Target == certs.TargetDown {
		life.How += ", and says that its database does not listen"
	}
	return life, nil
}

// lifeOf is what a handshake that failed tells of the host.
func lifeOf(target tunnel.Address, err error) failover.Life {
	life := failover.Life{Answers: true, How: fmt.Sprintf("%s answers over TLS: %v", target, err)}
	if e, ok := errors.AsType[*certs.HandshakeError](err); ok {
		if slices.Contains([]certs.Code{certs.CodeSilent, certs.CodeDisconnected, certs.CodeNotTLS}, e.Code) {
			life = failover.Life{How: fmt.Sprintf("%s takes connections, and does not answer over TLS: %s", target, e.Reason)}
		}
	}
	return life
}
