package main

import (
	"crypto/tls"
	"encoding"
	"fmt"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// Where grid sites keep a host's certificate, its key and the CAs.
const (
	defaultCert   = "/etc/grid-security/hostcert.pem"
	defaultKey    = "/etc/grid-security/hostkey.pem"
	defaultCApath = "/etc/grid-security/certificates"
)

// The addresses of the two ends of MySQL replication.
const (
	defaultServerAccept  = ":3307"
	defaultServerConnect = "127.0.0.1:3306"
	defaultClientAccept  = "127.0.0.1:3307"

	defaultPort = "3307"
	mysqlPort   = "3306"
)

// minReloadInterval keeps a process from doing nothing but looking at files.
const minReloadInterval = 100 * time.Millisecond

// Config is all that a process is told, by flags or by a file.
type Config struct {
	LogLevel       zapcore.Level
	LogFormat      string // "console" or "json"
	Admin          adminAddress
	AdminSocket    string         // the preset socket: its name in runtimeFolder
	ReloadInterval time.Duration  // 0: only SIGHUP reloads
	Tunnels        []TunnelConfig // in the order of the file

	origin   origin
	problems []*usageError // what was wrong in the file already
}

// TunnelConfig is one tunnel with everything that it does not share.
type TunnelConfig struct {
	Name            string
	Role            tunnel.Role
	Accept          tunnel.Address
	Connect         []tunnel.Address
	ServerName      string
	UnsafePlaintext bool
	AllowHost       []string
	AllowDN         []string
	AllowAll        bool
	Cert, Key       string
	CApath, CAfile  string
	CRL             certs.CRLMode
	CRLGrace        time.Duration
	Namespaces      certs.NamespacesMode
	EKU             certs.EKURule
	HostMode        certs.HostMode
	MinTLS          tlsVersion
	MaxDepth        int
	Timeouts        tunnel.Timeouts
	Limits          tunnel.Limits
}

// place is the tunnel's section in the file.
func (c TunnelConfig) place() place { return place{"tunnel", c.Name} }

// tunnel is the configuration without what must be loaded for it.
func (c TunnelConfig) tunnel() tunnel.Config {
	return tunnel.Config{
		Name:            c.Name,
		Role:            c.Role,
		Accept:          c.Accept,
		Connect:         c.Connect,
		ServerName:      c.ServerName,
		UnsafePlaintext: c.UnsafePlaintext,
		Timeouts:        c.Timeouts,
		Limits:          c.Limits,
	}
}

// newConfig is the configuration of a process that is told nothing but its
// command.
func newConfig(command string) Config {
	return Config{LogLevel: zapcore.InfoLevel, LogFormat: "console", ReloadInterval: time.Minute, AdminSocket: command + ".sock"}
}

// newTunnelConfig is the configuration of a tunnel that is told nothing but,
// perhaps, its role.
func newTunnelConfig(name string, role tunnel.Role) TunnelConfig {
	return TunnelConfig{
		Name:     name,
		Role:     role,
		Cert:     defaultCert,
		Key:      defaultKey,
		CApath:   defaultCApath,
		CRLGrace: 24 * time.Hour,
		MinTLS:   tls.VersionTLS12,
		MaxDepth: 10,
		Timeouts: tunnel.DefaultTimeouts(),
		Limits:   tunnel.DefaultLimits(),
	}
}

// settings lists what the flags and the file set for the process.
func (c *Config) settings() []setting {
	return []setting{
		{
			name: "reload-interval", group: groupCertificates, target: &c.ReloadInterval, zero: true, least: minReloadInterval,
			arg: "TIME", usage: "how often to look for new files; 0s: at SIGHUP",
		},
		{
			name: "log-level", group: groupLogging, target: &c.LogLevel,
			values: []string{"debug", "info", "warn", "error"},
			arg:    "LEVEL", usage: "debug, info, warn or error",
		},
		{
			name: "log-format", group: groupLogging, target: &c.LogFormat,
			values: []string{"console", "json"},
			arg:    "FORMAT", usage: "console or json",
		},
		{
			name: "admin", group: groupLogging, target: &c.Admin, preset: "unix:" + runtimeFolder + "/" + c.AdminSocket,
			arg: "ADDRESS", usage: "for status; or none",
		},
	}
}

// settings lists what the flags and the file set for a tunnel.
func (c *TunnelConfig) settings() []setting {
	accept, connect, port := defaultServerAccept, defaultServerConnect, mysqlPort
	if c.Role == tunnel.Client {
		accept, connect, port = defaultClientAccept, "none", defaultPort
	}
	return []setting{
		{
			name: "accept", group: groupTunnel, target: &c.Accept, preset: accept, port: defaultPort,
			arg: "ADDRESS", usage: "where to listen; :P: IPv4 and IPv6",
		},
		{
			name: "connect", group: groupTunnel, target: &c.Connect, preset: connect, port: port,
			arg: "ADDRESS", usage: "the target; repeat it for failover",
		},
		{
			name: "server-name", group: groupTunnel, target: &c.ServerName, role: tunnel.Client,
			arg: "NAME", usage: "what the server must prove, if not the host in --connect",
		},
		{
			name: "unsafe-plaintext", group: groupTunnel, target: &c.UnsafePlaintext,
			usage: "let the plain end reach beyond this host",
		},

		{
			name: "allow-host", group: groupAccess, target: &c.AllowHost, role: tunnel.Server,
			arg: "NAME", usage: "a host, by a wildcard certificate too; repeatable",
		},
		{
			name: "allow-dn", group: groupAccess, target: &c.AllowDN, role: tunnel.Server,
			arg: "DN", usage: "its DN instead, such as '/DC=two/O=hosts/*'; repeatable",
		},
		{
			name: "allow-all", group: groupAccess, target: &c.AllowAll, role: tunnel.Server,
			usage: "every host with a certificate of a trusted CA",
		},

		{
			name: "cert", group: groupCertificates, target: &c.Cert, file: true,
			arg: "FILE", usage: "host certificate",
		},
		{
			name: "key", group: groupCertificates, target: &c.Key, file: true,
			arg: "FILE", usage: "its key",
		},
		{
			name: "capath", group: groupCertificates, target: &c.CApath, file: true,
			arg: "DIR", usage: "trusted CAs",
		},
		{
			name: "cafile", group: groupCertificates, target: &c.CAfile, file: true,
			arg: "FILE", usage: "trusted CAs too; without --capath: only these",
		},
		{
			name: "crl", group: groupCertificates, target: &c.CRL, values: words[certs.CRLMode](),
			arg: "MODE", usage: "if-present, require, if-valid or ignore",
		},
		{
			name: "crl-grace", group: groupCertificates, target: &c.CRLGrace, zero: true,
			arg: "TIME", usage: "how long a stale CRL is let pass",
		},
		{
			name: "namespaces", group: groupCertificates, target: &c.Namespaces, values: words[certs.NamespacesMode](),
			arg: "MODE", usage: "policies; see README",
		},
		{
			name: "eku", group: groupCertificates, target: &c.EKU,
			values: []string{"host", "strict"},
			arg:    "RULE", usage: "extended key usages: host or strict",
		},
		{
			name: "host-mode", group: groupCertificates, target: &c.HostMode,
			values: []string{"grid", "san-only"},
			arg:    "MODE", usage: "grid: SAN, and CN if no dNSName; or san-only",
		},
		{
			name: "min-tls", group: groupCertificates, target: &c.MinTLS,
			values: []string{"1.2", "1.3"},
			arg:    "VERSION", usage: "least TLS version: 1.2 or 1.3",
		},
		{
			name: "max-depth", group: groupCertificates, target: &c.MaxDepth,
			arg: "N", usage: "most CA certificates above a peer's own",
		},

		{
			name: "handshake-timeout", group: groupLimits, target: &c.Timeouts.Handshake,
			arg: "TIME", usage: "handshake and verification",
		},
		{
			name: "dial-timeout", group: groupLimits, target: &c.Timeouts.Dial,
			arg: "TIME", usage: "one attempt at one target",
		},
		{
			name: "half-close-timeout", group: groupLimits, target: &c.Timeouts.HalfClose,
			arg: "TIME", usage: "silence after one side has ended",
		},
		{
			name: "idle-timeout", group: groupLimits, target: &c.Timeouts.Idle, zero: true,
			arg: "TIME", usage: "silence both ways; 0s: for ever",
		},
		{
			name: "drain-timeout", group: groupLimits, target: &c.Timeouts.Drain,
			arg: "TIME", usage: "open connections after a stop",
		},
		{
			name: "max-connections", group: groupLimits, target: &c.Limits.Connections,
			arg: "N", usage: "connections",
		},
		{
			name: "max-handshakes", group: groupLimits, target: &c.Limits.Handshakes,
			arg: "N", usage: "handshakes in progress",
		},
		{
			name: "max-handshakes-per-source", group: groupLimits, target: &c.Limits.HandshakesPerSource,
			arg: "N", usage: "of these from one address",
		},
	}
}

// trust is what the tunnel trusts.
func (c *TunnelConfig) trust() certs.StoreConfig {
	return certs.StoreConfig{CApath: c.CApath, CAfile: c.CAfile}
}

// policy is what the tunnel asks of its peers, access rules aside.
func (c *TunnelConfig) policy() certs.Policy {
	return certs.Policy{
		CRL: c.CRL, CRLGrace: c.CRLGrace, Namespaces: c.Namespaces,
		EKU: c.EKU, HostMode: c.HostMode, MaxDepth: c.MaxDepth,
	}
}

// access is whom a server lets in.
func (c *TunnelConfig) access() (*certs.Access, error) {
	return certs.NewAccess(c.AllowHost, c.AllowDN, c.AllowAll)
}

// words are the texts of a numbered type, from 0 up.
func words[T interface {
	~int
	encoding.TextMarshaler
}]() []string {
	var list []string
	for i := T(0); ; i++ {
		text, err := i.MarshalText()
		if err != nil {
			return list
		}
		list = append(list, string(text))
	}
}

// trustOnly keeps one level of configuration (flags, [tls], a tunnel) from
// adding to the trust of the level below: where it names only one of capath
// and cafile, the other is empty.
func (c *TunnelConfig) trustOnly(capathSet, cafileSet bool) {
	switch {
	case cafileSet && !capathSet:
		c.CApath = ""
	case capathSet && !cafileSet:
		c.CAfile = ""
	}
}

// complete fills in the defaults that depend on the role.
func (c *TunnelConfig) complete() {
	accept, connect := defaultServerAccept, []string{defaultServerConnect}
	if c.Role == tunnel.Client {
		accept, connect = defaultClientAccept, nil
	}
	if c.Accept == (tunnel.Address{}) {
		c.Accept = mustParse(accept)
	}
	if len(c.Connect) == 0 {
		for _, text := range connect {
			c.Connect = append(c.Connect, mustParse(text))
		}
	}
}

func mustParse(text string) tunnel.Address {
	a, err := tunnel.ParseAddress(text)
	if err != nil {
		panic(err)
	}
	return a
}

// tlsVersion is a version of TLS, in text 1.2 or 1.3.
type tlsVersion uint16

// UnmarshalText reads 1.2 or 1.3.
func (v *tlsVersion) UnmarshalText(text []byte) error {
	switch string(text) {
	case "1.2":
		*v = tls.VersionTLS12
	case "1.3":
		*v = tls.VersionTLS13
	default:
		return fmt.Errorf("%q is neither 1.2 nor 1.3", text)
	}
	return nil
}

// MarshalText writes 1.2 or 1.3.
func (v tlsVersion) MarshalText() ([]byte, error) { //nolint:unparam // encoding.TextMarshaler
	if v == tls.VersionTLS13 {
		return []byte("1.3"), nil
	}
	return []byte("1.2"), nil
}
